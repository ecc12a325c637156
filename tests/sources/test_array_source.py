from pathlib import Path

import dask.array
import h5py
import numpy as np
import pytest
import scipy.sparse
import xarray
import zarr
from objects import FRAMES, read, same
from PIL import Image

import h5vidstack
from h5vidstack.sources.openers import open_source


def masked():
    return np.ma.masked_greater(FRAMES, 2000)


class Masked(np.ndarray):
    """A masked array of another package."""

    mask = True


@pytest.mark.parametrize(
    "make",
    [
        masked,
        lambda: list(masked()),
        lambda: iter(masked()),
        lambda: [*FRAMES[:3], np.ma.masked_equal(FRAMES[3], 0)],
        lambda: dask.array.from_array(masked(), chunks=(2, 12, 15)),
        lambda: Reader(masked()),
        lambda: FRAMES.view(Masked),
    ],
)
def test_masks_are_refused_wherever(make):
    with pytest.raises(h5vidstack.SourceError, match="masked array.*fill it"):
        h5vidstack.pack(make(), "x.h5")
    assert not Path("x.h5").exists()


class Frame(np.ndarray):
    """An array with metadata, as readers of microscopes give it."""

    frame_no: int


class Reader:
    """As pims' readers: slices are lazy sequences, not arrays."""

    def __init__(self, frames):
        self._frames = frames
        self.frame_shape, self.pixel_type = frames.shape[1:], frames.dtype
        self.shape, self.dtype = frames.shape, frames.dtype

    def __len__(self):
        return len(self._frames)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Reader(self._frames[index])
        if isinstance(index, tuple):
            raise TypeError("only one axis can be indexed")
        if isinstance(self._frames, np.ma.MaskedArray):
            return self._frames[index]
        frame = self._frames[index].view(Frame)
        frame.frame_no = index
        return frame


def test_readers_of_whole_frames():
    source = same(Reader(FRAMES))
    np.testing.assert_array_equal(source.take(np.array([5, 0, 3])), FRAMES[[5, 0, 3]])
    h5vidstack.pack(Reader(FRAMES), "x.h5")
    assert h5vidstack.verify("x.h5", against=Reader(FRAMES)) == []
    same([frame.view(Frame) for frame in FRAMES])


def test_dask_xarray_and_zarr():
    lazy = dask.array.from_array(FRAMES, chunks=(2, 5, 15))
    same(lazy)
    same(lazy + np.uint16(1), FRAMES + np.uint16(1))
    same(xarray.DataArray(FRAMES, dims=("t", "y", "x")))
    same(zarr.array(FRAMES, chunks=(2, 12, 15)))
    unknown = lazy[lazy.max(axis=(1, 2)) > 0]
    with pytest.raises(h5vidstack.SourceError, match="compute_chunk_sizes"):
        open_source(unknown)


def groups():
    dataset = xarray.Dataset({"images": (("t", "y", "x"), FRAMES), "n": 3})
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


def test_frames_that_are_no_arrays():
    with pytest.raises(h5vidstack.SourceError, match="frame 0"):
        read(iter(["a", "b"]))
    with pytest.raises(h5vidstack.SourceError, match="no stack"):
        open_source(7)


class Volumes:
    """A reader that gives a whole volume as one frame, as imageio's do of TIFFs."""

    def __init__(self, volumes):
        self._volumes = volumes

    def __len__(self):
        return len(self._volumes)

    def __iter__(self):
        return iter(self._volumes)


@pytest.mark.parametrize("shape", [(5, 12, 15), (5, 12, 15, 3), (2, 5, 12, 15)])
def test_volumes_that_are_given_as_frames(shape):
    source = Volumes([np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)] * 2)
    with pytest.raises(h5vidstack.SourceError, match=r"np\.concatenate\(list\(source\)\)"):
        open_source(source)
    frame = shape[-3:] if shape[-1] == 3 else shape[-2:]
    same(np.concatenate(list(source)), np.concatenate([*source]).reshape(-1, *frame))


def test_channels_of_frames_become_frames():
    source = Volumes([FRAMES.transpose(1, 2, 0)] * 2)
    with pytest.raises(h5vidstack.SourceError, match="moveaxis") as caught:
        open_source(source)
    advice = str(caught.value).rpartition("frames: ")[2]
    same(eval(advice, {"np": np, "source": source}), np.concatenate([FRAMES] * 2))


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


def test_closed_files():
    with h5py.File("a.h5", "w") as file:
        closed = [file.create_dataset("x", data=FRAMES), file["/"], file]
    for source in closed:
        with pytest.raises(h5vidstack.SourceError, match="closed: open it again"):
            h5vidstack.pack(source, "x.h5")


def test_images_of_pillow_are_pixels_or_refused():
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colour = Image.fromarray(np.stack([gray, gray.T, 255 - gray], -1))
    for mode in ("1", "L", "RGB", "RGBA", "I", "F", "I;16"):
        image = (Image.fromarray(gray) if mode == "I;16" else colour).convert(mode)
        want = np.asarray(image)
        same([image, image], np.stack([want, want]))
    for mode in ("P", "PA", "LA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX", "RGBa", "I;16B"):
        with pytest.raises(h5vidstack.SourceError, match=f"frame 1 is an image of mode {mode},"):
            read([colour, Image.new(mode, (16, 16))])
    colour.info["transparency"] = (0, 0, 0)
    with pytest.raises(h5vidstack.SourceError, match="transparent colour.*RGBA"):
        read([colour])
