import dask.array
import h5py
import numpy as np
import pytest
import xarray
import zarr
from objects import FRAMES, read, same

import h5vidstack
from h5vidstack.sources.openers import open_source


def test_dask_xarray_and_zarr():
    lazy = dask.array.from_array(FRAMES, chunks=(2, 5, 15))
    same(lazy)
    same(lazy + np.uint16(1), FRAMES + np.uint16(1))
    same(xarray.DataArray(FRAMES, dims=("t", "y", "x")))
    same(zarr.array(FRAMES, chunks=(2, 12, 15)))
    unknown = lazy[lazy.max(axis=(1, 2)) > 0]
    with pytest.raises(h5vidstack.SourceError, match="compute_chunk_sizes"):
        open_source(unknown)


def test_an_axis_of_one_is_no_width():
    last = FRAMES[..., None]
    np.save("a.npy", last)
    with h5py.File("a.h5", "w") as file:
        file["d"] = last
        for source in (
            last,
            "a.npy",
            dask.array.from_array(last),
            list(last),
            iter(last),
            file["d"],
        ):
            (note,) = same(source).notes
            assert "1 long, and was left out" in note
    for deep in (
        FRAMES.reshape(2, 3, 12, 15, 1),
        dask.array.from_array(FRAMES.reshape(2, 3, 12, 15, 1)),
    ):
        assert same(deep).leading_shape == (2, 3)
    source = same(FRAMES[:, None])
    assert source.leading_shape == (6, 1)
    assert "axis of 1" in source.notes[0]
    np.testing.assert_array_equal(source.take(np.array([4, 1])), FRAMES[[4, 1]])


@pytest.mark.parametrize(
    ("shape", "words"),
    [((3, 12, 15, 2), "moveaxis"), ((3, 12, 15, 5), "moveaxis"), ((12, 15, 3), "single image")],
)
def test_narrow_frames_are_said(shape, words):
    (note,) = read(np.zeros(shape, np.uint8))[1].notes
    assert words in note
    assert read(np.zeros((3, 12, 15, 3), np.uint8))[1].notes == []


def test_closed_files():
    with h5py.File("a.h5", "w") as file:
        closed = [file.create_dataset("x", data=FRAMES), file["/"], file]
    for source in closed:
        with pytest.raises(h5vidstack.SourceError, match="closed: open it again"):
            h5vidstack.pack(source, "x.h5")
