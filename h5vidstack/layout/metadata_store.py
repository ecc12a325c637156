"""Metadata in the file (spec/format.md, "Metadata"): dimension scales, columns, attributes, words.

Everything is read only when it is asked for, so that a million names cost nothing at opening.
"""

from __future__ import annotations

import functools
import math
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import h5py
import numpy as np
import numpy.typing as npt
from h5py import h5ds

from ..hdf5 import standard_filters
from ..hdf5.failures import DamageError, damage_as_error
from ..hdf5.standard_filters import shuffled
from ..metadata.coordinates import Column, Coordinate, texts
from ..metadata.description import Metadata, all_frames_axis
from ..metadata.files import SourceFiles
from ..metadata.time_stamps import MISSING, TIME_BASE, time_base, to_seconds, to_ticks
from ..metadata.words import Words, WordsKind
from ..shapes import Shape
from .names import STACK_ATTRIBUTES, STACK_MEMBERS

DIMS, COORDS, ATTRIBUTES = "dims", "coords", "attributes"
"""Attributes of a stack: the names of its axes, of its coordinates, and of what pack was given."""
ND, SOURCE, FILES, FRAMES = "nd", "source", "files", "frames"
STORED_AS = "h5vidstack_dtype"
"""The attribute of a column that says of which dtype its values are, if not of the stored one."""
PAGE_BYTES = 1 << 20
"""Bytes of a chunk of a column."""
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable."
"""How netCDF-4 calls a dimension scale that has no values of its own."""
HDF5_ATTRIBUTES = (
    "CLASS", "NAME", "DIMENSION_LIST", "DIMENSION_LABELS", "REFERENCE_LIST", "_Netcdf4Dimid",
    "_Netcdf4Coordinates", "_NCProperties", "_nc3_strict",
)  # fmt: skip
"""Attributes by which HDF5 and netCDF-4 say how datasets belong together."""
GROUP_NAMES = (*STACK_ATTRIBUTES, *HDF5_ATTRIBUTES)
"""What no attribute of a user is called in a stack's group."""
AUXILIARY = "coordinates"
"""The attribute of `frames` that names coordinates that are no scales, as in the CF conventions."""
_FILE_COLUMNS = {
    "paths": "path", "sizes": "size", "modified": "modified", "sha256": "sha256",
    "file": "file", "image": "image",
}  # fmt: skip
"""The columns of the table of files: fields of `SourceFiles` and names in the file."""
_SCALES = ("scale_factor", "add_offset", "_FillValue")
"""By which attributes CF says that whole numbers mean floats."""
_EPOCH = "1970-01-01"
_UNITS = {
    "D": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds",
    "us": "microseconds", "ns": "nanoseconds",
}  # fmt: skip
"""NumPy's units of time in the words of CF, "Time Coordinate"."""


def stored_name(name: str, reserved: Sequence[str] = STACK_MEMBERS) -> bytes:
    """Return the name in the file of what the user calls so.

    A slash and a percent sign are written as in URLs, and so are the dots of a name of dots. A
    name that the format has for something else gets an underscore.
    """
    safe = name.replace("%", "%25").replace("/", "%2F")
    if name in (".", ".."):
        safe = name.replace(".", "%2E")
    return _unreserved(safe, reserved).encode(errors="surrogateescape")


def user_name(stored: str, reserved: Sequence[str] = STACK_MEMBERS) -> str:
    """Undo `stored_name`."""
    return unquote(_reserved(stored, reserved), errors="surrogateescape")


def _unreserved(name: str, reserved: Sequence[str]) -> str:
    return f"{name}_" if name.rstrip("_") in reserved else name


def _reserved(name: str, reserved: Sequence[str]) -> str:
    return name[:-1] if name.endswith("_") and name.rstrip("_") in reserved else name


# Writing


def write(
    group: h5py.Group, metadata: Metadata, leading: Shape, frame: Shape, dtype: np.dtype[Any]
) -> None:
    """Write what is known of the frames of a stack, instead of what was there.

    Parameters
    ----------
    metadata
        Checked.
    leading, frame
        The lengths of the axes that count frames, and ``(H, W[, C])``.
    dtype
        Of the pixels.
    """
    clear(group)
    per_frame = metadata.frame_axis(leading)
    lengths = metadata.axes(leading, frame) | {per_frame: math.prod(leading)}
    scales: dict[str, h5py.Dataset] = {}
    columns = []
    for name, coordinate in metadata.coords.items():
        column = write_column(group, stored_name(name), coordinate)
        if coordinate.dims == (name,):
            scales[name] = column
        elif coordinate.dims:
            columns.append((column, coordinate.dims))
    for dim, length in lengths.items():
        if dim not in scales:
            scales[dim] = group.create_dataset(stored_name(dim), (length,), ">f4")
            _make_scale(scales[dim], f"{NO_VARIABLE}{length:10}".encode())
        else:
            _make_scale(scales[dim], dim.encode(errors="surrogateescape"))
    for column, dims in columns:
        _attach(column, dims, scales)
    rest = metadata.dims[len(leading) :]
    if FRAMES in group:
        _show(group[FRAMES], (per_frame, *rest), metadata, scales)
        if len(leading) > 1:
            _create_nd(group, (*leading, *frame), dtype)
            _show(group[ND], metadata.dims, metadata, scales)
    write_texts(group, DIMS, metadata.dims)
    write_texts(group, COORDS, [os.fsdecode(stored_name(name)) for name in metadata.coords])
    attrs = {_unreserved(name, GROUP_NAMES): value for name, value in metadata.attrs.items()}
    for name, value in attrs.items():
        write_attribute(group, name, value)
    write_texts(group, ATTRIBUTES, list(attrs))
    _write_source(group, metadata)


def clear(group: h5py.Group) -> None:
    """Remove from a stack what `write` wrote."""
    if FRAMES in group and DIMS in group.attrs:
        own = {"DIMENSION_LIST", "DIMENSION_LABELS", AUXILIARY}
        for name in own & group[FRAMES].attrs.keys():
            del group[FRAMES].attrs[name]
    for name in (*member_names(group), ND, SOURCE):
        if name in group:
            del group[os.fsencode(name)]
    for name in {*attribute_names(group), DIMS, COORDS, ATTRIBUTES} & group.attrs.keys():
        del group.attrs[name]


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


def write_column(group: h5py.Group, name: bytes, coordinate: Coordinate) -> h5py.Dataset:
    """Write the values of a coordinate, in chunks that HDF5's deflate makes small."""
    stored, marks = encoded(coordinate.data, coordinate.attrs)
    dataset = write_values(group, name, stored)
    own = column_names(marks)
    given = {_unreserved(key, own): value for key, value in coordinate.attrs.items()}
    for key, value in {**given, **marks}.items():
        write_attribute(dataset, key, value)
    write_texts(dataset, DIMS, coordinate.dims)
    return dataset


def column_names(marks: Iterable[str]) -> tuple[str, ...]:
    """Return what no attribute of a user is called in a column that has these marks."""
    return (*HDF5_ATTRIBUTES, DIMS, STORED_AS, *marks)


def write_values(group: h5py.Group, name: bytes, values: Column) -> h5py.Dataset:
    """Write an array by HDF5's shuffle and deflate; a single value as it is.

    Chunks are made here and written at once: what h5py keeps in a cache it writes later, where an
    error is not seen.
    """
    little = np.asarray(values, values.dtype.newbyteorder("<"), order="C")
    dtype: Any = little.dtype
    if little.dtype.kind == "S":
        dtype = h5py.string_dtype("utf-8", little.dtype.itemsize)
    if not little.shape or 0 in little.shape:
        return group.create_dataset(name, little.shape, dtype, data=little.astype(dtype))
    row = math.prod(little.shape[1:]) * little.dtype.itemsize
    rows = min(len(little), max(1, PAGE_BYTES // row))
    dataset = group.create_dataset(
        name, little.shape, dtype, chunks=(rows, *little.shape[1:]), shuffle=True,
        compression="gzip", maxshape=(None, *little.shape[1:]),
    )  # fmt: skip
    for first in range(0, len(little), rows):
        chunk = np.zeros((rows, *little.shape[1:]), little.dtype)
        part = little[first : first + rows]
        chunk[: len(part)] = part
        packed = zlib.compress(shuffled(chunk.view(f"V{little.dtype.itemsize}")))
        dataset.id.write_direct_chunk((first, *(0 for _ in little.shape[1:])), packed)
    return dataset


def write_attribute(node: h5py.HLObject, name: str, value: Any) -> None:
    """Write an attribute in a type that every program of HDF5 and netCDF-4 lists."""
    if isinstance(value, (str, bytes)):
        data = value.encode(errors="surrogateescape") if isinstance(value, str) else value
        encoding = "utf-8" if isinstance(value, str) else "ascii"
        node.attrs.create(name, data, dtype=h5py.string_dtype(encoding, max(1, len(data))))
        return
    if isinstance(value, list):
        write_texts(node, name, value)
        return
    array = np.asarray(value)
    if array.dtype.kind == "b":
        array = array.astype(np.int8)  # netCDF-4 cannot list HDF5's enumerations of bool
    node.attrs.create(name, array, dtype=array.dtype.newbyteorder("<"))


def write_texts(node: h5py.HLObject, name: str, texts: Sequence[str]) -> None:
    """Write several texts as an attribute: strings of fixed length (see `names.text`)."""
    data = [text.encode(errors="surrogateescape") for text in texts]
    longest = max(map(len, data), default=0)
    node.attrs.create(
        name, np.array(data, dtype=f"S{max(1, longest)}"),
        dtype=h5py.string_dtype("utf-8", max(1, longest)),
    )  # fmt: skip


def _write_source(group: h5py.Group, metadata: Metadata) -> None:
    """Write the files that frames came from, and what the source says."""
    if metadata.files is None and not metadata.words:
        return
    source = group.create_group(SOURCE)
    if metadata.files is not None:
        table, files = source.create_group(FILES), metadata.files
        for field, name in _FILE_COLUMNS.items():
            values = getattr(files, field)
            if values is not None:
                write_values(table, name.encode(), values)
    for name, words in metadata.words.items():
        said = source.create_group(stored_name(name, (FILES,)))
        write_attribute(said, "kind", str(words.kind))
        ends = np.cumsum([0, *map(len, words.values)], dtype=np.uint64)[1:]
        write_values(said, b"end", ends)
        _write_bytes(said, "data", words.values, int(ends[-1]))
        if words.of is not None:
            write_values(said, b"of", words.of)


def _write_bytes(group: h5py.Group, name: str, values: Sequence[bytes], size: int) -> None:
    """Write byte strings end to end, a page at a time."""
    page = min(max(size, 1), PAGE_BYTES)
    dataset = group.create_dataset(
        name, (size,), np.uint8, chunks=(page,), maxshape=(None,), compression="gzip"
    )
    waiting, first = bytearray(), 0
    for value in (*values, None) if len(values) < 2 else _with_end(values):
        waiting += value or b""
        while len(waiting) >= page or (value is None and waiting):
            part = bytes(waiting[:page]).ljust(page, b"\0")
            dataset.id.write_direct_chunk((first,), zlib.compress(part))
            del waiting[:page]
            first += page


def _with_end(values: Sequence[bytes]) -> Iterator[bytes | None]:
    yield from values
    yield None


def encoded(data: Column, attrs: Mapping[str, Any]) -> tuple[Column, dict[str, Any]]:
    """Return values as HDF5 and netCDF-4 have them, and the attributes that say what they mean."""
    kind = data.dtype.kind
    if kind == "b":
        return data.astype(np.uint8), {STORED_AS: "bool", "dtype": "bool"}
    if kind in "Mm":
        unit, step = np.datetime_data(data.dtype)
        if unit not in _UNITS or step != 1:
            data = data.astype(f"{kind}8[ns]")
            unit = "ns"
        marks = {STORED_AS: data.dtype.str[1:], "units": _UNITS[unit]}
        if kind == "M":
            marks |= {"units": f"{_UNITS[unit]} since {_EPOCH}", "calendar": "proleptic_gregorian"}
        else:
            marks |= {"dtype": f"timedelta64[{unit}]"}
        return data.view(np.int64), marks
    if kind == "f" and data.ndim == 1:
        return _regular(data) or _timed(data, attrs) or (data, {})
    return data, {}


def _timed(data: Column, attrs: Mapping[str, Any]) -> tuple[Column, dict[str, Any]] | None:
    """Return seconds as time stamps in the unit that the attributes name, if these are exact."""
    base = time_base(attrs)
    ticks = None if base is None else to_ticks(data, base)
    if base is None or ticks is None:
        return None
    marks = {STORED_AS: "float64", "scale_factor": float(base)}
    if (ticks == MISSING).any():
        marks["_FillValue"] = np.int64(MISSING)
    return ticks, marks


def _regular(data: Column) -> tuple[Column, dict[str, Any]] | None:
    """Return floats in equal steps as whole numbers, if these give the same floats."""
    if len(data) < 3 or data.dtype != np.float64 or not np.isfinite(data).all():
        return None
    count = np.arange(len(data), dtype=np.int32)
    offset = float(data[0])
    for step in (float(data[1] - data[0]), float((data[-1] - data[0]) / (len(data) - 1))):
        marks = {"scale_factor": step, "add_offset": offset, STORED_AS: "float64"}
        if np.array_equal(_scaled(count, marks).view(np.uint64), data.view(np.uint64)):
            return count, marks
    return None


def _scaled(data: Column, marks: Mapping[str, Any]) -> Column:
    values: Column = data * np.float64(marks["scale_factor"]) + np.float64(marks["add_offset"])
    return values


def _make_scale(data: h5py.Dataset, name: bytes) -> None:
    h5ds.set_scale(data.id, name)


def _attach(data: h5py.Dataset, dims: Sequence[str], scales: Mapping[str, h5py.Dataset]) -> None:
    for axis, dim in enumerate(dims):
        h5ds.attach_scale(data.id, scales[dim].id, axis)
        h5ds.set_label(data.id, axis, dim.encode(errors="surrogateescape"))


def _show(
    data: h5py.Dataset,
    dims: Sequence[str],
    metadata: Metadata,
    scales: Mapping[str, h5py.Dataset],
) -> None:
    """Attach the scales of the axes of a dataset, and name the other coordinates that it has."""
    _attach(data, dims, scales)
    stored = [
        os.fsdecode(stored_name(name))
        for name, coordinate in metadata.coords.items()
        if coordinate.dims != (name,) and set(coordinate.dims) <= set(dims)
    ]
    named = [name for name in stored if not any(letter.isspace() for letter in name)]
    if named:
        write_attribute(data, AUXILIARY, " ".join(named))


def _create_nd(group: h5py.Group, shape: Shape, dtype: np.dtype[Any]) -> None:
    """Make the virtual dataset that shows `frames` with all axes, in one mapping."""
    frames = group[FRAMES]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    target, source = h5py.h5s.create_simple(shape), h5py.h5s.create_simple(frames.shape)
    path = f"{group.name.rstrip('/')}/{FRAMES}".replace("%", "%%")
    plist.set_virtual(target, b".", path.encode(), source)
    h5py.h5d.create(group.id, ND.encode(), h5py.h5t.py_create(dtype), target, plist)


# Reading


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


def user_attributes(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what users and sources say of a stack, from all attributes of its group."""
    return {
        _reserved(name, GROUP_NAMES): plain_attribute(value)
        for name, value in attrs.items()
        if name not in STACK_ATTRIBUTES and name not in HDF5_ATTRIBUTES
    }


def plain_attribute(value: Any) -> Any:
    """Return the value of an attribute: a text, a number, or an array or list of these."""
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind == "S":
        found = texts(value)
        return found.tolist() if value.ndim == 1 else found
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return value.tolist()
    return value


def read_coordinate(group: h5py.Group, name: str, load: Callable[[], Column]) -> Coordinate:
    """Return a coordinate of a stack; `load` reads its values when they are asked for."""
    data = group[stored_name(name)]
    attrs = dict(data.attrs)
    marks = {key: attrs.pop(key) for key in _marked(attrs)}
    dims = read_texts(data, DIMS)
    dtype = np.dtype(plain_attribute(marks[STORED_AS])) if STORED_AS in marks else data.dtype
    if dtype.kind == "S":
        dtype = np.dtype(f"U{dtype.itemsize}")
    own = column_names(marks)
    kept = {
        _reserved(key, own): plain_attribute(value)
        for key, value in attrs.items()
        if key not in own
    }
    return Coordinate(dims, data.shape, dtype, kept, load=load)


def read_column(group: h5py.Group, name: str) -> Column:
    """Return the values of a coordinate."""
    data = group[stored_name(name)]
    stored = standard_filters.read(data)
    stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    if STORED_AS not in data.attrs:
        return stored
    dtype = np.dtype(plain_attribute(data.attrs[STORED_AS]))
    if dtype.kind in "Mm":
        return stored.view(dtype)
    if dtype.kind == "b":
        return stored.astype(bool)
    if stored.dtype == np.int64:
        base = time_base({TIME_BASE: plain_attribute(data.attrs.get(TIME_BASE))})
        if base is None:
            raise DamageError(f"{data.name} has no sound attribute {TIME_BASE}")
        return to_seconds(stored, base)
    return _scaled(stored, dict(data.attrs))


def _marked(attrs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which attributes say how values are stored."""
    if STORED_AS not in attrs:
        return ()
    dtype = np.dtype(plain_attribute(attrs[STORED_AS]))
    more = {
        "b": ("dtype",), "M": ("units", "calendar"), "m": ("units", "dtype"), "f": _SCALES,
    }  # fmt: skip
    return (STORED_AS, *(key for key in more.get(dtype.kind, ()) if key in attrs))


def read_files(group: h5py.Group) -> SourceFiles | None:
    """Return the files that the frames of a stack came from."""
    if f"{SOURCE}/{FILES}" not in group:
        return None
    table = group[f"{SOURCE}/{FILES}"]
    columns: dict[str, Any] = {
        field: standard_filters.read(table[name]) if name in table else None
        for field, name in _FILE_COLUMNS.items()
    }
    return SourceFiles(**columns)


def word_names(group: h5py.Group) -> tuple[str, ...]:
    """Return the names of what the source says of itself."""
    if SOURCE not in group:
        return ()
    return tuple(user_name(name, (FILES,)) for name in group[SOURCE] if name != FILES)


def read_words(
    group: h5py.Group, name: str, read: Callable[[int, int], bytes] | None = None
) -> Words:
    """Return what the source says under a name; `read` gives bytes when they are asked for."""
    said = group[SOURCE][stored_name(name, (FILES,))]
    kind = WordsKind(plain_attribute(said.attrs["kind"]))
    ends = standard_filters.read(said["end"]).astype(np.uint64)
    of = standard_filters.read(said["of"]).astype(np.uint32) if "of" in said else None
    take = read or functools.partial(read_word_bytes, group, name)
    return Words(kind, StoredValues(ends, take), of)


def read_word_bytes(group: h5py.Group, name: str, start: int, stop: int) -> bytes:
    """Return a piece of all values of a name, which lie end to end."""
    data = group[SOURCE][stored_name(name, (FILES,))]["data"]
    page = data.chunks[0]
    first = start // page * page
    pages = [
        standard_filters.read_chunk(data, (offset,)).tobytes()
        for offset in range(first, stop, page)
    ]
    return b"".join(pages)[start - first : stop - first]


class StoredValues(Sequence[bytes]):
    """Byte strings that lie end to end in a file, each read when it is asked for."""

    def __init__(self, ends: npt.NDArray[np.uint64], read: Callable[[int, int], bytes]) -> None:
        self._ends, self._read = ends, read
        self._held = 0, b""  # where the bytes that were read last begin, and these

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        if not 0 <= place < len(self._ends):
            raise IndexError(place)
        start = int(self._ends[place - 1]) if place else 0
        stop = int(self._ends[place])
        first, held = self._held
        if not first <= start <= stop <= first + len(held):
            # Whole chunks, since neighbours are mostly asked for next.
            first = start // PAGE_BYTES * PAGE_BYTES
            last = min(-(-stop // PAGE_BYTES) * PAGE_BYTES, int(self._ends[-1]))
            held = self._read(first, last)
            self._held = first, held
        return held[start - first : stop - first]


def read(group: h5py.Group, attrs: Mapping[str, Any]) -> Metadata:
    """Return all that is known of the frames of a stack in an open file; values come on demand."""
    with damage_as_error(str(group.name)):
        names = coordinate_names(group)
        return Metadata(
            read_dims(group),
            {
                name: read_coordinate(group, name, functools.partial(read_column, group, name))
                for name in names
            },
            user_attributes(attrs),
            {name: read_words(group, name) for name in word_names(group)},
            read_files(group),
        )
