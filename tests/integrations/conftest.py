"""A packed stack of each kind that arrays of other packages show."""

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


@pytest.fixture(params=CASES, ids=str)
def packed(request):
    shape, options = CASES[request.param]
    frames = moving(shape)
    if request.param == "reordered":
        frames = frames[np.random.default_rng(1).permutation(len(frames))]
    h5vidstack.pack(frames, "x.h5", **options)
    return frames
