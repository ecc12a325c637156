"""A stack on grids of every kind."""

import pytest
from frames import moving

import h5vidstack

GRIDS = [{}, {"chunk_frames": 5, "tile": (16, 32)}, {"chunk_frames": 1}, {"chunk_frames": 100}]


@pytest.fixture(scope="module", params=GRIDS, ids=str)
def packed_once(request, tmp_path_factory):
    """The path of a stack, and its frames; no test may change it."""
    frames = moving((43, 40, 50))
    path = tmp_path_factory.mktemp("packed") / "x.h5"
    h5vidstack.pack(frames, path, preset="x264-fast", **request.param)
    return path, frames


@pytest.fixture
def packed(packed_once):
    path, frames = packed_once
    with h5vidstack.open(path) as stack:
        yield stack, frames
