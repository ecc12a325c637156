"""Stacks in the array world: dask, xarray, Zarr's codecs, PyTorch's loaders."""

import json
import pickle
import sys

import h5py
import numcodecs
import numpy as np
import pytest
import xarray
import zarr
from frames import DTYPES, moving, pixels

import h5vidstack
from h5vidstack import errors
from h5vidstack.integrations.numcodecs import VideoBlock
from h5vidstack.reading import stack_reader

CASES = {
    "in order": ((43, 40, 50), {"method": "video"}),
    "tiled": ((43, 40, 50), {"chunk_frames": 5, "tile": (16, 32)}),
    "colour": ((20, 9, 8, 3), {}),
    "reordered": ((43, 40, 50), {"method": "groupvideo"}),
}


@pytest.fixture(params=CASES, ids=str)
def packed(request):
    shape, options = CASES[request.param]
    frames = moving(shape)
    if request.param == "reordered":
        frames = frames[np.random.default_rng(1).permutation(len(frames))]
    h5vidstack.pack(frames, "x.h5", **options)
    return frames


# --- dask


def test_dask_equals_numpy(packed, monkeypatch):
    monkeypatch.setattr(stack_reader, "PART_BYTES", 1)
    monkeypatch.setattr(stack_reader, "WINDOW_BYTES", 1)
    with h5vidstack.open("x.h5") as stack:
        lazy, step = stack.to_dask(), stack.chunks[0]
    assert (lazy.shape, lazy.dtype) == (packed.shape, packed.dtype)
    assert lazy.chunksize == (step, *packed.shape[1:])
    for scheduler in ("sync", "threads"):  # though the stack was closed
        np.testing.assert_array_equal(lazy.compute(scheduler=scheduler), packed, strict=True)
    np.testing.assert_array_equal(lazy[5:37:3, ::-1, 4].compute(), packed[5:37:3, ::-1, 4])
    np.testing.assert_array_equal(lazy[[4, 1, 1, -1]].compute(), packed[[4, 1, 1, -1]])
    assert lazy.mean().compute() == pytest.approx(packed.mean())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_dask_in_processes():
    frames = moving((43, 40, 50))
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        lazy = stack.to_dask()
        stack[0]
        np.testing.assert_array_equal(
            lazy.compute(scheduler="processes", num_workers=2), frames, strict=True
        )
        sums = lazy.sum(axis=(1, 2)).compute(scheduler="processes", num_workers=2)
    np.testing.assert_array_equal(sums, frames.sum(axis=(1, 2)))


def test_dask_distributed():
    distributed = pytest.importorskip("distributed")
    frames = moving((43, 40, 50))
    h5vidstack.pack(frames, "x.h5")
    with (
        h5vidstack.open("x.h5") as stack,
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        lazy = stack.to_dask()
        np.testing.assert_array_equal(lazy.compute(), frames, strict=True)


def test_dask_chunks_are_whole_blocks_of_about_16_mb():
    frames = np.arange(200, dtype=np.uint16)[:, None, None] + np.zeros((200, 256, 256), np.uint16)
    h5vidstack.pack(frames, "x.h5", chunk_frames=10, method="video")
    with h5vidstack.open("x.h5") as stack:
        lazy = stack.to_dask()
        assert lazy.chunks[0] == (120, 80)  # 12 blocks are 15 MiB
        assert stack.preferred_frames == 120
    h5vidstack.pack(frames[:40], "y.h5", chunk_frames=40, method="video")
    with h5vidstack.open("y.h5") as stack:
        assert stack.to_dask().chunks[0] == (40,)


def test_dask_names_tell_files_apart():
    h5vidstack.pack(moving((20, 16, 17)), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        name = stack.to_dask().name
        assert stack.to_dask().name == name
        stack.append(moving((20, 16, 17), seed=1))
        lazy = stack.to_dask()
    assert lazy.name != name
    assert lazy.shape == (40, 16, 17)
    with pytest.raises(h5vidstack.ClosedError):
        stack.to_dask()


def test_missing_packages_are_named(monkeypatch):
    h5vidstack.pack(moving((3, 9, 8)), "x.h5")
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with (
        h5vidstack.open("x.h5") as stack,
        pytest.raises(h5vidstack.MissingError, match=r'pip install "h5vidstack\[dask\]"'),
    ):
        stack.to_dask()
    with pytest.raises(ImportError, match="here"), errors.extra("here"):
        import nothing_of_this_name  # noqa: F401


# --- xarray

KEYS = [
    {}, {"frame": 3}, {"frame": -1, "x": -2}, {"frame": slice(2, 15, 3), "y": slice(None, None, -1)},
    {"frame": [7, 1, 1, -1]}, {"frame": [7, 2], "y": [3, 0], "x": 5}, {"frame": 2, "x": [4, 1]},
    {"y": [1, 2], "x": [7, 0, 1]}, {"frame": [], "x": 1}, {"frame": np.arange(5), "y": 0, "x": 0},
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_xarray_indexing(packed, key):
    dims = ("frame", "y", "x", "channel")[: packed.ndim]
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
    with pytest.raises(h5vidstack.ClosedError):
        part.values


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
            assert dataset.attrs["lossless"] is True
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


# --- numcodecs and Zarr


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 17, 21), (2, 9, 8, 3), (2, 3, 9, 8)], ids=str)
def test_codec_round_trip(shape, dtype):
    frames = pixels((-(-np.prod(shape) // 72), 9, 8), dtype)
    frames = frames.ravel()[: np.prod(shape)].reshape(shape)
    codec = numcodecs.get_codec({"id": "h5vidstack", "shape": list(shape), "dtype": dtype})
    data = codec.encode(frames)
    decoded = codec.decode(data)
    assert (decoded.shape, decoded.dtype) == (shape, np.dtype(dtype))
    assert decoded.tobytes() == frames.tobytes()
    assert codec.encode(frames.tobytes()) == data
    assert codec.encode(frames[:, ::-1][:, ::-1]) == data
    out = np.empty(shape, dtype)
    assert codec.decode(memoryview(data), out) is out
    assert out.tobytes() == frames.tobytes()
    again = numcodecs.get_codec(json.loads(json.dumps(codec.get_config())))
    assert again == codec == pickle.loads(pickle.dumps(codec))


def test_codec_shrinks_video_and_takes_presets():
    frames = moving((16, 64, 64))
    for preset in ("x264-interm", "ffv1"):
        codec = VideoBlock(frames.shape, frames.dtype, preset)
        data = codec.encode(frames)
        assert len(data) < 0.7 * frames.nbytes
        np.testing.assert_array_equal(codec.decode(data), frames, strict=True)


def test_codec_reads_blocks_of_stacks():
    frames = moving((20, 17, 18))
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast")
    with h5py.File("x.h5") as file:
        data = file["stack/frames"].id.read_direct_chunk((16, 0, 0))[1]
    decoded = VideoBlock((16, 17, 18), "u1").decode(data)
    np.testing.assert_array_equal(decoded[:4], frames[16:])
    assert not decoded[4:].any()


def test_codec_refuses():
    codec, frames = VideoBlock((4, 9, 8), "u1"), moving((4, 9, 8))
    for wrong in (frames[:3], frames.astype("u2"), frames.tobytes()[1:], frames.reshape(4, 8, 9)):
        with pytest.raises(h5vidstack.UnsupportedError, match="the codec got"):
            codec.encode(wrong)
    with pytest.raises(h5vidstack.UnsupportedError, match="C order"):
        codec.encode(np.asfortranarray(frames))
    data = bytearray(codec.encode(frames))
    with pytest.raises(h5vidstack.BlockError):
        VideoBlock((4, 9, 8, 3), "u1").decode(data)
    with pytest.raises(h5vidstack.BlockError):
        VideoBlock((3, 9, 8), "u1").decode(data)
    data[-1] ^= 1
    with pytest.raises(h5vidstack.BlockError):
        codec.decode(data)
    for options in (
        {"preset": "mp4"},
        {"preset": "x"},
        {"dtype": "c8"},
        {"shape": (9, 8)},
        {"shape": (0, 9, 8)},
    ):
        with pytest.raises(h5vidstack.UnsupportedError):
            VideoBlock(**{"shape": (4, 9, 8), "dtype": "u1", **options})


@pytest.mark.parametrize("dtype", ["u1", ">u2", "f4"])
def test_zarr_array(dtype):
    frames = (moving((43, 40, 50)) * 3).astype(dtype)
    options = {"shape": frames.shape, "chunks": (16, 40, 32), "dtype": dtype, "zarr_format": 2}
    array = zarr.create_array(
        "x.zarr", compressors=VideoBlock((16, 40, 32), dtype), filters=None, **options
    )
    array[:] = frames
    array = zarr.open_array("x.zarr", mode="r+")
    np.testing.assert_array_equal(array[:], frames)
    np.testing.assert_array_equal(array[5:20, 3, 30:40], frames[5:20, 3, 30:40])
    assert array.nbytes_stored() < frames.nbytes
    array[7, 3] = 0  # reads and codes its chunks anew
    frames[7, 3] = 0
    np.testing.assert_array_equal(array[:], frames)
    with pytest.raises(h5vidstack.UnsupportedError, match="C order"):
        zarr.create_array(
            "y.zarr",
            compressors=VideoBlock((16, 40, 32), dtype),
            filters=None,
            order="F",
            **options,
        )[:] = frames


# --- PyTorch


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", [None, "fork", "spawn"])
def test_torch_loader(method):
    data = pytest.importorskip("torch.utils.data")
    frames = moving((20, 16, 17))
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        stack[0]
        loader = data.DataLoader(
            stack,
            batch_size=6,
            num_workers=0 if method is None else 2,
            multiprocessing_context=method,
        )
        batches = [batch.numpy() for batch in loader]
    assert [len(batch) for batch in batches] == [6, 6, 6, 2]
    np.testing.assert_array_equal(np.concatenate(batches), frames, strict=True)
