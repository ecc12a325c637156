"""Regions of frames: whole ones are the stack's pixels, smaller ones their means."""

from pathlib import Path

import numpy as np
import pytest
from frames import moving, pixels
from hypothesis import given
from hypothesis import strategies as st

import h5vidstack
from h5vidstack.errors import QueryError
from h5vidstack.viewing import regions
from h5vidstack.viewing.regions import Region, read_region, shrink


def means(frame, factor):
    """Say the same as `shrink`, square by square."""
    height, width = frame.shape[:2]
    rows = []
    for top in range(0, height, factor):
        row = []
        for left in range(0, width, factor):
            square = frame[top : top + factor, left : left + factor].astype(float)
            square = square.reshape(-1, *frame.shape[2:])
            known = ~np.isnan(square)
            with np.errstate(all="ignore"):
                row.append(np.where(known, square, 0).sum(axis=0) / known.sum(axis=0))
        rows.append(row)
    found = np.array(rows)
    return (found if frame.dtype.kind == "f" else np.rint(found)).astype(frame.dtype)


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "u2", "i4", "u4", "f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(13, 17), (8, 8), (1, 5), (9, 7, 3)])
def test_means(dtype, shape):
    frame = pixels((2, shape[0], int(np.prod(shape[1:]))), dtype)[0].reshape(shape)
    with np.errstate(all="ignore"):
        for factor in (1, 2, 4, 16):
            expected = means(frame, factor)
            np.testing.assert_allclose(
                shrink(frame, factor).astype(float), expected.astype(float), rtol=1e-3
            )


@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_whole_numbers_of_64_bits_are_pixels(dtype):
    frame = pixels((1, 9, 10), dtype)[0]
    np.testing.assert_array_equal(shrink(frame, 4), frame[::4, ::4])


def test_what_is_no_number_is_left_out():
    frame = np.array([[1, np.nan, np.nan, np.nan], [3, np.inf, np.nan, np.nan]], "f4")
    np.testing.assert_array_equal(shrink(frame, 2), np.array([[np.inf, np.nan]], "f4"))
    frame[1, 1] = 5
    np.testing.assert_array_equal(shrink(frame, 2), np.array([[3, np.nan]], "f4"))


@given(
    numbers=st.lists(st.integers(0, 11), min_size=1, max_size=5),
    top=st.integers(0, 10), left=st.integers(0, 10),
    height=st.integers(1, 40), width=st.integers(1, 40), factor=st.sampled_from([1, 2, 8]),
)  # fmt: skip
def test_any_region(numbers, top, left, height, width, factor):
    frames = moving((12, 90, 110))
    top, left = top * factor // 2 * 2, left * factor // 2 * 2
    top, left = top // factor * factor, left // factor * factor
    rows, columns = (top, min(90, top + height)), (left, min(110, left + width))
    with h5vidstack.open(_packed(frames)) as stack:
        found = read_region(stack, Region(tuple(numbers), rows, columns, factor))
    parts = frames[numbers, slice(*rows), slice(*columns)]
    np.testing.assert_array_equal(found, [shrink(part, factor) for part in parts])


def _packed(frames):
    """Pack once in each folder."""
    if not Path("x.h5").exists():
        h5vidstack.pack(frames, "x.h5", tile=(32, 48), chunk_frames=4)
    return "x.h5"


def test_large_frames_are_read_in_bands(monkeypatch):
    monkeypatch.setattr(regions, "BAND_BYTES", 1000)
    frames = moving((2, 200, 300))
    h5vidstack.pack(frames, "x.h5", tile=(64, 64))
    with h5vidstack.open("x.h5") as stack:
        found = read_region(stack, Region((1,), (0, 200), (0, 300), 4))
        read_region(stack, Region((0,), (8, 200), (16, 300), 8))
    np.testing.assert_array_equal(found[0], shrink(frames[1], 4))


@pytest.mark.parametrize(("region", "words"), [
    (Region((), (0, 9), (0, 9)), "0 frames"),
    (Region((5,), (0, 9), (0, 9)), "there is no frame 5; there are 5"),
    (Region((-1,), (0, 9), (0, 9)), "there is no frame -1"),
    (Region((0,), (0, 41), (0, 9)), "no rows 0 to 41; there are 40"),
    (Region((0,), (3, 3), (0, 9)), "no rows 3 to 3"),
    (Region((0,), (0, 9), (-1, 9)), "no columns -1 to 9"),
    (Region((0,), (3, 9), (0, 9), 2), "rows begin at 3"),
])  # fmt: skip
def test_what_is_none(region, words):
    h5vidstack.pack(moving((5, 40, 50)), "x.h5")
    with h5vidstack.open("x.h5") as stack, pytest.raises(QueryError, match=words):
        read_region(stack, region)


def test_too_much_is_refused():
    region = Region(tuple(range(1000)), (0, 1000), (0, 1000))
    with pytest.raises(QueryError, match="1000000000 bytes"):
        region.check((1000, 1000, 1000), 1)
    Region(tuple(range(1000)), (0, 1000), (0, 1000), 16).check((1000, 1000, 1000), 1)
