import shutil

import h5py
import numpy as np
import pytest
from frames import SHUFFLE, SWEEP
from packing import run

import h5vidstack


def test_a_moved_stack():
    h5vidstack.pack(SWEEP[SHUFFLE], "x.h5", method="groupvideo")
    with h5py.File("x.h5", "r+") as file:
        file.move("stack", "deep/er")
    assert "made anew" in run("remap", "x.h5::/deep/er").output
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["deep/er/frames"][...], SWEEP[SHUFFLE])
    assert h5vidstack.verify("x.h5::/deep/er") == []


@pytest.mark.parametrize("method", ["video", "hdf5gz", "group", "pca"])
def test_nothing_to_do(method):
    h5vidstack.pack(SWEEP, "x.h5", method=method)
    with open("x.h5", "rb") as file:
        before = file.read()
    assert not h5vidstack.remap("x.h5")
    with open("x.h5", "rb") as file:
        assert file.read() == before
    assert "nothing" in run("remap", "x.h5").output


def test_linked_parts():
    h5vidstack.pack(SWEEP, "a.h5")
    h5vidstack.pack(SWEEP[::-1], "b.h5")
    h5vidstack.link(["a.h5", "b.h5"], "all.h5")
    with h5py.File("all.h5", "r+") as file:
        file.move("stack", "other")
    assert h5vidstack.remap("all.h5::/other")
    with h5py.File("all.h5") as file:
        np.testing.assert_array_equal(file["other/frames"][...], [*SWEEP, *SWEEP[::-1]])
    assert h5vidstack.verify("all.h5::/other") == []


def test_frames_that_is_no_longer_the_video_itself():
    """As a program leaves it that knows no hard links."""
    h5vidstack.pack(SWEEP, "x.h5", method="video")
    shutil.copy("x.h5", "y.h5")
    with h5py.File("y.h5", "r+") as file:
        del file["stack/frames"]
        file["stack/frames"] = SWEEP
    assert h5vidstack.remap("y.h5")
    with h5py.File("y.h5") as file:
        assert file["stack/frames"] == file["stack/groups/000000/video"]


def test_what_is_no_stack():
    with h5py.File("x.h5", "w") as file:
        file.create_dataset("d", data=SWEEP, chunks=(4, *SWEEP.shape[1:]), **h5vidstack.Video())
    with pytest.raises(h5vidstack.FormatError, match="bare dataset"):
        h5vidstack.remap("x.h5::/d")
    with pytest.raises(h5vidstack.FormatError, match="no h5vidstack stack"):
        h5vidstack.remap("x.h5")
