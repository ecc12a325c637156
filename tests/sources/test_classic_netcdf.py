"""Classic netCDF files are refused, with a way out that works."""

import re

import numpy as np
import pytest
import xarray

import h5vidstack


def test_the_way_out():
    array = xarray.DataArray(np.arange(60, dtype="i2").reshape(3, 4, 5), dims=("t", "y", "x"))
    array.to_dataset(name="v").to_netcdf("a.nc", engine="scipy")
    for name in ("a.nc::/v", "a.nc::v"):
        with pytest.raises(h5vidstack.SourceError, match="netCDF-3") as told:
            h5vidstack.pack(name, "x.h5")
    (way,) = re.findall(r"xarray\.open_dataset\(.*\)\['v'\]", str(told.value))
    with eval(way) as source:
        h5vidstack.pack(source, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], array)
        assert stack.dims == ("t", "y", "x")
