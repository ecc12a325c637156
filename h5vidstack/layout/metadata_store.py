"""Metadata in the file (spec/format.md, "Metadata"): dimension scales, columns, attributes, words.

Everything is read only when it is asked for, so that a million names cost nothing at opening.
"""

from __future__ import annotations

import functools
import math
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import h5py
import numpy as np
import numpy.typing as npt
from h5py import h5ds

from ..errors import FormatError
from ..hdf5 import standard_filters
from ..hdf5.failures import DamageError, damage_as_error
from ..hdf5.standard_filters import shuffled
from ..metadata.coordinates import FILL, Column, Coordinate, same_attrs, texts
from ..metadata.description import Metadata, all_frames_axis
from ..metadata.files import SourceFiles
from ..metadata.time_stamps import MISSING, TIME_BASE, time_base, to_seconds, to_ticks
from ..metadata.words import NOTHING, ByteValues, Words, WordsKind
from ..shapes import Shape
from . import view
from .names import ND, SEPARATOR, STACK_ATTRIBUTES, STACK_MEMBERS, TABLE_CRC, scalar

DIMS, COORDS, ATTRIBUTES = "dims", "coords", "attributes"
"""Attributes of a stack: the names of its axes, of its coordinates, and of what pack was given."""
SOURCE, FILES, FRAMES = "source", "files", "frames"
STORED_AS = "h5vidstack_dtype"
"""The attribute of a column that says of which dtype its values are, if not of the stored one."""
PAGE_BYTES = 1 << 20
"""Bytes of a chunk of a column."""
REGULAR_VALUES = 4096
"""So many floats in equal steps are stored as whole numbers. Fewer of them take little room, and
programs that know HDF5 alone read floats more easily."""
LIVE_ROWS = 1024
"""Rows of a chunk of a column that grows."""
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
    "paths": ("path", "S"), "sizes": ("size", "u"), "modified": ("modified", "i"),
    "sha256": ("sha256", "u"), "file": ("file", "u"), "image": ("image", "u"),
}  # fmt: skip
"""The table of files: fields of `SourceFiles`, names of columns, and kinds of their values."""
_FILE_FIELDS = ("paths", "sizes", "modified")
"""Those that are always there."""
_SCALES = ("scale_factor", "add_offset")
"""By which attributes CF says that whole numbers mean floats."""
_EPOCH = "1970-01-01"
_UNITS = {
    "D": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds",
    "us": "microseconds", "ns": "nanoseconds",
}  # fmt: skip
"""NumPy's units of time in the words of CF, "Time Coordinate"."""
_UNSAFE = re.compile("[\x00-\x1f\x7f%/\udc80-\udcff]")
"""What does not stand in the name of a link; netCDF-4 takes no control characters."""
_STORED_TYPES = {
    ("b", 1): ("u1",), ("M", 8): ("i8",), ("m", 8): ("i8",), ("f", 2): ("f4",),
    ("f", 8): ("i4", "i8"),
}  # fmt: skip
"""The types in the file of values of a kind and size that the attribute `STORED_AS` names."""


def stored_name(name: str, reserved: Sequence[str] = STACK_MEMBERS) -> bytes:
    """Return the name in the file of what the user calls so.

    A slash, a percent sign, control characters, and bytes that are no UTF-8 are written as in URLs,
    and so are the dots of a name of dots. A name that the format has for something else gets an
    underscore.
    """
    if name in (".", ".."):
        return name.replace(".", "%2E").encode()
    safe = _UNSAFE.sub(_escaped, name)
    return unreserved(safe, reserved).encode()


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode(errors="surrogateescape"))


def user_name(stored: str, reserved: Sequence[str] = STACK_MEMBERS) -> str:
    """Undo `stored_name`."""
    return unquote(_reserved(stored, reserved), errors="surrogateescape")


def unreserved(name: str, reserved: Sequence[str]) -> str:
    """Return a name with one more underscore, if it is reserved but for underscores behind it."""
    return f"{name}_" if name.rstrip("_") in reserved else name


def _reserved(name: str, reserved: Sequence[str]) -> str:
    return name[:-1] if name.endswith("_") and name.rstrip("_") in reserved else name


# Writing


def write(
    group: h5py.Group,
    metadata: Metadata,
    leading: Shape,
    frame: Shape,
    dtype: np.dtype[Any],
    *,
    growing: bool = False,
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
    growing
        Whether frames will be recorded, with values in columns that are empty yet.
    """
    clear(group)
    per_frame = metadata.frame_axis(leading)
    lengths = metadata.axes(leading, frame) | {per_frame: math.prod(leading)}
    grows = per_frame if growing else None
    scales = write_coordinates(group, metadata, lengths, grows)
    _show_axes(group, metadata, scales, leading, frame, dtype)
    write_texts(group, DIMS, metadata.dims)
    write_texts(group, COORDS, [os.fsdecode(stored_name(name)) for name in metadata.coords])
    # What others say at the stack in just these words stays as they wrote it.
    held = {name: group.attrs[name] for name in group.attrs if name not in GROUP_NAMES}
    said = {name: plain_attribute(value) for name, value in held.items() if _is_plain(value)}
    attrs = {unreserved(name, GROUP_NAMES): value for name, value in metadata.attrs.items()}
    attrs = {
        name: value
        for name, value in attrs.items()
        if name not in said or not same_attrs({name: said[name]}, {name: value})
    }
    for name, value in attrs.items():
        write_attribute(group, name, value)
    write_texts(group, ATTRIBUTES, list(attrs))
    _write_source(group, metadata)


def show_again(group: h5py.Group, leading: Shape, frame: Shape, dtype: np.dtype[Any]) -> None:
    """Make `nd`, and attach the scales that are there, after `frames` was made anew."""
    metadata = read(group, {})
    if metadata.dims:
        lengths = metadata.axes(leading, frame) | {metadata.frame_axis(leading): 0}
        scales = {dim: group[stored_name(dim)] for dim in lengths}
        _show_axes(group, metadata, scales, leading, frame, dtype)


def _show_axes(
    group: h5py.Group,
    metadata: Metadata,
    scales: Mapping[str, h5py.Dataset],
    leading: Shape,
    frame: Shape,
    dtype: np.dtype[Any],
) -> None:
    if FRAMES not in group:
        return
    axes = metadata.frame_axis(leading), *metadata.dims[len(leading) :]
    _show(group[FRAMES], axes, metadata, scales)
    if view.write_all_axes(group, leading, frame, dtype):
        _show(group[ND], metadata.dims, metadata, scales)


def write_coordinates(
    group: h5py.Group,
    metadata: Metadata,
    lengths: Mapping[str, int],
    grows: str | None = None,
    names: Callable[[str], bytes] | None = None,
    held: Mapping[str, h5py.Dataset] | None = None,
) -> dict[str, h5py.Dataset]:
    """Write all coordinates, and return the dimension scale of each axis.

    Parameters
    ----------
    lengths
        Of all axes that get a scale, by name.
    grows
        The axis along which columns and its scale are to grow, if they are.
    names
        Gives the name in the group of a coordinate or axis, for programs that know HDF5 alone.
        None: as in a stack.
    held
        Coordinates and scales that are in the file already.
    """
    plain, names = names is not None, names or stored_name
    scales = dict(held or {})
    columns = []
    for name, coordinate in metadata.coords.items():
        if name in scales:
            continue
        growing = grows is not None and coordinate.dims == (grows,)
        column = write_column(group, names(name), coordinate, growing=growing, plain=plain)
        if coordinate.dims == (name,):
            scales[name] = column
            h5ds.set_scale(column.id, _label(name))
        elif coordinate.dims:
            columns.append((column, coordinate.dims))
    for dim, length in lengths.items():
        if dim not in scales:
            room: Any = {"maxshape": (None,), "chunks": (LIVE_ROWS,)} if dim == grows else {}
            scales[dim] = group.create_dataset(names(dim), (length,), ">f4", **room)
            h5ds.set_scale(scales[dim].id, f"{NO_VARIABLE}{length:10}".encode())
    for column, dims in columns:
        attach(column, dims, scales)
    return scales


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


def write_column(
    group: h5py.Group,
    name: bytes,
    coordinate: Coordinate,
    *,
    growing: bool = False,
    plain: bool = False,
) -> h5py.Dataset:
    """Write the values of a coordinate, in chunks that HDF5's deflate makes small.

    Parameters
    ----------
    growing
        Make it as one that grows; see `create_growing`.
    plain
        For programs that know HDF5 alone: floats stay floats, and only its scales say which axes
        it is along.
    """
    whole = not (growing or plain)
    stored, marks = encoded(coordinate.data, coordinate.attrs, whole=whole)
    if growing and coordinate.dtype.kind in "Mm":
        marks |= {FILL: np.int64(np.iinfo(np.int64).min)}
    dataset = (create_growing if growing else write_values)(group, name, stored)
    reserved = column_names(marks)
    for key, value in coordinate.attrs.items():
        if key == FILL and stored.dtype.kind in "iu":
            value = stored.dtype.type(value)  # netCDF wants it to be of the values' type
        write_attribute(dataset, unreserved(key, reserved), value)
    for key, value in marks.items():
        write_attribute(dataset, key, value)
    if not plain:
        write_texts(dataset, DIMS, coordinate.dims)
    return dataset


def column_names(marks: Iterable[str]) -> tuple[str, ...]:
    """Return what no attribute of a user is called in a column that has these marks."""
    return (*HDF5_ATTRIBUTES, DIMS, STORED_AS, TABLE_CRC, *marks)


def create_growing(group: h5py.Group, name: bytes, values: Column) -> h5py.Dataset:
    """Make an empty column that grows while it is read.

    No filter is on its chunks, so that one that is written again stays in its place. So it has a
    CRC-32 of its own (spec/format.md, "Recordings").
    """
    dtype: Any = values.dtype.newbyteorder("<")
    if values.dtype.kind == "S":
        dtype = h5py.string_dtype("utf-8", values.dtype.itemsize)
    dataset = group.create_dataset(name, (0,), dtype, chunks=(LIVE_ROWS,), maxshape=(None,))
    dataset.attrs[TABLE_CRC] = np.uint32(0)
    return dataset


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
    node.attrs.create(name, array, dtype=array.dtype)


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
        for field, (name, _) in _FILE_COLUMNS.items():
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


def encoded(
    data: Column, attrs: Mapping[str, Any], *, whole: bool = True
) -> tuple[Column, dict[str, Any]]:
    """Return values as HDF5 and netCDF-4 have them, and the attributes that say what they mean.

    Parameters
    ----------
    whole
        Whether these are all values, so that the way may depend on them.
    """
    kind = data.dtype.kind
    if kind == "b":
        return data.astype(np.uint8), {STORED_AS: "bool", "dtype": "bool"}
    if kind in "Mm":
        unit, step = np.datetime_data(data.dtype)
        if unit not in _UNITS or step != 1:
            data = data.astype(f"{kind}8[ns]")
            unit = "ns"
        marks: dict[str, Any] = {STORED_AS: data.dtype.str[1:], "units": _UNITS[unit]}
        if kind == "M":
            marks |= {"units": f"{_UNITS[unit]} since {_EPOCH}", "calendar": "proleptic_gregorian"}
        else:
            marks |= {"dtype": f"timedelta64[{unit}]"}
        if np.isnat(data).any():
            marks |= {FILL: np.int64(np.iinfo(np.int64).min)}
        return data.view(np.int64), marks
    if data.dtype == np.float16:
        return data.astype(np.float32), {STORED_AS: "float16"}  # netCDF-4 has no such type
    if whole and kind == "f" and data.ndim == 1 and not attrs.keys() & set(_SCALES):
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
        marks[FILL] = np.int64(MISSING)
    return ticks, marks


def _regular(data: Column) -> tuple[Column, dict[str, Any]] | None:
    """Return floats in equal steps as whole numbers, if these give the same floats."""
    if len(data) < REGULAR_VALUES or data.dtype != np.float64 or not np.isfinite(data).all():
        return None
    count = np.arange(len(data), dtype=np.int32)
    offset = float(data[0])
    for step in (float(data[1] - data[0]), float((data[-1] - data[0]) / (len(data) - 1))):
        marks = {"scale_factor": step, "add_offset": offset, STORED_AS: "float64"}
        if np.array_equal(_scaled(count, marks).view(np.uint64), data.view(np.uint64)):
            return count, marks
    return None


def _scaled(data: Column, marks: Mapping[str, Any]) -> Column:
    if not marks.keys() >= set(_SCALES):
        raise DamageError(f"values of float64 have no {' or '.join(_SCALES)}")
    step, offset = (np.float64(scalar(np.asarray(marks[name])[()], "f")) for name in _SCALES)
    values: Column = data * step + offset
    return values


def attach(data: h5py.Dataset, dims: Sequence[str], scales: Mapping[str, h5py.Dataset]) -> None:
    """Attach the scales of its axes to a dataset, and label them."""
    for axis, dim in enumerate(dims):
        h5ds.attach_scale(data.id, scales[dim].id, axis)
        h5ds.set_label(data.id, axis, _label(dim))


def _label(dim: str) -> bytes:
    """Return the name of an axis for other programs, in UTF-8 in any case."""
    return dim.encode(errors="replace")


def _show(
    data: h5py.Dataset,
    dims: Sequence[str],
    metadata: Metadata,
    scales: Mapping[str, h5py.Dataset],
) -> None:
    """Attach the scales of the axes of a dataset, and name the other coordinates that it has."""
    attach(data, dims, scales)
    stored = {name: os.fsdecode(stored_name(name)) for name in metadata.coords}
    name_coordinates(data, dims, metadata, stored)


def name_coordinates(
    data: h5py.Dataset, dims: Sequence[str], metadata: Metadata, stored: Mapping[str, str]
) -> None:
    """Name the coordinates of a dataset that are no scales of its axes, as the CF conventions do.

    Parameters
    ----------
    dims
        The names of its axes.
    metadata, stored
        All coordinates, and the name of each in the file.
    """
    others = [
        stored[name]
        for name, coordinate in metadata.coords.items()
        if coordinate.dims != (name,) and set(coordinate.dims) <= set(dims)
    ]
    named = [name for name in others if not any(letter.isspace() for letter in name)]
    if named:
        write_attribute(data, AUXILIARY, " ".join(named))


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
        if name not in GROUP_NAMES and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    """Whether an attribute is texts or numbers: other programs may have put others there."""
    return not isinstance(value, h5py.Empty) and np.asarray(value).dtype.kind in "biufSU"


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


def described(data: h5py.Dataset) -> tuple[dict[str, Any], np.dtype[Any]]:
    """Return the attributes of a column but for those of how it is stored, and its dtype."""
    # Of HDF5's own attributes some lie in a heap without a checksum, and are not read.
    attrs = {key: data.attrs[key] for key in data.attrs if key not in HDF5_ATTRIBUTES}
    marks = _marks(attrs)
    dtype = stored_dtype(attrs) or data.dtype
    if dtype.kind == "S":
        dtype = np.dtype(f"U{dtype.itemsize}")
    own = column_names(marks)
    kept = {
        _reserved(key, own): plain_attribute(value)
        for key, value in attrs.items()
        if key not in own
    }
    return kept, dtype


def read_column(group: h5py.Group, name: str, frames: int | None = None) -> Column:
    """Return the values of a coordinate; see `read_coordinate`."""
    return values_of(_column_of(group, name), frames)


def values_of(data: h5py.Dataset, frames: int | None = None) -> Column:
    """Return the values of a column, or of a part of one that is being recorded."""
    stored = standard_filters.read(data)
    if frames is not None and TABLE_CRC in data.attrs:
        stored = stored[:frames]
    elif TABLE_CRC in data.attrs and zlib.crc32(stored.tobytes()) != scalar(data.attrs[TABLE_CRC]):
        raise DamageError(f"the values of {data.name} are damaged: their CRC-32 is wrong")
    stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    dtype = stored_dtype(data.attrs)
    if dtype is None:
        return stored
    if dtype.kind in "Mm":
        return stored.view(dtype)
    if dtype != np.float64:
        return stored.astype(dtype)
    if stored.dtype == np.int64:
        base = time_base({TIME_BASE: plain_attribute(data.attrs.get(TIME_BASE))})
        if base is None:
            raise DamageError(f"{data.name} has no sound attribute {TIME_BASE}")
        return to_seconds(stored, base)
    return _scaled(stored, data.attrs)


def _column_of(group: h5py.Group, name: str) -> h5py.Dataset:
    """Return the dataset of a coordinate, of a type that coordinates have."""
    stored = stored_name(name)
    data = group[stored] if group.id.links.exists(stored) else None
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "iufS":
        raise DamageError(f"the coordinate {name} is missing, or holds neither numbers nor texts")
    dtype = stored_dtype(data.attrs)
    if dtype is not None and data.dtype.str[1:] not in _STORED_TYPES[dtype.kind, dtype.itemsize]:
        raise DamageError(f"the coordinate {name} is of {data.dtype}, which is not stored {dtype}")
    return data


def stored_dtype(attrs: Mapping[str, Any]) -> np.dtype[Any] | None:
    """Return of which dtype values are, if not of the one they are stored in."""
    if STORED_AS not in attrs:
        return None
    said = plain_attribute(attrs[STORED_AS])
    times = {f"{kind}8[{unit}]" for kind in "Mm" for unit in _UNITS}
    if said not in ("bool", "float16", "float64", *times):
        raise DamageError(f"the attribute {STORED_AS} is {said!r}")
    dtype: np.dtype[Any] = np.dtype(said)
    return dtype


def _marks(attrs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which attributes say how values are stored."""
    dtype = stored_dtype(attrs)
    if dtype is None:
        return ()
    more = {
        ("b", 1): ("dtype",),
        ("M", 8): ("units", "calendar", FILL),
        ("m", 8): ("units", "dtype", FILL),
        ("f", 8): (*_SCALES, FILL),
    }
    return (STORED_AS, *more.get((dtype.kind, dtype.itemsize), ()))


def read_files(group: h5py.Group) -> SourceFiles | None:
    """Return the files that the frames of a stack came from."""
    source = _member(group, SOURCE)
    table = None if source is None else _member(source, FILES)
    if table is None:
        return None
    columns: dict[str, Any] = {
        field: _values(table, name, kinds) if field in _FILE_FIELDS or _has(table, name) else None
        for field, (name, kinds) in _FILE_COLUMNS.items()
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
