"""Made the golden files of format 1.5; kept to show how, not to be run again.

    python make_1_5.py tests/golden/1.5

They are of stacks that lie in other files: the golden files of earlier versions, beside the folder.
"""

import os
import sys
from pathlib import Path

import numpy as np

import h5vidstack

PARTS = {
    "linked": ["1.4/longer", "1.4/piles", "1.4/pixels", "1.4/recording", "1.4/recovered"],
    "mixed": ["1.4/recovered", "1.4/mixed"],
    "group": ["1.3/group"],
    "lossy": ["1.2/f4_bound", "1.2/f4"],
}


def make(folder):
    """Write each case, and what a reader must get."""
    os.chdir(folder)
    for name, parts in PARTS.items():
        h5vidstack.link([f"../{part}.h5" for part in parts], f"{name}.h5")
        want = np.concatenate([np.load(f"../{part}.npz")["frames"] for part in parts])
        with h5vidstack.open(f"{name}.h5") as stack:
            np.testing.assert_array_equal(stack[:], want)
        np.savez_compressed(f"{name}.npz", frames=want)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
