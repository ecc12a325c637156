"""Bounded error beside SZ3 and ZFP (hdf5plugin) at the same absolute bound.

python benchmarks/bounds.py [--bound 1e-3r] [PATH[:COUNT] | demo:float32 ...]
"""

from __future__ import annotations

import argparse
import tempfile

import numpy as np
from stacks import add_stacks, loaded

from h5vidstack.bench.measurement import BenchTask, measure
from h5vidstack.bench.roster import all_contestants, choose


def main():
    """Print sizes of files and largest differences; these stacks may be too small for `bench`."""
    parser = argparse.ArgumentParser()
    add_stacks(parser, "demo:float32:288")
    parser.add_argument("--bound", default="1e-3r", help="As pack's --max-error.")
    arguments = parser.parse_args()
    for name, frames in loaded(arguments):
        bound = arguments.bound
        if bound.endswith("r"):
            bound = float(bound[:-1]) * float(np.ptp(frames.astype("f8")))
        if not float(bound):
            continue
        print(f"{name} {frames.shape} {frames.dtype}, bound {float(bound):g}")
        with tempfile.TemporaryDirectory() as folder:
            frames.tofile(f"{folder}/raw")
            contestants = all_contestants(frames, float(bound))
            for number, one in enumerate(choose(contestants, ["bounded", "SZ3", "ZFP"], False)):
                output = f"{folder}/{number}"
                job = BenchTask(
                    one.name, f"{folder}/raw", frames.shape, frames.dtype.str, float(bound),
                    output, True, 0,
                )  # fmt: skip
                run = measure(one, job)
                print(f"  {one.name:<20} {run.file_bytes / 1000:10,.1f} KB, max error "
                      f"{run.max_error:.4g}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
