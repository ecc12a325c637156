"""What ImageJ says: description, spacing, labels."""

import numpy as np
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from h5vidstack.sources.tiff import imagej
from h5vidstack.sources.tiff.directories import Directory, Entry
from h5vidstack.sources.tiff.ome import Planes

TEXT = "ImageJ=1.54f\nimages=6\nslices=3\nframes=2\nunit=\\u00B5m\nspacing=0.5\nfinterval=2.0\n"
PLANES = Planes({"T": 2, "Z": 3}, (4, 5), np.dtype("u1"))


def tags(labels=(), order="<"):
    made = tifffile.imagej_metadata_tag({"Labels": list(labels)}, order) if labels else ()
    found = {code: Entry(kind, count, data) for code, kind, count, data, _ in made}
    size = np.array([4, 1], f"{order}u4").tobytes()
    return Directory(order, {282: Entry(5, 1, size), 283: Entry(5, 1, size), **found})


def test_axes_have_steps_and_units():
    found = imagej.describe(TEXT, tags(), PLANES)
    assert {name: (one.units, float(one.data[1])) for name, one in found.coords.items()} == {
        "y": ("µm", 0.25), "x": ("µm", 0.25), "Z": ("µm", 0.5), "T": ("sec", 2.0),
    }  # fmt: skip
    assert not found.attrs
    ranged = imagej.describe(TEXT + "min=1.5\nmax=9\n", tags(), PLANES)
    np.testing.assert_array_equal(ranged.attrs["display_range"], [1.5, 9])


def test_pixels_are_no_unit():
    assert set(imagej.describe(TEXT.replace("\\u00B5m", "pixel"), tags(), PLANES).coords) == {
        "Z",
        "T",
    }


def test_labels_of_frames():
    for order in "<>":
        found = imagej.describe(TEXT, tags(["a", "ß", "", "d"], order), PLANES)
        assert found.coords["label"].values.tolist() == ["a", "ß", "", "d", "", ""]
        assert found.coords["label"].dims == ("frame",)


@given(st.dictionaries(st.sampled_from(["info", "labl", "rang", "luts", "prop"]),
                       st.lists(st.binary(max_size=9), min_size=1, max_size=4)), st.sampled_from("<>"))  # fmt: skip
def test_items_there_and_back(values, order):
    data, counts = imagej.packed_items(imagej.Items(order, values))
    assert imagej.parse_items(data, counts) == imagej.Items(order, values)


@given(st.binary(max_size=40), st.lists(st.integers(0, 50), max_size=6))
def test_damaged_items_are_none(data, counts):
    imagej.parse_items(b"IJIJ" + data, counts)
