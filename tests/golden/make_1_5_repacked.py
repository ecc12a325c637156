"""Made the golden files of format 1.5 that have stacks beside their datasets; see make_1_5.py.

python make_1_5_repacked.py tests/golden/1.5
"""

import os
import sys
from pathlib import Path

import h5py
import numpy as np

import h5vidstack

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from frames import moving, pixels

CASES = {
    "beside": moving((40, 48, 64)),
    "axes": (moving((3 * 17, 48, 64)).astype(">u2") * 3).reshape(3, 17, 48, 64),
    "colours": np.repeat(pixels((2, 16, 60), "f4"), 16, axis=0).reshape(2, 2, 8, 16, 20, 3),
}


def make(folder):
    """Write each case, and what a reader must get."""
    os.chdir(folder)
    for name, frames in CASES.items():
        with h5py.File("plain.h5", "w") as file:
            file["entry/data"] = frames
            file["entry"].attrs["signal"] = "data"
        h5vidstack.repack("plain.h5", f"{name}.h5", select=["entry/data"])
        with h5vidstack.open(f"{name}.h5::/entry/data") as stack:
            np.testing.assert_array_equal(stack[:].reshape(frames.shape), frames)
        np.savez_compressed(f"{name}.npz", frames=frames)
    os.unlink("plain.h5")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
