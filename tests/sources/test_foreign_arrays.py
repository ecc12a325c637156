from pathlib import Path

import dask.array
import numpy as np
import pytest
from frames import moving
from objects import FRAMES, Reader, read, same
from PIL import Image

import h5vidstack


def masked():
    return np.ma.masked_greater(FRAMES, 2000)


class Masked(np.ndarray):
    """A masked array of another package."""

    mask = True


@pytest.mark.parametrize(
    "make",
    [
        masked,
        lambda: list(masked()),
        lambda: iter(masked()),
        lambda: [*FRAMES[:3], np.ma.masked_equal(FRAMES[3], 0)],
        lambda: dask.array.from_array(masked(), chunks=(2, 12, 15)),
        lambda: Reader(masked()),
        lambda: FRAMES.view(Masked),
    ],
)
def test_masks_are_refused_wherever(make):
    with pytest.raises(h5vidstack.SourceError, match="masked array.*fill it"):
        h5vidstack.pack(make(), "x.h5")
    assert not Path("x.h5").exists()


def test_images_of_pillow_are_pixels_or_refused():
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colour = Image.fromarray(np.stack([gray, gray.T, 255 - gray], -1))
    for mode in ("1", "L", "RGB", "RGBA", "I", "F", "I;16"):
        image = (Image.fromarray(gray) if mode == "I;16" else colour).convert(mode)
        want = np.asarray(image)
        same([image, image], np.stack([want, want]))
    for mode in ("P", "PA", "LA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX", "RGBa", "I;16B"):
        with pytest.raises(h5vidstack.SourceError, match=f"frame 1 is an image of mode {mode},"):
            read([colour, Image.new(mode, (16, 16))])
    colour.info["transparency"] = (0, 0, 0)
    with pytest.raises(h5vidstack.SourceError, match="transparent colour.*RGBA"):
        read([colour])


def test_gray_of_colour_as_pillow():
    rgb = moving((2, 20, 21, 3)) * np.array([1, 3, 7], np.uint8)
    Path("in").mkdir()
    for number, frame in enumerate(rgb):
        Image.fromarray(frame).save(f"in/img{number}.png")
    want = np.stack([np.asarray(Image.fromarray(frame).convert("L")) for frame in rgb])
    np.testing.assert_array_equal(read("in", gray=True)[0], want)
    np.testing.assert_array_equal(read(rgb, gray=True)[0], want)


def test_gray_is_only_made_of_bytes():
    with pytest.raises(h5vidstack.SourceError, match="only made of uint8, not of uint16"):
        read(np.zeros((3, 4, 5, 3), np.uint16), gray=True)
