"""What an image file says of itself, as the parser of its format finds it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

WAY_OUT = "read it by another library and pack the array"


@dataclass(frozen=True)
class ImageHeader:
    """What an image file says of itself.

    Attributes
    ----------
    kind
        The format, and the kind of its pixels: a key of `image_formats.DECODERS`.
    data
        The bytes that the decoder gets.
    count
        The number of frames.
    alpha
        Whether any pixel can be transparent.
    orientation
        As EXIF numbers it; 1: the image is shown as stored.
    conversion
        What makes the samples, if they are not as stored; see `Source.conversion`.
    colours
        The length of the palette, if there is one.
    """

    kind: tuple[str, str]
    data: bytes
    count: int = 1
    alpha: bool = False
    orientation: int = 1
    conversion: str | None = None
    colours: int | None = None


def exif_orientation(exif: bytes) -> int:
    """Return the orientation in EXIF's first directory; 1 if it is missing or damaged."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 10:
        return 1
    (at,) = struct.unpack(order + "I", exif[4:8])
    (count,) = struct.unpack(order + "H", exif[at : at + 2].ljust(2, b"\0"))
    for place in range(at + 2, min(at + 2 + 12 * count, len(exif) - 9), 12):
        tag, _, _, value = struct.unpack(order + "HHIH", exif[place : place + 10])
        if tag == 274:
            return int(value) if 1 <= value <= 8 else 1
    return 1
