"""Directories of tags, as TIFF files and EXIF have them: read, and kept as JSON.

The JSON of a directory is ``{"271": {"name": "Make", "type": "ASCII", "value": "Zeiss"}, ...}``.
Numbers are a list where there are several; a rational is two numbers. Bytes of no type, long
arrays of bytes, and floats that JSON lacks, are in ``base64`` instead of ``value``, with the least
byte first. A directory in a directory (EXIF, GPS) is in ``tags``.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from .tiff_pages import load_tifffile

Read = Callable[[int, int], bytes]
"""Gives bytes of a file, from an offset; fewer at its end."""

TYPES = {
    1: ("BYTE", "B"), 2: ("ASCII", "s"), 3: ("SHORT", "H"), 4: ("LONG", "I"), 5: ("RATIONAL", "I"),
    6: ("SBYTE", "b"), 7: ("UNDEFINED", "B"), 8: ("SSHORT", "h"), 9: ("SLONG", "i"),
    10: ("SRATIONAL", "i"), 11: ("FLOAT", "f"), 12: ("DOUBLE", "d"), 13: ("IFD", "I"),
    16: ("LONG8", "Q"), 17: ("SLONG8", "q"), 18: ("IFD8", "Q"),
}  # fmt: skip
"""The types of values: their names in the specification, and the codes of `struct`."""
_NUMBERS = {name: kind for kind, (name, _) in TYPES.items()}
_RATIONALS = (5, 10)
ASCII, LONG = 2, 4
EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965
INNER = (EXIF, GPS, INTEROPERABILITY)
"""Tags whose value is the offset of another directory."""
DESCRIPTION, DATE_TIME, XMP, PHOTOSHOP, ICC = 270, 306, 700, 34377, 34675
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
PHOTOMETRIC, COLOUR_MAP = 262, 320
_ORIGINAL, _ORIGINAL_SUBSEC, _SUBSEC = 36867, 37521, 37520
_MOST_BYTES = 64 << 20
"""Larger values are no words."""
_FEW = 4
"""So many bytes are written as numbers."""
_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?Z?\s*")


class Entry(NamedTuple):
    """One tag of a directory.

    Attributes
    ----------
    kind
        The type of its values, as TIFF numbers it.
    number
        How many values there are.
    data
        The values as bytes.
    inner
        The directory that it leads to.
    """

    kind: int
    number: int
    data: bytes
    inner: Directory | None = None


class Directory(NamedTuple):
    """The tags of a page, or of EXIF.

    Attributes
    ----------
    order
        The order of bytes in their values, as `struct` has it.
    entries
        By number.
    """

    order: str
    entries: Mapping[int, Entry]

    def values(self, tag: int) -> tuple[Any, ...]:
        """Return the values of a tag; a rational is two numbers; empty if it is not there."""
        entry = self.entries.get(tag)
        return () if entry is None else _unpacked(entry, self.order)

    def text(self, tag: int) -> str | None:
        """Return the text of a tag."""
        entry = self.entries.get(tag)
        return None if entry is None or entry.kind != ASCII else _text(entry.data)

    def first(self, tag: int) -> Any:
        """Return the first value of a tag; None if it is not there."""
        return next(iter(self.values(tag)), None)


def read_directory(
    read: Read, order: str, at: int, *, big: bool = False, skip: Container[int] = ()
) -> Directory:
    """Read the directory at an offset; values that the file does not have are left out.

    Parameters
    ----------
    read
        Gives bytes of the file.
    order
        ``"<"`` or ``">"``.
    big
        Whether it is of a BigTIFF.
    skip
        Tags that are not wanted.
    """
    return Directory(order, _entries(read, order, at, big, skip, len(INNER)))


def _entries(
    read: Read, order: str, at: int, big: bool, skip: Container[int], depth: int
) -> dict[int, Entry]:
    head, form, inline = ("Q", "HHQ8s", 8) if big else ("H", "HHI4s", 4)
    start = struct.calcsize(f"{order}{head}")
    first = read(at, start)
    if len(first) < start:
        return {}
    (number,) = struct.unpack(f"{order}{head}", first)
    size = struct.calcsize(f"{order}{form}")
    table = read(at + start, min(number, 1 << 16) * size)
    entries: dict[int, Entry] = {}
    for tag, kind, count, value in struct.iter_unpack(
        f"{order}{form}", table[: len(table) // size * size]
    ):
        if tag in skip or kind not in TYPES or tag in entries:
            continue
        length = count * struct.calcsize(TYPES[kind][1]) * (2 if kind in _RATIONALS else 1)
        (offset,) = struct.unpack(f"{order}{'Q' if big else 'I'}", value)
        if length > _MOST_BYTES:
            continue
        data = value[:length] if length <= inline else read(offset, length)
        if len(data) < length:
            continue
        if tag in INNER and depth and count == 1:
            inner = _entries(read, order, offset, big, (), depth - 1)
            if inner:
                entries[tag] = Entry(kind, count, b"", Directory(order, inner))
            continue
        entries[tag] = Entry(kind, count, data)
    return entries


def read_exif(data: bytes) -> Directory | None:
    """Read the first directory of EXIF, which is a TIFF without pixels; None if it is none."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return None
    (at,) = struct.unpack(f"{order}I", data[4:8])
    return read_directory(lambda start, size: data[start : start + size], order, at)


def moment(directory: Directory | None) -> int | None:
    """Return when a picture was taken, in nanoseconds since 1970, without a time zone.

    That is DateTimeOriginal of EXIF, or DateTime; None if neither is there, or is a time.
    """
    if directory is None:
        return None
    exif = directory.entries.get(EXIF)
    if exif is not None and exif.inner is not None:
        found = nanoseconds(exif.inner.text(_ORIGINAL), exif.inner.text(_ORIGINAL_SUBSEC))
        if found is not None:
            return found
    below = None if exif is None or exif.inner is None else exif.inner.text(_SUBSEC)
    return nanoseconds(directory.text(DATE_TIME), below)


def nanoseconds(text: str | None, fraction: str | None = None) -> int | None:
    """Return a time as EXIF, TIFF and ISO 8601 write it, in nanoseconds since 1970."""
    found = _TIME.fullmatch(text or "")
    if found is None:
        return None
    try:
        *parts, below = found.groups()
        year, month, day, hour, minute, second = map(int, parts)
        seconds = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None
    digits = (below or (fraction or "").strip())[:9]
    rest = int(digits.ljust(9, "0")) if digits.isdecimal() and digits.isascii() else 0
    whole = int(seconds) * 10**9 + rest
    return whole if abs(whole) < 2**63 - 1 else None


def pixel_size(directory: Directory) -> tuple[float, float, str] | None:
    """Return height and width of a pixel, and their unit; None where the unit is not known."""
    unit = {2: "inch", 3: "cm"}.get(directory.first(RESOLUTION_UNIT))
    sizes = resolution_sizes(directory)
    return None if unit is None or sizes is None else (*sizes, unit)


def resolution_sizes(directory: Directory) -> tuple[float, float] | None:
    """Return height and width of a pixel in the unit of its resolution."""
    sizes = []
    for tag in (Y_RESOLUTION, X_RESOLUTION):
        values = directory.values(tag)
        if len(values) != 2 or not all(values):
            return None
        sizes.append(values[1] / values[0])
    return sizes[0], sizes[1]


# JSON


def to_json(directory: Directory) -> dict[str, Any]:
    """Return a directory as JSON has it; see the module."""
    tiff = load_tifffile().TIFF
    return _to_json(directory, (tiff.TAGS, tiff.EXIF_TAGS, tiff.GPS_TAGS))


def _to_json(directory: Directory, names: tuple[Any, Any, Any]) -> dict[str, Any]:
    found = {}
    for tag, entry in sorted(directory.entries.items()):
        said: dict[str, Any] = {"name": names[0].get(tag), "type": TYPES[entry.kind][0]}
        if not said["name"]:
            del said["name"]
        if entry.inner is not None:
            own = names[2] if tag == GPS else names[1]
            said["tags"] = _to_json(entry.inner, (own, names[1], names[2]))
        else:
            said |= _value_to_json(entry, directory.order)
        found[str(tag)] = said
    return found


def _value_to_json(entry: Entry, order: str) -> dict[str, Any]:
    values = _unpacked(entry, order)
    if entry.kind == ASCII:
        return {"value": values[0]}
    loose = entry.kind == 7 or (entry.kind in (1, 6) and entry.number > _FEW)
    finite = all(math.isfinite(value) for value in values)
    if loose or not finite or not values:
        data = _in_order(entry.kind, entry.data, order, "<")
        return {"base64": base64.b64encode(data).decode()}
    return {"value": values[0] if len(values) == 1 else list(values)}


def from_json(said: Mapping[str, Any], order: str) -> Directory:
    """Return the directory that `to_json` gave, for a file of this order of bytes."""
    entries = {}
    for tag, value in said.items():
        kind = _NUMBERS[value["type"]]
        if "tags" in value:
            entries[int(tag)] = Entry(LONG, 1, b"", from_json(value["tags"], order))
            continue
        if "base64" in value:
            plain = base64.b64decode(value["base64"])
            data = _in_order(kind, plain, "<", order)
        elif kind == ASCII:
            data = value["value"].encode(errors="surrogateescape") + b"\0"
        else:
            given = value["value"]
            data = _packed(kind, given if isinstance(given, list) else [given], order)
        entries[int(tag)] = Entry(kind, _count(kind, data), data)
    return Directory(order, entries)


def packed_like(directory: Directory, order: str) -> Directory:
    """Return a directory with its values in an order of bytes."""
    entries = {}
    for tag, entry in directory.entries.items():
        if entry.inner is not None:
            entries[tag] = entry._replace(inner=packed_like(entry.inner, order))
        elif entry.kind == ASCII:
            entries[tag] = entry
        else:
            data = _in_order(entry.kind, entry.data, directory.order, order)
            entries[tag] = entry._replace(data=data)
    return Directory(order, entries)


def _count(kind: int, data: bytes) -> int:
    size = struct.calcsize(TYPES[kind][1])
    return len(data) // (2 * size if kind in _RATIONALS else size)


def _unpacked(entry: Entry, order: str) -> tuple[Any, ...]:
    code = TYPES[entry.kind][1]
    if entry.kind == ASCII:
        return (_text(entry.data),)
    count = len(entry.data) // struct.calcsize(code)
    return struct.unpack(f"{order}{count}{code}", entry.data)


def _packed(kind: int, values: Any, order: str) -> bytes:
    return struct.pack(f"{order}{len(values)}{TYPES[kind][1]}", *values)


def _in_order(kind: int, data: bytes, order: str, wanted: str) -> bytes:
    """Return values in another order of bytes; as numbers, some NaN would lose their bits."""
    if order == wanted:
        return data
    size = struct.calcsize(TYPES[kind][1])
    return np.frombuffer(data, f"u{size}").byteswap().tobytes()


def _text(data: bytes) -> str:
    return data.removesuffix(b"\0").decode(errors="surrogateescape")
