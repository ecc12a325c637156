"""Datasets of HDF5 with dimension scales and labels, and netCDF-4 files."""

import h5py
import numpy as np
import pytest
from described import PIXELS, netcdf, packed

import h5vidstack


@pytest.mark.parametrize("inner", ["/img", "img"])
def test_netcdf(inner):
    netcdf("a.nc")
    metadata, coords, notes = packed(f"a.nc::{inner}")
    assert metadata.dims == ("time", "y", "x")
    assert {name: dims for name, (dims, _) in coords.items()} == {
        "time": ("time",), "lon": ("y", "x"), "crs": (), "exposure": ("time",),
    }  # fmt: skip
    np.testing.assert_array_equal(coords["exposure"][1], np.arange(6) * 0.5)
    assert metadata.coords["time"].units == "days since 2020-01-01"
    assert metadata.coords["crs"].attrs == {"grid_mapping_name": "latitude_longitude"}
    assert metadata.attrs == {"units": "K", "grid_mapping": "crs", "scale_factor": np.float32(0.1)}
    assert metadata.words["group_attributes"].value == {"title": "a run"}
    assert any("scale_factor is kept as an attribute, and not applied" in note for note in notes)
    assert [bytes(path) for path in metadata.files.paths] == [b"a.nc"]


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_netcdf_by_the_libraries_themselves(engine):
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    import xarray

    source = xarray.Dataset(
        {"img": (("time", "y", "x"), PIXELS, {"units": "K"}), "exposure": ("time", np.ones(6))},
        {"time": np.arange("2020-01-01", "2020-01-07", dtype="M8[D]"), "site": "here"},
        {"title": "a run"},
    )
    source.to_netcdf("a.nc", engine=engine)
    packed("a.nc::img")
    with (
        xarray.open_dataset("x.h5", engine="h5vidstack") as found,
        xarray.open_dataset("a.nc", engine=engine) as expected,
    ):
        decoded = xarray.decode_cf(found)
        xarray.testing.assert_identical(
            decoded["img"], expected["img"].assign_coords(exposure=expected.exposure)
        )
        found.to_netcdf("b.nc", engine=engine)
    with xarray.open_dataset("x.h5", engine=engine, group="stack") as found:
        assert found.frames.dims == ("time", "y", "x")
        assert {"time", "site", "exposure"} <= found.coords.keys()


def test_labels_scales_and_objects():
    with h5py.File("a.h5", "w") as file:
        image = file.create_dataset("g/img", data=PIXELS.reshape(3, 2, 8, 10))
        file["g/z_mm"] = np.arange(3) * 0.5
        file["g/z_steps"] = np.arange(3)
        for name in ("z_mm", "z_steps"):
            file[f"g/{name}"].make_scale(name)
            image.dims[0].attach_scale(file[f"g/{name}"])
        image.dims[0].label, image.dims[1].label = "z", "channel"
    metadata, coords, _ = packed("a.h5::/g/img")
    assert metadata.dims == ("z", "channel", "y", "x")
    assert {name: dims for name, (dims, _) in coords.items()} == {
        "z_mm": ("z",), "z_steps": ("z",)
    }  # fmt: skip
    with h5py.File("a.h5") as file:
        again, _, _ = packed(file["g/img"])
        assert again.dims == metadata.dims
        assert any(file.sha256 for file in again.files)
    with h5py.File("a.h5", "r+") as file:  # which may be written to before it is closed
        again, _, _ = packed(file["g/img"])
        assert not any(file.sha256 for file in again.files)
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as file:
        file["img"] = PIXELS
        assert packed(file["img"])[0].files is None


def test_the_file_that_is_written_to_gets_no_digest():
    with h5py.File("a.h5", "w") as file:
        file["img"] = PIXELS
    h5vidstack.pack("a.h5::/img", "a.h5::/stack")
    with h5vidstack.open("a.h5") as stack:
        assert [file.sha256 for file in stack.source.files] == [""]


def test_datasets_in_a_stack():
    h5vidstack.pack(
        PIXELS, "a.h5", dims=["t", "y", "x"], attrs={"a": 1}, coords={"t": np.arange(6)}
    )
    metadata, coords, _ = packed("a.h5::/stack/frames")
    assert metadata.dims == ("t", "y", "x")
    assert list(coords) == ["t"]
    assert "group_attributes" not in metadata.words


def test_other_stacks_of_images_stay_where_they_are():
    netcdf("a.nc")
    with h5py.File("a.nc", "r+") as file:
        image = file.create_dataset("levels", data=PIXELS.reshape(3, 2, 8, 10))
        for name, axis in (("y", 2), ("x", 3)):
            image.dims[axis].attach_scale(file[name])
        for axis, name in enumerate(("t", "z")):
            file[name] = np.arange(image.shape[axis])
            file[name].make_scale(name)
            image.dims[axis].attach_scale(file[name])
        other = file.create_dataset("other", data=PIXELS[:3])
        named = file.create_dataset("named", data=PIXELS[:3])
        for variable in (other, named):
            for axis, name in enumerate(("t", "y", "x")):
                variable.dims[axis].attach_scale(file[name])
        image.attrs["coordinates"] = "named"
    _, coords, _ = packed("a.nc::/levels")
    assert {name: dims for name, (dims, _) in coords.items()} == {
        "t": ("t",), "z": ("z",), "lon": ("y", "x"), "named": ("t", "y", "x"),
    }  # fmt: skip


def test_netcdf_has_no_single_values():
    netcdf("a.nc")
    with h5py.File("a.nc", "r+") as file:
        image = file["img"]
        image.attrs["scale_factor"], image.attrs["valid_range"] = np.array([0.5]), [1, 9]
        image.attrs["long_name"] = ["Höhe"]
        assert packed("a.nc::img")[0].attrs["long_name"] == ["Höhe"]
        file.attrs["_NCProperties"] = "version=2,netcdf=4.9.2"
    metadata, _, _ = packed("a.nc::img")
    assert metadata.attrs["scale_factor"] == 0.5
    assert np.shape(metadata.attrs["scale_factor"]) == ()
    assert metadata.attrs["long_name"] == "Höhe"
    assert metadata.attrs["valid_range"].tolist() == [1, 9]
