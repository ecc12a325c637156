"""Unpacking: the same frames in other formats."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import moving, noise
from PIL import Image

import h5vidstack


@pytest.fixture(params=[(37, 21, 30), (1, 1, 1), (11, 9, 8, 3), (6, 5, 7, 4)], ids=str)
def packed(request):
    frames = moving(request.param)
    h5vidstack.pack(frames, "x.h5", preset="x264-fast")
    return frames


def pages(path):
    with Image.open(path) as image:
        found = []
        for number in range(image.n_frames):
            image.seek(number)
            found.append(np.asarray(image))
    return np.stack(found)


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_folder(packed, ending):
    assert h5vidstack.unpack("x.h5", "out", image_format=ending) == len(packed)
    names = sorted(os.listdir("out"))
    assert names == [f"frame_{i:06d}.{ending}" for i in range(len(packed))]
    got = np.stack([np.asarray(Image.open(f"out/{name}")) for name in names])
    np.testing.assert_array_equal(got, packed, strict=True)


def test_folder_packs_to_the_same(packed):
    h5vidstack.unpack("x.h5", "out")
    h5vidstack.pack("out", "y.h5")
    with h5vidstack.open("y.h5") as stack:
        np.testing.assert_array_equal(stack[:], packed)


def test_tiff(packed):
    h5vidstack.unpack("x.h5", "x.tif")
    np.testing.assert_array_equal(pages("x.tif"), packed, strict=True)


def test_big_tiff(packed, monkeypatch):
    monkeypatch.setattr("h5vidstack.sinks.tiff_stacks.CLASSIC_BYTES", 0)
    h5vidstack.unpack("x.h5", "x.tif")
    assert Path("x.tif").read_bytes()[2] == 43
    np.testing.assert_array_equal(pages("x.tif"), packed, strict=True)


def test_npy(packed):
    h5vidstack.unpack("x.h5", "x.npy")
    np.testing.assert_array_equal(np.load("x.npy"), packed, strict=True)


def test_plain_hdf5(packed):
    h5vidstack.unpack("x.h5", "y.h5::/entry/data")
    h5vidstack.unpack("x.h5", "y.h5::/entry/more")
    with h5py.File("y.h5") as file:
        for name in ("data", "more"):
            dataset = file["entry"][name]
            np.testing.assert_array_equal(dataset[...], packed, strict=True)
            assert dataset.id.get_create_plist().get_nfilters() == 0


def test_leading_axes_come_back():
    frames = moving((6, 9, 8)).reshape(2, 3, 9, 8)
    h5vidstack.pack(frames, "x.h5")
    h5vidstack.unpack("x.h5", "x.npy")
    h5vidstack.unpack("x.h5", "y.h5::/d")
    np.testing.assert_array_equal(np.load("x.npy"), frames, strict=True)
    with h5py.File("y.h5") as file:
        np.testing.assert_array_equal(file["d"][...], frames, strict=True)
    h5vidstack.unpack("x.h5", "part.npy", frames=slice(1, 4))
    np.testing.assert_array_equal(np.load("part.npy"), frames.reshape(6, 9, 8)[1:4], strict=True)


@pytest.mark.parametrize("chosen", [slice(10, 20, 2), slice(None, None, -5), [3, 3, -1, 0], [5]])
def test_some_frames(chosen):
    frames = moving((37, 9, 8))
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        count = h5vidstack.unpack(stack, "x.npy", frames=chosen)
    np.testing.assert_array_equal(np.load("x.npy"), frames[chosen])
    assert count == len(frames[chosen])
    h5vidstack.unpack("x.h5", "out", frames=chosen)
    numbers = {int(name[6:12]) for name in os.listdir("out")}
    assert numbers == set(np.arange(37)[chosen])


def test_existing_outputs():
    frames = moving((3, 9, 8))
    h5vidstack.pack(frames, "x.h5")
    for target in ("out", "x.tif", "x.npy", "y.h5::/d", "out.dir/"):
        h5vidstack.unpack("x.h5", target)
        with pytest.raises(h5vidstack.OutputError, match="overwrite"):
            h5vidstack.unpack("x.h5", target)
        h5vidstack.unpack("x.h5", target, frames=[1], overwrite=True)
    assert os.listdir("out") == ["frame_000001.png"]
    assert len(np.load("x.npy")) == 1


def test_a_folder_with_anything_else_in_it_is_never_replaced():
    h5vidstack.pack(moving((3, 9, 8)), "x.h5")
    h5vidstack.unpack("x.h5", "out")
    Path("out/notes.txt").write_text("mine")
    for target in ("out", ".", "./"):
        with pytest.raises(h5vidstack.OutputError, match="no frame unpacked"):
            h5vidstack.unpack("x.h5", target, overwrite=True)
    assert len(os.listdir("out")) == 4
    assert sorted(os.listdir()) == ["out", "x.h5"]


def test_the_old_folder_stays_if_the_new_one_cannot_take_its_place(monkeypatch):
    # Private: only a system call that fails could have this effect otherwise.
    monkeypatch.setattr("h5vidstack.layout.output._exchanged", lambda one, other: False)
    h5vidstack.pack(moving((3, 9, 8)), "x.h5")
    h5vidstack.unpack("x.h5", "out")
    rename = Path.rename

    def fail(self, target):
        if target.name == "out" and ".old" not in self.name:
            raise OSError(5, "on purpose")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with pytest.raises(h5vidstack.OutputError, match="on purpose"):
            h5vidstack.unpack("x.h5", "out", frames=[1], overwrite=True)
    assert len(os.listdir("out")) == 3


def test_a_frame_asked_for_twice():
    frames = moving((3, 9, 8))
    h5vidstack.pack(frames, "x.h5")
    assert h5vidstack.unpack("x.h5", "out", frames=[1, 1]) == 1
    assert h5vidstack.unpack("x.h5", "x.npy", frames=[1, 1]) == 2
    assert h5vidstack.unpack("x.h5", "one.npy", frames=2) == 1


BAD = {
    "x.gif": "give a folder",
    "y.h5": "name the dataset",
    "none/x.npy": "no folder",
    "x.h5::/stack": "the output is the source",
}


@pytest.mark.parametrize("target", BAD)
def test_bad_target(target):
    h5vidstack.pack(moving((3, 9, 8)), "x.h5")
    with pytest.raises(h5vidstack.OutputError, match=BAD[target]):
        h5vidstack.unpack("x.h5", target)
    assert os.listdir() == ["x.h5"]


@pytest.mark.parametrize("frames", [[3], [-4], slice(5, 9)])
def test_bad_frames(frames):
    h5vidstack.pack(moving((3, 9, 8)), "x.h5")
    with pytest.raises(h5vidstack.OutputError, match="no frame"):
        h5vidstack.unpack("x.h5", "x.npy", frames=frames)
    assert os.listdir() == ["x.h5"]


def test_a_damaged_block_leaves_nothing():
    h5vidstack.pack(noise((40, 9, 8)), "x.h5", method="video")
    with h5py.File("x.h5", "r+") as file:
        file["stack/frames"].id.write_direct_chunk((16, 0, 0), b"garbage")
    for target in ("out", "x.tif", "x.npy", "y.h5::/d"):
        with pytest.raises(h5vidstack.BlockError, match="frames 16-31"):
            h5vidstack.unpack("x.h5", target)
    assert os.listdir() == ["x.h5"]


@pytest.mark.parametrize("image_format", ["png", "tiff"])
def test_frames_that_others_named_so_are_never_replaced(image_format):
    frames = moving((3, 120, 130))
    h5vidstack.pack(frames, "x.h5")
    h5vidstack.unpack("x.h5", "out", image_format=image_format)
    for again in ("png", "tiff", image_format):  # its own it replaces
        h5vidstack.unpack("x.h5", "out", image_format=again, overwrite=True)
    theirs = Path("out", f"frame_000001.{image_format}")
    Image.fromarray(frames[0]).save(theirs)
    before = theirs.read_bytes()
    with pytest.raises(h5vidstack.OutputError, match=f"holds {theirs.name}, which is no frame"):
        h5vidstack.unpack("x.h5", "out", overwrite=True)
    assert theirs.read_bytes() == before
