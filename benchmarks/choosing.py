"""What choosing a coding costs: the share of packing that a profile's samples take.

python benchmarks/choosing.py [--gray] [--profile balanced] [PATH[:COUNT] | demo[:DTYPE] ...]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from stacks import add_stacks, loaded

import h5vidstack
from h5vidstack.choosing import trials


def main():
    """Print shares, and the size that came of the choice."""
    parser = argparse.ArgumentParser()
    add_stacks(parser)
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    spent = []

    def timed(work):
        def wrapped(*given, **named):
            started = time.perf_counter()
            try:
                return work(*given, **named)
            finally:
                spent.append(time.perf_counter() - started)

        return wrapped

    trials.Chooser.choose = timed(trials.Chooser.choose)
    for name, frames in loaded(arguments):
        shares, seconds = [], []
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "x.h5")
                spent.clear()
                started = time.perf_counter()
                report = h5vidstack.pack(frames, path, profile=arguments.profile)
                seconds.append(time.perf_counter() - started)
                size = path.stat().st_size
                shares.append(sum(spent) / seconds[-1])
        print(
            f"{name}: {statistics.median(shares):.1%} of {statistics.median(seconds):.3f} s "
            f"({len(spent)} piles); {size / 1000:.0f} KB, {report.codings[0]}",
            flush=True,
        )


if __name__ == "__main__":
    main()
