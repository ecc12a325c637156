"""The parser of PNG files, also animated ones."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from fractions import Fraction

from ...errors import SourceError
from .image_header import ImageHeader, exif_orientation, record_of
from .png_words import pixel_size, words_of_png

PNG = b"\x89PNG\r\n\x1a\n"
"""How a PNG file begins."""


_PNG_COLOURS = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGBA"}
_NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}


def parse_png(data: bytes) -> ImageHeader:
    """Walk all chunks, and keep those that pixels need."""
    kept, names, bodies, orientation, count = [PNG], list[bytes](), dict[bytes, bytes](), 1, 1
    others, durations = list[tuple[bytes, bytes]](), list[Fraction]()
    for name, body, whole in _png_chunks(data):
        names.append(name)
        bodies[name] = body
        if name in _NEEDED:
            kept.append(whole)
        elif not name[0] & 0x20:
            raise SourceError(f"it needs its chunk {name!r}, which the PNG standard does not have")
        else:
            others.append((name, body))
        if name == b"acTL":
            count = int.from_bytes(body[:4], "big")
        elif name == b"fcTL":
            durations.append(_duration(body))
        elif name == b"eXIf":
            orientation = exif_orientation(body)
    bits, colour = _check_png(names, bodies)
    if b"acTL" in names and names.count(b"fcTL") != count:
        raise SourceError(f"it states {count} frames, but has {names.count(b'fcTL')}")
    still = b"acTL" in names and names.index(b"fcTL") > names.index(b"IDAT")
    count += still  # a picture beside the animation, for programs that know none
    kind = f"{bits} bits {_PNG_COLOURS.get(colour, colour)}" + (" animation" if count > 1 else "")
    if bits < 8 and colour == 0 and b"tRNS" in names:
        kind += " with a transparent value"
    scaled = {2: 85, 4: 17}.get(bits) if colour == 0 else None
    return ImageHeader(
        ("PNG", kind), b"".join(kept), count, colour in (4, 6) or b"tRNS" in names, orientation,
        f"8 bits made of {bits} bits of gray (times {scaled})" if scaled else None,
        len(bodies[b"PLTE"]) // 3 if colour == 3 else None,
        record_of(words_of_png(others), pixel_size(bodies.get(b"pHYs"))),
        () if still else durations,
    )  # fmt: skip


def _duration(control: bytes) -> Fraction:
    """Return how long a picture of an animation stays, by its chunk fcTL."""
    up, down = (int.from_bytes(control[at : at + 2], "big") for at in (20, 22))
    return Fraction(up, down or 100)


def _check_png(names: list[bytes], bodies: dict[bytes, bytes]) -> tuple[int, int]:
    """Return bits and colour type of a PNG; refuse it if its chunks break the standard."""
    head = bodies.get(b"IHDR", b"")
    if names[:1] != [b"IHDR"] or len(head) != 13 or b"IDAT" not in names:
        raise SourceError("it has no picture, or is damaged")
    bits, colour, *ways = head[8:]
    if ways not in ([0, 0, 0], [0, 0, 1]):
        raise SourceError("it is packed in a way that is not of the PNG standard")
    first = names.index(b"IDAT")
    order = [name for name in (b"IHDR", b"PLTE", b"tRNS") if name in names]
    early = [name for name in names[:first] if name in (b"IHDR", b"PLTE", b"tRNS")]
    twice = any(names.count(name) > 1 for name in order)
    if early != order or twice or set(names[first : first + names.count(b"IDAT")]) != {b"IDAT"}:
        raise SourceError("it is damaged: its chunks are not in the order of the PNG standard")
    palette, keys = len(bodies.get(b"PLTE", b"")), len(bodies.get(b"tRNS", b""))
    most = {3: 3 << bits, 2: 768, 6: 768}.get(colour, 0)
    if palette > most or palette % 3 or (colour == 3 and not palette):
        raise SourceError(f"it is damaged: a palette of {palette} bytes, at {bits} bits")
    fit = {0: range(2, 3), 2: range(6, 7), 3: range(1, palette // 3 + 1)}.get(colour, ())
    if b"tRNS" in names and keys not in fit:
        raise SourceError(f"it is damaged: transparency (tRNS) of {keys} bytes")
    return bits, colour


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    at, name = len(PNG), b""
    while name != b"IEND":
        length = int.from_bytes(data[at : at + 4], "big")
        whole = data[at : at + length + 12]
        name, body = whole[4:8], whole[8:-4]
        if len(whole) < length + 12:
            raise SourceError("it is truncated: it ends inside a chunk")
        if zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:], "big"):
            raise SourceError(f"it is damaged: the checksum of its chunk {name!r} is wrong")
        yield name, body, whole
        at += length + 12
