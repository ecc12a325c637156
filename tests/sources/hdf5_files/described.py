"""Files of HDF5 that say what their axes are, as netCDF-4 and NeXus do."""

from dataclasses import replace

import h5py
import numpy as np

import h5vidstack
from h5vidstack.metadata.words import Words

PIXELS = np.random.default_rng(4).integers(0, 4000, (6, 8, 10)).astype(np.uint16)


def netcdf(path):
    """Write a file as netCDF-4 does: dimensions are scales, of which some have no values."""
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "a run"
        image = file.create_dataset("img", data=PIXELS)
        for axis, (name, values) in enumerate({"time": np.arange(6), "y": None, "x": None}.items()):
            if values is None:
                scale = file.create_dataset(name, (PIXELS.shape[axis],), ">f4")
                scale.make_scale("This is a netCDF dimension but not a netCDF variable.         8")
            else:
                scale = file.create_dataset(name, data=values)
                scale.make_scale(name)
                scale.attrs["units"] = "days since 2020-01-01"
            image.dims[axis].attach_scale(scale)
        exposure = file.create_dataset("exposure", data=np.arange(6) * 0.5)
        exposure.dims[0].attach_scale(file["time"])
        lon = file.create_dataset("lon", data=np.arange(80.0).reshape(8, 10))
        lon.dims[0].attach_scale(file["y"])
        lon.dims[1].attach_scale(file["x"])
        second = file.create_dataset("second", data=PIXELS)
        second.dims[0].attach_scale(file["time"])
        file["crs"] = 0
        file["crs"].attrs["grid_mapping_name"] = "latitude_longitude"
        image.attrs.update(
            units="K", coordinates="lon", grid_mapping="crs", scale_factor=np.float32(0.1)
        )


def nexus(path):
    """Write a file of NeXus whose attributes lead to its images."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        data = entry.create_group("data")
        file.attrs["default"], entry.attrs["default"] = "entry", "data"
        data.attrs.update(
            NX_class="NXdata", signal="counts", axes=["time", ".", "x"], lat_indices=[1, 2],
            temperature_indices=0,
        )  # fmt: skip
        for name, values in {
            "counts": PIXELS, "time": np.arange(6) * 0.25, "x": np.arange(11.0), "title": "hello",
            "lat": np.ones((8, 10)), "temperature": np.arange(6, dtype="f4"),
        }.items():  # fmt: skip
            data[name] = values
        data["counts"].attrs["units"] = "counts"
        data["time"].attrs["units"] = "s"
        entry["link"] = h5py.SoftLink("/entry/data/counts")


def packed(source):
    """Pack a source whose pixels are `PIXELS`; return what the stack knows, values, and notes."""
    report = h5vidstack.pack(source, "x.h5", overwrite=True)
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack.nd[...].reshape(PIXELS.shape), PIXELS)
        coords = {name: (found.dims, found.values) for name, found in stack.coords.items()}
        words = {
            name: Words.whole("json", found.values[0])
            for name, found in stack.source.words.items()
            if found.kind == "json"
        }
        return replace(stack.metadata, words=words), coords, report.notes
