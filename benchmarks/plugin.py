"""Reading by the native plugin: exactly, and how fast beside bare libavcodec.

    python benchmarks/plugin.py [--gray] [--rounds 5] [PATH[:COUNT]]     speeds
    python benchmarks/plugin.py --exact                                  h5dump of many stacks

Speeds: a C program reads all frames by one H5Dread, or by one for each frame, and another decodes the
same packets by libavcodec alone, all in one thread; each in a process of its own, in interleaved
rounds, in CPU time. Ratios are of medians; below 1 the plugin is slower. Exact: small stacks of every preset, profile,
dtype and order, and each frame that `h5dump` gives is compared with the input. Both need what
Debian installs, and hdf5-tools.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from stacks import add_stacks, loaded

import h5vidstack
from h5vidstack.choosing.profiles import PROFILES
from h5vidstack.codecs.registry import PRESETS

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from frames import DTYPES, moving, pixels
from native import SOURCES, make, with_plugin

CODINGS = (
    {"preset": "x264-fast"}, {"preset": "x264-interm"}, {"preset": "lpc-fast"},
    {"preset": "lpc-chain"}, {"preset": "ffv1-context"},
    *({"profile": profile} for profile in PROFILES),
)  # fmt: skip
WAYS = ("bare", "copied", "whole", "frames")


def seconds(folder, way, path):
    done = with_plugin(folder, folder / "speed", way, path, "/stack/frames")
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout)


def speeds(folder, name, frames, rounds, scratch):
    """Print a table, a row for each way to code a stack."""
    print(f"{name[:24]:24} {'bare s':>8} {'whole s':>8} {'bare/whole':>11} "
          f"{'copied/whole':>13} {'whole/frames':>13}")  # fmt: skip
    for number, coding in enumerate(CODINGS):
        path = scratch / f"{number}.h5"
        h5vidstack.pack(frames, path, method="video", **coding)
        times = {way: [] for way in WAYS}
        for _, way in itertools.product(range(rounds), WAYS):
            times[way].append(seconds(folder, way, path))
        bare, copied, whole, single = (statistics.median(times[way]) for way in WAYS)
        print(f"{' '.join(coding.values()):24} {bare:8.3f} {whole:8.3f} {bare / whole:11.2f} "
              f"{copied / whole:13.2f} {whole / single:13.2f}")  # fmt: skip


def stacks():
    """Name, frames, and options of `pack`."""
    shuffled = np.random.default_rng(0).permutation(24)
    for dtype in DTYPES:
        smooth = moving((24, 48, 64)).astype(dtype)
        for preset in PRESETS:
            yield f"{preset} {dtype}", smooth[shuffled], {"preset": preset, "method": "groupvideo"}
        for profile, method in itertools.product(PROFILES, ("video", "groupvideo")):
            options = {"profile": profile, "method": method}
            yield f"{profile} {method} {dtype}", smooth[shuffled], options
            yield f"{profile} {method} {dtype} noise", pixels((9, 31, 33), dtype), options
            colour = np.stack([smooth, smooth[::-1], smooth], -1)[:12, :31]
            yield f"{profile} {method} {dtype} RGB", colour, options
        yield f"tiles {dtype}", smooth, {"tile": (32, 32), "chunk_frames": 5}
        if dtype != "?":
            yield f"bound {dtype}", smooth, {"max_error": 2}


def exact(folder, scratch):
    """Compare what h5dump gives with what was packed, and say how many stacks are right."""
    right, wrong, refused = 0, [], 0
    path, raw = scratch / "x.h5", scratch / "raw.bin"
    for name, frames, options in stacks():
        try:
            report = h5vidstack.pack(frames, path, chunk_frames=options.pop("chunk_frames", 4),
                                     overwrite=True, hashes=False, **options)  # fmt: skip
        except h5vidstack.UnsupportedError:  # the codec does not hold so many bits
            refused += 1
            continue
        with h5vidstack.open(path) as stack:
            wanted = stack[:]
        lossy = report.max_error > 0
        wanted = wanted.astype(wanted.dtype.newbyteorder("<"))
        little = frames.astype(frames.dtype.newbyteorder("<"))
        # Of bool and float16 h5dump 1.10 writes nothing by -b LE.
        order = "FILE" if wanted.dtype.str[1:] in ("b1", "f2") else "LE"
        done = with_plugin(folder, "h5dump", "-d", "/stack/frames", "-b", order, "-o", raw, path)
        same = done.returncode == 0 and raw.read_bytes() == (wanted if lossy else little).tobytes()
        right += same
        wrong += [] if same else [name]
    print(
        f"{right} stacks as they were, {len(wrong)} not, {refused} that their codec refuses", *wrong
    )
    return bool(wrong)


def main():
    """Measure, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_stacks(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--exact", action="store_true")
    options = parser.parse_args()
    build = SOURCES / "build"
    make(build)
    make(build, "speed")
    with tempfile.TemporaryDirectory() as scratch:
        if options.exact:
            sys.exit(exact(build, Path(scratch)))
        for name, frames in loaded(options):
            speeds(build, name, frames, options.rounds, Path(scratch))


if __name__ == "__main__":
    main()
