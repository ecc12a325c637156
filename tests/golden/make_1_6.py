"""Made the golden files of format 1.6; kept to show how, not to be run again.

    python make_1_6.py tests/golden/1.6

They are of scenes that stand still, in noise: each value is predicted by the mean of those before it.
"""

import os
import sys
from pathlib import Path

import numpy as np

import h5vidstack


def still(count, dtype, top):
    """Frames of 23x31 with a strong texture, and a little noise."""
    rng = np.random.default_rng(7)
    scene = rng.uniform(0.1, 0.9, (1, 23, 31))
    frames = (scene + rng.normal(0, 0.02, (count, 23, 31))) * top
    return frames.astype(dtype)


def make(folder):
    """Write each case, and what a reader must get."""
    os.chdir(folder)
    cases = {
        "gray": (still(40, "u1", 255), {}),
        "bits": (still(40, "u2", 4095), {}),
        "signed": (still(21, ">i4", 1 << 24), {}),
        "float": (still(30, "f4", 1), {"max_error": "1e-4"}),
        "tiled": (still(20, "u1", 255), {"tile": (16, 16), "chunk_frames": 12}),
    }
    for name, (frames, options) in cases.items():
        h5vidstack.pack(frames, f"{name}.h5", profile="small", method="video", **options)
        keep(name, frames)
    frames = still(40, "u1", 255)
    h5vidstack.pack(frames[:15], "longer.h5", preset="ffv1")
    h5vidstack.pack(frames[15:], "longer.h5", mode="a", profile="small")
    keep("longer", frames)
    h5vidstack.link(["../1.4/pixels.h5", "../1.4/longer.h5"], "old.h5")
    assert facts("old")["h5vidstack_format"] == "1.5"
    Path("old.h5").unlink()
    h5vidstack.link(["gray.h5", "longer.h5"], "linked.h5")
    keep("linked", np.concatenate([frames, frames]))


def facts(name):
    """What a stack says of itself."""
    with h5vidstack.open(f"{name}.h5") as stack:
        return dict(stack.attrs)


def keep(name, frames):
    """Check a stack, and write what a reader must get."""
    assert facts(name)["h5vidstack_format"] == "1.6", name
    with h5vidstack.open(f"{name}.h5") as stack:
        got = stack[:]
    if name != "float":
        np.testing.assert_array_equal(got, frames)
    else:
        np.testing.assert_allclose(got, frames, rtol=0, atol=1e-4)
    np.savez_compressed(f"{name}.npz", frames=got)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
