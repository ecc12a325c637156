"""What a plain dataset says of its axes: HDF5's dimension scales and labels, and its attributes."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import h5py
from h5py import h5ds

from ..metadata.coordinates import Coordinate
from ..metadata.description import Metadata, default_dims
from ..shapes import Shape
from . import column_values, metadata_names, metadata_writing
from .metadata_names import HDF5_ATTRIBUTES, NO_VARIABLE


def describe_dataset(
    group: h5py.Group, data: h5py.Dataset, metadata: Metadata, leading: Shape, frame: Shape
) -> None:
    """Give a dataset dimension scales, labels and attributes.

    Parameters
    ----------
    group
        Takes the scales and coordinates, under names that are free in it. Those that it has already
        are shared.
    data
        All frames, with all axes.
    metadata
        Checked.
    leading, frame
        The lengths of the axes that count frames, and ``(H, W[, C])``.
    """
    taken = set(group)
    written: dict[str, str] = {}

    def free(name: str) -> bytes:
        """Return a name that nothing in the group has, for a coordinate or an axis."""
        stored = os.fsdecode(metadata_names.stored_name(name, ()))
        number, found = 0, stored
        while found in taken:
            number += 1
            found = f"{stored}_{number}"
        taken.add(found)
        written[name] = found
        return os.fsencode(found)

    per_frame = metadata.frame_axis(leading)
    lengths = metadata.axes(leading, frame)
    if any(per_frame in coordinate.dims for coordinate in metadata.coords.values()):
        lengths |= {per_frame: math.prod(leading)}
    names = (*metadata.coords, *lengths)
    held = {name: found for name in names if (found := _held(group, name, metadata, lengths))}
    scales = metadata_writing.write_coordinates(group, metadata, lengths, names=free, held=held)
    metadata_writing.attach(data, metadata.dims, scales)
    for name, value in metadata.attrs.items():
        metadata_writing.write_attribute(
            data, metadata_names.unreserved(name, HDF5_ATTRIBUTES), value
        )
    stored = written | {name: _base_name(found) for name, found in held.items()}
    metadata_writing.name_coordinates(data, metadata.dims, metadata, stored)


def _held(
    group: h5py.Group, name: str, metadata: Metadata, lengths: Mapping[str, int]
) -> h5py.Dataset | None:
    """Return what a group has already of a coordinate or an axis, if it is the same."""
    found = group.get(metadata_names.stored_name(name, ()))
    if not isinstance(found, h5py.Dataset):
        return None
    coordinate = metadata.coords.get(name)
    if coordinate is None:
        return found if _is_empty(found) and found.shape == (lengths[name],) else None
    if found.dtype.kind not in "biufS" or _is_empty(found):
        return None
    dims = (name,) if h5ds.is_scale(found.id) else tuple(_labels(found))
    attrs, _ = column_values.described(found)
    same = Coordinate.of(dims, column_values.values_of(found), attrs).equals(coordinate)
    return found if same else None


def _base_name(node: h5py.Dataset) -> str:
    return str(node.name).rpartition("/")[2]


def read_dataset(data: h5py.Dataset, leading: Shape, frame: Shape) -> Metadata:
    """Return what a dataset with all axes says of itself.

    Scales that hold no numbers or texts are left out, and attributes of types that NumPy has not.
    """
    if data.ndim != len(leading) + len(frame):  # it was changed, and reading it tells so
        return Metadata()
    labels, scales = _labels(data), _scales(data)
    usual = default_dims(len(leading), len(frame))
    dims: list[str] = []
    for axis in range(data.ndim):
        names = [_name(scale) for scale in scales[axis]]
        name = labels[axis] or (names[0] if names else usual[axis])
        dims.append(name if name not in dims else f"{name}_{axis}")
    coords = {}
    for axis, found in enumerate(scales):
        for scale in found:
            coordinate = _coordinate(scale, dims[axis], data.shape[axis])
            if coordinate is not None:
                # The first scale of an axis is its own.
                own = dims[axis] not in coords and scale is found[0]
                coords[dims[axis] if own else _name(scale)] = coordinate
    attrs = {
        name: column_values.plain_attribute(data.attrs[name])
        for name in data.attrs
        if name not in HDF5_ATTRIBUTES and _is_value(data, name)
    }
    axes = set(dims)
    coords = {
        name: found for name, found in coords.items() if name not in axes or found.dims == (name,)
    }
    return Metadata(tuple(dims), coords, attrs)


def _labels(data: h5py.Dataset) -> list[str]:
    if "DIMENSION_LABELS" not in data.attrs:
        return [""] * data.ndim
    return [str(axis.label) for axis in data.dims]


def _scales(data: h5py.Dataset) -> list[list[h5py.Dataset]]:
    if "DIMENSION_LIST" not in data.attrs:
        return [[] for _ in range(data.ndim)]
    return [list(axis.values()) for axis in data.dims]


def _name(scale: h5py.Dataset) -> str:
    return metadata_names.user_name(_base_name(scale), ())


def _coordinate(scale: h5py.Dataset, dim: str, length: int) -> Coordinate | None:
    """Return the values of a scale; None if it has none, or others than coordinates have."""
    if _is_empty(scale) or scale.shape != (length,) or scale.dtype.kind not in "iufS":
        return None
    attrs, _ = column_values.described(scale)
    return Coordinate.of((dim,), column_values.values_of(scale), attrs)


def _is_empty(scale: h5py.Dataset) -> bool:
    """Whether it is a scale of netCDF-4 that has no values."""
    said = scale.attrs.get("NAME", b"")
    return isinstance(said, bytes) and said.decode(errors="replace").startswith(NO_VARIABLE)


def _is_value(data: h5py.Dataset, name: str) -> bool:
    """Whether an attribute is of numbers or texts, and not of references or records."""
    try:
        dtype: Any = data.attrs.get_id(name).dtype
    except TypeError:  # NumPy has no such type
        return False
    texts = h5py.check_string_dtype(dtype) is not None
    return texts or dtype.kind in "biufS"
