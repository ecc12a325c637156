"""What users give as dims, coords and attrs, in the forms that xarray takes, too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import MetadataError
from ..shapes import Shape
from .column_file import parse_scale, spaced
from .coordinates import Coordinate, column
from .description import Metadata


def completed(
    metadata: Metadata,
    leading: Shape,
    frame: Shape,
    *,
    dims: Sequence[str] | None = None,
    coords: Mapping[str, Any] | None = None,
    attrs: Mapping[str, Any] | None = None,
    scale: str | None = None,
) -> Metadata:
    """Return what a source says, with what the user says instead or besides.

    Parameters
    ----------
    metadata
        What the source says.
    leading, frame
        The lengths of the axes that count frames, and ``(H, W[, C])``.
    dims
        New names of all axes, in order; also as one text, ``"T,C,Z,y,x"``.
    coords
        By name: an array, or ``(values, attrs)``; or ``(dims, values)`` or ``(dims, values,
        attrs)``, as in xarray; or a `Coordinate` or an array of xarray. An array without dims is
        along the axis of the same name, or has a value for each frame.
    attrs
        Texts, numbers, and arrays or lists of these, by name.
    scale
        The size of a pixel, or of a step along other axes; see `parse_scale`.

    Raises
    ------
    MetadataError
        If names or lengths do not fit the stack, or a value cannot be kept.
    """
    if dims is not None:
        metadata = _renamed(metadata, dims, leading, frame)
    axes = metadata.axes(leading, frame)
    per_frame = metadata.frame_axis(leading)
    lengths = axes | {per_frame: math.prod(leading)}
    _refuse_twice("coordinate", coords)
    _refuse_twice("attribute", attrs)
    given = {
        str(name): _coordinate(str(name), value, lengths, per_frame, tuple(axes)[: len(leading)])
        for name, value in (coords or {}).items()
    }
    if scale is not None:
        for axis, (step, units) in parse_scale(scale, tuple(axes)).items():
            if axis in given:
                raise MetadataError(f"both scale and coords are given for the axis {axis}")
            given[axis] = spaced(axis, axes[axis], step, units)
    kept = {str(name): attribute(str(name), value) for name, value in (attrs or {}).items()}
    metadata = replace(
        metadata, coords={**metadata.coords, **given}, attrs={**metadata.attrs, **kept}
    )
    return metadata.checked(leading, frame)


def is_utf8(name: str) -> bool:
    """Whether a name is text, and not bytes of another encoding."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_twice(kind: str, named: Mapping[str, Any] | None) -> None:
    """Raise MetadataError if two names are one as text."""
    names = [str(name) for name in named or ()]
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise MetadataError(f"the {kind} {twice[0]} is given twice")


def attribute(name: str, value: Any) -> Any:
    """Return the value of an attribute as it is kept: text, number, or an array of these.

    Raises
    ------
    MetadataError
        If it is of another kind.
    """
    if not name or "\0" in name or not is_utf8(name):
        raise MetadataError(f"the attribute {name!r} has no usable name: give it another")
    if isinstance(value, bytes):
        value = value.decode(errors="surrogateescape")
    if isinstance(value, str):
        if value.endswith("\0"):
            raise MetadataError(f"the attribute {name} ends in a zero character, which HDF5 drops")
        return value
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise MetadataError(f"the attribute {name} is no array: {error}") from error
    if array.dtype.kind in "OUT":
        flat = array.ravel().tolist()
        if array.ndim == 1 and all(isinstance(text, str) for text in flat):
            return flat
        if array.ndim == 0 and isinstance(flat[0], str):
            return flat[0]
    if array.dtype.kind not in "biufS" or (array.dtype.itemsize > 8 and array.dtype.kind == "f"):
        raise MetadataError(
            f"the attribute {name} is {value!r}; an attribute is a text, a number, or an array of "
            "these: give others as JSON text"
        )
    return array.item() if array.ndim == 0 else array


def _renamed(metadata: Metadata, dims: Sequence[str], leading: Shape, frame: Shape) -> Metadata:
    """Return it with other names of its axes, also in its coordinates."""
    names = tuple(dims.split(",")) if isinstance(dims, str) else tuple(map(str, dims))
    before = tuple(metadata.axes(leading, frame))
    old_frames = metadata.frame_axis(leading)
    renamed = replace(metadata, dims=names)
    renamed.axes(leading, frame)
    new = dict(zip(before, names, strict=True)) | {old_frames: renamed.frame_axis(leading)}
    coords = {
        new.get(name, name): coordinate.on([new.get(dim, dim) for dim in coordinate.dims])
        for name, coordinate in metadata.coords.items()
    }
    return replace(renamed, coords=coords)


def _coordinate(
    name: str, value: Any, lengths: Mapping[str, int], per_frame: str, outer: tuple[str, ...]
) -> Coordinate:
    """Return a coordinate as the user gave it."""
    dims, values, attrs = _parts(value)
    attrs = {key: attribute(key, found) for key, found in (attrs or {}).items()}
    try:
        data = column(values)
        if dims is None:
            dims = _along(name, data.shape, lengths, per_frame, outer)
        return Coordinate.of(dims, data, attrs)
    except MetadataError as error:
        raise MetadataError(f"coordinate {name}: {error}") from error


def _parts(value: Any) -> tuple[tuple[str, ...] | None, Any, Mapping[str, Any] | None]:
    """Return dims (None: not said), values and attributes."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Mapping):
        return None, value[0], value[1]
    if isinstance(value, tuple) and len(value) in (2, 3) and _is_dims(value[0]):
        dims = (value[0],) if isinstance(value[0], str) else tuple(value[0])
        inner = value[1]
        return dims, inner, value[2] if len(value) == 3 else None
    if hasattr(value, "dims") and hasattr(value, "values"):
        return tuple(map(str, value.dims)), value.values, getattr(value, "attrs", None)
    return None, value, None


def _is_dims(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value)


def _along(
    name: str, shape: Shape, lengths: Mapping[str, int], per_frame: str, outer: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the axes of values that came without."""
    if not shape:
        return ()
    if len(shape) == 1:
        if name in lengths:
            return (name,)
        if shape[0] == lengths[per_frame]:
            return (per_frame,)
        raise MetadataError(
            f"it has {shape[0]} values, but the stack has {lengths[per_frame]} frames; give one "
            "for each, or (dims, values)"
        )
    if shape == tuple(lengths[dim] for dim in outer):
        return outer
    raise MetadataError(f"it is {shape}; name its axes: (dims, values)")
