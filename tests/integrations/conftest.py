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


SCAN = np.random.default_rng(6).integers(0, 900, (3, 2, 4, 9, 12)).astype(np.uint16)
"""Frames along the axes T, C and Z."""


@pytest.fixture
def scan():
    """Frames along several axes, which lie packed in `scan.h5` with their coordinates."""
    coords = {
        "T": np.array(["2020-01-01", "2020-01-02", "2021-01-01"], "M8[s]"),
        "C": ["gfp", "rfp\u00fc"],
        "Z": ("Z", np.arange(4) * 2.0 + 1, {"units": "\u00b5m"}),
        "x": ("x", np.arange(12) * 0.65, {"units": "um"}),
        "lat": (("y", "x"), np.random.default_rng(7).random((9, 12))),
        "good": ("T", [True, False, True]),
        "site": "here",
        "serial": np.arange(24),
    }
    h5vidstack.pack(
        SCAN, "scan.h5", dims=["T", "C", "Z", "y", "x"], coords=coords, attrs={"gain": 2.5},
        method="video", chunk_frames=4,
    )  # fmt: skip
    return SCAN
