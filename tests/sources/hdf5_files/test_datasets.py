import os

import h5py
import numpy as np
import pytest
from virtual_files import FRAMES, comes_out, pack, put, refused

import h5vidstack


def test_a_group_is_no_source():
    put("m.h5", name="entry/x")
    with h5py.File("m.h5") as file:
        for group in (file, file["entry"]):
            refused(group, r"is a group of HDF5.*::/entry/x \(24, 20, 30\) uint16")


def test_many_datasets_make_no_long_message():
    with h5py.File("m.h5", "w") as file:
        for number in range(60):
            file[f"d{number:02d}"] = FRAMES[:1]
    assert "::/d19 (1, 20, 30) uint16 and 40 more" in refused("m.h5", "would do")


@pytest.mark.parametrize("size", [512, 4096])
def test_a_user_block(size):
    with h5py.File("movie.mat", "w", userblock_size=size) as file:
        file["Y"] = FRAMES
        file["Y"].attrs["MATLAB_class"] = np.bytes_("uint16")
    with open("movie.mat", "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")
    refused("movie.mat", r"names no stack of images; .*::/Y \(24, 20, 30\) uint16")
    assert "MATLAB" in comes_out("movie.mat::/Y").notes[0]


def no_pixels(file):
    file["compound"] = np.zeros((2, 3, 4), [("a", "u1"), ("b", "f4")])
    file["text"] = np.full((2, 3, 4), b"a")
    file.create_dataset("strings", (2, 3, 4), h5py.string_dtype())
    file.create_dataset("ragged", (2, 3, 4), h5py.vlen_dtype(np.uint8))
    file.create_dataset("links", (2, 3, 4), h5py.ref_dtype)
    file.create_dataset("regions", (2, 3, 4), h5py.regionref_dtype)
    file.create_dataset("arrays", (2, 3, 4), np.dtype(("u1", (2,))))
    file.create_dataset("opaque", (2, 3, 4), "V3")
    file.create_dataset("names", (2, 3, 4), h5py.enum_dtype({"a": 1, "b": 2}, "u1"))
    file.create_dataset("complex", (2, 3, 4), "c8")


@pytest.mark.parametrize(
    ("name", "words"),
    [("compound", "records"), ("text", "text"), ("strings", "text"), ("ragged", "lengths"),
     ("links", "references"), ("regions", "references"), ("arrays", "an array in each"),
     ("opaque", "bytes"), ("names", "enumeration")],
)  # fmt: skip
def test_values_that_are_no_pixels(name, words):
    with h5py.File("n.h5", "w") as file:
        no_pixels(file)
    refused(f"n.h5::/{name}", words)


def test_complex_values():
    with h5py.File("n.h5", "w") as file:
        no_pixels(file)
    with pytest.raises(h5vidstack.UnsupportedError, match="two stacks"):
        pack("n.h5::/complex")


@pytest.mark.parametrize("dtype", ["?", "<f2", ">f2", ">u2", ">i4", "<i8", ">f8"])
def test_values_that_are(dtype):
    put("d.h5", FRAMES.astype(dtype))
    comes_out("d.h5::/x", FRAMES.astype(np.dtype(dtype).newbyteorder("=")))


def test_what_a_source_takes():
    put("z.h5", FRAMES, chunks=(4, 20, 30), compression="gzip")
    with h5py.File("z.h5") as file:
        stored = file["x"].id.get_storage_size()
    assert pack("z.h5::/x").source_bytes == stored
    before = pack("z.h5::/x", method="video").stored_bytes
    os.rename("o.h5", "s.h5")
    assert pack("s.h5").source_bytes == before
    np.save("n.npy", FRAMES)
    assert pack("n.npy").source_bytes == os.path.getsize("n.npy")
    assert pack(FRAMES).source_bytes is None
