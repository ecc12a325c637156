"""The tables of image formats and kinds of pixels that are read; all others are refused.

Each format has a short parser in a file of its own. It finds out what the header says (bits, kind
of colour, frames), whether the file is complete, and how it is to be turned. A file that ends
early, or whose checksums are wrong, is refused. The decoder gets only the parts that pixels need,
so it cannot meet metadata, further pictures, or limits of its own. Pixels are as follows:

- Gray of 2 and 4 bits (PNG) becomes 8 bits, times 85 and 17, as every PNG decoder gives it.
- 1 bit (PNG) is bool.
- Numbers of a palette become the colours that they name.
- A transparent colour (PNG's tRNS) or palette entry becomes alpha; gray with alpha becomes RGBA.
- Gamma, colour profiles and orientation are not applied.
- Interlaced files are read as any other.
- Of a JPEG the first picture is taken; YCbCr becomes RGB; CMYK is refused.
- The frames of an animation (GIF, PNG, WebP) are the whole pictures that a viewer shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import SourceError
from ...shapes import Pixels
from .bmp import parse_bmp
from .gif import parse_gif
from .image_decoders import Decoder, by_ffmpeg, by_pillow
from .image_header import WAY_OUT, ImageHeader
from .jpeg import parse_jpeg
from .png import PNG, parse_png
from .webp import parse_webp


@dataclass(frozen=True)
class ImageFormat:
    """One row of the table of formats.

    Attributes
    ----------
    name
        The format's name, for people.
    beginning
        A regular expression for how its files begin.
    endings
        How names of its files end.
    parse
        Returns what a file says of itself, or raises SourceError.
    certain
        A file that begins so is an image whatever its name. Others may be videos.
    """

    name: str
    beginning: bytes
    endings: frozenset[str]
    parse: Callable[[bytes], ImageHeader]
    certain: bool = False


FORMATS = (
    ImageFormat("PNG", re.escape(PNG), frozenset({".png", ".apng"}), parse_png, certain=True),
    ImageFormat("JPEG", rb"\xff\xd8", frozenset({".jpg", ".jpeg", ".jpe", ".jfif"}), parse_jpeg),
    ImageFormat("BMP", rb"BM", frozenset({".bmp"}), parse_bmp),
    ImageFormat("GIF", rb"GIF8[79]a", frozenset({".gif"}), parse_gif, certain=True),
    ImageFormat("WebP", rb"RIFF....WEBP", frozenset({".webp"}), parse_webp),
)
"""The formats that are read, besides TIFF."""

WHY_NOT = "it could not be kept exactly or has no one meaning"

DECODERS: dict[tuple[str, str], Decoder] = {
    ("PNG", "1 bits gray"): by_pillow("Png", "1"),
    ("PNG", "2 bits gray"): by_pillow("Png", "L"),
    ("PNG", "4 bits gray"): by_pillow("Png", "L"),
    ("PNG", "8 bits gray"): by_pillow("Png", "L"),
    ("PNG", "8 bits gray with alpha"): by_pillow("Png", "RGBA"),
    ("PNG", "8 bits RGB"): by_pillow("Png", "RGB"),
    ("PNG", "8 bits RGBA"): by_pillow("Png", "RGBA"),
    ("PNG", "8 bits gray animation"): by_pillow("Png", "L"),
    ("PNG", "8 bits RGB animation"): by_pillow("Png", "RGB"),
    ("PNG", "8 bits RGBA animation"): by_pillow("Png", "RGBA"),
    **{("PNG", f"{bits} bits palette"): by_pillow("Png", "RGB") for bits in (1, 2, 4, 8)},
    **{
        ("PNG", f"16 bits {colour}"): by_ffmpeg
        for colour in ("gray", "gray with alpha", "RGB", "RGBA")
    },
    ("JPEG", "8 bits gray"): by_pillow("Jpeg", "L"),
    ("JPEG", "8 bits colour"): by_pillow("Jpeg", "RGB"),
    ("GIF", "gray"): by_pillow("Gif", "L"),
    ("GIF", "palette"): by_pillow("Gif", "RGB"),
    ("BMP", "1 bits black and white"): by_pillow("Bmp", "1"),
    **{("BMP", f"{bits} bits gray"): by_pillow("Bmp", "L") for bits in (1, 4, 8)},
    **{("BMP", f"{bits} bits"): by_pillow("Bmp", "RGB") for bits in (1, 4, 8, 24, 32)},
    ("WebP", "8 bits"): by_pillow("WebP", "RGB"),
}
"""How each format and kind of pixels is decoded. All others are refused."""


def find_image_format(data: bytes) -> ImageFormat | None:
    """Return the format of a file that begins so, or None if it is not in the table."""
    fitting = (one for one in FORMATS if re.match(one.beginning, data, re.DOTALL))
    return next(fitting, None)


def read_image_header(data: bytes) -> ImageHeader:
    """Read what an image file says of itself.

    Raises
    ------
    SourceError
        If its format or its kind of pixels is not read, or the file is not whole.
    """
    found = find_image_format(data)
    if found is None:
        known = ", ".join(one.name for one in FORMATS)
        raise SourceError(f"it is no {known} or TIFF, or is damaged")
    header = found.parse(data)
    if header.kind not in DECODERS:
        raise SourceError(f"{' '.join(header.kind)} is not read, since {WHY_NOT}; {WAY_OUT}")
    return header


def open_frames(header: ImageHeader) -> Callable[[int], Pixels]:
    """Return what decodes a frame by its number."""
    return DECODERS[header.kind](header)
