from pathlib import Path

import numpy as np
import pytest
from frames import SWEEP, moving

import h5vidstack
from h5vidstack.sources.array_source import ArraySource
from h5vidstack.sources.frame_source import FrameSource
from h5vidstack.sources.openers import open_source
from h5vidstack.sources.source import Access, SourceFile


def test_levels_of_access():
    np.save("a.npy", SWEEP)
    assert open_source("a.npy").access == Access.CHEAP
    assert open_source(SWEEP).access == Access.CHEAP
    assert isinstance(open_source(iter(SWEEP)), FrameSource)
    assert open_source(iter(SWEEP)).access == Access.ONCE
    source = ArraySource(SWEEP.reshape(9, 10, 40, 56), "x")
    np.testing.assert_array_equal(source.take(np.array([89, 3, 3])), SWEEP[[89, 3, 3]])


def test_each_source_has_notes_of_its_own():
    one, other = open_source(SWEEP[..., None]), open_source(SWEEP[..., None])
    assert one.notes == other.notes != []
    one.notes.append("More.")
    one.doubtful.append(3)
    assert len(other.notes) == 1
    assert other.doubtful == []


@pytest.mark.parametrize("make", [lambda: SWEEP, lambda: iter(SWEEP), lambda: list(SWEEP)])
def test_whatever_can_take_any_frame_takes_it_at_once(make):
    source = open_source(make())
    assert source.can_take_any == (source.access >= Access.RANDOM)
    if source.can_take_any:
        assert source.count == len(SWEEP)
        np.testing.assert_array_equal(source.take(np.array([70, 2])), SWEEP[[70, 2]])
    else:
        with pytest.raises(NotImplementedError):
            source.take(np.array([0]))
    sizes = [len(batch) for batch in source.batches(40)]
    assert sizes == [40, 40, 10]


def test_a_file_is_called_as_the_user_calls_it():
    assert SourceFile(Path("a/b.h5"), None, b"").name == "a/b.h5"
    assert SourceFile(Path("a/b.h5"), "/x y", b"").name == "a/b.h5::/x y"
    h5vidstack.pack(moving((3, 9, 11)), "x.h5::/x y")
    assert open_source("x.h5::/x y").name == "x.h5::/x y"
