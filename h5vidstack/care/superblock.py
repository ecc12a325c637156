"""Write the first bytes of an HDF5 file anew: little is in them, and nothing opens without.

Source: HDF5 File Format Specification, II.A (superblock, version 3), and Bob Jenkins,
lookup3.c (2006, public domain), its checksum.
"""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

SIZE = 48
_MASK = 0xFFFFFFFF
_UNDEFINED = 0xFFFFFFFFFFFFFFFF


def with_new_superblock(path: Path, copy: Path) -> None:
    """Copy a file and give it the superblock of one that this package wrote.

    The root group's header comes right behind it there.
    """
    shutil.copyfile(path, copy)
    with copy.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        fields = 3, 8, 8, 0, 0, _UNDEFINED, size, SIZE
        head = b"\x89HDF\r\n\x1a\n" + struct.pack("<BBBBQQQQ", *fields)
        file.write(head + struct.pack("<I", _lookup3(head)))


def _lookup3(data: bytes) -> int:
    """Jenkins's hashlittle of bytes whose number is a multiple of 4 and no multiple of 12."""
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    words: tuple[int, ...] = struct.unpack(f"<{len(data) // 4}I", data)
    while len(words) > 3:
        a, b, c = (x + y & _MASK for x, y in zip((a, b, c), words[:3], strict=True))
        a, b, c = _mixed(a, b, c)
        words = words[3:]
    a, b, c = (x + y & _MASK for x, y in zip((a, b, c), (*words, 0, 0)[:3], strict=True))
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = (c ^ b) - _turned(b, turn) & _MASK
        a, b, c = b, c, a
    return b


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    for turn in (4, 6, 8, 16, 19, 4):
        a = (a - c & _MASK) ^ _turned(c, turn)
        c = c + b & _MASK
        a, b, c = b, c, a
    return a, b, c


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _MASK
