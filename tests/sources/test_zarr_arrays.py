"""Arrays and folders of Zarr as sources."""

import numpy as np
import pytest
import xarray
import zarr

import h5vidstack
from h5vidstack.sources.openers import open_source

PIXELS = np.random.default_rng(4).integers(0, 4000, (3, 2, 8, 10)).astype(np.uint16)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.filterwarnings("ignore")  # zarr's, of strings that are not in its specification yet
def test_an_array_that_xarray_wrote(version):
    array = xarray.DataArray(
        PIXELS, {"t": [1, 2, 4], "lat": (("y", "x"), np.ones((8, 10), int))}, ("t", "z", "y", "x"),
        name="img", attrs={"units": "counts"},
    )  # fmt: skip
    array.to_zarr("a.zarr", zarr_format=version, mode="w")
    for source in ("a.zarr::/img", "a.zarr/img", zarr.open_array("a.zarr", path="img", mode="r")):
        h5vidstack.pack(source, "x.h5", overwrite=True)
        with xarray.open_dataarray("x.h5", engine="h5vidstack") as opened:
            xarray.testing.assert_identical(opened, array)


def test_the_files_of_a_folder():
    zarr.create_array("a.zarr", data=PIXELS, chunks=(1, 2, 8, 10))
    h5vidstack.pack("a.zarr", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack.nd[...], PIXELS)
        assert len(stack.source.files) == 4
        assert all(file.sha256 for file in stack.source.files)
        assert stack.source.file(0) is None
        assert stack.names is None
    assert h5vidstack.verify("x.h5", against="a.zarr") == []


def test_what_is_no_image():
    group = zarr.create_group("a.zarr")
    group.create_array("in/one", data=PIXELS)
    with pytest.raises(h5vidstack.SourceError, match=r"in/one has shape \(3, 2, 8, 10\) uint16"):
        open_source("a.zarr")
    with pytest.raises(h5vidstack.SourceError, match=r"cannot read a.zarr::/none"):
        open_source("a.zarr::/none")


def test_names_of_axes_only():
    array = zarr.create_array(
        zarr.storage.MemoryStore(), data=PIXELS, dimension_names=["t", None, "y", "x"],
        attributes={"a": [1, 2]},
    )  # fmt: skip
    source = open_source(array)
    assert source.metadata.dims == ("t", "axis_1", "y", "x")
    assert source.metadata.attrs["a"].tolist() == [1, 2]
