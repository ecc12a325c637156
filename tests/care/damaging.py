"""Damage a stack at a chosen place, and check what is recovered."""

import h5py
import numpy as np
from frames import moving, noise

import h5vidstack

FRAMES = np.concatenate(
    [moving((44, 20, 30)), noise((20, 20, 30)) // 2, moving((44, 20, 30))[10:14]]
)


def chunks(name):
    """Where the chunks of a dataset lie in the file: offset in the file, and size."""
    with h5py.File("bad.h5") as file:
        data = file["stack"][name].id
        found = [data.get_chunk_info(number) for number in range(data.get_num_chunks())]
    return [(info.byte_offset, info.size) for info in found]


def damage(start, length=1):
    with open("bad.h5", "r+b") as file:
        file.seek(start)
        old = file.read(length)
        file.seek(start)
        file.write(bytes(byte ^ 0x5A for byte in old))


def check(lost, **expected):
    """What is saved is what was not lost, under its old numbers."""
    found = h5vidstack.recover("bad.h5", "good.h5", overwrite=True)
    assert (set(found.lost), found.saved) == (set(lost), len(FRAMES) - len(lost))
    for name, value in expected.items():
        assert getattr(found, name) == value
    kept = np.setdiff1d(np.arange(len(FRAMES)), lost)
    with h5vidstack.open("good.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES[kept], strict=True)
        assert stack.verify() == []
        stack.find(FRAMES[kept[0]], 1)
    with h5py.File("good.h5") as file:
        if len(lost) and not found.carved:
            np.testing.assert_array_equal(file["stack/original"][()], kept)
    return found


METHODS = ["video", "groupvideo", "hdf5", "hdf5gz", "group", "pca"]
