"""NeXus: the images that groups show, with the values along their axes."""

import h5py
import numpy as np
import pytest
from described import PIXELS, nexus, packed

import h5vidstack
from h5vidstack.sources.hdf5_files.nexus import shown
from h5vidstack.sources.openers import open_source


@pytest.mark.parametrize("name", ["", "::/entry", "::/entry/data", "::/entry/data/counts"])
def test_what_a_file_shows(name):
    nexus("a.nxs")
    metadata, coords, notes = packed(f"a.nxs{name}")
    assert metadata.dims == ("time", "y", "x")
    assert {key: dims for key, (dims, _) in coords.items()} == {
        "time": ("time",), "lat": ("y", "x"), "temperature": ("time",)
    }  # fmt: skip
    np.testing.assert_array_equal(coords["time"][1], np.arange(6) * 0.25)
    assert metadata.coords["time"].units == "s"
    assert metadata.attrs == {"units": "counts", "title": "hello"}
    assert metadata.words["group_attributes"].value["axes"] == ["time", ".", "x"]
    (note,) = notes
    assert "x (it is 11 values long)" in note  # the edges of bins


def test_objects_and_links():
    nexus("a.nxs")
    with h5py.File("a.nxs") as file:
        assert packed(file["entry"])[0].dims == ("time", "y", "x")
        assert packed(file["entry/data/counts"])[0].dims == ("time", "y", "x")
        assert shown(file["entry/data/counts"]) is None
    assert packed("a.nxs::/entry/link")[0].attrs == {"units": "counts"}


def test_axes_in_one_text():
    with h5py.File("a.nxs", "w") as file:
        data = file.create_group("data")
        data.attrs["NX_class"] = "NXdata"
        data["d"], data["t"] = PIXELS, np.arange(6)
        data["d"].attrs.update(signal=1, axes="t:y:x")
    metadata, coords, _ = packed("a.nxs::/data/d")
    assert metadata.dims == ("t", "y", "x")
    np.testing.assert_array_equal(coords["t"][1], np.arange(6))


def test_what_leads_nowhere():
    with h5py.File("a.nxs", "w") as file:
        file["img"] = PIXELS
        file.attrs["default"] = "loop"
        file.create_group("loop").attrs["default"] = "/loop"
        other = file.create_group("other")
        other.attrs.update(signal="none", NX_class="NXdata")
        far = file.create_group("far")
        far.attrs.update(signal="d", NX_class="NXdata", axes=["a"], a_indices=7)
        far["d"], far["a"] = PIXELS, np.arange(6)
    for name in ("a.nxs", "a.nxs::/other"):
        with pytest.raises(h5vidstack.SourceError, match="would do: ::/img"):
            open_source(name)
    assert "which are not there" in packed("a.nxs::/far/d")[2][0]
