import itertools

import numpy as np
import pytest
from frames import moving

from h5vidstack.errors import SourceError
from h5vidstack.sources.openers import open_source
from h5vidstack.writing import excerpts
from h5vidstack.writing.excerpts import read_excerpt, spread_out

FRAMES = moving((40, 24, 32))


def test_places_are_far_from_those_before():
    first = list(itertools.islice(spread_out(), 7))
    assert first == [0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875]


def test_small_sources_are_read_whole_without_repeated_frames():
    frames = np.concatenate([FRAMES, FRAMES[:10]])
    found = read_excerpt(open_source(frames), 16, 60)
    assert (found.seen, found.count, found.whole, found.unique) == (50, 50, True, 40)
    np.testing.assert_array_equal(found.runs[0], FRAMES)


def test_of_large_ones_there_are_runs_from_all_over(monkeypatch):
    monkeypatch.setattr(excerpts, "WHOLE_BYTES", 0)
    monkeypatch.setattr(excerpts, "MOST_RUNS", 5)
    found = read_excerpt(open_source(FRAMES), 4, 60)
    assert [len(run) for run in found.runs] == [4] * 5
    assert not found.whole
    for run, share in zip(found.runs, spread_out()):
        start = round(share * 36)
        np.testing.assert_array_equal(run, FRAMES[start : start + 4])


def test_without_time_a_few_runs_are_read():
    found = read_excerpt(open_source(FRAMES), 2, 0)
    assert len(found.runs) == excerpts.FEWEST_RUNS
    assert found.count == 40


def test_a_source_of_unknown_length_is_refused():
    class Frames:
        def __iter__(self):
            return iter(FRAMES)

    with pytest.raises(SourceError, match="nothing says how many frames"):
        read_excerpt(open_source(Frames()), 4, 1)
