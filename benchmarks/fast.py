"""Profile fast beside h5py's gzip 4 + shuffle with chunks of one frame, in interleaved rounds.

python benchmarks/fast.py [--gray] [PATH[:COUNT] | demo[:DTYPE] ...]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from stacks import add_stacks, loaded

import h5vidstack


def timed(work):
    """Seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def one_by_one(opened, numbers):
    """Seconds to read frames in no order, of a file just opened."""
    return timed(lambda: list(map(opened.__getitem__, numbers)))


def gzip(frames, path):
    """Write frames as most people would."""
    with h5py.File(path, "w") as file:
        chunk = (1, *frames.shape[1:])
        file.create_dataset("d", data=frames, chunks=chunk, compression=4, shuffle=True)


def main():
    """Print ratios of speeds, ours over theirs."""
    parser = argparse.ArgumentParser()
    add_stacks(parser)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for name, frames in loaded(arguments):
        some = np.random.default_rng(0).permutation(len(frames))[:40]
        seconds = {}
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = f"{folder}/ours.h5", f"{folder}/theirs.h5"
            for _ in range(arguments.rounds):
                for label, pair in {
                    "pack": (
                        lambda: h5vidstack.pack(frames, ours, profile="fast", overwrite=True),
                        lambda: gzip(frames, theirs),
                    ),
                    "read all": (
                        lambda: h5vidstack.open(ours, cache_bytes=0)[:],
                        lambda: h5py.File(theirs)["d"][()],
                    ),
                    "single frames": (
                        lambda: one_by_one(h5vidstack.open(ours), some),
                        lambda: one_by_one(h5py.File(theirs)["d"], some),
                    ),
                }.items():
                    for side, work in zip(("ours", "theirs"), pair):
                        seconds.setdefault((label, side), []).append(
                            work() if label == "single frames" else timed(work)
                        )
            sizes = [Path(path).stat().st_size for path in (ours, theirs)]
        ratios = {
            label: statistics.median(seconds[label, "theirs"])
            / statistics.median(seconds[label, "ours"])
            for label in ("pack", "read all", "single frames")
        }
        words = ", ".join(f"{label} {ratio:.2f} x" for label, ratio in ratios.items())
        print(f"{name}: size {sizes[0] / sizes[1]:.3f} of gzip 4's; speed: {words}", flush=True)


if __name__ == "__main__":
    main()
