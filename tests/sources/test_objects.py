from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.sparse
import xarray
import zarr
from objects import FRAMES, Frame, Reader, same

import h5vidstack
from h5vidstack.sources.openers import open_source


def test_readers_of_whole_frames():
    source = same(Reader(FRAMES))
    np.testing.assert_array_equal(source.take(np.array([5, 0, 3])), FRAMES[[5, 0, 3]])
    h5vidstack.pack(Reader(FRAMES), "x.h5")
    assert h5vidstack.verify("x.h5", against=Reader(FRAMES)) == []
    same([frame.view(Frame) for frame in FRAMES])


def groups():
    images = (("t", "y", "x"), FRAMES)
    dataset = xarray.Dataset({"images": images, "others": images, "n": 3})
    group = zarr.create_group(zarr.storage.MemoryStore())
    group.create_array("images", data=FRAMES)
    with h5py.File("g.h5", "w") as file:
        file["images"] = FRAMES
        yield from (dataset, group, file, {"images": FRAMES})


def test_what_holds_several_arrays_names_them():
    for group in groups():
        with pytest.raises(h5vidstack.SourceError, match=r"images.*\(6, 12, 15\) uint16"):
            open_source(group)
    np.savez("a.npz", images=FRAMES)
    with pytest.raises(h5vidstack.SourceError, match=r"numpy\.load\('a\.npz'\)"):
        open_source("a.npz")
    zarr.open_group("z.zarr", mode="w")
    with pytest.raises(h5vidstack.SourceError, match="Zarr store"):
        open_source("z.zarr")


class Short:
    """An array-like whose slices end before its shape does."""

    def __init__(self, end=4, cast=None, fail=None):
        self.shape, self.dtype = FRAMES.shape, FRAMES.dtype
        self._frames, self._cast, self._fail = FRAMES[:end], cast, fail

    def __len__(self):
        return len(FRAMES)

    def __getitem__(self, index):
        pixels = self._frames[index]
        if self._fail and pixels.size:
            raise self._fail("out of order")
        return pixels.astype(self._cast) if self._cast and pixels.size else pixels


class Lazy(Short):
    """As `Short`, but it gives whole frames only."""

    def __getitem__(self, index):
        if isinstance(index, slice):
            raise TypeError("no slices")
        return super().__getitem__(index)


@pytest.mark.parametrize("method", ["video", "groupvideo", "hdf5"])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Short, "but a piece of it that should be"),
        (lambda: Short(6, np.int32), "int32"),
        (lambda: Short(6, fail=KeyError), "KeyError.*numpy.asarray"),
        (lambda: Lazy(6, fail=AttributeError), "AttributeError.*numpy.asarray"),
        (Lazy, "IndexError.*numpy.asarray"),
        (lambda: scipy.sparse.csr_array(FRAMES[0]), "sparse.*toarray"),
        (lambda: scipy.sparse.coo_matrix(FRAMES[0]), "sparse.*toarray"),
    ],
)
def test_array_likes_that_fail_when_read(make, words, method):
    with pytest.raises(h5vidstack.SourceError, match=words):
        h5vidstack.pack(make(), "x.h5", method=method)
    assert not Path("x.h5").exists()
