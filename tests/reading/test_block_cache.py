import numpy as np
from counting import counting
from frames import moving

import h5vidstack
from h5vidstack.reading.session import KEPT_SHARE


def test_the_cache_is_bounded(monkeypatch):
    frames = moving((64, 40, 50))
    h5vidstack.pack(frames, "x.h5", preset="x264-fast")
    # Private: users see what the cache does, but not how much it holds.
    limit = 2 * 16 * 40 * 50
    with h5vidstack.open("x.h5", cache_bytes=limit) as stack:
        for i in list(range(64)) + list(range(63, -1, -5)):
            np.testing.assert_array_equal(stack[i], frames[i])
            assert stack._session.cache.nbytes <= limit
        held = stack._session.cache.nbytes
        assert held * KEPT_SHARE < frames.nbytes
        np.testing.assert_array_equal(stack[:], frames)  # goes past the cache
        assert stack._session.cache.nbytes == held
    calls = counting(monkeypatch)
    with h5vidstack.open("x.h5", cache_bytes=0) as stack:
        stack[3], stack[3]
        assert calls == [4, 4]


def test_cached_pixels_cannot_be_changed_through_results():
    frames = moving((16, 10, 12))
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        stack[3][...] = 0
        stack[2:5][...] = 0
        for frame in stack:
            frame[...] = 0
        np.testing.assert_array_equal(stack[:], frames)
