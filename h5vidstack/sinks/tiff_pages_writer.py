"""TIFF files written page by page, with the tags of the source and no others.

Libraries add tags of their own, or leave some out, so that words would not come back as they
were. The pixels of a page are one strip, not compressed.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np

from ..shapes import Pixels
from ..sources.tiff.directories import (
    COLOUR_MAP,
    PHOTOMETRIC,
    TYPES,
    Directory,
    Entry,
)
from ..sources.tiff.tiff_metadata import STRUCTURE

_SHORT, _LONG, _LONG8 = 3, 4, 16
_STRIP, _STRIP_BYTES = 273, 279
_EXTRA_SAMPLES, _SUBSAMPLING = 338, 530
_FORMATS = {"b": 1, "u": 1, "i": 2, "f": 3}
"""SampleFormat, by NumPy's kinds."""
_GRAY, _PALETTE, _RGB, _YCBCR = 1, 3, 2, 6
_MEANINGS = {1: {0, 1, 3, 32803, 34892}, 3: {2, 6, 8, 9, 10}, 4: {2, 5}}
"""What samples of 1, 3 and 4 channels may mean, by PhotometricInterpretation."""


class TiffPages:
    """A TIFF that is being written.

    Parameters
    ----------
    file
        A binary file, which is also sought in; it is empty.
    big
        Write a BigTIFF.
    order
        The order of bytes, as `struct` has it.
    """

    def __init__(self, file: BinaryIO, *, big: bool = False, order: str = "<") -> None:
        self._file, self._big, self._order = file, big, order
        mark = b"II" if order == "<" else b"MM"
        head = struct.pack(f"{order}HHHQ", 43, 8, 0, 0) if big else struct.pack(f"{order}HI", 42, 0)
        file.write(mark + head)
        self._end = 2 + len(head)
        self._link = self._end - (8 if big else 4)

    def add(self, pixels: Pixels, said: Directory) -> None:
        """Write a page.

        Parameters
        ----------
        pixels
            ``(H, W[, C])``.
        said
            Tags besides those that say how the pixels lie in the file.
        """
        strip = _samples(pixels, self._order)
        entries = self._entries(pixels, said, len(strip))
        at = self._end + self._end % 2
        size = len(self._block(entries, at))
        entries[_STRIP] = self._numbers(_LONG8 if self._big else _LONG, at + size)
        block = self._block(entries, at)
        self._file.seek(self._link)
        self._file.write(self._offset(at))
        self._file.seek(self._end)
        self._file.write(bytes(at - self._end))
        self._file.write(block)
        self._file.write(strip)
        self._end = at + size + len(strip)
        entry_bytes, count_bytes = (20, 8) if self._big else (12, 2)
        self._link = at + count_bytes + len(entries) * entry_bytes

    def _entries(self, pixels: Pixels, said: Directory, size: int) -> dict[int, Entry]:
        height, width = pixels.shape[:2]
        channels = pixels.shape[2] if pixels.ndim == 3 else 1
        bits = 1 if pixels.dtype.kind == "b" else 8 * pixels.dtype.itemsize
        meaning = _meaning(pixels, channels, said)
        entries = {
            tag: entry
            for tag, entry in said.entries.items()
            if tag not in STRUCTURE and tag not in (PHOTOMETRIC, _EXTRA_SAMPLES)
        }
        if meaning != _PALETTE:
            entries.pop(COLOUR_MAP, None)
        entries |= {
            256: self._numbers(_LONG, width),
            257: self._numbers(_LONG, height),
            258: self._numbers(_SHORT, *[bits] * channels),
            259: self._numbers(_SHORT, 1),
            PHOTOMETRIC: self._numbers(_SHORT, meaning),
            _STRIP: self._numbers(_LONG8 if self._big else _LONG, 0),
            277: self._numbers(_SHORT, channels),
            278: self._numbers(_LONG, height),
            _STRIP_BYTES: self._numbers(_LONG8 if self._big else _LONG, size),
        }
        if channels > 1:
            entries[284] = self._numbers(_SHORT, 1)
        if channels == 4 and meaning == _RGB:
            alpha = (said.values(_EXTRA_SAMPLES) or (2,))[-1]
            entries[_EXTRA_SAMPLES] = self._numbers(_SHORT, alpha)
        if meaning == _YCBCR:
            entries[_SUBSAMPLING] = self._numbers(_SHORT, 1, 1)
        if _FORMATS[pixels.dtype.kind] != 1:
            entries[339] = self._numbers(_SHORT, *[_FORMATS[pixels.dtype.kind]] * channels)
        return entries

    def _numbers(self, kind: int, *values: int) -> Entry:
        data = struct.pack(f"{self._order}{len(values)}{TYPES[kind][1]}", *values)
        return Entry(kind, len(values), data)

    def _offset(self, value: int) -> bytes:
        return struct.pack(f"{self._order}{'Q' if self._big else 'I'}", value)

    def _block(self, entries: Mapping[int, Entry], at: int) -> bytes:
        """Return a directory that stands at an offset, with its values and those within it."""
        inline, form, count = (8, "HHQ", "Q") if self._big else (4, "HHI", "H")
        head_size = struct.calcsize(f"{self._order}{count}") + inline
        behind = at + head_size + len(entries) * (struct.calcsize(f"{self._order}{form}") + inline)
        table, values = struct.pack(f"{self._order}{count}", len(entries)), b""
        for tag, entry in sorted(entries.items()):
            data = entry.data
            if entry.inner is not None:
                inner = self._block(entry.inner.entries, behind + len(values))
                data = self._offset(behind + len(values))
                entry = Entry(_LONG8 if self._big else _LONG, 1, data)
                values += inner
            table += struct.pack(f"{self._order}{form}", tag, entry.kind, entry.number)
            if len(data) <= inline:
                table += data.ljust(inline, b"\0")
            else:
                table += self._offset(behind + len(values))
                values += data + bytes(len(data) % 2)
        return table + self._offset(0) + values


def _samples(pixels: Pixels, order: str) -> bytes:
    """Return pixels as they lie in a file: rows, in which bool takes a bit."""
    if pixels.dtype.kind == "b":
        return np.packbits(pixels, axis=1).tobytes()
    wanted = pixels.dtype.newbyteorder("<" if order == "<" else ">")
    return pixels.astype(wanted, copy=False).tobytes()


def _meaning(pixels: Pixels, channels: int, said: Directory) -> int:
    """Return PhotometricInterpretation: the source's, if the pixels can have it."""
    wanted = said.first(PHOTOMETRIC)
    usual = _GRAY if channels == 1 else _RGB
    if wanted not in _MEANINGS[channels]:
        return usual
    if wanted == _PALETTE:
        bits = 8 * pixels.dtype.itemsize
        whole = len(said.values(COLOUR_MAP)) == 3 << bits
        return _PALETTE if whole and pixels.dtype.kind == "u" and bits <= 16 else usual
    return int(wanted)
