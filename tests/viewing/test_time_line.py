"""Piles and copies along the frames of a stack."""

import numpy as np
from frames import moving

import h5vidstack
from h5vidstack.reading.search import hamming
from h5vidstack.viewing.time_line import bin_starts, likeness, read_time_line, strip


def shuffled():
    """Frames of two kinds, out of order, three of which repeat another."""
    y, x = np.mgrid[:60, :70]
    disc = (np.hypot(y - 30, x - 35) < 15) * np.uint8(200)
    kinds = [moving((20, 60, 70)), disc + np.arange(20, dtype="u1")[:, None, None]]
    frames = np.concatenate(kinds)[np.random.default_rng(0).permutation(40)]
    frames[[7, 30]] = frames[3]
    frames[39] = frames[20]
    h5vidstack.pack(frames, "x.h5", method="group")
    return frames


def test_piles_and_copies():
    frames = shuffled()
    with h5vidstack.open("x.h5") as stack:
        line = read_time_line(stack)
        for group in stack.groups:
            assert set(line.pile[group.frames]) == {group.number}
        assert line.piles == len(stack.groups) > 1
    first = [min(np.flatnonzero((frames == frame).all(axis=(1, 2)))) for frame in frames]
    np.testing.assert_array_equal(line.first, first)
    assert np.flatnonzero(line.copies).tolist() == [7, 30, 39]
    assert line.same_as(7).tolist() == [3, 30]
    assert line.same_as(20).tolist() == [39]
    assert line.same_as(0).tolist() == []


def test_one_pile_in_order():
    h5vidstack.pack(moving((9, 30, 30)), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        line = read_time_line(stack)
    assert line.piles == 1
    assert not line.copies.any()
    assert not line.pile.any()


def test_bins():
    assert bin_starts(10, 4).tolist() == [0, 2, 5, 7]
    assert bin_starts(3, 4).tolist() == [0, 1, 2]
    shuffled()
    with h5vidstack.open("x.h5") as stack:
        line = read_time_line(stack)
        pile, copies = strip(line, 100)
        assert pile.tolist() == line.pile.tolist()
        assert copies.tolist() == line.copies.tolist()
        pile, copies = strip(line, 4)
        assert pile.tolist() == line.pile[[5, 15, 25, 35]].tolist()
        assert copies.tolist() == [1, 0, 0, 1]


def test_likeness():
    shuffled()
    with h5vidstack.open("x.h5") as stack:
        table = stack.hashes("phash")
        distances = hamming(table, int(table[3]))
        assert likeness(stack, 3, 40).tolist() == distances.tolist()
        assert likeness(stack, 3, 5).tolist() == distances.reshape(5, 8).min(axis=1).tolist()
