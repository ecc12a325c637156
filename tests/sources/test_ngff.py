"""Images of OME-NGFF, versions 0.4 (Zarr 2) and 0.5 (Zarr 3)."""

import numpy as np
import pytest
import zarr

import h5vidstack
from h5vidstack.sources import ngff

PIXELS = np.random.default_rng(4).integers(0, 4000, (3, 2, 4, 8, 10)).astype(np.uint16)
SPACE = {"type": "space", "unit": "micrometer"}
AXES = [
    {"name": "t", "type": "time", "unit": "second"},
    {"name": "c", "type": "channel"},
    *({"name": name, **SPACE} for name in "zyx"),
]
IMAGE = {
    "axes": AXES,
    "datasets": [
        {"path": "0", "coordinateTransformations": [
            {"type": "scale", "scale": [1, 1, 0.5, 0.25, 0.25]},
            {"type": "translation", "translation": [0, 0, 1, 2, 3]},
        ]},
        {"path": "1", "coordinateTransformations": [
            {"type": "scale", "scale": [1, 1, 0.5, 0.5, 0.5]},
        ]},
    ],
    "coordinateTransformations": [{"type": "scale", "scale": [10, 1, 1, 1, 1]}],
}  # fmt: skip
OME = {"multiscales": [IMAGE], "omero": {"channels": [{"label": "GFP"}, {"label": "RFP"}]}}


def store(version, ome=OME):
    group = zarr.open_group("i.zarr", mode="w", zarr_format=version)
    group.create_array("0", data=PIXELS)
    group.create_array("1", data=PIXELS[..., ::2, ::2])
    group.attrs.update(ome if version == 2 else {"ome": ome})


@pytest.mark.parametrize("version", [2, 3])
def test_the_largest_image(version):
    store(version)
    for source in ("i.zarr", "i.zarr::/0", zarr.open("i.zarr", mode="r")):
        h5vidstack.pack(source, "x.h5", overwrite=True)
        with h5vidstack.open("x.h5") as stack:
            assert stack.dims == ("t", "c", "z", "y", "x")
            np.testing.assert_array_equal(stack.nd[...], PIXELS)
            coords = stack.coords
            np.testing.assert_array_equal(coords["t"], [0, 10, 20])
            np.testing.assert_array_equal(coords["c"], ["GFP", "RFP"])
            np.testing.assert_array_equal(coords["z"], np.arange(4) * 0.5 + 1)
            np.testing.assert_array_equal(coords["x"], np.arange(10) * 0.25 + 3)
            assert (coords["t"].units, coords["x"].units) == ("second", "micrometer")
            assert stack.source.words["ngff"].value["omero"] == OME["omero"]


def test_another_level():
    store(3)
    h5vidstack.pack("i.zarr::/1", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert stack.nd.shape == (3, 2, 4, 4, 5)
        np.testing.assert_array_equal(stack.coords["x"], np.arange(5) * 0.5)


def test_what_says_too_little():
    unnamed = {"multiscales": [{"axes": list("tczyx"), "datasets": [{"path": "0"}]}]}
    store(2, {**unnamed, "omero": {"channels": [{}, {"label": "b"}]}})
    h5vidstack.pack("i.zarr", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert stack.dims == tuple("tczyx")
        assert not stack.coords
    for attrs in ({}, {"multiscales": 3}, {"multiscales": [{}]}, {"ome": {"multiscales": [7]}}):
        assert ngff.largest(attrs) is None
        assert not ngff.describes(attrs, "0")
