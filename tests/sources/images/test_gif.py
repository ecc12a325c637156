from pathlib import Path

import numpy as np
import pytest
from pictures import RANDOM, read, same
from PIL import Image

import h5vidstack
from h5vidstack.sources.openers import read_image


def test_animations_are_whole_pictures():
    gray = np.repeat(RANDOM.integers(0, 256, (1, 9, 13)), 5, 0).astype(np.uint8)
    gray[:, 2:4] = RANDOM.integers(0, 256, (5, 2, 13))  # the rest is left out of later pictures
    pages = [Image.fromarray(frame) for frame in gray]
    pages[0].save("a.gif", save_all=True, append_images=pages[1:])
    same("a.gif", gray)
    with pytest.raises(h5vidstack.SourceError, match="holds 5 images"):
        read_image("a.gif")
    pages = [Image.fromarray(np.stack([frame] * 3, -1)) for frame in gray]
    pages[0].save("d.gif", save_all=True, append_images=pages[1:], disposal=2, transparency=3)
    with pytest.raises(h5vidstack.SourceError, match="removes a picture before it shows the next"):
        read("d.gif")


def test_palettes_that_are_missing_or_too_short():
    numbers = np.arange(16, dtype=np.uint8).reshape(4, 4)
    image = Image.fromarray(numbers, "L").convert("P")
    image.putpalette(RANDOM.integers(0, 256, 768).astype(np.uint8).tobytes())
    image.save("x.gif")
    gif = Path("x.gif").read_bytes()
    assert read("x.gif")[0].shape == (1, 4, 4, 3)
    table = 3 << (gif[10] & 7) + 1
    bare = gif[:10] + bytes([gif[10] & 0x7F]) + gif[11:13] + gif[13 + table :]
    less = gif[:10] + bytes([gif[10] & 0xF8 | 2]) + gif[11 : 13 + 24] + gif[13 + table :]
    for name, data in {"c.gif": bare, "d.gif": less}.items():
        Path(name).write_bytes(data)
        with pytest.raises(h5vidstack.SourceError, match="palette"):
            read(name)


def test_a_first_picture_that_is_smaller_than_the_gif():
    Image.fromarray(np.arange(63, dtype=np.uint8).reshape(7, 9)).save("x.gif")
    data = bytearray(Path("x.gif").read_bytes())
    data[6] += 1  # the width of the whole
    Path("x.gif").write_bytes(data)
    with pytest.raises(h5vidstack.SourceError, match="first picture is not as large"):
        read("x.gif")


def test_a_gif_of_no_picture():
    Path("x.gif").write_bytes(b"GIF89a" + bytes([3, 0, 2, 0, 0, 0, 0]) + b";")
    with pytest.raises(h5vidstack.SourceError, match="no picture"):
        read("x.gif")
