"""Every profile beside the peers, on real stacks, by `h5vidstack bench`.

    pip install -e ".[bench]"
    python benchmarks/sizes.py [--data ../shared/data] brightfield calcium D:uint8 D:float32:576

A stack is brightfield, calcium, beamline, mouse, cockatoo (RGB), cockatoo-gray or D:DTYPE, with
:N for its first N frames. Speeds are of one round.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from h5vidstack.bench import table
from h5vidstack.bench.comparison import compare
from h5vidstack.cli.demonstration import generated
from h5vidstack.sources.base import SourceOptions
from h5vidstack.sources.kinds import open_source


def load(name, data):
    """The frames of a stack by its name on the command line."""
    name, *options = name.split(":")
    count = int(options[-1]) if options and options[-1].isdigit() else None
    if name == "D":
        return np.stack(list(generated(options[0], (12, 12, 12), (201, 301))))[:count]
    path = {
        "brightfield": "brightfield", "calcium": "calcium.tif", "mouse": "mouse.mp4",
        "beamline": "nexus-example.hdf5::/entry/data/frames", "cockatoo": "cockatoo.mp4",
        "cockatoo-gray": "cockatoo.mp4",
    }[name]  # fmt: skip
    source = open_source(data / path, SourceOptions(gray=name in ("mouse", "cockatoo-gray")))
    batches, found = [], 0
    for batch in source.batches(64):
        batches.append(batch)
        found += len(batch)
        if count and found >= count:
            break
    return np.concatenate(batches)[:count]


def main():
    """Print a table for each stack."""
    parser = argparse.ArgumentParser()
    parser.add_argument("stacks", nargs="+")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    for name in arguments.stacks:
        found = compare(
            load(name, arguments.data), name=name, methods=["auto"], peers=True, rounds=1
        )
        print("\n".join(table.lines(found)))
        small = next(row.file_bytes for row in found.rows if row.name == "auto small")
        peer = min(row.file_bytes for row in found.exact if not row.ours)
        print(f"small / smallest exact peer: {small / peer:.3f}\n", flush=True)


if __name__ == "__main__":
    main()
