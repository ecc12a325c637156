"""Arrays and datasets of xarray as sources."""

import numpy as np
import pytest
import xarray

import h5vidstack
from h5vidstack.sources.openers import open_source

PIXELS = np.random.default_rng(4).integers(0, 4000, (3, 2, 8, 10)).astype(np.uint16)
DIMS = ("time", "C", "y", "x")
COORDS = {
    "time": ("time", np.array(["2020-01-01", "2020-01-02T03:04", "2021"], "M8[ns]"), {"a": "b"}),
    "C": ["gfp", "rfp"],
    "x": ("x", np.arange(10) * 0.65, {"units": "um"}),
    "lat": (("y", "x"), np.random.default_rng(5).random((8, 10))),
    "good": ("time", [True, False, True]),
    "wait": ("time", np.arange(3).astype("m8[s]")),
    "at": np.datetime64("2020-01-01", "s"),
    "site": "here",
    "run": 17,
}
ATTRS = {
    "units": "counts", "gain": np.float32(1.5), "list": [1, 2], "names": ["a", "b"],
    "deep": {"a": [1, None]}, "nothing": None, "dims": "mine", "flag": True,
}  # fmt: skip


def image(**more):
    return xarray.DataArray(PIXELS, COORDS, DIMS, name="intensity", attrs=ATTRS, **more)


def packed(source, **options):
    report = h5vidstack.pack(source, "x.h5", overwrite=True, **options)
    dataset = xarray.open_dataset("x.h5", engine="h5vidstack")
    return dataset, report.notes


@pytest.mark.parametrize("lazy", [False, True])
def test_an_array_comes_back_identical(lazy):
    array = image()
    dataset, notes = packed(array.chunk({"time": 1}) if lazy else array)
    with dataset:
        xarray.testing.assert_identical(dataset["intensity"], array)
        part = {"time": [2, 0], "x": slice(None, None, -3), "C": 1}
        xarray.testing.assert_identical(dataset["intensity"].isel(part), array.isel(part))
    assert notes == ()
    with xarray.open_dataarray("x.h5", engine="h5vidstack") as opened:
        xarray.testing.assert_identical(opened, array)
    assert h5vidstack.verify("x.h5", against=array) == []


def test_parts_and_stacks_of_it_keep_all():
    part = image()[1:, 0, :, 2:]
    with packed(part)[0] as dataset:
        xarray.testing.assert_identical(dataset["intensity"], part)
    with h5vidstack.open("x.h5") as stack:
        h5vidstack.pack(stack, "y.h5")
        np.testing.assert_array_equal(stack.coords["x"], part.x)
    with xarray.open_dataset("y.h5", engine="h5vidstack") as dataset:
        xarray.testing.assert_identical(dataset["intensity"], part)
    h5vidstack.pack("x.h5", "z.h5")
    with xarray.open_dataset("z.h5", engine="h5vidstack") as dataset:
        xarray.testing.assert_identical(dataset["intensity"], part)


def test_a_dataset_with_one_variable_of_images():
    source = xarray.Dataset(
        {"img": image(), "exposure": ("time", [1.0, 2.0, 3.0]), "other": ("q", [1, 2])},
        attrs={"title": "t", "n": 3},
    )
    dataset, notes = packed(source)
    with dataset:
        xarray.testing.assert_identical(
            dataset["img"], source["img"].assign_coords(exposure=source.exposure)
        )
        assert dataset.attrs["title"] == "t"
    assert any("other (it is along q)" in note for note in notes)
    for wrong in (source.assign(second=source.img), source[["exposure"]]):
        with pytest.raises(h5vidstack.SourceError, match=r"source\['.*has shape"):
            open_source(wrong)


def test_what_no_stack_keeps_is_told():
    array = image().stack(z=("time", "C")).transpose("z", "y", "x")
    array.attrs["object"] = object()
    array = array.assign_coords(w=("z", np.zeros(6, complex)))
    _, notes = packed(array)
    (note,) = notes
    for what in ("z (an index", "object (it is a object)", "w (a coordinate holds numbers"):
        assert what in note
    with h5vidstack.open("x.h5") as stack:
        assert {"time", "C"} <= stack.coords.keys()


def test_order_of_axes_and_conventions_are_told():
    array = xarray.DataArray(PIXELS[0], dims=("y", "x", "t"), attrs={"scale_factor": 0.1})
    dataset, notes = packed(array)
    assert any('pack source.transpose(..., "y", "x")' in note for note in notes)
    assert any("scale_factor is kept as an attribute, and not applied" in note for note in notes)
    with dataset:
        np.testing.assert_array_equal(dataset.frames.values, PIXELS[0])


def test_axes_that_a_stack_leaves_out():
    array = xarray.DataArray(
        np.zeros((3, 8, 10, 1), np.uint8), {"c": ["gray"]}, ("t", "y", "x", "c")
    )
    with packed(array)[0] as dataset:
        assert dataset.frames.dims == ("t", "y", "x")
        assert dataset.c == "gray"
    colour = xarray.DataArray(
        np.zeros((3, 8, 10, 3), np.uint8), {"c": list("rgb")}, ("t", "y", "x", "c")
    )
    with packed(colour, gray=True)[0] as dataset:
        assert dataset.frames.dims == ("t", "y", "x")
        assert "c" not in dataset.coords
