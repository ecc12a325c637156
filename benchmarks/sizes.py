"""Compare every profile with the peers, by `h5vidstack bench`.

    pip install -e ".[bench]"
    python benchmarks/sizes.py [--gray] [PATH[:COUNT] | demo[:DTYPE] ...]

Speeds are of one round.
"""

from __future__ import annotations

import argparse

from stacks import add_stacks, loaded

from h5vidstack.bench import table
from h5vidstack.bench.comparison import compare


def main():
    """Print a table for each stack."""
    parser = argparse.ArgumentParser()
    add_stacks(parser)
    arguments = parser.parse_args()
    for name, frames in loaded(arguments):
        found = compare(frames, name=name, methods=["auto"], peers=True, rounds=1)
        print("\n".join(table.lines(found)))
        small = next(row.file_bytes for row in found.rows if row.name == "auto small")
        peer = min(row.file_bytes for row in found.exact if not row.ours)
        print(f"small / smallest exact peer: {small / peer:.3f}\n", flush=True)


if __name__ == "__main__":
    main()
