"""A stack on grids of every kind."""

import pytest
from frames import moving

import h5vidstack

GRIDS = [{}, {"chunk_frames": 5, "tile": (16, 32)}, {"chunk_frames": 1}, {"chunk_frames": 100}]


@pytest.fixture(params=GRIDS, ids=str)
def packed(request):
    frames = moving((43, 40, 50))
    h5vidstack.pack(frames, "x.h5", preset="x264-fast", **request.param)
    with h5vidstack.open("x.h5") as stack:
        yield stack, frames
