"""Operations are killed (SIGKILL) at random moments: python kills.py [COUNT [SEED [NAME ...]]].

Half of the moments lie anywhere in an operation, half in its last fifth, where tables are
written and files renamed. Then the output must be absent, old, new, or the beginning of a recording
(all that was promised, and what a reader saw meanwhile was right); doing it again must do it,
and clear up what the killed process left.
"""

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from disasters import OPERATIONS, Bench, alone, counted_reuse, reading, recorded
from faults import after_kill

KINDS = (
    "pack", "pack --overwrite", "pack beside", "pack groupvideo", "append", "append piles",
    "rehash", "pack --resume", "recover", "unpack folder", "unpack --overwrite", "unpack beside",
    "record", "record over", "repack", "repack in place", "repack --restore",
)  # fmt: skip


def resumed(bench, operation, state):
    """The same for a run that goes on: all that was kept is used again."""
    kept = bench.kept()
    if state == "new":
        return state, 0
    found = []
    child = bench.start(operation.run, lambda: found.append(counted_reuse()), lambda: found[0])
    _, status = os.waitpid(child, 0)
    counts, *results = bench.results
    if status or results != ["done"] or bench.judge(operation) != "new" or bench.leftovers():
        return f"WRONG: resumed, {results} {bench.leftovers()} {bench.said}", 0
    if counts["reused"] != kept or kept + counts["made"] != 5:
        return f"WRONG: {kept} blocks were kept, {counts}", 0
    return state, kept


def killed(bench, operation, last, chance):
    """Run, kill, and look; the outcome, whether it was still running, and blocks used again."""
    bench.begin(operation)
    share = chance.random() if chance.random() < 0.5 else chance.uniform(0.8, 1)
    child = bench.start(operation.run)
    reader = bench.start(lambda: reading(child)) if operation.run is recorded else None
    time.sleep(share * last)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if reader is not None:
        _, ended = os.waitpid(reader, 0)
        if ended or bench.results[1:] != ["done"]:
            return f"WRONG: a reader ended with {ended}, {bench.results}", True, 0
    state, reused = bench.judge(operation), 0
    if "WRONG" not in state:
        if operation.name == "pack --resume" and (bench.work / ".out.h5.stack.resume").exists():
            state, reused = resumed(bench, operation, state)
        else:
            state = after_kill(bench, operation, state)
    return state, os.WIFSIGNALED(status), reused


def main():
    """Kill."""
    count, seed = (*map(int, sys.argv[1:3]), *(420, 0)[len(sys.argv) - 1 :])
    kinds = sys.argv[3:] or KINDS
    chance, folder, process = random.Random(seed), tempfile.mkdtemp(), os.getpid()
    bench, total = Bench(folder, scale=4), Counter()
    words = ["runs", "killed", "absent", "old", "new", "part", "wrong", "reused"]
    try:
        print(f"{'operation':20}" + "".join(f"{word:>8}" for word in words), flush=True)
        for place, name in enumerate(kinds):
            operation = next(one for one in OPERATIONS if one.name == name)
            counts, last = Counter(), bench.seconds(operation)
            for _ in range(place, count, len(kinds)):
                state, was_running, reused = killed(bench, operation, last, chance)
                if "WRONG" in state:
                    print(f"--- {name}: {state}", flush=True)
                    state = "wrong"
                counts.update({"runs": 1, "killed": was_running, state: 1, "reused": reused})
            print(f"{name:20}" + "".join(f"{counts[word]:8}" for word in words), flush=True)
            total += counts
        print(f"{'all':20}" + "".join(f"{total[word]:8}" for word in words))
    finally:
        if os.getpid() == process:
            shutil.rmtree(folder)
    return 1 if total["wrong"] else 0


if __name__ == "__main__":
    alone()
    sys.exit(main())
