"""The stored mappings of a virtual dataset, as bytes: HDF5 crashes on damaged ones.

They lie in a global heap, of which HDF5 keeps no checksum; so a stack keeps one (spec/format.md,
"Layout"). Source: HDF5 File Format Specification, III.E (global heap), IV.A.1.b (object
headers), IV.A.2.i (layout message).
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator

import h5py

from .failures import DamageError, check_system

Read = Callable[[int, int], bytes]
"""Gives some bytes of the file: start, length."""

_LAYOUT, _CONTINUATION = 0x08, 0x10
_VIRTUAL = 3


def mappings_crc32(group: h5py.Group, name: str, raw: io.RawIOBase | None = None) -> int:
    """CRC-32 of the mappings of a virtual dataset in a file that is flushed.

    The dataset is not opened.

    Parameters
    ----------
    raw
        The bytes of the file, if it is a remote one.

    Raises
    ------
    DamageError
        If it has none, or its header is damaged, or of a form unknown here.
    """
    file = group.file
    address = group.id.links.get_info(name.encode()).u
    with raw or _opened_again(file.filename) as data:
        base, size = file.userblock_size, data.seek(0, os.SEEK_END)

        def read(start: int, length: int) -> bytes:
            if not 0 <= start <= start + length <= size - base:
                raise DamageError(f"{length} bytes at {start} are not in the file")
            data.seek(base + start)
            return data.read(length) or b""

        try:
            for kind, message in _messages(read, address):
                if kind == _LAYOUT and message[1] == _VIRTUAL:
                    heap, index = struct.unpack_from("<QI", message, 2)
                    return zlib.crc32(_heap_object(read, heap, index))
        except (struct.error, IndexError) as error:
            raise DamageError(f"its header is damaged: {error}") from error
    raise DamageError("it is no virtual dataset")


def _opened_again(path: str) -> io.RawIOBase:
    """Open the file whose mappings are read beside HDF5."""
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        check_system(error, path)
        raise DamageError(f"its file cannot be opened again: {error}") from error


def _messages(read: Read, address: int) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of the messages of an object header of version 2."""
    head = read(address, 6)
    if head[:5] != b"OHDR\x02":
        raise DamageError("its header is damaged, or of HDF5's oldest form")
    flags = head[5]
    start = address + 6 + 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
    width = 1 << (flags & 3)
    parts = [(start + width, int.from_bytes(read(start, width), "little"))]
    extra = 2 * bool(flags & 4)  # the order in which messages were made
    for at, length in parts:  # continuations are added on the way
        data = read(at, length)
        place = 0
        while place + 4 + extra <= length:
            kind, size = struct.unpack_from("<BH", data, place)
            message = data[place + 4 + extra :][:size]
            place += 4 + extra + size
            if kind == _CONTINUATION and len(parts) < 100:
                block, whole = struct.unpack("<QQ", message)
                if read(block, 4) != b"OCHK":
                    raise DamageError("its header is damaged")
                parts.append((block + 4, whole - 8))  # without signature and checksum
            yield kind, message


def _heap_object(read: Read, heap: int, index: int) -> bytes:
    """An object of a global heap, all of which must be sound: else HDF5 may never come back."""
    head = read(heap, 16)
    if head[:5] != b"GCOL\x01":
        raise DamageError("its global heap is damaged")
    data, place, found = read(heap, int.from_bytes(head[8:], "little")), 16, None
    while place + 16 <= len(data):
        number, size = struct.unpack_from("<H6xQ", data, place)
        step = 16 + (size + 7) // 8 * 8 if number else size  # 0 is what is free
        if not 16 <= step <= len(data) - place:
            raise DamageError("its global heap is damaged")
        if number == index:
            found = data[place + 16 : place + 16 + size]
        place += step
    if found is None:
        raise DamageError("its global heap is damaged: the mappings are not in it")
    return found
