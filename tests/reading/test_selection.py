"""The selection of chunks against numpy's own indexing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from h5vidstack import SelectionError
from h5vidstack.reading.chunk_reads import Cut, rows
from h5vidstack.reading.selection import parse


def reads(key, chunks, shape):
    selection = parse(key, shape)
    cut = Cut(selection, chunks, shape)
    return [read for row in rows(selection, np.array(chunks[:1]), None) for read in cut.reads(row)]


def select(array, key, chunks):
    selection = parse(key, array.shape)
    plain = np.empty(selection.plain_shape, array.dtype)
    for read in reads(key, chunks, array.shape):
        chunk = array[tuple(slice(n * c, (n + 1) * c) for n, c in zip(read.chunk, chunks))]
        read.put(chunk[: read.frames], plain)
    result = selection.finish(plain)
    assert result.shape == selection.shape
    return result


@st.composite
def cases(draw):
    shape = draw(npst.array_shapes(min_dims=3, max_dims=4, max_side=6))
    chunks = tuple(draw(st.integers(1, 7)) for _ in shape)
    basic = npst.basic_indices(shape, allow_newaxis=True)
    points = draw(npst.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=4))

    def item(length):
        return st.one_of(
            st.integers(-length, length - 1),
            st.slices(length),
            npst.arrays(np.intp, points, elements=st.integers(-length, length - 1)),
            npst.arrays(bool, (length,)),
            st.lists(st.integers(-length, length - 1), max_size=5),
        )

    taken = draw(st.integers(0, len(shape)))
    mixed = [draw(item(length)) for length in shape[:taken]]
    place = draw(st.none() | st.integers(0, taken))
    if place is not None:
        mixed.insert(place, draw(st.sampled_from([None, np.newaxis])))
    mask = npst.arrays(bool, shape[: draw(st.integers(1, len(shape)))])
    key = draw(st.one_of(basic, st.just(tuple(mixed)), mask))
    return shape, chunks, key


@given(cases())
def test_as_numpy(case):
    shape, chunks, key = case
    array = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape)
    try:
        expected = array[key]
    except IndexError:
        with pytest.raises(SelectionError):
            select(array, key, chunks)
        return
    np.testing.assert_array_equal(select(array, key, chunks), expected, strict=True)


A = np.arange(7 * 5 * 6, dtype=np.uint16).reshape(7, 5, 6)
KEYS = [
    np.s_[0], np.s_[-1], np.s_[1:6:2], np.s_[::-1], np.s_[::-3], np.s_[5:1:-2], np.s_[3:3],
    np.s_[...], np.s_[..., 0], np.s_[None], np.s_[:, None, 1], np.s_[1, 2, 3], np.s_[-1, ..., ::-2],
    [3, 1, 1, 6], [[0, 1], [6, 6]], np.s_[[2, 0], :, [1, 1]], np.s_[[2, 0], ..., [1, 1]],
    np.s_[0, :, [1, 2]], np.s_[:, [1, 2], [3, 4]], np.s_[:, 1, [3, 4]], [], np.s_[:, []],
    np.s_[[[1], [2]], [[0, 4]], 5], np.s_[:, None, [1, 0], None, [2, 3]], A % 3 == 0, np.s_[:, A[0] > 3],
    np.s_[..., A[0] > 3], np.s_[2, A[0] > 3], np.s_[..., A[:, :, 0] > 40, 2:4], np.s_[..., A[0, :, 0] > 12, None, 3],
    np.s_[..., A[0, :, 0] > 12, [1]], np.s_[[True] * 6 + [False]], np.s_[np.int8(3), np.uint64(2)],
    (), np.array(3), np.s_[::-1, ::-2, ::-3], np.s_[A[:, 0, 0] > 40, ..., None], (slice(None), [1, 2], ..., [1, 2]),
]  # fmt: skip


@pytest.mark.parametrize("chunks", [(16, 5, 6), (3, 2, 4), (1, 1, 1)])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_keys(key, chunks):
    np.testing.assert_array_equal(select(A, key, chunks), A[key], strict=True)


BAD = [7, -8, np.s_[0, 5], np.s_[0, 0, 0, 0], np.s_[..., ...], 1.5, "x", [0, 7], [0.5], np.s_[[0, 1], [0, 1, 2]],
       np.ones((7, 4), bool), [True, False], True, np.array(True), 2**70, [[1, 2], [3]]]  # fmt: skip


@pytest.mark.parametrize("key", BAD, ids=str)
def test_refused(key):
    with pytest.raises(SelectionError):
        parse(key, A.shape)


def test_step_zero_as_numpy():
    with pytest.raises(ValueError, match="zero"):
        parse(np.s_[::0], A.shape)


def test_only_the_chunks_needed():
    assert [read.chunk for read in reads(np.s_[5, 3:5, 2], (4, 2, 2), A.shape)] == [
        (1, 1, 1),
        (1, 2, 1),
    ]


def test_only_the_frames_needed():
    assert [read.frames for read in reads(np.s_[1:6], (4, 5, 6), A.shape)] == [4, 2]
    assert [read.frames for read in reads([6, 1, 0], (4, 5, 6), A.shape)] == [2, 3]
    assert [read.frames for read in reads(np.s_[6:2:-3], (4, 5, 6), A.shape)] == [3, 4]
