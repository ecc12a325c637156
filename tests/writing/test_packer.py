"""Packing: exact, streaming, in order, whole or not at all."""

import os
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from array_likes import ArrayLike
from counting import counting
from frames import SHAPES, moving, noise

import h5vidstack
from h5vidstack.choosing.methods import METHODS
from h5vidstack.codecs import block


def content(path="x.h5", stack="/stack"):
    with h5vidstack.open(path, stack) as opened:
        assert opened.verify() == []
        return opened[:]


@pytest.mark.parametrize("method", [name for name in METHODS if name != "pca"])
@pytest.mark.parametrize("make", [moving, noise])
@pytest.mark.parametrize("shape", SHAPES)
def test_exact_in_every_reader(make, shape, method):
    frames = make(shape)
    report = h5vidstack.pack(frames, "x.h5", method=method)
    np.testing.assert_array_equal(content(), frames, strict=True)
    with h5py.File("x.h5") as file:
        group = file["stack"]
        if method == "group":
            assert "frames" not in group
        else:
            np.testing.assert_array_equal(group["frames"][...], frames, strict=True)
        assert list(group["index/crc32"]) == [zlib.crc32(frame.tobytes()) for frame in frames]
        for i, (pile, position) in enumerate(zip(group["index/group"], group["index/position"])):
            members = group[f"groups/{pile:06d}/members"]
            assert members[position] == i or (frames[members[position]] == frames[i]).all()
        if method == "video" and not report.copies:
            assert group["frames"] == group["groups/000000/video"]
            assert list(group["index/position"]) == list(range(len(frames)))
        unique = len({frame.tobytes() for frame in frames})
        piles = [pile for name, pile in group["groups"].items() if name != "ordered"]
        assert sum(len(pile["members"]) for pile in piles) == unique
        assert report.copies == len(frames) - unique
        assert group.attrs["h5vidstack_format"] == b"1.0"
        assert tuple(group.attrs["shape"]) == frames.shape
        assert group.attrs["lossless"]
    assert report.shape == frames.shape
    assert report.raw_bytes == frames.nbytes
    assert report.verified


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_kind_of_source_gives_the_same(workers, tmp_path):
    frames = moving((37, 30, 41))
    np.save("a.npy", frames)
    sources = {
        "array": frames,
        "fortran": np.asfortranarray(frames),
        "view": np.repeat(frames, 2, axis=0)[::2],
        "memmap": np.load("a.npy", mmap_mode="r"),
        "array-like": ArrayLike(frames),
        "list": list(frames),
        "generator": (frame for frame in frames),
    }  # fmt: skip
    with h5py.File("s.h5", "w") as file:
        file["d"] = frames
        sources["h5py"] = file["d"]
        for name, source in sources.items():
            h5vidstack.pack(source, f"{name}.h5", workers=workers, preset="x264-fast")
            np.testing.assert_array_equal(content(f"{name}.h5"), frames, err_msg=name)


def test_a_stack_as_a_source():
    frames = moving((20, 30, 40))
    h5vidstack.pack(frames, "a.h5")
    with h5vidstack.open("a.h5") as stack:
        h5vidstack.pack(stack, "b.h5", chunk_frames=7)
    h5vidstack.pack("a.h5", "c.h5")
    h5vidstack.pack("a.h5::/stack", "d.h5")
    for name in "bcd":
        np.testing.assert_array_equal(content(f"{name}.h5"), frames)


def test_leading_axes_are_remembered():
    frames = moving((24, 10, 12)).reshape(2, 3, 4, 10, 12)
    with h5py.File("s.h5", "w") as file:
        file["d"] = frames
    for source in (frames, "s.h5::/d"):
        h5vidstack.pack(source, "x.h5", chunk_frames=5, overwrite=True)
        np.testing.assert_array_equal(content(), frames.reshape(24, 10, 12))
        with h5vidstack.open("x.h5") as stack:
            assert stack.leading_shape == (2, 3, 4)


def test_large_frames_are_tiled_and_regions_decode_only_their_tiles(monkeypatch):
    y, x = np.mgrid[:2100, :2200]
    frames = np.stack([(y // 8 + x // 4 + i).astype(np.uint8) for i in range(3)])
    h5vidstack.pack(frames, "x.h5", preset="x264-fast")
    with h5vidstack.open("x.h5") as stack:
        assert stack.chunks == (16, 704, 736)
        calls = counting(monkeypatch)
        region = stack[1, 100:200, 730:740]
        assert len(calls) == 2
        np.testing.assert_array_equal(region, frames[1, 100:200, 730:740])
        np.testing.assert_array_equal(stack[:], frames)
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][2], frames[2])


def test_several_stacks_in_a_file_that_holds_other_things():
    a, b = moving((5, 9, 9)), moving((6, 8, 7), seed=1)
    with h5py.File("x.h5", "w") as file:
        file["other"] = 42
    h5vidstack.pack(a, "x.h5::/entry/one")
    h5vidstack.pack(b, "x.h5::/entry/two")
    with pytest.raises(h5vidstack.OutputError, match="/entry/one exists"):
        h5vidstack.pack(b, "x.h5::/entry/one")
    h5vidstack.pack(b, "x.h5::/entry/one", overwrite=True)
    for name in ("one", "two"):
        np.testing.assert_array_equal(content("x.h5", f"/entry/{name}"), b)
    with h5py.File("x.h5") as file:
        assert file["other"][()] == 42


def test_overwrite():
    h5vidstack.pack(moving((5, 9, 9)), "x.h5")
    before = Path("x.h5").read_bytes()
    with pytest.raises(h5vidstack.OutputError, match="--overwrite"):
        h5vidstack.pack(noise((5, 9, 9)), "x.h5")
    assert Path("x.h5").read_bytes() == before
    h5vidstack.pack(noise((5, 9, 9)), "x.h5", overwrite=True)
    np.testing.assert_array_equal(content(), noise((5, 9, 9)))


def test_repack_in_place():
    frames = moving((20, 20, 30))
    h5vidstack.pack(frames, "x.h5")
    h5vidstack.pack("x.h5", "x.h5", preset="x264-slow", overwrite=True)
    np.testing.assert_array_equal(content(), frames)


def good_then(error):
    yield from moving((40, 9, 9))
    raise error


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), MemoryError()])
def test_an_error_on_the_way_leaves_the_old_file_and_no_new_one(error, before):
    if before:
        h5vidstack.pack(moving((5, 9, 9)), "x.h5")
    old = Path("x.h5").read_bytes() if before else b""
    with pytest.raises(type(error)):
        h5vidstack.pack(good_then(error), "x.h5", overwrite=True)
    assert os.listdir() == (["x.h5"] if before else [])
    assert not before or Path("x.h5").read_bytes() == old


def test_no_verify(monkeypatch):
    decoded = []
    decode = block.decode
    monkeypatch.setattr(block, "decode", lambda *a: decoded.append(1) or decode(*a))
    h5vidstack.pack(noise((40, 9, 9)), "x.h5", verify=False)
    assert not decoded
    h5vidstack.pack(noise((40, 9, 9)), "y.h5")
    assert len(decoded) == 3


KILLED = """
import sys, time, numpy as np
from unittest import mock
from h5vidstack.codecs import block
from h5vidstack import cli
encode = block.encode
def slow(*args, **options):
    print("busy", flush=True)
    time.sleep(0.2)
    return encode(*args, **options)
with mock.patch("h5vidstack.codecs.block.encode", slow):
    cli.main(["pack", "a.npy", "x.h5"])
"""


def test_sigterm_leaves_nothing():
    np.save("a.npy", moving((200, 9, 9)))
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.terminate()
    assert process.returncode == 143
    assert os.listdir() == ["a.npy"]


BAD = {
    "ragged": ([[[1, 2], [3]]], {}, "no array of pixels"),
    "masked": (np.ma.zeros((3, 4, 5), np.uint8), {}, "mask"),
    "half a frame": (np.zeros((3, 4, 5), np.uint8), {"chunk_frames": 2.5}, "at least 1"),
    "tile of three": (np.zeros((3, 4, 5), np.uint8), {"tile": (1, 2, 3)}, "a height and a width"),
    "one image": (np.zeros((4, 5), np.uint8), {}, "leading axis"),
    "no frames": (np.zeros((0, 4, 5), np.uint8), {}, "no frames"),
    "no pixels": (np.zeros((3, 0, 5), np.uint8), {}, "no frames"),
    "empty list": ([], {}, "no frames"),
    "number": (5, {}, "give a path"),
    "sizes": ([np.zeros((4, 5), np.uint8), np.zeros((4, 6), np.uint8)], {}, "frame 1 is 4x6"),
    "dtypes": ([np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.int16)], {}, "int16"),
    "two channels": ([np.zeros((4, 5, 2), np.uint8)], {}, "a frame is"),
    "complex": (np.zeros((3, 4, 5), "c8"), {}, "integers of 8 to 64 bits"),
    "strings": (np.zeros((3, 4, 5), "U3"), {}, "integers of 8 to 64 bits"),
    "long double": (np.zeros((3, 4, 5), "g"), {}, "floats of 16, 32 and 64"),
    "codec": (np.zeros((3, 4, 5), np.uint8), {"codec": "divx"}, "x264"),
    "preset": (np.zeros((3, 4, 5), np.uint8), {"preset": "mp5"}, "x264-slow"),
    "profile": (np.zeros((3, 4, 5), np.uint8), {"profile": "best"}, "balanced"),
    "method": (np.zeros((3, 4, 5), np.uint8), {"method": "magic"}, "video"),
    "chunk": (np.zeros((3, 4, 5), np.uint8), {"chunk_frames": 0}, "at least 1"),
    "big chunk": (np.zeros((3, 1000, 1000), np.uint8), {"chunk_frames": 70}, "at most 67"),
    "tile": (np.zeros((3, 4, 5), np.uint8), {"tile": (0, 5)}, "at least 1"),
    "long tile": (np.zeros((1, 1, 20000), np.uint8), {"tile": (0, 0)}, "16384"),
    "big tile": (np.zeros((1, 9000, 9000), np.uint8), {"tile": (0, 0)}, "64 MiB"),
    "workers": (np.zeros((3, 4, 5), np.uint8), {"workers": 0}, "at least 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    source, options, words = BAD[name]
    with pytest.raises(h5vidstack.Error, match=words):
        h5vidstack.pack(source, "x.h5", **options)
    assert os.listdir() == []
