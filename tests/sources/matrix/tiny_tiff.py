"""A TIFF writer of few lines that takes any tag, for what other writers do not make."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

BITS, WIDTH, LENGTH, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 258, 256, 257, 259, 262, 266
OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, COUNTS, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, COLOR_MAP, EXTRA_SAMPLES, SAMPLE_FORMAT = 317, 320, 338, 339
_LONG = {OFFSETS, COUNTS, WIDTH, LENGTH, ROWS_PER_STRIP}

Page = tuple[dict[int, Sequence[int]], list[bytes]]
"""Tags without those that say where data are, and the strips."""


def write(path: Path, pages: Sequence[Page], order: str = "<", big: bool = False) -> None:
    """Write pages, each as its data and then its IFD."""
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(f"{order}HHHQ", 43, 8, 0, 0) if big else struct.pack(f"{order}HI", 42, 0)
    out = bytearray(mark + head)
    offset, count_form, entry_form, inline = ("Q", "Q", "HHQ", 8) if big else ("I", "H", "HHI", 4)
    link = len(out) - inline
    for tags, strips in pages:
        places = []
        for strip in strips:
            places.append(len(out))
            out += strip + bytes(len(strip) % 2)
        tags = {**tags, OFFSETS: places, COUNTS: [len(strip) for strip in strips]}
        entries = bytearray()
        for tag, values in sorted(tags.items()):
            kind, form = (4, "I") if tag in _LONG else (3, "H")
            data = struct.pack(f"{order}{len(values)}{form}", *values)
            if len(data) > inline:
                place = len(out)
                out += data + bytes(len(data) % 2)
                data = struct.pack(order + offset, place)
            entries += struct.pack(order + entry_form, tag, kind, len(values))
            entries += data.ljust(inline, b"\0")
        struct.pack_into(order + offset, out, link, len(out))
        out += struct.pack(order + count_form, len(tags)) + entries
        link = len(out)
        out += bytes(inline)
    path.write_bytes(out)


def strips(rows: Sequence[bytes], height: int, encode: Callable[[bytes], bytes]) -> list[bytes]:
    """Put encoded rows together, so many a strip."""
    return [encode(b"".join(rows[start : start + height])) for start in range(0, len(rows), height)]
