"""A byte of a file is changed: the same frames, or an Error; `benchmarks/flips.py` does it to all."""

from pathlib import Path

import h5py
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


def places_of_pixels(path):
    """Where the bytes of frames lie in the file: the places of all chunks of images."""
    found = set()

    def look(name, node):
        if isinstance(node, h5py.Dataset) and node.chunks and node.ndim > 2 and "pca/" not in name:
            for number in range(node.id.get_num_chunks()):
                info = node.id.get_chunk_info(number)
                found.update(range(info.byte_offset, info.byte_offset + info.size))

    with h5py.File(path) as file:
        file["stack"].visititems(look)
    return found


@pytest.mark.parametrize("name", HOW)
def test_same_frames_or_an_error(name, long):
    frames = np.concatenate([FRAMES, 255 - FRAMES])[::-1] if name in ("piles", "group") else FRAMES
    h5vidstack.pack(frames, "x.h5", **HOW[name])
    data, sound = Path("x.h5").read_bytes(), read("x.h5")
    assert sound["frames"] == frames.tobytes()
    assert sound["problems"] == []
    Path("copy.h5").write_bytes(data)
    assert read("copy.h5") == sound
    pixels = places_of_pixels("x.h5")
    step = STEP if long else 3 * STEP
    # Blocks may be small beside the tables: at least some flips must lie in them.
    flips = {*range(len(name), len(data), step), *sorted(pixels)[:: len(pixels) // 12 + 1]}
    refused = 0
    for place in flips:
        damaged = bytearray(data)
        damaged[place] ^= 255
        Path("x.h5").write_bytes(damaged)
        found = read("x.h5")
        refused += not found
        if place in pixels:
            assert found, f"byte {place}: a damaged block must not keep a stack from opening"
            assert found["problems"], f"byte {place}: verify does not notice it"
        for what, value in found.items():
            same = what == "problems" or isinstance(value, h5vidstack.Error) or value == sound[what]
            assert same, f"byte {place}: other {what}"
    assert refused < len(flips) / 2
