"""HDF5 files whose datasets show data of other files."""

import os

import h5py
import numpy as np
import pytest
from frames import moving

import h5vidstack

FRAMES = moving((24, 20, 30)).astype("u2") + np.arange(1, 25, dtype="u2")[:, None, None]


def put(path, data=FRAMES, name="x", **options):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with h5py.File(path, "a") as file:
        file.create_dataset(name, data=data, **options)


def pack(source, **options):
    return h5vidstack.pack(source, "o.h5", overwrite=True, **options)


def comes_out(source, frames=FRAMES):
    report = pack(source)
    with h5vidstack.open("o.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames, strict=True)
    return report


def refused(source, words):
    with pytest.raises(h5vidstack.SourceError, match=words) as raised:
        pack(source)
    assert not os.path.exists("o.h5")
    return str(raised.value)


def put_virtual(path, names, name="x", shape=FRAMES.shape, **where):
    """A virtual dataset of equal parts along its first axis."""
    layout, step = h5py.VirtualLayout(shape, "u2"), shape[0] // len(names)
    for at, source in zip(range(0, shape[0], step), names, strict=True):
        layout[at : at + step] = h5py.VirtualSource(*source, (step, *shape[1:]))
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset(name, layout)


def parts(count=3, folder="", **options):
    names = [f"{folder}part{number}.h5" for number in range(count)]
    for name, frames in zip(names, np.split(FRAMES, count), strict=True):
        put(name, frames, **options)
    return names
