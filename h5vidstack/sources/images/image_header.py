"""What an image file says of itself, as the parser of its format finds it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..picture_records import EXIF, NO_RECORD, PictureRecord, PixelSize
from ..tiff.directories import moment, pixel_size, read_exif

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
    record
        What else it says of the picture.
    durations
        How long each picture of an animation stays, in seconds; empty where the file does not say.
    """

    kind: tuple[str, str]
    data: bytes
    count: int = 1
    alpha: bool = False
    orientation: int = 1
    conversion: str | None = None
    colours: int | None = None
    record: PictureRecord = NO_RECORD
    durations: Sequence[Fraction] = ()


def record_of(words: Mapping[str, bytes], size: PixelSize | None = None) -> PictureRecord:
    """Return what an image file says, with the time and the resolution that are in its EXIF.

    Parameters
    ----------
    words
        By the names of `picture_records.KINDS`.
    size
        How large a pixel is, if the file says so outside its EXIF.
    """
    if not words and size is None:
        return NO_RECORD
    exif = read_exif(words[EXIF]) if EXIF in words else None
    if size is None and exif is not None and (found := pixel_size(exif)) is not None:
        size = PixelSize(*found)
    return PictureRecord(words, moment(exif), size)


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
