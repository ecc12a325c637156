"""Selections cut along the chunks of many piles, against numpy's own indexing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from h5vidstack.reading.chunk_reads import Cut, rows, split_range
from h5vidstack.reading.selection import parse


class Piles:
    """An array whose frames lie in piles, some of them stored once for several numbers."""

    def __init__(self, array, piles, positions, chunks):
        self.array, self.places, self.chunks = array, (piles, positions), chunks
        self.data = []
        for number in range(len(chunks)):
            here = piles == number
            pile = np.zeros((positions[here].max(initial=-1) + 1, *array.shape[1:]), array.dtype)
            pile[positions[here]] = array[here]
            self.data.append(pile)

    def read(self, key):
        selection = parse(key, self.array.shape)
        plain = np.empty(selection.plain_shape, self.array.dtype)
        steps, seen = np.array([chunk[0] for chunk in self.chunks]), []
        for row in rows(selection, steps, self.places):
            pile, chunks = self.data[row.pile], self.chunks[row.pile]
            for read in Cut(selection, chunks, pile.shape).reads(row):
                place = tuple(slice(n * c, (n + 1) * c) for n, c in zip(read.chunk, chunks))
                chunk = pile[place][: read.frames].copy()
                chunk[: read.first] = 0  # what is not needed may be anything
                target = read.target(plain)
                if target is not None and target.shape == chunk.shape:
                    target[...] = chunk
                else:
                    read.put(chunk, plain)
                seen.append((row.pile, read.chunk))
        assert len(seen) == len(set(seen))  # each block once
        return selection.finish(plain)


@st.composite
def reordered(draw):
    shape = draw(npst.array_shapes(min_dims=3, max_dims=4, max_side=7))
    n, count = shape[0], draw(st.integers(1, 4))
    array = np.arange(1, np.prod(shape) + 1, dtype=np.uint32).reshape(shape)
    original = np.arange(n)
    for i in range(n):
        original[i] = original[draw(st.integers(0, i))]  # perhaps a copy of an earlier frame
    array = array[original]
    piles = np.array(draw(st.lists(st.integers(0, count - 1), min_size=n, max_size=n)))[original]
    order = draw(st.permutations(range(n)))
    positions = np.zeros(n, np.intp)
    taken = [0] * count
    for frame in order:
        if original[frame] == frame:
            positions[frame] = taken[piles[frame]]
            taken[piles[frame]] += 1
    positions = positions[original]
    tile = tuple(draw(st.integers(1, 7)) for _ in shape[1:])
    chunks = [(draw(st.integers(1, 5)), *tile) for _ in range(count)]
    lists = st.lists(st.integers(-n, n - 1), max_size=12)
    key = draw(
        st.one_of(
            npst.basic_indices(shape, allow_newaxis=True),
            npst.arrays(bool, shape[: draw(st.integers(1, len(shape)))]),
            lists,
            st.tuples(lists, st.slices(shape[1])),
            st.tuples(st.slices(n), npst.arrays(bool, shape[1:3])),
            st.tuples(st.slices(n), st.integers(0, shape[1] - 1), st.integers(0, shape[2] - 1)),
            st.tuples(npst.arrays(bool, shape[:2]), st.slices(shape[2])),
            st.tuples(st.none(), npst.arrays(bool, shape[:2]), st.just(...), st.none()),
            npst.integer_array_indices(shape[:2]),
        )
    )
    return Piles(array, piles, positions, chunks), key


@given(reordered())
def test_as_numpy(case):
    piles, key = case
    np.testing.assert_array_equal(piles.read(key), piles.array[key], strict=True)


KEYS = [np.s_[:], np.s_[::-3], [5, 5, 9000, -1], np.s_[100:200, 1], np.s_[:, 0, 1]]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_thousands_of_piles(key):
    n, count = 9001, 3000
    chance = np.random.default_rng(5)
    piles = chance.permutation(np.arange(n) % count)
    positions = np.zeros(n, np.intp)
    order = np.argsort(piles, kind="stable")
    positions[order] = np.arange(n) - np.searchsorted(piles[order], piles[order])
    array = chance.integers(0, 255, (n, 2, 2), np.uint8)
    read = Piles(array, piles, positions, [(2, 2, 2)] * count).read(key)
    np.testing.assert_array_equal(read, array[key], strict=True)


def test_a_mask_takes_only_the_tiles_that_it_needs():
    mask = np.zeros((6, 4, 4), bool)
    mask[4, 3, 3] = mask[1, 0, 1] = True
    selection = parse(mask, mask.shape)
    cut = Cut(selection, (2, 2, 2), mask.shape)
    found = [
        (read.chunk, read.first, read.frames)
        for row in rows(selection, np.array([2]), None)
        for read in cut.reads(row)
    ]
    assert found == [((0, 0, 0), 1, 2), ((2, 1, 1), 0, 1)]


def test_a_range_is_cut_at_chunk_borders():
    assert list(split_range(range(1, 6), 4)) == [
        (0, slice(0, 3), slice(1, 4, 1)),
        (1, slice(3, 5), slice(0, 2, 1)),
    ]
