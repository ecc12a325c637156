"""Images and stacks that commands work on."""

from pathlib import Path

import numpy as np
import pytest
from frames import moving
from PIL import Image
from terminals import WISHES

import h5vidstack


@pytest.fixture
def images():
    frames = moving((20, 17, 23))
    Path("imgs").mkdir()
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(f"imgs/img{i}.png")
    return frames


@pytest.fixture
def packed():
    frames = moving((20, 18, 24))
    np.save("a.npy", frames)
    h5vidstack.pack(frames, "x.h5", preset="x264-fast", chunk_frames=8)
    h5vidstack.pack(frames.astype("f4"), "lossy.h5", max_error=2)
    return frames


@pytest.fixture
def plain(monkeypatch):
    """No wishes of whoever runs the tests."""
    for name in WISHES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch
