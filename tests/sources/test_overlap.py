from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import h5vidstack
from h5vidstack.sources.overlap import refuse_source

FRAMES = np.random.default_rng(5).integers(0, 256, (6, 12, 15)).astype(np.uint8)


def save(folder, frames=FRAMES, name="{}.png"):
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(Path(folder) / name.format(number))


def test_output_and_source_are_told_apart_by_the_same_rules():
    save("scan[1]", FRAMES[:2])
    save("scan1", FRAMES[2:4])
    for name in ("scan[1]", "scan[1]/*.png", "scan[1]/0.png"):
        refuse_source("scan1/0.png", name)
        with pytest.raises(h5vidstack.OutputError):
            refuse_source("scan[1]/0.png", name)
    save("run::1", FRAMES)
    with pytest.raises(h5vidstack.OutputError):
        refuse_source("run::1/2.png", "run::1")
