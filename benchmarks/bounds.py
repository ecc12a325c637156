"""Bounded error beside SZ3 and ZFP (hdf5plugin) at the same absolute bound.

python benchmarks/bounds.py [--data ../shared/data] [--bound 1e-3r] D:float32:288 beamline-float
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import h5py
import numpy as np
from sizes import load

from h5vidstack.bench.measurement import BenchTask, measure
from h5vidstack.bench.roster import all_contestants, choose


def stacks(name, data):
    """The frames of a name of `sizes.load`, or all float stacks of the beamline file."""
    if name != "beamline-float":
        yield load(name, data)
        return
    with h5py.File(data / "Sample_Stack_2021-03-16_128.hdf5") as file:
        found = []
        file["entry1"].visititems(lambda _, node: found.append(node))
        for node in found:
            if isinstance(node, h5py.Dataset) and node.ndim == 3 and node.dtype.kind == "f":
                yield node[()]


def main():
    """Print sizes of files and largest differences; these stacks may be too small for `bench`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("stacks", nargs="+")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--bound", default="1e-3r", help="As pack's --max-error.")
    arguments = parser.parse_args()
    for name in arguments.stacks:
        for frames in stacks(name, arguments.data):
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
