"""Made the golden files of format 1.1; kept to show how. Never overwrites one.

python tests/golden/make_1_1.py
"""

import sys
from pathlib import Path

import numpy as np

import h5vidstack

sys.path.insert(0, str(Path(__file__).parent.parent))
from frames import moving, noise

FOLDER = Path(__file__).parent / "1.1"


def mixed():
    """Two scenes, interleaved, with copies and a frozen end."""
    one, two = moving((12, 33, 47)), 255 - moving((12, 33, 47), seed=1) // 2
    frames = np.stack([one, two], axis=1).reshape(24, 33, 47)
    return np.concatenate([frames, frames[5:7], frames[[23] * 4]])


STACKS = {
    "in_order": (noise((5, 9, 8)), {"method": "video", "preset": "x264-fast"}),
    "copies": (mixed(), {"method": "video", "preset": "x264-interm"}),
    "piles": (mixed(), {"method": "groupvideo", "chunk_frames": 4}),
    "colour": (
        moving((20, 17, 12, 3))[::-1][np.r_[0:20:3, 1:20:3, 2:20:3]],
        {"method": "groupvideo", "chunk_frames": 4},
    ),
    "tiled": (mixed(), {"method": "groupvideo", "chunk_frames": 3, "tile": (16, 32)}),
    "plain": (moving((3, 20, 24)), {"hashes": False}),
}


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, (frames, options) in STACKS.items():
        path = FOLDER / f"{name}.h5"
        if not path.exists():
            h5vidstack.pack(frames, path, **options)
            np.savez_compressed(path.with_suffix(".npz"), frames=frames)


if __name__ == "__main__":
    main()
