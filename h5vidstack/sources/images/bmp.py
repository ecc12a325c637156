"""The parser of BMP files."""

from __future__ import annotations

import struct

from ...errors import SourceError
from .image_header import WAY_OUT, ImageHeader


def parse_bmp(data: bytes) -> ImageHeader:
    """Read the bitmap's header, and see that all rows are there."""
    start, size = struct.unpack("<II", data[10:18])
    if size < 40:
        raise SourceError(f"a BMP with a header of OS/2 is not read; {WAY_OUT}")
    width, height, _, bits, compression = struct.unpack("<iiHHI", data[18:34])
    rows = (width * bits + 31) // 32 * 4 * abs(height)
    if compression in (0, 3, 6) and start + rows > len(data):
        raise SourceError("it is truncated: a BMP without all of its rows")
    masks = struct.unpack("<4I", data[54:70]) if compression in (3, 6) and size >= 56 else ()
    alpha = len(masks) == 4 and masks[3] == 0xFF000000
    if compression == 3 and masks and masks[:3] == (0xFF0000, 0xFF00, 0xFF):
        compression = 0
    kind = f"{bits} bits" + (f" of compression {compression}" if compression else "")
    colours = None
    if bits <= 8 and not compression:
        colours = struct.unpack("<I", data[46:50])[0] or 1 << bits
        end = 14 + size + 4 * colours
        if colours > 1 << bits or end > start:
            raise SourceError(f"it is damaged: a BMP without its palette of {colours} colours")
        entries = data[14 + size : end]
        if entries[::4] == entries[1::4] == entries[2::4]:
            kind += " black and white" if entries[::4] == b"\0\xff" else " gray"
    if bits == 32 and not alpha and any(data[start + 3 : start + rows : 4]):
        raise SourceError(f"it has a fourth channel that its header does not mention; {WAY_OUT}")
    return ImageHeader(("BMP", kind), data, alpha=alpha, colours=colours)
