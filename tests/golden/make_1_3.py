"""Made the golden files of format 1.3; kept to show how, not to be run again.

    python make_1_3.py FOLDER

They are of colour step 2 and of piles that are no video; all else is in the files of 1.2.
"""

import sys
from pathlib import Path

import numpy as np

import h5vidstack


def film(frames, channels, bits, dtype):
    """A drifting wave, each channel another."""
    t, y, x, c = np.indices((frames, 17, 23, channels))
    wave = np.sin((x + 2 * t) / 5 + c / 3) * np.cos((y - t) / 7)
    noise = np.random.default_rng(bits).integers(0, 3, wave.shape)
    return ((wave + 1) / 2 * ((1 << bits) - 3) + noise).astype(dtype)


def make(folder):
    """Write each case, and what a reader must get."""
    piles = np.concatenate([film(20, 3, bits, np.uint8) for bits in (8, 7)] * 2)
    cases = {
        "rgb": (film(7, 3, 8, np.uint8), {"preset": "x264-fast"}),
        "rgba": (film(7, 4, 16, np.uint16), {"preset": "ffv1-context"}),
        "bits": (film(7, 3, 11, np.int16), {"preset": "lzma"}),
        "plain": (film(7, 4, 12, np.uint16), {"method": "hdf5gzshuffle", "tile": (8, 16)}),
        "group": (piles.astype(np.float32) / 7, {"method": "group"}),
        "pca": (film(9, 3, 8, np.uint8), {"method": "pca", "components": 4}),
        "pca_exact": (film(9, 3, 12, np.int16), {"method": "pca", "components": 2, "exact": True}),
        "piles": (piles, {"preset": "ffv1", "method": "groupvideo"}),
    }
    for name, (frames, how) in cases.items():
        h5vidstack.pack(frames, folder / f"{name}.h5", **how)
        with h5vidstack.open(folder / f"{name}.h5") as stack:
            got = stack[:]
        if name != "pca":
            np.testing.assert_array_equal(got, frames)
        np.savez_compressed(folder / f"{name}.npz", frames=got)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
