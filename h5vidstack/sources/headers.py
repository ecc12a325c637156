"""What the header of a file states of its frames, as a check of the library that decodes them.

Each parser takes a few fields from where the specification of its format has them, without any
library. It gives up on all that it does not know, so that an odd header states nothing. What a
header does state must be true of the frames that came, whatever decoded them.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import math
import mmap
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import SourceError
from ..shapes import Shape
from .source import Source, SourceOptions

Data = Any
"""The bytes of a file: a `mmap`."""

AnySource = TypeVar("AnySource", bound=Source)


@dataclass(frozen=True)
class Header:
    """What a file states of its frames; None and () stand for what it does not state.

    Attributes
    ----------
    format
        The format's name, for the user.
    size
        Height and width.
    bits
        How many a sample has.
    kind
        The kind of a sample, as numpy names it: u, i or f.
    channels
        The numbers of channels that frames can have.
    count
        The number of frames.
    values
        The number of samples in all frames.
    pages
        The number of pages of a TIFF, of which each or the first may stand for several frames.
    """

    format: str
    size: tuple[int, int] | None = None
    bits: int | None = None
    kind: str = "u"
    channels: tuple[int, ...] = ()
    count: int | None = None
    values: int | None = None
    pages: int | None = None


def checked(
    source: AnySource, path: Path, header: Header | None, options: SourceOptions
) -> AnySource:
    """Return a source if its frames are what a header states; otherwise close it.

    Raises
    ------
    SourceError
        If the header contradicts.
    """
    try:
        compare(path, header, source.frame, source.dtype, source.count, gray=options.gray)
    except BaseException:
        source.close()
        raise
    return source


def compare(
    path: Path,
    header: Header | None,
    frame: Shape,
    dtype: np.dtype[Any],
    count: int | None,
    *,
    gray: bool = False,
) -> None:
    """See that frames that came from a file are what its header states.

    Parameters
    ----------
    path
        The file.
    header
        What it states; None: nothing.
    frame, dtype
        The shape of a frame that came, and its dtype.
    count
        How many came; None: that is not known yet.
    gray
        Frames may have lost channels, because gray was made of them.

    Raises
    ------
    SourceError
        If the header contradicts.
    """
    if header is None:
        return
    came = Header(
        header.format, (frame[0], frame[1]), 8 * dtype.itemsize, dtype.kind, frame[2:] or (1,),
        count, None if count is None or gray else count * math.prod(frame),
    )  # fmt: skip
    wrong = []
    if header.size not in (None, came.size):
        wrong.append((_pixels(header.size), _pixels(came.size)))
    if header.bits is not None and dtype not in _dtypes(header.bits, header.kind):
        wrong.append((f"{header.bits} bits a sample ({_KINDS[header.kind]})", str(dtype)))
    if header.channels and not gray and came.channels[0] not in header.channels:
        allowed = " or ".join(map(str, header.channels))
        wrong.append((f"{allowed} channels", str(came.channels[0])))
    for name, what in (("count", "frames"), ("values", "samples")):
        stated, given = getattr(header, name), getattr(came, name)
        if None not in (stated, given) and stated != given:
            wrong.append((f"{stated} {what}", str(given)))
    if wrong:
        stated, given = (", ".join(pair[which] for pair in wrong) for which in (0, 1))
        raise SourceError(
            f"the {header.format} header of {path} states {stated}, but it was decoded as {given}: "
            "a library reads it wrongly. Read it by another program, and pack the array"
        )


_ODD = (
    OSError, ValueError, IndexError, KeyError, StopIteration, struct.error, SyntaxError,
    OverflowError,
)  # fmt: skip
"""The exceptions that a header raises if it is cut off, or leads outside of its file."""
_KINDS = {"u": "unsigned", "i": "signed", "f": "floating point"}


def _pixels(size: tuple[int, ...] | None) -> str:
    height, width = size or (0, 0)
    return f"{width}x{height} pixels"


def _dtypes(bits: int, kind: str) -> list[np.dtype[Any]]:
    """Return the types that hold samples of so many bits, and are no wider than needed."""
    size = next((size for size in (1, 2, 4, 8) if bits <= 8 * size), None)
    names = [f"{kind}{size}", *(["?", "u1"] if bits == 1 else [])]
    found = []
    for name in names:
        with contextlib.suppress(TypeError):
            found.append(np.dtype(name))
    return found


def read_header(path: Path) -> Header | None:
    """Return what a file states of its frames, or None if it states nothing that is known here."""
    with (
        contextlib.suppress(*_ODD),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for magic, parse in _PARSERS:
            if re.match(magic, data, re.DOTALL):
                return parse(data)
    return None


def _png(data: Data) -> Header | None:
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    at, names, frames = 8, list[bytes](), 1
    while b"IEND" not in names:
        (length,) = struct.unpack_from(">I", data, at)
        names.append(data[at + 4 : at + 8])
        if names[-1] == b"acTL":
            (frames,) = struct.unpack_from(">I", data, at + 8)
        at += length + 12
        if not names[-1]:
            return None
    if b"acTL" in names:  # the first picture may be for programs that know no animation
        frames += names.index(b"IDAT") < names.index(b"fcTL")
    alpha = colour in (4, 6) or b"tRNS" in names
    channels = {0: (1,), 2: (3,), 3: (3,), 4: (2, 4), 6: (4,)}[colour]
    bits = 8 if colour == 3 or 1 < bits < 8 else bits
    return Header("PNG", (height, width), bits, "u", (4,) if alpha else channels, frames)


def _jpeg(data: Data) -> Header | None:
    at = 2
    while True:
        mark, length = struct.unpack_from(">xBH", data, at)
        if mark == 0xFF:  # fill
            at += 1
        elif 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            bits, height, width, channels = struct.unpack_from(">BHHB", data, at + 4)
            return Header("JPEG", (height, width) if height else None, bits, "u", (channels,), 1)
        elif mark == 0xDA:
            return None
        else:
            at += 2 + length


def _bmp(data: Data) -> Header | None:
    (size,) = struct.unpack_from("<I", data, 14)
    form, offset = ("<HHHH", 18) if size == 12 else ("<iiHH", 18)
    width, height, _, bits = struct.unpack_from(form, data, offset)
    channels = (1, 3, 4) if bits <= 8 else (3, 4) if bits != 24 else (3,)
    return Header("BMP", (abs(height), width), min(bits, 8), "u", channels, 1)


def _gif(data: Data) -> Header | None:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at, count = 13 + (6 << (flags & 7) if flags & 128 else 0), 0
    while data[at] != 0x3B:
        if data[at] == 0x21:
            at += 2
        elif data[at] == 0x2C:
            local = data[at + 9]
            at, count = at + 11 + (6 << (local & 7) if local & 128 else 0), count + 1
        else:
            return None
        while data[at]:
            at += 1 + data[at]
        at += 1
    return Header("GIF", (height, width), 8, "u", (1, 3, 4), count)


def _webp(data: Data) -> Header | None:
    at, end, size, count = 12, 8 + struct.unpack_from("<I", data, 4)[0], None, 0
    while at < end:
        name, length = struct.unpack_from("<4sI", data, at)
        if name == b"VP8X":
            size = tuple(1 + int.from_bytes(data[at + k : at + k + 3], "little") for k in (15, 12))
        elif name == b"VP8 ":
            width, height = struct.unpack_from("<HH", data, at + 14)
            size = size or (height & 0x3FFF, width & 0x3FFF)
        elif name == b"VP8L":
            (packed,) = struct.unpack_from("<I", data, at + 9)
            size = size or (1 + (packed >> 14 & 0x3FFF), 1 + (packed & 0x3FFF))
        count += name == b"ANMF"
        at += 8 + length + length % 2
    return Header("WebP", size, 8, "u", (3, 4), max(count, 1))  # type: ignore[arg-type]


def _npy(data: Data) -> Header | None:
    form, start = ("<H", 10) if data[6] == 1 else ("<I", 12)
    (length,) = struct.unpack_from(form, data, 8)
    stated = ast.literal_eval(data[start : start + length].decode("latin1").strip())
    dtype = np.dtype(stated["descr"])
    if dtype.kind not in "biuf":
        return None
    bits = 1 if dtype.kind == "b" else 8 * dtype.itemsize
    # The samples are counted in the file, whatever its header states.
    values = (len(data) - start - length) // dtype.itemsize
    if values != math.prod(stated["shape"]):
        return Header(".npy", values=values)
    return Header(".npy", bits=bits, kind="u" if bits == 1 else dtype.kind, values=values)


# TIFF -------------------------------------------------------------------------------------------

_WIDTH, _LENGTH, _BITS, _SAMPLES, _FORMAT = 256, 257, 258, 277, 339
_SUBFILE, COMPRESSION, PHOTOMETRIC, _DESCRIPTION = 254, 259, 262, 270
_LIKE = (_WIDTH, _LENGTH, _BITS, _SAMPLES, _FORMAT)
"""Tags that are the same in pages of one kind."""
_TYPES = {1: "B", 2: "s", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_ENOUGH = 1 << 12
"""No more values of a tag, or bytes of a text, are read."""
_OTHER = {34412, 33628, 33629, 33630, 33631, 65420, 51123, 34361, 32997, 330, 50838}
"""Tags of programs for which a page is more or less than a frame (LSM, STK, NDPI and others), and
those of pyramids (SubIFDs) and volumes (ImageDepth)."""

Tags = dict[int, tuple[Any, ...]]


def page_tags(path: Path) -> Tags:
    """Return the tags of a TIFF's first page that are read here; an odd file has none."""
    with (
        contextlib.suppress(*_ODD),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return next(_pages(data))
    return {}


def _tiff(data: Data) -> Header | None:
    pages = _pages(data)
    first = next(pages)
    height, width = first[_LENGTH][0], first[_WIDTH][0]
    bits, samples = first.get(_BITS, (1,)), first.get(_SAMPLES, (1,))[0]
    kind = {1: "u", 2: "i", 3: "f", 4: "u"}.get(first.get(_FORMAT, (1,))[0])
    if kind is None or len(set(bits)) > 1:
        return None
    stated = Header("TIFF", (height, width), bits[0], kind)
    text = first.get(_DESCRIPTION, (b"",))[0].rstrip(b"\0")
    plain = not text or text.startswith((b"ImageJ=", b'{"shape"'))
    count = 0
    for page in itertools.chain([first], pages):
        if any(page.get(tag) != first.get(tag) for tag in _LIKE):
            return None
        plain = plain and not (_OTHER & page.keys() or page.get(_SUBFILE, (0,))[0])
        count += 1
    images = re.search(rb"\nimages=(\d+)", text)
    if not plain or (count == 1 and text.startswith(b"{")):
        return stated
    frames = int(images[1]) if images and count == 1 else count
    return replace(stated, values=frames * height * width * samples, pages=count)


def _pages(data: Data) -> Iterator[Tags]:
    """Yield the tags of each page; the description only of the first."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    offset, inline = struct.Struct(f"{order}{'Q' if big else 'I'}"), 8 if big else 4
    entries, entry = struct.Struct(f"{order}{'Q' if big else 'H'}"), struct.Struct(f"{order}HH")
    size, seen = 4 + 2 * inline, set[int]()
    wanted = {*_LIKE, _SUBFILE, COMPRESSION, PHOTOMETRIC, _DESCRIPTION}
    (at,) = offset.unpack_from(data, 8 if big else 4)
    while at and at not in seen:
        seen.add(at)
        (count,) = entries.unpack_from(data, at)
        start, tags = at + entries.size, Tags()
        end = start + count * size
        for place in range(start, end, size):
            tag, kind = entry.unpack_from(data, place)
            if tag in _OTHER:
                tags[tag] = ()
            elif tag in wanted and kind in _TYPES:
                (number,) = offset.unpack_from(data, place + 4)
                form = f"{order}{min(number, _ENOUGH)}{_TYPES[kind]}"
                inside = struct.calcsize(f"{order}{number}{_TYPES[kind]}") <= inline
                there = place + size - inline
                there = there if inside else offset.unpack_from(data, there)[0]
                tags[tag] = struct.unpack_from(form, data, there)
        yield tags
        wanted.discard(_DESCRIPTION)
        (at,) = offset.unpack_from(data, end)


_PARSERS: list[tuple[bytes, Callable[[Data], Header | None]]] = [
    (rb"\x89PNG\r\n\x1a\n", _png),
    (rb"\xff\xd8\xff", _jpeg),
    (rb"BM", _bmp),
    (rb"GIF8[79]a", _gif),
    (rb"RIFF....WEBP", _webp),
    (rb"\x93NUMPY[\x01-\x03]", _npy),
    (rb"II[*+]\x00|MM\x00[*+]", _tiff),
]
"""How files begin, and what reads their headers."""
