"""The table of the script that this package grew out of, with our figures beside it.

python benchmarks/script.py [--no-small]

Its sizes (KB, 2000 frames of 300 x 200 pixels, its videos 8-bit versions of floats) are quoted;
all else is measured here on the generated stack of that size. Then its order of frames
against ours, and principal components as it kept them.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np

import h5vidstack
from h5vidstack.cli import demonstration
from h5vidstack.codecs import x264
from h5vidstack.similar import fingerprints

THEIRS = {
    "hdf5gzshuffle": 278728,
    "video x264-fast": 13168,
    "groupvideo x264-fast": 12832,
    "video x264-slow": 8308,
    "groupvideo x264-slow": 6676,
}
BOUND = 1 / 510
"""Of floats in 0..1: steps of 1/255, what 8 bits hold."""

METHODS = [
    "hdf5gzshuffle", "video mp4", "video x264-fast", "groupvideo x264-fast", "video x264-slow",
    "groupvideo x264-slow", "group", "pca", "auto fast", "auto balanced", "auto small",
]  # fmt: skip


def options_of(name):
    method, *rest = name.split()
    options = {"method": method}
    if rest:
        options["profile" if method == "auto" else "preset"] = rest[0]
    return options


def cell(frames, name, bound, path):
    """Size in KB, and the largest error if there is one; or what refused."""
    options = options_of(name)
    if bound and options["method"] not in ("hdf5gzshuffle", "group", "pca") and "mp4" not in name:
        options["max_error"] = bound
    try:
        report = h5vidstack.pack(frames, path, overwrite=True, **options)
    except h5vidstack.UnsupportedError:
        return "-"
    error = "" if report.lossless else f" ({report.max_error:.3g})"
    return f"{path.stat().st_size / 1000:,.0f}{error}"


def table(folder, small):
    columns = [("uint8", None), ("uint16", None), ("float32", BOUND), ("float32", None)]
    stacks = {
        dtype: np.stack(list(demonstration.generated(dtype))) for dtype in demonstration.DTYPES
    }
    print("KB (largest error) | the script | uint8 | uint16 | float32 within 1/510 | float32 exact")
    for name in METHODS:
        if name == "auto small" and not small:
            continue
        cells = [f"{THEIRS.get(name, '-')}"]
        for dtype, bound in columns:
            cells.append(cell(stacks[dtype], name, bound, folder / "x.h5"))
        print(" | ".join([name, *cells]), flush=True)


def plain(frames, preset):
    """Bytes of blocks of 16 frames by x264 as it comes: with its scene cuts, which we turn off."""
    options = {"preset": preset, "qp": "0", "sc_threshold": "40"}

    def size(start):
        packets, _ = x264.ENGINE.encode(frames[start : start + 16], 8, options)
        return sum(map(len, packets))

    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(size, range(0, len(frames), 16)))


def order(folder):
    """Ours over the script's: by hashes."""
    frames = demonstration.generate_uint8((12, 12, 12), (201, 301))
    phash, ahash, dhash = fingerprints.hash_images(frames)
    with_ours = folder / "x.h5"
    h5vidstack.pack(frames, with_ours, method="groupvideo", preset="x264-fast", overwrite=True)
    with h5vidstack.open(with_ours) as stack:
        ours = np.concatenate([pile.frames for pile in stack.groups])
    by_hashes = np.lexsort((dhash, ahash, phash))
    orders = {"time": np.arange(len(frames)), "by hashes": by_hashes, "ours": ours}
    for label, preset in {"x264-fast": "veryfast", "x264-slow": "veryslow"}.items():
        sizes = {name: plain(frames[numbers], preset) for name, numbers in orders.items()}
        _say(f"x264 {preset} as it comes", sizes)
        for name, numbers in orders.items():
            report = h5vidstack.pack(
                frames[numbers], with_ours, method="video", preset=label, chunk_frames=16,
                overwrite=True,
            )  # fmt: skip
            sizes[name] = report.stored_bytes
        _say(f"our {label}", sizes)


def _say(title, sizes):
    said = ", ".join(f"{label} {size / 1000:,.0f} KB" for label, size in sizes.items())
    print(f"order, {title}: {said}; ours / by hashes {sizes['ours'] / sizes['by hashes']:.3f}")


def components(folder):
    """20 components as float32 in HDF5 with gzip and shuffle, against ours."""
    frames = demonstration.generate_uint8((12, 12, 12), (201, 301))
    flat = frames.reshape(len(frames), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    covariance = (flat - mean) @ (flat - mean).T
    _values, vectors = np.linalg.eigh(covariance)
    basis = np.linalg.qr((flat - mean).T @ vectors[:, -20:])[0].T
    kept = [part.astype(np.float32) for part in (mean, basis, (flat - mean) @ basis.T)]
    with h5py.File(folder / "p.h5", "w") as file:
        for number, part in enumerate(kept):
            file.create_dataset(str(number), data=part, compression=9, shuffle=True)
    got = np.clip(np.rint(kept[2].astype(np.float64) @ kept[1] + kept[0]), 0, 255)
    apart = got - flat
    print(
        f"pca, 20 components as float32: {(folder / 'p.h5').stat().st_size / 1000:,.0f} KB, MSE "
        f"{np.mean(apart**2):.4f}, max error {np.abs(apart).max():.0f}"
    )
    report = h5vidstack.pack(frames, folder / "x.h5", method="pca", overwrite=True)
    print(
        f"pca, 20 components, ours: {(folder / 'x.h5').stat().st_size / 1000:,.0f} KB, MSE "
        f"{report.mse:.4f}, max error {report.max_error:.0f}"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-small", action="store_true")
    parser.add_argument("--no-table", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        order(folder)
        components(folder)
        if not arguments.no_table:
            table(folder, not arguments.no_small)


if __name__ == "__main__":
    main()
