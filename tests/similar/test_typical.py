"""The typical frame is nearest to the mean, of all frames if they are few."""

import numpy as np
import pytest
from frames import moving

from h5vidstack.similar import typical
from h5vidstack.similar.fingerprints import block_means


def test_nearest_to_the_mean():
    points = np.array([[0, 0], [10, 10], [4, 6], [9, 1]], np.float32)
    assert typical.nearest_to_mean(points) == 2


@pytest.mark.parametrize("steps", [[40], [7, 1, 0, 32]])
def test_few_frames_are_all_compared(steps):
    frames = moving((40, 20, 30))
    found = typical.TypicalFrame()
    assert found.number == 0
    for part in np.split(frames, np.cumsum(steps)[:-1]):
        found.add(part)
    assert found.number == typical.nearest_to_mean(block_means(frames))


def test_of_many_frames_some_are_compared(monkeypatch):
    monkeypatch.setattr(typical, "MOST", 10)
    levels = np.linspace(0, 255, 100).astype(np.uint8)
    frames = np.repeat(levels, 12).reshape(100, 3, 4)
    for size in (1, 3, 100):
        found = typical.TypicalFrame()
        for start in range(0, 100, size):
            found.add(frames[start : start + size])
        assert found.number % 16 == 0
        assert 40 <= found.number <= 60
