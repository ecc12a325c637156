"""Animations: when their pictures are shown."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import h5vidstack
from h5vidstack.metadata.coordinates import Coordinate
from h5vidstack.metadata.description import Metadata
from h5vidstack.sources.images.animation import timed

PAUSES = [100, 200, 50, 1000]
FRAMES = np.random.default_rng(5).integers(0, 256, (4, 9, 13), dtype=np.uint8)


def save(name, pauses=PAUSES, **options):
    pages = [Image.fromarray(frame) for frame in FRAMES]
    pages[0].save(name, save_all=True, append_images=pages[1:], duration=pauses, **options)


@pytest.mark.parametrize(
    ("name", "base"), [("a.gif", "1/100"), ("a.webp", "1/1000"), ("a.png", "1/1000")]
)
def test_times(name, base):
    save(name, **({"lossless": True} if name == "a.webp" else {}))
    h5vidstack.pack(name, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert stack.coords["time"].values.tolist() == [0, 0.1, 0.3, 0.35]
        assert stack.coords["duration"].values.tolist() == [0.1, 0.2, 0.05, 1]
        assert stack.coords["time"].units == "s"
        assert Fraction(1, 20) % Fraction(stack.coords["time"].attrs["time_base"]) == 0
        assert Fraction(stack.coords["time"].attrs["time_base"]) >= Fraction(base)
    h5vidstack.export("x.h5", "x.mkv")
    h5vidstack.pack("x.mkv", "y.h5")
    with h5vidstack.open("y.h5") as stack:
        assert stack.coords["time"].values.tolist() == [0, 0.1, 0.3, 0.35]


def test_no_times():
    save("still.gif", [0] * 4)
    Path("both").mkdir()
    for name in "ab":
        save(f"both/{name}.gif")
    for source in ("still.gif", "both"):  # two animations have no time in common
        h5vidstack.pack(source, "x.h5", overwrite=True)
        with h5vidstack.open("x.h5") as stack:
            assert not stack.coords


def test_a_picture_that_is_no_part_of_the_animation():
    save("a.png", default_image=True)
    h5vidstack.pack("a.png", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert len(stack) == 4
        assert not stack.coords


def test_exact_units():
    known = Coordinate.of(("frame",), np.array(["2026-01-01", "2026-01-02"], "M8[s]"))
    found = timed(Metadata(), [Fraction(1, 3), Fraction(1, 4)])
    assert found.coords["time"].attrs == {"units": "s", "time_base": "1/12"}
    assert found.coords["duration"].values.tolist() == [1 / 3, 1 / 4]
    found = timed(Metadata(coords={"time": known}), [Fraction(1, 3), Fraction(1, 4)])
    assert found.coords["time"] is known
    assert not timed(Metadata(), [Fraction(0)] * 2).coords
