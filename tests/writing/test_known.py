"""Digests are found again, also those that want the same slot."""

import numpy as np
import pytest

from h5vidstack.writing import known
from h5vidstack.writing.known import UNKNOWN, KnownFrames


@pytest.mark.parametrize("alike", [False, True])
def test_what_was_added_is_found(alike, monkeypatch):
    monkeypatch.setattr(known, "LEAST", 8)
    monkeypatch.setattr(known, "AT_ONCE", 16)
    digests = np.random.default_rng(0).integers(0, 1 << 63, (500, 2), np.uint64)
    if alike:  # all want one slot, and half of them differ only in their other half
        digests[:, 0] = np.arange(500) // 2 << 20
    frames, start = KnownFrames(), 0
    for count in (1, 0, 3, 60, 1, 235):
        some = digests[start : start + count]
        assert (frames.find(some) == UNKNOWN).all()
        frames.add(some)
        start += count
        assert len(frames) == start
        np.testing.assert_array_equal(frames.find(digests[:start]), np.arange(start))
    found = frames.find(digests[::-1])
    np.testing.assert_array_equal(found[200:], np.arange(300)[::-1])
    assert (found[:200] == UNKNOWN).all()
