"""The parser of JPEG files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...errors import SourceError
from .image_header import ImageHeader, exif_orientation

_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_FRAMES = {0xC0, 0xC1, 0xC2}  # libjpeg decodes baseline, extended and progressive


def parse_jpeg(data: bytes) -> ImageHeader:
    """Walk the segments of the first picture; leave out those of applications except Adobe's."""
    kept, orientation, kind, transform, ids = list[bytes](), 1, "", None, b""
    jfif = False
    for marker, part, _ in jpeg_parts(data):
        if marker == 0xE1 and part[4:10] == b"Exif\0\0":
            orientation = exif_orientation(part[10:])
        if marker == 0xEE and part[4:9] == b"Adobe":
            transform = part[15]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            parts = part[9]
            kind = f"{part[4]} bits " + {1: "gray", 3: "colour", 4: "CMYK"}.get(parts, "?")
            kind += "" if marker in _FRAMES else f" of SOF{marker - 0xC0}"
            ids = part[10 : 10 + 3 * parts : 3]
        jfif = jfif or (marker == 0xE0 and part[4:8] == b"JFIF")
        if not 0xE1 <= marker <= 0xED and marker not in (0xEF, 0xFE):
            kept.append(part)
    direct = not jfif and (transform == 0 or (transform is None and ids == b"RGB"))
    made = "RGB made by Pillow from the YCbCr of JPEG" if "colour" in kind and not direct else None
    return ImageHeader(("JPEG", kind), b"".join(kept), orientation=orientation, conversion=made)


def jpeg_parts(data: Any, at: int = 0) -> Iterator[tuple[int, bytes, int]]:
    """Walk a JPEG from its first marker to its last. The data of a scan belong to its marker.

    Parameters
    ----------
    data
        An object whose slices are bytes.
    at
        Where the JPEG begins.

    Yields
    ------
    marker, part, end
        The number of a marker, its bytes, and where the next one begins.

    Raises
    ------
    SourceError
        If there is no JPEG, or it ends early.
    """
    marker = 0xD8
    if data[at : at + 2] != b"\xff\xd8":
        raise SourceError("it is damaged: a JPEG without its beginning")
    yield marker, b"\xff\xd8", at + 2
    at += 2
    while marker != 0xD9:
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        start, head = at, data[at : at + 4]
        marker = head[1] if len(head) > 1 and head[0] == 0xFF else -1
        length = 0 if marker == 0xD9 else int.from_bytes(head[2:], "big")
        at += 2 + length
        if marker < 0 or at > len(data) or length == 1 or (length == 0 and marker != 0xD9):
            raise SourceError("it is truncated or damaged: a JPEG without its end")
        if marker == 0xDA:
            end = _SCAN_END.search(data, at)
            if end is None:
                raise SourceError("it is truncated: a JPEG without its end")
            at = end.start()
        yield marker, data[start:at], at
