"""The parser of JPEG files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...errors import SourceError
from ..picture_records import (
    EXIF,
    ICC,
    JPEG_COMMENT,
    PHOTOSHOP,
    XMP,
    XMP_EXTENDED,
    PixelSize,
)
from .image_header import ImageHeader, exif_orientation, record_of

_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_PROFILE, _PACKET, _EXIF = b"ICC_PROFILE\0", b"http://ns.adobe.com/xap/1.0/\0", b"Exif\0\0"
_EXTENSION, _RESOURCES = b"http://ns.adobe.com/xmp/extension/\0", b"Photoshop 3.0\0"
_FRAMES = {0xC0, 0xC1, 0xC2}  # libjpeg decodes baseline, extended and progressive


def parse_jpeg(data: bytes) -> ImageHeader:
    """Walk the segments of the first picture; leave out those of applications except Adobe's."""
    kept, orientation, kind, transform, ids = list[bytes](), 1, "", None, b""
    jfif, said = False, list[tuple[int, bytes]]()
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
        if marker in (0xE0, 0xE1, 0xE2, 0xED, 0xFE):
            said.append((marker, part[4:]))
        if not 0xE1 <= marker <= 0xED and marker not in (0xEF, 0xFE):
            kept.append(part)
    direct = not jfif and (transform == 0 or (transform is None and ids == b"RGB"))
    made = "RGB made by Pillow from the YCbCr of JPEG" if "colour" in kind and not direct else None
    return ImageHeader(
        ("JPEG", kind), b"".join(kept), orientation=orientation, conversion=made,
        record=record_of(_words(said), _pixel_size(said)),
    )  # fmt: skip


def _words(said: list[tuple[int, bytes]]) -> dict[str, bytes]:
    """Return what the segments of applications, and the comment, say."""
    words: dict[str, bytes] = {}
    profile: dict[int, bytes] = {}
    for marker, body in said:
        if marker == 0xE1 and body.startswith(_EXIF):
            words.setdefault(EXIF, body[len(_EXIF) :])
        elif marker == 0xE1 and body.startswith(_PACKET):
            words.setdefault(XMP, body[len(_PACKET) :])
        elif marker == 0xE2 and body.startswith(_PROFILE) and len(body) > len(_PROFILE) + 2:
            profile[body[len(_PROFILE)]] = body[len(_PROFILE) + 2 :]
        elif marker == 0xED and body.startswith(_RESOURCES):
            words[PHOTOSHOP] = words.get(PHOTOSHOP, b"") + body[len(_RESOURCES) :]
        elif marker == 0xFE:
            words.setdefault(JPEG_COMMENT, body)
    extended = _extended_xmp(said)
    if extended:
        words[XMP_EXTENDED] = extended
    if profile:
        words[ICC] = b"".join(profile[number] for number in sorted(profile))
    return words


def _extended_xmp(said: list[tuple[int, bytes]]) -> bytes:
    """Return the XMP that is longer than a segment, if all of it is there.

    Each segment has the packet's GUID (32 bytes), its length, and the place of the segment in it.
    """
    parts: dict[int, bytes] = {}
    length = 0
    for marker, body in said:
        if marker == 0xE1 and body.startswith(_EXTENSION):
            head, part = body[len(_EXTENSION) :][32:40], body[len(_EXTENSION) + 40 :]
            length, at = (int.from_bytes(head[half : half + 4], "big") for half in (0, 4))
            parts[at] = part
    packet = b"".join(parts[at] for at in sorted(parts))
    return packet if len(packet) == length else b""


def _pixel_size(said: list[tuple[int, bytes]]) -> PixelSize | None:
    """Return how large a pixel is by JFIF; None where its unit is not known."""
    for marker, body in said:
        if marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 12:
            across, down = (int.from_bytes(body[at : at + 2], "big") for at in (8, 10))
            unit = {1: "inch", 2: "cm"}.get(body[7])
            return PixelSize(1 / down, 1 / across, unit) if unit and across and down else None
    return None


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
