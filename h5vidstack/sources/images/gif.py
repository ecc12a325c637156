"""The parser of GIF files."""

from __future__ import annotations

import struct
from fractions import Fraction

from ...errors import SourceError
from .image_header import WAY_OUT, ImageHeader


def parse_gif(data: bytes) -> ImageHeader:
    """Walk all blocks; find the pictures, their palettes, and how each is disposed of."""
    width, height, flags = struct.unpack("<HHB", data[6:11])
    at, palettes = 13, list[bytes]()
    if flags & 128:
        palettes.append(data[13 : 13 + (6 << (flags & 7))])
        at += len(palettes[0])
    count, colours, alpha, mixed, disposed, key = 0, 0, False, False, False, False
    pause, durations = 0, list[Fraction]()
    while data[at : at + 1] != b";":
        if data[at : at + 2] == b"!\xf9":
            key = bool(data[at + 3] & 1)
            disposed = disposed or data[at + 3] >> 2 & 7 > 1
            pause = int.from_bytes(data[at + 4 : at + 6], "little")
        if data[at : at + 1] == b"!":
            at += 2
        elif data[at : at + 1] == b"," and at + 10 < len(data):
            *place, local = struct.unpack("<HHHHB", data[at + 1 : at + 10])
            whole = place == [0, 0, width, height]
            mixed = mixed or key or not whole
            if not count and not whole:
                raise SourceError(f"its first picture is not as large as the GIF; {WAY_OUT}")
            at += 10
            if not (local | flags) & 128:
                raise SourceError(f"its picture {count} has no palette; {WAY_OUT}")
            if local & 128:
                palettes.append(data[at : at + (6 << (local & 7))])
                at += 6 << (local & 7)
            colours = colours or 2 << ((local if local & 128 else flags) & 7)
            alpha = alpha or (key and not count)  # later pictures use it for what stays as before
            durations.append(Fraction(pause, 100))
            at, count, key, pause = at + 1, count + 1, False, 0
        else:
            raise SourceError("it is truncated or damaged: a GIF without its end")
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    if not count:
        raise SourceError("it has no picture")
    if count > 1 and disposed and mixed:
        raise SourceError(
            "it removes a picture before it shows the next, which programs do in different ways; "
            f"{WAY_OUT}"
        )
    gray = not alpha and all(p[::3] == p[1::3] == p[2::3] for p in palettes)
    kind = "gray" if gray else "palette"
    return ImageHeader(("GIF", kind), data, count, alpha, colours=colours, durations=durations)
