import h5py
import numpy as np
import pytest
from frames import SHUFFLE, SWEEP

import h5vidstack
from h5vidstack.layout.names import HOW_TO_READ


def said(path, name="/"):
    with h5py.File(path) as file:
        return file[name].attrs.get(HOW_TO_READ, b"").decode()


def test_a_new_file_and_its_frames_say_what_reads_them():
    h5vidstack.pack(SWEEP, "x.h5", method="video")
    for words in (said("x.h5"), said("x.h5", "stack/frames")):
        assert "pip install h5vidstack" in words
        assert "HDF5_PLUGIN_PATH" in words
        assert "47113" in words
    h5vidstack.pack(SWEEP[SHUFFLE], "y.h5", method="groupvideo")
    assert "h5vidstack remap" in said("y.h5", "stack/frames")


def test_pixels_by_filters_of_hdf5_itself_need_nothing():
    h5vidstack.pack(SWEEP, "x.h5", method="hdf5gz")
    words = said("x.h5", "stack/frames")
    assert "every HDF5 program" in words
    assert "47113" not in words


def test_a_recording():
    with h5vidstack.create("x.h5", SWEEP.shape[1:], SWEEP.dtype) as recorder:
        recorder.write(SWEEP[0])
    assert "47113" in said("x.h5")
    assert "47113" in said("x.h5", "stack/frames")


def test_files_and_datasets_of_users_stay_as_they_are():
    with h5py.File("x.h5", "w") as file:
        file["entry/data"] = np.repeat(SWEEP, 3, axis=0)
    h5vidstack.pack(SWEEP, "x.h5::/stack")
    assert said("x.h5") == ""
    h5vidstack.repack("x.h5", "y.h5", select=["/entry/data"])
    assert said("y.h5") == ""
    assert said("y.h5", "entry/data") == ""
    h5vidstack.unpack("x.h5", "plain.h5::/frames")
    assert said("plain.h5") == ""


def test_a_file_that_says_so_is_replaced():
    h5vidstack.pack(SWEEP, "x.h5")
    h5vidstack.pack(SWEEP, "x.h5", overwrite=True)
    with h5py.File("x.h5", "r+") as file:
        file.attrs["mine"] = 1
    with pytest.raises(h5vidstack.OutputError, match="@mine"):
        h5vidstack.pack(SWEEP, "x.h5", overwrite=True)
