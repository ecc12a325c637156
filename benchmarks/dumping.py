"""How fast `h5dump` reads a stack by the native plugin, beside gzip's and Blosc2's filters.

    python benchmarks/dumping.py [--rounds 5] [PATH[:COUNT]]

Each file holds the same frames in chunks of the same shape, and h5dump writes all of its pixels to a
raw file, in interleaved rounds. Times are CPU times (user and system) of the whole program, each the
median of the rounds. The row "not coded" shows what h5dump itself costs, and the last column is the
speed of a filter without that. It needs hdf5-tools, hdf5plugin, and what builds the plugin.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import hdf5plugin
from stacks import add_stacks, loaded

import h5vidstack

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from native import SOURCES, environment, make

DATASET = "/stack/frames"
CODINGS = {
    "not coded": {},
    "shuffle, gzip 6": {"shuffle": True, "compression": "gzip", "compression_opts": 6},
    "Blosc2 shuffle, zstd 5": dict(hdf5plugin.Blosc2(cname="zstd", clevel=5)),
    "Blosc2 shuffle, lz4 5": dict(hdf5plugin.Blosc2(cname="lz4", clevel=5)),
}


def written(frames, folder):
    """Write a file for each coding, and return their paths by the names of the codings."""
    paths = {"h5vidstack fast": folder / "fast.h5"}
    h5vidstack.pack(frames, paths["h5vidstack fast"], method="video", profile="fast")
    with h5py.File(paths["h5vidstack fast"]) as file:
        chunks = file[DATASET].chunks
    for number, (name, options) in enumerate(CODINGS.items()):
        paths[name] = folder / f"{number}.h5"
        with h5py.File(paths[name], "w") as file:
            file.create_dataset(DATASET, data=frames, chunks=chunks, **options)
    return paths


def cpu_seconds(path, raw, variables):
    """Return the CPU time of h5dump, which writes the pixels of a file to `raw`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["h5dump", "-d", DATASET, "-b", "LE", "-o", raw, path]
    subprocess.run(command, env=variables, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(name, frames, rounds, folder, plugin):
    """Print a table, a row for each coding."""
    variables = environment(plugin)
    variables["HDF5_PLUGIN_PATH"] += os.pathsep + hdf5plugin.PLUGINS_PATH
    paths, raw = written(frames, folder), folder / "raw.bin"
    pixels = frames.astype(frames.dtype.newbyteorder("<")).tobytes()
    times = {coding: [] for coding in paths}
    for _, (coding, path) in itertools.product(range(rounds), paths.items()):
        times[coding].append(cpu_seconds(path, raw, variables))
        if raw.read_bytes() != pixels:
            sys.exit(f"{name}: {coding}: h5dump gave other pixels")
    medians = {coding: statistics.median(times[coding]) for coding in paths}
    print(f"{name[-24:]:24} {'ratio':>6} {'CPU s':>8} {'MB/s':>8} {'filter MB/s':>12}")
    for coding, path in paths.items():
        seconds = medians[coding]
        net, megabytes = seconds - medians["not coded"], len(pixels) / 1e6
        alone = f"{megabytes / net:12.0f}" if net > 0 else f"{'-':>12}"
        print(f"{coding:24} {len(pixels) / path.stat().st_size:6.2f} {seconds:8.3f} "
              f"{megabytes / seconds:8.0f} {alone}")  # fmt: skip


def main():
    """Measure each stack."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_stacks(parser)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    plugin = make(SOURCES / "build")
    for name, frames in loaded(options):
        with tempfile.TemporaryDirectory() as folder:
            measure(name, frames, options.rounds, Path(folder), plugin)


if __name__ == "__main__":
    main()
