"""A stack to serve."""

import pytest
from frames import noise

import h5vidstack
from h5vidstack.hdf5 import remote

# --- what can be wrong


@pytest.fixture
def packed(monkeypatch):
    monkeypatch.setattr(remote, "PAUSE", 0.001)
    frames = noise((600, 32, 32))
    h5vidstack.pack(frames, "x.h5", method="video", preset="raw", chunk_frames=4)
    return frames
