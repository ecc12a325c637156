"""What ImageJ says of a TIFF: its description, and the labels among its metadata."""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...metadata.column_file import spaced
from ...metadata.coordinates import Coordinate
from .directories import Directory, resolution_sizes
from .ome import Planes, finite_number

BYTE_COUNTS, METADATA = 50838, 50839
LABEL = "label"
LABELS = "labl"
"""The kind of items that are labels, one for each frame."""
_SECONDS = "sec"
"""ImageJ's unit of `finterval` where a file leaves it out."""
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")


class Items(NamedTuple):
    """What is in ImageJ's metadata.

    Attributes
    ----------
    order
        The order of bytes, as `struct` has it.
    values
        The values of each kind, a name of four letters.
    """

    order: str
    values: Mapping[str, list[bytes]]


@dataclass(frozen=True)
class ImagejDescription:
    """What ImageJ says of a series; attributes are as of `OmeDescription`."""

    coords: dict[str, Coordinate] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)


def describe(text: str, directory: Directory, planes: Planes) -> ImagejDescription:
    """Return what the description and the tags of the first page say of the pages.

    Parameters
    ----------
    text
        The description.
    directory
        The tags of the first page.
    planes
        What the pages are.
    """
    said = settings(text)
    found = ImagejDescription()
    unit = said.get("unit")
    sizes = resolution_sizes(directory)
    if unit is not None and unit not in ("pixel", "pixels") and sizes is not None:
        units = (said.get("yunit", unit), unit)
        for name, edge, step, own in zip("yx", planes.frame, sizes, units, strict=False):
            found.coords[name] = spaced(name, edge, step, own)
    spacing, interval = finite_number(said.get("spacing")), finite_number(said.get("finterval"))
    if spacing and "Z" in planes.lengths and unit is not None:
        own = said.get("zunit", unit)
        found.coords["Z"] = spaced("Z", planes.lengths["Z"], spacing, own)
    if interval and "T" in planes.lengths:
        own = said.get("tunit", _SECONDS)
        found.coords["T"] = spaced("T", planes.lengths["T"], interval, own)
    low, high = finite_number(said.get("min")), finite_number(said.get("max"))
    if low is not None and high is not None:
        found.attrs["display_range"] = np.array([low, high])
    count = int(np.prod(tuple(planes.lengths.values())))
    labels = [*_labels(directory)][:count]
    if any(labels):
        labels += [""] * (count - len(labels))
        found.coords[LABEL] = Coordinate.of((planes.frame_axis,), labels)
    return found


def settings(text: str) -> dict[str, str]:
    """Return the lines ``key=value`` of a description; ImageJ's escapes are undone."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {
        key.strip(): _ESCAPE.sub(lambda found: chr(int(found[1], 16)), value.strip())
        for key, _, value in pairs
    }


def parse_items(data: bytes, counts: Sequence[int]) -> Items:
    """Return ImageJ's metadata; empty if they are damaged.

    Parameters
    ----------
    data
        The value of the tag `METADATA`, in the order of bytes of its file.
    counts
        That of `BYTE_COUNTS`: how long the header is, and each value.
    """
    order = {b"IJIJ": ">", b"JIJI": "<"}.get(data[:4])
    if order is None or not counts or not 4 <= counts[0] <= len(data):
        return Items(">", {})
    kinds = list(struct.iter_unpack(f"{order}4sI", data[4 : 4 + (counts[0] - 4) // 8 * 8]))
    if sum(number for _, number in kinds) != len(counts) - 1 or sum(counts) > len(data):
        return Items(order, {})
    values, lengths, at = dict[str, list[bytes]](), iter(counts[1:]), counts[0]
    for kind, number in kinds:
        name = (kind if order == ">" else kind[::-1]).decode("latin1")
        for length in itertools.islice(lengths, number):
            values.setdefault(name, []).append(data[at : at + length])
            at += length
    return Items(order, values)


def packed_items(items: Items) -> tuple[bytes, list[int]]:
    """Return the values of the tags `METADATA` and `BYTE_COUNTS`; undo `parse_items`."""
    mark = b"IJIJ" if items.order == ">" else b"JIJI"
    for kind, values in items.values.items():
        name = kind.encode("latin1")
        mark += struct.pack(
            f"{items.order}4sI", name if items.order == ">" else name[::-1], len(values)
        )
    bodies = list(itertools.chain.from_iterable(items.values.values()))
    return b"".join([mark, *bodies]), [len(mark), *map(len, bodies)]


def _labels(directory: Directory) -> list[str]:
    entry = directory.entries.get(METADATA)
    if entry is None:
        return []
    items = parse_items(entry.data, directory.values(BYTE_COUNTS))
    code = "utf-16-be" if items.order == ">" else "utf-16-le"
    found = items.values.get(LABELS, [])
    return [label.decode(code, errors="replace").rstrip("\0") for label in found]
