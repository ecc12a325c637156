import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
import xarray
from frames import moving

import h5vidstack
from h5vidstack.integrations import xarray as engine
from h5vidstack.reading import stack_reader

# --- xarray

KEYS = [
    {}, {"frame": 3}, {"frame": -1, "x": -2}, {"frame": slice(2, 15, 3), "y": slice(None, None, -1)},
    {"frame": [7, 1, 1, -1]}, {"frame": [7, 2], "y": [3, 0], "x": 5}, {"frame": 2, "x": [4, 1]},
    {"y": [1, 2], "x": [7, 0, 1]}, {"frame": [], "x": 1}, {"frame": np.arange(5), "y": 0, "x": 0},
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_xarray_indexing(packed, key):
    dims = ("frame", "y", "x", "c")[: packed.ndim]
    expected = xarray.DataArray(packed, dims=dims)
    with xarray.open_dataset("x.h5", engine="h5vidstack", cache=False) as dataset:
        found = dataset.frames
        assert (found.dims, found.shape, found.dtype) == (dims, packed.shape, packed.dtype)
        np.testing.assert_array_equal(
            found.isel(key).values, expected.isel(key).values, strict=True
        )
        twice = found.isel(frame=slice(1, None)).isel(key).values
        np.testing.assert_array_equal(twice, expected.isel(frame=slice(1, None)).isel(key).values)


def test_xarray_points_and_errors(packed):
    at = {name: xarray.DataArray([1, 5, -1], dims="point") for name in ("frame", "y", "x")}
    with xarray.open_dataset("x.h5", engine="h5vidstack") as dataset:
        np.testing.assert_array_equal(
            dataset.frames.isel(at).values, packed[[1, 5, -1], [1, 5, -1], [1, 5, -1]]
        )
        with pytest.raises(IndexError):
            dataset.frames.isel(frame=len(packed)).load()


def test_xarray_is_lazy(monkeypatch):
    frames, read = moving((43, 40, 50)), h5vidstack.Stack.read
    h5vidstack.pack(frames, "x.h5")
    keys = []

    def noted(stack, key=..., out=None):
        keys.append(key)
        return read(stack, key, out)

    monkeypatch.setattr(stack_reader.StackReader, "read", noted)
    dataset = xarray.open_dataset("x.h5", engine="h5vidstack", cache=False)
    part = dataset.frames[5:9, 3]
    repr(dataset)
    assert not keys
    np.testing.assert_array_equal(part.values, frames[5:9, 3])
    assert [key[:2] for key in keys] == [(slice(5, 9, 1), slice(3, 4))]  # no more than asked for
    with pickle.loads(pickle.dumps(dataset)) as other:
        np.testing.assert_array_equal(other.frames[2].values, frames[2])
    dataset.close()
    np.testing.assert_array_equal(part.values, frames[5:9, 3])  # xarray opens it again
    dataset.close()


def test_xarray_with_dask(packed):
    with xarray.open_dataset("x.h5", engine="h5vidstack", chunks={}) as dataset:
        with h5vidstack.open("x.h5") as stack:
            assert dataset.frames.data.chunksize[0] == min(stack.preferred_frames, len(packed))
        np.testing.assert_array_equal(dataset.frames.mean("frame").values, packed.mean(axis=0))
    with xarray.open_dataset("x.h5", engine="h5vidstack", chunks="auto") as dataset:
        np.testing.assert_array_equal(dataset.frames[3:18].values, packed[3:18])


def test_xarray_groups_and_attributes():
    frames = moving((7, 9, 8))
    h5vidstack.pack(frames, "x.h5::/entry/one")
    h5vidstack.pack(frames[::-1], "x.h5::/stack")
    opened = {
        "x.h5": {}, "x.h5::/stack": {}, "x.h5::/entry/one": {}, "./x.h5": {"group": "/entry/one"}
    }  # fmt: skip
    for path, options in opened.items():
        with xarray.open_dataset(path, engine="h5vidstack", **options) as dataset:
            one = "one" in f"{path}{options}"
            np.testing.assert_array_equal(dataset.frames.values, frames if one else frames[::-1])
            assert dataset.attrs["lossless"] == 1
            assert dataset.attrs["shape"] == (7, 9, 8)
            assert "codings" in json.loads(dataset.attrs["settings"])
    with xarray.open_dataset("x.h5", engine="h5vidstack", drop_variables="frames") as dataset:
        assert not dataset.variables
    with pytest.raises(h5vidstack.FormatError, match="so does group"):
        xarray.open_dataset("x.h5::/stack", engine="h5vidstack", group="/entry/one")
    with pytest.raises(h5vidstack.FormatError, match="stacks in it"):
        xarray.open_dataset("x.h5", engine="h5vidstack", group="/none")
    with pytest.raises(h5vidstack.FormatError, match="no path"), open("x.h5", "rb") as file:
        xarray.open_dataset(file, engine="h5vidstack")


def test_xarray_guesses_only_stacks(tmp_path):
    h5vidstack.pack(moving((3, 9, 8)), "x.h5")
    h5vidstack.pack(moving((3, 9, 8)), "y.h5::/entry/one")
    with h5py.File("plain.h5", "w") as file:
        file["stack"] = np.zeros((2, 3, 4))
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "cut.h5").write_bytes((tmp_path / "x.h5").read_bytes()[:600])
    backend = xarray.backends.list_engines()["h5vidstack"]
    can = ["x.h5", tmp_path / "x.h5", "x.h5::/stack", "y.h5::/entry/one"]
    cannot = ["y.h5", "plain.h5", "text.h5", "cut.h5", "none.h5", ".", b"x", 7, "https://x/y.h5"]
    assert [path for path in can + cannot if backend.guess_can_open(path)] == can
    with xarray.open_dataset("x.h5") as dataset:
        assert dataset.frames.shape == (3, 9, 8)


def test_xarray_keeps_few_files_open(monkeypatch):
    held = []

    class Counted(engine.SharedStack):
        def __init__(self, state):
            super().__init__(state)
            held.append(self)

        def close(self):
            super().close()
            held.remove(self)

    monkeypatch.setattr(engine, "SharedStack", Counted)
    frames = moving((20, 30, 40))
    h5vidstack.pack(frames, "x.h5")
    with xarray.set_options(file_cache_maxsize=3):
        datasets = [xarray.open_dataset("x.h5", engine="h5vidstack", cache=False) for _ in range(8)]
        assert not held  # before the first read
        for dataset in datasets * 2:
            np.testing.assert_array_equal(dataset.frames[3].values, frames[3])
            assert len(held) <= 3
        assert len(held) == 3
        for dataset in datasets:
            dataset.close()
    assert not held


def test_xarray_closes_files_that_other_threads_read():
    frames = moving((20, 30, 40))
    h5vidstack.pack(frames, "x.h5")
    with xarray.set_options(file_cache_maxsize=1):
        datasets = [xarray.open_dataset("x.h5", engine="h5vidstack", cache=False) for _ in range(4)]

        def read(number):
            return datasets[number % 4].frames[number % 20].values

        with ThreadPoolExecutor(4) as pool:
            for number, frame in enumerate(pool.map(read, range(80))):
                np.testing.assert_array_equal(frame, frames[number % 20])
        for dataset in datasets:
            dataset.close()


def test_xarray_gives_arguments_to_every_engine():
    frames = moving((20, 30, 40))
    h5vidstack.pack(frames, "x.h5")
    for options in (
        {"decode_cf": False}, {"decode_times": False, "mask_and_scale": False},
        {"decode_coords": "all", "decode_timedelta": True, "concat_characters": False},
    ):  # fmt: skip
        with xarray.open_dataset("x.h5", engine="h5vidstack", **options) as dataset:
            np.testing.assert_array_equal(dataset.frames.values, frames)
    with pytest.raises(TypeError):
        xarray.open_dataset("x.h5", engine="h5vidstack", lock=None)


def test_xarray_attributes_are_such_as_other_files_hold():
    h5vidstack.pack(moving((20, 30, 40)), "x.h5")
    with xarray.open_dataset("x.h5", engine="h5vidstack") as dataset:
        assert dataset.attrs["lossless"] == 1
        assert {type(value) for value in dataset.attrs.values()} <= {int, float, str, tuple}
        dataset.astype("i2").to_netcdf("x.nc", engine="scipy")
        with xarray.open_dataset("x.nc", engine="scipy") as written:
            np.testing.assert_array_equal(written.frames.values, dataset.frames.values)
            assert written.attrs["lossless"] == 1


def test_xarray_shows_all_axes_and_coordinates(scan):
    with xarray.open_dataset("scan.h5", engine="h5vidstack", cache=False) as dataset:
        found = dataset.frames
        assert found.dims == ("T", "C", "Z", "y", "x")
        np.testing.assert_array_equal(found.isel(T=[2, 0], Z=1, x=slice(None, None, -2)).values,
                                      scan[[2, 0], :, 1, :, ::-2])  # fmt: skip
        gfp = found.sel(C="gfp", T="2021-01-01")
        np.testing.assert_array_equal(gfp.values, scan[2, 0])
        assert found.serial.dims == ("T", "C", "Z")
        np.testing.assert_array_equal(found.serial, np.arange(24).reshape(3, 2, 4))
        assert found.Z.attrs == {"units": "\u00b5m"}
        assert found.attrs == {"gain": 2.5}
    with xarray.open_dataset("scan.h5", engine="h5vidstack", chunks={}) as dataset:
        np.testing.assert_array_equal(dataset.frames.mean("T").values, scan.mean(axis=0))
    with xarray.open_dataset("scan.h5", engine="h5vidstack", drop_variables=["lat"]) as dataset:
        assert "lat" not in dataset.variables


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_xarray_to_netcdf_and_other_engines(scan, engine):
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    with xarray.open_dataset("scan.h5", engine="h5vidstack") as dataset:
        dataset.to_netcdf("x.nc", engine=engine)
        with xarray.open_dataset("x.nc", engine=engine) as again:
            xarray.testing.assert_equal(again, dataset)
        with xarray.open_dataset("scan.h5", engine=engine, group="stack") as found:
            assert found.nd.dims == dataset.frames.dims
            assert found.coords.keys() == dataset.coords.keys()
            xarray.testing.assert_equal(found["T"].variable, dataset["T"].variable)
