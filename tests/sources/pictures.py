"""Image files to read."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from h5vidstack.sources.openers import open_source
from h5vidstack.sources.source import SourceOptions

RANDOM = np.random.default_rng(11)


def read(name, **options):
    source = open_source(name, SourceOptions(**options))
    try:
        return np.concatenate(list(source.batches(3))), source
    finally:
        source.close()


def same(name, want):
    found, source = read(name)
    np.testing.assert_array_equal(found, want, strict=True)
    return source


PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]  # fmt: skip


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def pack_rows(pixels, bits):
    rows = b""
    for row in pixels.reshape(len(pixels), -1):
        if bits < 8:
            ones = (row[:, None] >> np.arange(bits - 1, -1, -1)) & 1
            data = np.packbits(ones.astype(np.uint8).ravel()).tobytes()
        else:
            data = row.astype(f">u{bits // 8}").tobytes()
        rows += b"\0" + data
    return rows


def make_png(pixels, bits, colour, *, interlaced=False, more=()):
    """A PNG of samples ``(H, W, C)``, by the standard alone."""
    height, width, _ = pixels.shape
    rows = pack_rows(pixels, bits)
    if interlaced:
        cuts = [pixels[y::dy, x::dx] for y, x, dy, dx in PASSES]
        rows = b"".join(pack_rows(cut, bits) for cut in cuts if cut.size)
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    chunks = [(b"IHDR", head), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


KINDS = [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2), (1, 3), (2, 3), (4, 3), (8, 3), (8, 4), (16, 4), (8, 6), (16, 6)]  # fmt: skip


def pictures():
    noise = RANDOM.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    picture = Image.fromarray(noise)
    pages = [picture, picture.transpose(0)]
    for name, how in {
        "a.png": {}, "b.jpg": {}, "c.jpg": {"progressive": True}, "d.bmp": {}, "f.webp": {},
        "e.gif": {"save_all": True, "append_images": pages[1:]},
        "g.png": {"save_all": True, "append_images": pages[1:]},
    }.items():  # fmt: skip
        picture.save(name, **how)
        yield name
    Path("h.png").write_bytes(make_png(noise.astype(int) * 257, 16, 2))
    yield "h.png"
