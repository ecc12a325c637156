"""Made the golden files of format 1.0; kept to show how. Never overwrites one.

python tests/golden/make_1_0.py
"""

import sys
from pathlib import Path

import h5py
import numpy as np

import h5vidstack

sys.path.insert(0, str(Path(__file__).parent.parent))
from frames import moving, noise

FOLDER = Path(__file__).parent / "1.0"

STACKS = {
    "gray": (moving((20, 33, 47)), {}),
    "colour": (moving((7, 17, 12, 3)), {"preset": "x264-slow", "chunk_frames": 4}),
    "tiled": (moving((5, 50, 70)), {"preset": "x264-fast", "chunk_frames": 3, "tile": (32, 32)}),
    "raw": (noise((6, 17, 3)), {}),
    "single": (moving((1, 1, 1)), {}),
}


def main():
    for name, (frames, options) in STACKS.items():
        path = FOLDER / f"{name}.h5"
        if not path.exists():
            h5vidstack.pack(frames, path, **options)
            np.savez_compressed(path.with_suffix(".npz"), frames=frames)
    path = FOLDER / "h5py.h5"
    if not path.exists():
        frames = moving((9, 20, 24))
        with h5py.File(path, "w") as file:
            file.create_dataset("data", data=frames, chunks=(4, 16, 16), **h5vidstack.Video())
        np.savez_compressed(path.with_suffix(".npz"), frames=frames)


if __name__ == "__main__":
    main()
