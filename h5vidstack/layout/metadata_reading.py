"""Read metadata of a stack: dimension scales, columns, attributes, words.

Everything is read only when it is asked for, so that a million names cost nothing at opening.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..hdf5 import standard_filters
from ..hdf5.failures import DamageError, damage_as_error
from ..metadata.coordinates import Column, Coordinate
from ..metadata.description import Metadata, all_frames_axis
from ..metadata.files import SourceFiles
from ..metadata.words import NOTHING, ByteValues, Words, WordsKind
from .column_values import (
    described,
    is_stored,
    plain_attribute,
    stored_dtype,
    values_of,
)
from .metadata_names import (
    ATTRIBUTES,
    COORDS,
    DIMS,
    FILE_COLUMNS,
    FILES,
    GROUP_NAMES,
    PAGE_BYTES,
    SOURCE,
    given_name,
    stored_name,
    user_name,
)
from .names import ND, SEPARATOR, TABLE_CRC

_FILE_FIELDS = ("paths", "sizes", "modified")
"""Those that are always there."""


def read_texts(node: h5py.HLObject, name: str) -> tuple[str, ...]:
    """Return several texts from an attribute; none if it is not there."""
    if name not in node.attrs:
        return ()
    value = np.asarray(node.attrs[name])
    if value.dtype.kind != "S" or value.ndim != 1:
        raise DamageError(f"the attribute {name} is not several strings of fixed length")
    return tuple(text.decode(errors="surrogateescape") for text in value.tolist())


def read_dims(group: h5py.Group) -> tuple[str, ...]:
    """Return the names of the axes of a stack; none if nobody named them."""
    return read_texts(group, DIMS)


def coordinate_names(group: h5py.Group) -> tuple[str, ...]:
    """Return the names of the coordinates of a stack."""
    return tuple(user_name(stored) for stored in read_texts(group, COORDS))


def member_names(group: h5py.Group) -> tuple[str, ...]:
    """Return the names of the coordinates and dimension scales of a stack, as they are stored."""
    dims = read_texts(group, DIMS)
    if ND in group or "leading_shape" in group.attrs:
        dims = (*dims, all_frames_axis(dims))
    scales = [os.fsdecode(stored_name(dim)) for dim in dims]
    return tuple(dict.fromkeys((*read_texts(group, COORDS), *scales)))


def attribute_names(group: h5py.Group) -> tuple[str, ...]:
    """Return the names of the attributes that a stack was given, as they are stored."""
    return read_texts(group, ATTRIBUTES)


def user_attributes(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what users and sources say of a stack, from all attributes of its group."""
    return {
        given_name(name, GROUP_NAMES): plain_attribute(value)
        for name, value in attrs.items()
        if name not in GROUP_NAMES and is_plain(value)
    }


def is_plain(value: Any) -> bool:
    """Whether an attribute is texts or numbers: other programs may have put others there."""
    return not isinstance(value, h5py.Empty) and np.asarray(value).dtype.kind in "biufSU"


def read_coordinate(
    group: h5py.Group, name: str, load: Callable[[], Column], frames: int | None = None
) -> Coordinate:
    """Return a coordinate of a stack; `load` reads its values when they are asked for.

    Parameters
    ----------
    frames
        The number of frames of a stack that is being recorded, whose columns may be longer.
    """
    data = _column_of(group, name)
    kept, dtype = described(data)
    shape = data.shape
    if frames is not None and TABLE_CRC in data.attrs:
        shape = (min(frames, shape[0]),)
    return Coordinate(read_texts(data, DIMS), shape, dtype, kept, load=load)


def read_column(group: h5py.Group, name: str, frames: int | None = None) -> Column:
    """Return the values of a coordinate; see `read_coordinate`."""
    return values_of(_column_of(group, name), frames)


def _column_of(group: h5py.Group, name: str) -> h5py.Dataset:
    """Return the dataset of a coordinate, of a type that coordinates have."""
    stored = stored_name(name)
    data = group[stored] if group.id.links.exists(stored) else None
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "iufS":
        raise DamageError(f"the coordinate {name} is missing, or holds neither numbers nor texts")
    dtype = stored_dtype(data.attrs)
    if dtype is not None and not is_stored(data.dtype, dtype):
        raise DamageError(f"the coordinate {name} is of {data.dtype}, which is not stored {dtype}")
    return data


def read_files(group: h5py.Group) -> SourceFiles | None:
    """Return the files that the frames of a stack came from."""
    source = _member(group, SOURCE)
    table = None if source is None else _member(source, FILES)
    if table is None:
        return None
    columns: dict[str, Any] = {
        field: _values(table, name, kinds) if field in _FILE_FIELDS or _has(table, name) else None
        for field, (name, kinds) in FILE_COLUMNS.items()
    }
    count = len(columns["paths"])
    if columns["sha256"] is not None and columns["sha256"].shape != (count, 32):
        raise DamageError(f"{table.name}/sha256 has not 32 bytes for each of {count} files")
    if {len(columns[field]) for field in _FILE_FIELDS} != {count}:
        raise DamageError(f"{table.name} has not one path, size and time for each file")
    file = columns["file"]
    if file is not None and ((file >= count) & (file != NOTHING)).any():
        raise DamageError(f"{table.name}/file names a file that is not one of {count}")
    return SourceFiles(**columns)


def _has(group: h5py.Group, name: str) -> bool:
    """Whether a group has a member of a name, be it damaged."""
    return bool(group.id.links.exists(name.encode()))


def _member(group: h5py.Group, name: str) -> h5py.Group | None:
    """Return a group in a group; None if there is nothing of this name."""
    if not _has(group, name):
        return None
    found = group[name]
    if not isinstance(found, h5py.Group):
        raise DamageError(f"{group.name}/{name} is no group")
    return found


def _values(group: h5py.Group, name: str, kinds: str) -> Any:
    """Return all values of a table of what the source says, or raise DamageError."""
    found = group.get(name) if isinstance(group, h5py.Group) else None
    if not isinstance(found, h5py.Dataset) or found.ndim < 1 or found.dtype.kind not in kinds:
        raise DamageError(f"{group.name}/{name} is missing, or holds something else")
    return standard_filters.read(found)


def word_names(group: h5py.Group) -> tuple[str, ...]:
    """Return the names of what the source says of itself."""
    source = _member(group, SOURCE)
    if source is None:
        return ()
    return tuple(user_name(name, (FILES,)) for name in source if name != FILES)


def read_words(
    group: h5py.Group, name: str, read: Callable[[int, int], bytes] | None = None
) -> Words:
    """Return what the source says under a name; `read` gives bytes when they are asked for."""
    said = _said(group, name)
    kind = plain_attribute(said.attrs.get("kind", b""))
    if kind not in list(WordsKind):
        raise DamageError(f"{said.name} is of the unknown kind {kind!r}")
    ends = _values(said, "end", "u").astype(np.uint64)
    of = _values(said, "of", "u").astype(np.uint32) if _has(said, "of") else None
    data = said.get("data")
    sound = isinstance(data, h5py.Dataset) and data.ndim == 1 and data.dtype == np.uint8
    if not sound or not standard_filters.is_plain(data):
        raise DamageError(f"{said.name}/data is missing, or holds something else")
    if ends.ndim != 1 or not len(ends) or (np.diff(ends.astype(np.int64)) < 0).any():
        raise DamageError(f"{said.name}/end does not say where values end")
    if int(ends[-1]) > len(data):
        raise DamageError(f"{said.name}/end goes on behind the {len(data)} bytes of all values")
    if of is None and len(ends) != 1:
        raise DamageError(f"{said.name} has {len(ends)} values, but not which frame has which")
    if of is not None and ((of >= len(ends)) & (of != NOTHING)).any():
        raise DamageError(f"{said.name}/of names a value that is not one of {len(ends)}")
    take = read or functools.partial(read_word_bytes, group, name)
    return Words(WordsKind(kind), StoredValues(ends, take), of)


def _said(group: h5py.Group, name: str) -> h5py.Group:
    said = group[SOURCE].get(stored_name(name, (FILES,)))
    if not isinstance(said, h5py.Group):
        raise DamageError(f"{group.name}/{SOURCE}/{name} is no group")
    return said


def read_word_bytes(group: h5py.Group, name: str, start: int, stop: int) -> bytes:
    """Return a piece of all values of a name, which lie end to end."""
    with damage_as_error(f"{group.file.filename}{SEPARATOR}{group.name}"):
        data = _said(group, name)["data"]
        page = data.chunks[0]
        first = start // page * page
        pages = [
            standard_filters.read_chunk(data, (offset,)).tobytes()
            for offset in range(first, stop, page)
        ]
        return b"".join(pages)[start - first : stop - first]


class StoredValues(ByteValues):
    """Byte strings that lie end to end in a file, each read when it is asked for.

    A page around the last one is kept, so that reading them in order reads each page once.
    """

    def __init__(self, ends: npt.NDArray[np.uint64], read: Callable[[int, int], bytes]) -> None:
        self._ends, self._read = ends, read
        self._known: tuple[int, bytes] = 0, b""

    def __len__(self) -> int:
        return len(self._ends)

    def value_at(self, place: int) -> bytes:
        """See `ByteValues`."""
        start = int(self._ends[place - 1]) if place else 0
        stop = int(self._ends[place])
        first, known = self._known
        if not first <= start <= stop <= first + len(known):
            first, known = self._around(start, stop)
            self._known = first, known
        return known[start - first : stop - first]

    def _around(self, start: int, stop: int) -> tuple[int, bytes]:
        """Return a page that holds a value, or the value alone where the page is damaged."""
        first = start // PAGE_BYTES * PAGE_BYTES
        last = min(max(stop, first + PAGE_BYTES), int(self._ends[-1]))
        try:
            return first, self._read(first, last)
        except FormatError:
            return start, self._read(start, stop)


def read(group: h5py.Group, attrs: Mapping[str, Any]) -> Metadata:
    """Return all that is known of the frames of a stack in an open file; values come on demand."""
    with damage_as_error(f"{group.file.filename}{SEPARATOR}{group.name}"):
        return Metadata(
            read_dims(group),
            {name: coordinate_of(group, name) for name in coordinate_names(group)},
            user_attributes(attrs),
            {name: read_words(group, name) for name in word_names(group)},
            read_files(group),
        )


def coordinate_of(group: h5py.Group, name: str, frames: int | None = None) -> Coordinate:
    """Return a coordinate of a stack in an open file; see `read_coordinate`."""

    def load() -> Column:
        with damage_as_error(f"{group.file.filename}{SEPARATOR}{group.name}/{name}"):
            return read_column(group, name, frames)

    return read_coordinate(group, name, load, frames)
