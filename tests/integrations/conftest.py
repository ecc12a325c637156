"""A packed stack of each kind that arrays of other packages show."""

import os

import numpy as np
import pytest
from frames import moving

import h5vidstack

CASES = {
    "in order": ((43, 40, 50), {"method": "video"}),
    "tiled": ((43, 40, 50), {"chunk_frames": 5, "tile": (16, 32)}),
    "colour": ((20, 9, 8, 3), {}),
    "reordered": ((43, 40, 50), {"method": "groupvideo"}),
}


@pytest.fixture(scope="module", params=CASES, ids=str)
def packed_once(request, tmp_path_factory):
    """The path of a stack, and its frames; no test may change it."""
    shape, options = CASES[request.param]
    frames = moving(shape)
    if request.param == "reordered":
        frames = frames[np.random.default_rng(1).permutation(len(frames))]
    path = tmp_path_factory.mktemp("packed") / "x.h5"
    h5vidstack.pack(frames, path, **options)
    return path, frames


@pytest.fixture
def packed(packed_once):
    """Frames, which lie packed in `x.h5`."""
    path, frames = packed_once
    os.link(path, "x.h5")
    return frames
