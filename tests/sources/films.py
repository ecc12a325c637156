"""Video files to read: of any pixel format, in any container, damaged."""

import contextlib
import io
import struct
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from h5vidstack.sources.base import SourceOptions
from h5vidstack.sources.kinds import open_source
from h5vidstack.sources.pixel_formats import PIXEL_FORMATS

HEIGHT, WIDTH, COUNT = 7, 14, 3


def read(path, **options):
    """The frames of a file, and its source after the last of them."""
    with contextlib.closing(open_source(path, SourceOptions(**options))) as source:
        return np.concatenate(list(source.batches(4))), source


def filled(name, seed=0, size=(HEIGHT, WIDTH)):
    """A picture of any pixel format whose memory is noise, within the bits of its samples."""
    rng = np.random.default_rng(seed)
    frame = av.VideoFrame(size[1], size[0], name)
    found = PIXEL_FORMATS[name]
    for plane in frame.planes:
        memory = np.frombuffer(plane, np.uint8)
        memory[:] = rng.integers(0, 256, memory.size)
        if found.item.kind == "f":
            floats = np.frombuffer(plane, found.item)
            floats[:] = rng.random(floats.size)
        elif found.bits < 8 * found.item.itemsize and not found.shared:
            items = np.frombuffer(plane, found.item)
            items[:] = rng.integers(0, 1 << found.bits, items.size) << found.channels[0].shift
    return frame


def write(path, pictures, codec="rawvideo", options=None, container=None, time_base=None):
    """Code pictures as they are."""
    with av.open(str(path), "w", options=container or {}) as output:
        stream = output.add_stream(codec, rate=25, options=options or {})
        first = pictures[0]
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        for number, picture in enumerate(pictures):
            picture.pts, picture.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def noisy(count=12, size=(48, 70), name="gray"):
    return [filled(name, seed, size) for seed in range(count)]


def drift(count=24, size=(48, 64), rough=1):
    """Gray pictures of a pattern that moves, with some noise if wanted, in yuv420p."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size[0], : size[1]]
    pictures = []
    for number in range(count):
        gray = ((x * 2 + y + number * 7) % 256).astype(np.uint8)
        gray ^= rng.integers(0, rough, size).astype(np.uint8)
        pictures.append(av.VideoFrame.from_ndarray(gray, "gray").reformat(format="yuv420p"))
    return pictures


def packets(path):
    with av.open(str(path)) as video:
        return [bytes(packet) for packet in video.demux(video=0) if packet.size]


def avi(codes, chunks, bits, palette=b"", height=None, fourcc=b"\0\0\0\0", stated=None):
    """An AVI file by hand; chunks are the pictures, empty where one was dropped."""
    height = HEIGHT if height is None else height
    stated = len(chunks) if stated is None else stated

    def chunk(tag, data):
        return tag + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)

    def listed(kind, data):
        return chunk(b"LIST", kind + data)

    form = struct.pack(
        "<IiiHH4sIiiII", 40, WIDTH, height, 1, bits, fourcc, 0, 0, 0, len(palette) // 4, 0
    )
    stream = struct.pack(
        "<4s4sIHHIIIIIIII4H", b"vids", codes, 0, 0, 0, 0, 1, 25, 0, stated, 0, 2**32 - 1, 0, 0, 0,
        WIDTH, abs(height),
    )  # fmt: skip
    head = struct.pack("<14I", 40000, 0, 0, 16, stated, 0, 1, 0, WIDTH, abs(height), 0, 0, 0, 0)
    header = chunk(b"avih", head)
    header += listed(b"strl", chunk(b"strh", stream) + chunk(b"strf", form + palette))
    movie, index = b"", b""
    for data in chunks:
        index += b"00dc" + struct.pack("<III", 16, 4 + len(movie), len(data))
        movie += chunk(b"00dc", data)
    body = listed(b"hdrl", header) + listed(b"movi", movie) + chunk(b"idx1", index)
    return chunk(b"RIFF", b"AVI " + body)


def jpeg(number):
    data = io.BytesIO()
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    Image.fromarray((x * 3 + y + number * 7).astype(np.uint8)).save(data, "JPEG")
    return data.getvalue()
