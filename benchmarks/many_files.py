"""Repack many small files while some fail and processes are killed; then go on, and compare all.

Usage: python benchmarks/many_files.py [FILES] [JOBS]

Every 50th file is damaged, and every 100th is a link to nothing. While the rest is repacked, a
process is killed (SIGKILL) after each 150 finished files. The second run goes on with the log; it
finds the damaged files again, and nothing else is left. All outputs are compared with their sources.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from stacks import load

import h5vidstack


def put(folder, count):
    """Files of some 120 KB, in ten folders; return the names of those that cannot be read."""
    frames, bad = load("demo")[:8, :128, :128], set()
    for number in range(count):
        path = folder / f"{number % 10}" / f"{number:05}.h5"
        path.parent.mkdir(exist_ok=True)
        if number % 100 == 99:
            path.symlink_to("nowhere")
            bad.add(path)
            continue
        with h5py.File(path, "w") as file:
            file["entry/data"] = frames + np.uint8(number % 50)
            file["entry/number"] = number
        if number % 50 == 24:
            path.write_bytes(path.read_bytes()[:5000])
            bad.add(path)
    return bad


def children():
    """Processes that this one started."""
    found = [each.read_text().split() for each in Path("/proc/self/task").glob("*/children")]
    return [int(number) for numbers in found for number in numbers]


def main(count=1000, jobs=2):
    with tempfile.TemporaryDirectory() as name:
        folder, out, log = Path(name) / "in", Path(name) / "out", Path(name) / "log"
        folder.mkdir()
        bad, killed = put(folder, count), []
        finished = 0

        def kill(result):
            nonlocal finished
            finished += result.status == "done"
            if result.status == "done" and finished % 150 == 0 and children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(children()[0], signal.SIGKILL)
                    killed.append(result.name)

        for run, heard in enumerate((kill, None), 1):
            started = time.perf_counter()
            report = h5vidstack.repack_many(
                folder, out, jobs=jobs, log=log, profile="fast", finished=heard
            )
            seconds, facts = time.perf_counter() - started, report.facts()
            ended = [one.name for one in report.failed if one.error == "killed"]
            print(
                f"run {run}: {facts['done']} done, {facts['skipped']} done before, "
                f"{facts['failed']} failed ({len(ended)} killed) in {seconds:.1f} s, "
                f"{facts['done'] / seconds:.1f} files/s"
            )
        wrong = {folder / one.name for one in report.failed} ^ bad
        left = [path for path in out.rglob("*") if path.is_file() and path.suffix != ".h5"]
        for path in set(folder.rglob("*.h5")) - bad:
            with h5py.File(path) as given, h5py.File(out / path.relative_to(folder)) as made:
                if not np.array_equal(given["entry/data"], made["entry/data"]):
                    wrong.add(path)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        print(
            f"{len(killed)} kills; {len(lines)} lines in the log; {len(wrong)} wrong, {len(left)} left"
        )
    return bool(wrong or left)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
