"""Bounded error beside SZ3 and ZFP (hdf5plugin) at the same absolute bound.

python tests/benchmark/bounds.py [--data ../shared/data] [--bound 1e-3] D:float32:288 beamline-float
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
from sizes import load

import h5vidstack


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


def plugin(frames, path, options):
    """Bytes and largest difference of a filter of hdf5plugin."""
    chunk = (min(16, len(frames)), *frames.shape[1:])
    with h5py.File(path, "w") as file:
        data = file.create_dataset("d", data=frames, chunks=chunk, **options)
        file.flush()
        return data.id.get_storage_size(), np.abs(data[()].astype("f8") - frames).max()


def main():
    """Print sizes and largest differences."""
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
            rows = {}
            with tempfile.TemporaryDirectory() as folder:
                for profile in ("balanced", "small"):
                    report = h5vidstack.pack(
                        frames, f"{folder}/x.h5", profile=profile, max_error=float(bound),
                        overwrite=True,
                    )  # fmt: skip
                    rows[f"h5vidstack {profile}"] = report.stored_bytes, report.max_error
                for label, options in {
                    "SZ3": hdf5plugin.SZ3(absolute=float(bound)),
                    "ZFP": hdf5plugin.Zfp(accuracy=float(bound)),
                }.items():
                    rows[label] = plugin(frames, f"{folder}/y.h5", options)
            print(f"{name} {frames.shape} {frames.dtype}, bound {float(bound):g}")
            for label, (size, error) in rows.items():
                print(f"  {label:<20} {size / 1000:10,.1f} KB, max error {error:.4g}", flush=True)


if __name__ == "__main__":
    main()
