"""Commands get a signal at a random Python call: python interrupts.py [COUNT [SEED [NAME ...]]].

It is SIGINT or SIGTERM. Then the command must end with 130 or 143 and no words but "Aborted!";
the output is absent, old or new, and nothing else is left.
"""

import functools
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from disasters import OPERATIONS, Bench, alone

from h5vidstack.cli import main, signals

WORDS = {signal.SIGINT: "\nAborted!\n", signal.SIGTERM: ""}
KINDS = [
    operation.name for operation in OPERATIONS
    if isinstance(operation.run, functools.partial) and operation.name != "pack --resume"
]  # fmt: skip


class Calls:
    """Counts the calls of a command since SIGTERM is handled; at one of them comes a signal."""

    def __init__(self, number=None, last=-1):
        self.number, self.last, self.count, self.place = number, last, 0, ""

    def __call__(self, frame, event, _):
        ready = signal.getsignal(signal.SIGTERM) is signals.ask
        if event != "call" or not ready:
            return
        self.count += 1
        if self.count == self.last:
            sys.settrace(None)
            code = frame.f_code
            self.place = f"{code.co_filename}:{frame.f_lineno} {code.co_name}"
            signal.getsignal(self.number)(self.number, frame)


def run(bench, operation, calls):
    """How a command ends: its exit code, its words, how many calls there were, and the last."""
    bench.begin(operation)
    child = bench.fork()
    if child:
        _, status = os.waitpid(child, 0)
        count, place = (bench.work / "../calls").read_text().split("\n")
        return os.waitstatus_to_exitcode(status), bench.said, int(count), place
    signal.alarm(60)
    os.chdir(bench.work)
    for target, stream in ((os.devnull, 1), ("../stderr", 2)):
        os.dup2(os.open(target, os.O_WRONLY | os.O_CREAT), stream)
    (words,) = operation.run.args
    try:
        sys.settrace(calls)
        main(words.split(), prog_name="h5vidstack")
    finally:
        sys.settrace(None)
        Path("../calls").write_text(f"{calls.count}\n{calls.place}")


def interrupted(bench, operation, count, chance):
    """Run with a signal; what there is then."""
    number = chance.choice(list(WORDS))
    calls = Calls(number, chance.randint(1, count))
    code, words, _, place = run(bench, operation, calls)
    state = bench.judge(operation)
    if (code, words) != (128 + number, WORDS[number]) or bench.leftovers():
        state = f"WRONG: {code} {words!r} {bench.leftovers()} {state}"
    return f"{state}, call {calls.last} of {count}, {place}" if "WRONG" in state else state


def interrupt():
    """Send signals."""
    count, seed = (*map(int, sys.argv[1:3]), *(400, 0)[len(sys.argv) - 1 :])
    kinds = sys.argv[3:] or KINDS
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also if this runs in the background
    chance, folder, process = random.Random(seed), tempfile.mkdtemp(), os.getpid()
    bench, total = Bench(folder), Counter()
    try:
        for place, name in enumerate(kinds):
            operation = next(one for one in OPERATIONS if one.name == name)
            _, _, calls, _ = run(bench, operation, Calls())
            for _ in range(place, count, len(kinds)):
                state = interrupted(bench, operation, calls, chance)
                if "WRONG" in state:
                    print(f"--- {name}: {state}", flush=True)
                    state = "wrong"
                total[state] += 1
        print(*(f"{number} {state}" for state, number in sorted(total.items())), sep=", ")
    finally:
        if os.getpid() == process:
            shutil.rmtree(folder)
    return 1 if total["wrong"] else 0


if __name__ == "__main__":
    alone()
    sys.exit(interrupt())
