import struct
from pathlib import Path

import numpy as np
import pytest
from pictures import RANDOM, read, same
from PIL import Image

import h5vidstack


def test_bitmaps_that_are_not_read():
    rgba = Image.fromarray(RANDOM.integers(1, 256, (8, 9, 4)).astype(np.uint8))
    rgba.save("a.bmp")
    with pytest.raises(h5vidstack.SourceError, match="fourth channel"):
        read("a.bmp")
    data = bytearray(Path("a.bmp").read_bytes())
    data[28:30] = struct.pack("<H", 16)
    Path("b.bmp").write_bytes(data)
    with pytest.raises(h5vidstack.SourceError, match="BMP 16 bits is not read"):
        read("b.bmp")


def test_palettes_that_are_missing_or_too_short():
    numbers = np.arange(16, dtype=np.uint8).reshape(4, 4)
    image = Image.fromarray(numbers, "L").convert("P")
    image.putpalette(RANDOM.integers(0, 256, 768).astype(np.uint8).tobytes())
    image.save("x.bmp")
    bitmap = Path("x.bmp").read_bytes()
    assert read("x.bmp")[0].shape == (1, 4, 4, 3)
    begin = struct.unpack("<I", bitmap[10:14])[0]
    none = bitmap[:10] + struct.pack("<I", 54) + bitmap[14:54] + bitmap[begin:]
    short = bitmap[:46] + struct.pack("<I", 8) + bitmap[50:]
    for name, data in {"a.bmp": none, "b.bmp": short}.items():
        Path(name).write_bytes(data)
        with pytest.raises(h5vidstack.SourceError, match="palette"):
            read(name)


def test_rows_from_the_top():
    """A negative height says so."""
    pixels = RANDOM.integers(0, 256, (9, 13, 3)).astype(np.uint8)
    Image.fromarray(pixels).save("x.bmp")
    data = bytearray(Path("x.bmp").read_bytes())
    data[22:26] = struct.pack("<i", -9)
    Path("x.bmp").write_bytes(data)
    same("x.bmp", pixels[None, ::-1])


def test_a_header_of_os2_is_not_read():
    rows = bytes(2 * 8)
    header = struct.pack("<2sIHHI", b"BM", 26 + len(rows), 0, 0, 26)
    Path("x.bmp").write_bytes(header + struct.pack("<IHHHH", 12, 2, 2, 1, 24) + rows)
    with Image.open("x.bmp") as opened:
        assert opened.size == (2, 2)
    with pytest.raises(h5vidstack.SourceError, match="header of OS/2 is not read"):
        read("x.bmp")
