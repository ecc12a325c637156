"""A byte of a file is changed: the same frames, or an Error; benchmark/flips.py does it to all."""

from pathlib import Path

import numpy as np
import pytest
from frames import moving

import h5vidstack

STEP = 61
FRAMES = moving((12, 20, 16))
HOW = {
    "x264": {"method": "video"},
    "lzma": {"method": "video", "codec": "lzma"},
    "piles": {"method": "groupvideo", "chunk_frames": 3},
    "group": {"method": "group"},
    "gzip": {"method": "hdf5gzshuffle"},
    "pixels": {"method": "hdf5"},
    "pca": {"method": "pca", "components": 2, "exact": True},
}


def read(path):
    """All that a reader can get; an Error where it gets none."""

    def get(work):
        try:
            return work()
        except h5vidstack.Error as error:
            return error

    try:
        stack = h5vidstack.open(path, workers=1)
    except h5vidstack.Error:
        return {}
    with stack:
        return {
            "frames": get(lambda: stack[:].tobytes()),
            "frame": get(lambda: stack[7].tobytes()),
            "attributes": repr((stack.shape, sorted(stack.attrs.items()))),
            "piles": get(lambda: [pile.frames.tolist() for pile in stack.groups]),
            "hashes": get(lambda: stack.hashes().tobytes()),
            "problems": get(stack.verify),
        }


@pytest.mark.parametrize("name", HOW)
def test_same_frames_or_an_error(name):
    frames = np.concatenate([FRAMES, 255 - FRAMES])[::-1] if name in ("piles", "group") else FRAMES
    h5vidstack.pack(frames, "x.h5", **HOW[name])
    data, sound = Path("x.h5").read_bytes(), read("x.h5")
    assert sound["problems"] == []
    for place in range(len(name), len(data), STEP):
        damaged = bytearray(data)
        damaged[place] ^= 255
        Path("x.h5").write_bytes(damaged)
        for what, found in read("x.h5").items():
            same = what == "problems" or isinstance(found, h5vidstack.Error) or found == sound[what]
            assert same, f"byte {place}: other {what}"
