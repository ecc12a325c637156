"""The parser of WebP files."""

from __future__ import annotations

from fractions import Fraction

from ...errors import SourceError
from ..picture_records import EXIF, ICC, XMP
from .image_header import ImageHeader, exif_orientation, record_of

_WORDS = {b"EXIF": EXIF, b"ICCP": ICC, b"XMP ": XMP}


def parse_webp(data: bytes) -> ImageHeader:
    """Walk the chunks; find out frames, alpha, orientation, and whether it is lossy."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise SourceError("it is truncated: a WebP without its end")
    names, at, orientation, alpha = list[bytes](), 12, 1, False
    words: dict[str, bytes] = {}
    durations = list[Fraction]()
    while at + 8 <= end:
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + length]
        names.append(name)
        if name in _WORDS:
            words[_WORDS[name]] = body.removeprefix(b"Exif\0\0") if name == b"EXIF" else body
        if name == b"EXIF":
            orientation = exif_orientation(body.removeprefix(b"Exif\0\0"))
        elif name == b"VP8X":
            alpha = bool(body[0] & 16)
        elif name == b"VP8L":
            alpha = alpha or bool(body[4] & 16)
        elif name == b"ANMF":
            durations.append(Fraction(int.from_bytes(body[12:15], "little"), 1000))
            names.append(body[16:20] if body[16:20] != b"ALPH" else b"VP8 ")
        at += 8 + length + length % 2
    lossy = b"VP8 " in names
    made = "RGB made by Pillow from the YUV of WebP" if lossy else None
    count = max(1, names.count(b"ANMF"))
    return ImageHeader(
        ("WebP", "8 bits"), data[:end], count, alpha, orientation, made, record=record_of(words),
        durations=durations,
    )  # fmt: skip
