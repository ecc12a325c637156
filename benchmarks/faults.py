"""Every write of every operation fails, or is the last before a kill: python faults.py [STEP [NAME ...]].

Each call that changes a file (see tests/faults.c) in turn, or every STEPth: disk full and
input/output error, that once or from there on, a part of the write and then disk full, and
SIGKILL. Needs cc, and Linux. The outcome must be success or an Error, the old file or
the new one, nothing left behind; the same process must be able to do it again, and to end.
"""

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path.insert(0, str(TESTS))
ONCE, FOR_EVER, SHORT, KILL = range(4)
KEPT = "is not replaced, because what is in it cannot be read"
"""What is said of a recording whose structure a write damaged: its blocks can be recovered."""
FAULTS = {
    "full once": (errno.ENOSPC, ONCE),
    "full": (errno.ENOSPC, FOR_EVER),
    "EIO once": (errno.EIO, ONCE),
    "EIO": (errno.EIO, FOR_EVER),
    "short": (errno.ENOSPC, SHORT),
    "kill": (0, KILL),
}


def preload():
    """Start this program again with the library that makes calls fail."""
    if "faults.so" not in os.environ.get("LD_PRELOAD", ""):
        folder = tempfile.mkdtemp()
        library = Path(folder, "faults.so")
        words = ["cc", "-shared", "-fPIC", "-O1", "-o", library, TESTS / "faults.c", "-ldl"]
        subprocess.run(words, check=True)
        os.environ["LD_PRELOAD"] = str(library)
        os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        os.execv(sys.executable, [sys.executable, *sys.argv])
    shutil.rmtree(Path(os.environ.pop("LD_PRELOAD")).parent)  # it is loaded
    return ctypes.CDLL(None)


def main():
    """Try every fault."""
    library = preload()
    from disasters import OPERATIONS, Bench

    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    wanted = sys.argv[2:]
    folder, process = tempfile.mkdtemp(), os.getpid()
    bench, wrong, total = Bench(folder), 0, Counter()
    try:
        print(f"{'operation':20}{'calls':>6}  outcomes", flush=True)
        for place, operation in enumerate(OPERATIONS):
            if wanted and operation.name not in wanted:
                continue
            counts = Counter()
            calls = fault(bench, library, operation, 0, 0, ONCE)[1]
            for kind, (name, (code, how)) in enumerate(FAULTS.items()):
                # Each kind, and each operation, at other calls.
                for nth in range(1 + (place + kind * 7) % step, calls + 1, step):
                    outcome = fault(bench, library, operation, nth, code, how)[0]
                    if "WRONG" in outcome:
                        wrong += 1
                        print(f"--- {operation.name}, {name} at call {nth}: {outcome}", flush=True)
                        outcome = "WRONG"
                    counts["killed: " * (how == KILL) + outcome] += 1
            total += counts
            rows = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
            print(f"{operation.name:20}{calls:6}  {rows}", flush=True)
        rows = ", ".join(f"{count} {what}" for what, count in sorted(total.items()))
        print(f"{total.total()} faults: {rows}; {wrong} wrong")
    finally:
        if os.getpid() == process:
            shutil.rmtree(folder)
    return 1 if wrong else 0


def fault(bench, library, operation, nth, code, how):
    """Outcome of an operation of whose calls the nth fails, and how many it made."""
    armed = [nth]

    def arm():
        library.faults_arm(os.fsencode(os.getcwd()), armed.pop() if armed else 0, code, how)

    def disarm():
        made = library.faults_count()
        library.faults_arm(b"", 0, 0, 0)
        return made

    bench.begin(operation)
    child = bench.start(operation.run, arm, disarm, again=bool(nth) and how != KILL)
    _, status = os.waitpid(child, os.WUNTRACED)
    state = bench.judge(operation)
    if how == KILL:
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return after_kill(bench, operation, state), 0
        return f"WRONG: not killed, {status}", 0
    problems = [] if "WRONG" not in state else [state]
    if not nth:
        assert (status, state, bench.said) == (0, "new", ""), (status, state, bench.said)
        return state, bench.results[0]
    if os.WIFSTOPPED(status):
        first = bench.results[1]
        word = first.split()[0]
        if word == "WRONG":
            problems.append(first)
        if (word == "Error") == (state == "new") and operation.name[:6] != "record":
            problems.append(f"WRONG: {first}, but the output is {state}")
        left = [name for name in bench.leftovers() if not name.endswith(".resume")]
        if left:
            problems.append(f"WRONG: it left {left} after {first}")
        os.kill(child, signal.SIGCONT)
        _, status = os.waitpid(child, 0)
        again = bench.results[2:]
        if word == "Error" and state in ("carved", "part") and KEPT in again[-1]:
            state += " and kept"  # half of its structure is missing, so only recovery reads it
        elif word == "Error" and (again != ["done"] or bench.judge(operation) != "new"):
            problems.append(f"WRONG: after {first} {state} again {again}")
        if status or bench.said:
            problems.append(f"WRONG: after {first} Python ended with {status}: {bench.said}")
    else:
        problems.append(f"WRONG: it ended with {status}: {bench.said}")
        word = "crash"
    return (f"{word}, {state}" if not problems else "; ".join(problems)), 0


def after_kill(bench, operation, state):
    """The outcome of a kill: the next one must do it all, and clear up."""
    if "WRONG" in state:
        return state
    if state == "carved":
        return "WRONG: the structure is damaged"
    if state in ("absent", "old", "part"):
        child = bench.start(operation.run)
        _, status = os.waitpid(child, 0)
        if status or bench.results[1] != "done" or bench.judge(operation) != "new":
            return f"WRONG: after the kill ({state}) {bench.results}, {bench.said}"
        if bench.leftovers():
            return f"WRONG: after the kill and again there is {bench.leftovers()}"
        return state
    left = [name for name in bench.leftovers() if not name.endswith(".resume")]
    return f"{state}{', leftovers' * bool(left)}"


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    sys.exit(code)
