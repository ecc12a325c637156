"""Reading of long stacks of small frames: time and peak memory of each operation, each alone.

It makes stacks of 32x32 uint8 frames, in order and in thousands of piles at random, and runs each
operation in a process of its own. With another version's folder it does the same there and shows
ratios::

    python benchmarks/scale_reading.py 10000 100000 1000000 --before /path/of/another/checkout
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

from h5vidstack.codecs import block
from h5vidstack.codecs.loss import NO_LOSS
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import Coding
from h5vidstack.hdf5.filter import Video
from h5vidstack.layout.writer import Order, Record, StackWriter
from h5vidstack.similar.fingerprints import Fingerprints

FRAME, BLOCK, DIFFERENT = (32, 32), 16, 512
RECIPE = Recipe(Coding("lpc-fast"))
PILE = 333
"""Frames of a pile, in the mean."""

OPERATIONS = {
    "open": "pass",
    "info": "describe(path)",
    "first frame": "next(iter(stack))",
    "random frame": "[stack[int(i)] for i in numbers[:200]]",
    "list of 1,000": "stack[numbers]",
    "iterate": "for frame in stack: pass",
    "streamed sum": "for i in range(0, len(stack), 4096): stack[i:i + 4096].sum()",
    "find": "stack.find(stack[5])",
    "near duplicates": "sum(1 for _ in stack.near_duplicates())",
    "verify": "assert stack.verify() == []",
}

PROGRAM = """
import json, sys, time
import numpy as np
import h5vidstack
from h5vidstack.reading.summary import describe
path = sys.argv[1]
start = time.perf_counter(), time.process_time()
stack = h5vidstack.open(path, cache_bytes=1 << 24)
numbers = np.random.default_rng(3).integers(0, len(stack), 1000)
if sys.argv[2] != "open":
    start = time.perf_counter(), time.process_time()
{operation}
end = time.perf_counter(), time.process_time()
with open("/proc/self/status") as status:  # not ru_maxrss, in which the parent's counts, too
    peak = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))
print(json.dumps([end[0] - start[0], end[1] - start[1], peak]))
"""


def make(path: Path, count: int, in_order: bool) -> None:
    """Write a stack whose blocks are some hundred different ones, again and again."""
    chance = np.random.default_rng(1)
    base = np.add.outer(np.arange(32) * 3, np.arange(32) * 2) % 200
    runs = [
        (base + chance.integers(0, 40, (BLOCK, *FRAME))).astype(np.uint8) for _ in range(DIFFERENT)
    ]
    piles = 1 if in_order else max(2, count // PILE)
    lengths = np.diff(np.linspace(0, count, piles + 1).astype(int))
    order = np.arange(count) if in_order else chance.permutation(count)
    pile, position, crc32 = np.empty(count, int), np.empty(count, int), np.empty(count, np.uint32)
    coded = [(block.encode(run, RECIPE), block.frame_crcs(run)) for run in runs]
    members, written = [], 0
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        writer = StackWriter(file.create_group("stack"), FRAME, np.dtype("u1"), (BLOCK, *FRAME))
        for number, length in enumerate(lengths.tolist()):
            held = np.sort(order[:length])
            order = order[length:]
            out = writer.add_pile(str(RECIPE), Video(preset="lpc-fast"))
            out.extend(length)
            for start in range(0, length, BLOCK):
                which, size = written % DIFFERENT, min(BLOCK, length - start)
                data, crcs = coded[which]
                if size < BLOCK:
                    data = block.encode(runs[which][:size], RECIPE)
                out.write_block((start, 0, 0), data)
                crc32[held[start : start + size]] = crcs[:size]
                written += 1
            pile[held], position[held] = number, np.arange(length)
            members.append(held)
        hashes = chance.integers(0, 1 << 64, (3, count), dtype=np.uint64)
        hashes[:, count // 2 :] = hashes[:, : count - count // 2] ^ np.uint64(
            5
        )  # near the first half
        prints = Fingerprints(crc32, *hashes)
        typical = [int(held[len(held) // 2]) for held in members]
        where = Order(pile, position, members, typical)
        writer.finish(where, prints, Record("groupvideo", {}, None, NO_LOSS))


def measure(path: Path, name: str, folder: Path) -> tuple[float, float, int]:
    """Return wall time, CPU time (seconds) and peak memory (bytes) of an operation."""
    program = PROGRAM.format(operation=OPERATIONS[name])
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", program, str(path.resolve()), name]
    done = subprocess.run(
        command, env=environment, cwd=path.parent, capture_output=True, text=True, check=True
    )
    wall, cpu, peak = json.loads(done.stdout)
    return wall, cpu, peak


def main() -> None:
    """Print a table for each number of frames."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("counts", nargs="*", type=int, default=[10_000, 100_000])
    parser.add_argument("--before", type=Path, help="a checkout to compare with")
    parser.add_argument("--folder", type=Path, default=Path("build/scale"))
    parser.add_argument("--only", nargs="*", choices=OPERATIONS, default=list(OPERATIONS))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).resolve().parent.parent
    print(
        f"{'frames':>9} {'stack':10} {'operation':16} {'ms':>10} {'CPU ms':>10} {'peak MiB':>9} before"
    )
    for count in options.counts:
        for kind in ("in order", "piles"):
            path = options.folder / f"{kind.replace(' ', '_')}_{count}.h5"
            make(path, count, kind == "in order")
            for name in options.only:
                wall, cpu, peak = measure(path, name, here)
                line = f"{count:9,} {kind:10} {name:16} {wall * 1e3:10.1f} {cpu * 1e3:10.1f} {peak >> 20:9}"
                if options.before is not None:
                    try:
                        old = measure(path, name, options.before)
                        line += f" {old[1] / cpu:.1f} x CPU, {old[2] >> 20} MiB"
                    except subprocess.CalledProcessError as error:
                        line += f" {error.stderr.splitlines()[-1]}"
                print(line, flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
