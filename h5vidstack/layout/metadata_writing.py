"""Write metadata of a stack: dimension scales, columns, attributes, words."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from h5py import h5ds

from ..hdf5.standard_filters import shuffled
from ..metadata.coordinates import FILL, Column, Coordinate, same_attrs
from ..metadata.description import Metadata
from ..shapes import Shape
from . import view
from .column_values import (
    encoded,
    plain_attribute,
)
from .metadata_names import (
    ATTRIBUTES,
    AUXILIARY,
    COORDS,
    DIMS,
    FILE_COLUMNS,
    FILES,
    FRAMES,
    GROUP_NAMES,
    NO_VARIABLE,
    PAGE_BYTES,
    SOURCE,
    column_names,
    stored_name,
    unreserved,
)
from .metadata_reading import (
    attribute_names,
    is_plain,
    member_names,
    read,
)
from .names import ND, TABLE_CRC

LIVE_ROWS = 1024
"""Rows of a chunk of a column that grows."""


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
    said = {name: plain_attribute(value) for name, value in held.items() if is_plain(value)}
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
        for field, (name, _) in FILE_COLUMNS.items():
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
