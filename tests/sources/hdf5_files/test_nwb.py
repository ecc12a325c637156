"""NWB: the times of series of images."""

import h5py
import numpy as np
from described import PIXELS, packed


def series(path, **members):
    with h5py.File(path, "w") as file:
        group = file.create_group("acquisition/film")
        group.attrs["neurodata_type"] = "ImageSeries"
        group["data"] = PIXELS
        for name, values in members.items():
            group[name] = values
        if "starting_time" in members:
            group["starting_time"].attrs["rate"] = np.float32(30)


def test_a_start_and_a_rate():
    series("a.nwb", starting_time=1.5)
    metadata, coords, _ = packed("a.nwb::/acquisition/film/data")
    assert metadata.dims == ("frame", "y", "x")
    np.testing.assert_array_equal(coords["time"][1], 1.5 + np.arange(6) / 30)
    assert metadata.coords["time"].units == "s"


def test_a_time_for_each_image():
    series("a.nwb", starting_time=1.5, timestamps=np.arange(6) ** 2.0)
    assert packed("a.nwb::/acquisition/film/data")[1]["time"][1].tolist() == [0, 1, 4, 9, 16, 25]


def test_no_times():
    series("a.nwb")
    assert packed("a.nwb::/acquisition/film/data")[1] == {}
    series("a.nwb", timestamps=np.arange(5.0))
    _, coords, notes = packed("a.nwb::/acquisition/film/data")
    assert coords == {}
    assert any("time (it is 5 values long)" in note for note in notes)


def test_groups_of_others():
    series("a.nwb", starting_time=1.5)
    with h5py.File("a.nwb", "r+") as file:
        del file["acquisition/film"].attrs["neurodata_type"]
    assert packed("a.nwb::/acquisition/film/data")[1] == {}
