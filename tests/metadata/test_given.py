"""What users give, and what is refused before anything is packed."""

import os

import h5py
import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack import Coordinate, MetadataError

FRAMES = moving((6, 8, 9))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"coords": {"t": [1, 2]}}, "has 2 values, but the stack has 6 frames"),
        ({"coords": {"t": ("frame", [1, 2])}}, "has 2 values along frame, not 6"),
        ({"coords": {"t": ("time", np.arange(6))}}, "is along time; the axes are frame, y, x"),
        ({"coords": {"y": ("x", np.arange(9))}}, "has the name of an axis"),
        ({"coords": {"t": np.zeros((2, 3))}}, "name its axes"),
        ({"coords": {"": np.arange(6)}}, "no usable name"),
        ({"coords": {"a\0b": np.arange(6)}}, "no usable name"),
        ({"coords": {1: np.arange(6), "1": np.arange(6)}}, "1 is given twice"),
        ({"coords": {"t": [1j] * 6}}, "numbers, texts or times"),
        ({"dims": ("a", "b")}, "dims names 2 axes"),
        ({"dims": ("a", "b", "a")}, "a name of its own"),
        ({"dims": ("a", "b", "")}, "a name is a text"),
        ({"attrs": {"a": object()}}, "an attribute is a text, a number"),
        ({"attrs": {"a": {"b": 1}}}, "an attribute is a text, a number"),
        ({"attrs": {"a": "b\0"}}, "zero character"),
        ({"attrs": {"a": b"b\0"}}, "zero character"),
        ({"attrs": {"": 1}}, "no usable name"),
        ({"attrs": {"\udcff": 1}}, "no usable name"),
        ({"attrs": {"a": [[1], [1, 2]]}}, "no array"),
    ],
)
def test_refused(options, said):
    with pytest.raises(MetadataError, match=said):
        h5vidstack.pack(FRAMES, "x.h5", **options)
    assert os.listdir() == []


ATTRS = {
    "text": "é", "bytes": b"\xff", "whole": 7, "float": 0.5, "nan": np.nan, "inf": np.inf, "none": "",
    "numbers": np.arange(3), "texts": ["a", "bcé"], "empty": np.array([]), "image": np.eye(2),
    "true": True, "huge": "h" * 100_000, "many": np.arange(20_000.0), "shape": "mine", "dims": "D",
    "CLASS": "c", "DIMENSION_LIST": "l", "dims_": "E", "é\n/": 1,
}  # fmt: skip


def test_attributes_come_back():
    h5vidstack.pack(FRAMES, "x.h5", attrs=ATTRS)
    with h5vidstack.open("x.h5") as stack:
        found = dict(stack.metadata.attrs)
        assert stack.verify() == []
    assert found.keys() == ATTRS.keys()
    assert found.pop("bytes") == b"\xff".decode(errors="surrogateescape")
    for name, value in found.items():
        np.testing.assert_array_equal(value, ATTRS[name], err_msg=name)


NAMES = [
    "a/b",
    "a%2Fb",
    ".",
    "..",
    "frames",
    "frames_",
    "source",
    "é",
    "\udcff",
    "a b\n",
    "dims",
    "y_",
]


def test_names_of_every_kind():
    coords = {name: np.arange(6) + place for place, name in enumerate(NAMES)}
    h5vidstack.pack(FRAMES, "x.h5", coords=coords)
    with h5vidstack.open("x.h5") as stack:
        assert list(stack.coords) == NAMES
        for name in NAMES:
            np.testing.assert_array_equal(stack.coords[name], coords[name], err_msg=name)
        assert stack.verify() == []
    h5vidstack.pack(FRAMES, "x.h5", overwrite=True)
    with h5py.File("x.h5") as file:
        assert set(file["stack"]) == {
            "frame", "frames", "groups", "hashes", "index", "x", "y",
        }  # fmt: skip


def test_forms():
    data = Coordinate.of(("frame",), np.arange(6), {"units": "mm"})
    h5vidstack.pack(
        FRAMES, "x.h5", dims=("z", "row", "x"), attrs={"a": 1},
        coords={
            "row": np.arange(8) * 0.5, "z": (np.arange(6), {"units": "um"}), "one": 7,
            "t": ("z", np.arange(6), {"units": "furlongs"}), "c": data.on(("z",)),
        },
    )  # fmt: skip
    with h5vidstack.open("x.h5") as stack:
        assert stack.dims == ("z", "row", "x")
        assert stack.coords["t"].units == "furlongs"
        assert stack.coords["z"].units == "um"
        assert stack.coords["one"].values == 7
        assert stack.coords["c"].units == "mm"
