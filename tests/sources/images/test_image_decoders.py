import warnings
from pathlib import Path

import numpy as np
from pictures import RANDOM, make_png, same
from PIL import Image

import h5vidstack


def test_16_bits_of_colour_through_pack():
    pixels = RANDOM.integers(0, 1 << 16, (4, 20, 31, 3))
    Path("in").mkdir()
    for number, frame in enumerate(pixels):
        Path(f"in/{number}.png").write_bytes(make_png(frame, 16, 2))
    h5vidstack.pack("in", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], pixels.astype(np.uint16), strict=True)


def test_no_limit_of_pixels_and_no_warning(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    pixels = np.arange(600, dtype=np.uint8).reshape(20, 30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.fromarray(pixels).save("x.png")
        Image.fromarray(pixels).save("x.bmp")
    same("x.png", pixels[None])
    same("x.bmp", pixels[None])
