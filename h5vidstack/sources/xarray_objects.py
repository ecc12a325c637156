"""Frames from arrays and datasets of xarray, with their axes, coordinates and attributes."""

from __future__ import annotations

import sys
from typing import Any

from ..errors import SourceError
from ..metadata.words import WordsKind
from .array_description import VARIABLE, ArrayDescription
from .array_source import array_source
from .source import Source, SourceOptions

LEAST_AXES = 3
"""A variable of a dataset is a stack of images from so many axes on."""
ROW_COLUMN = ("y", "x")


def is_xarray_object(source: Any) -> bool:
    """Return whether an object is an array, a variable or a dataset of xarray."""
    xarray = sys.modules.get("xarray")
    kinds = ("DataArray", "Variable", "Dataset")
    return xarray is not None and isinstance(source, tuple(getattr(xarray, kind) for kind in kinds))


def xarray_source(source: Any, options: SourceOptions) -> Source:
    """Open an array of xarray, or the only images of a dataset. Pixels are read piece by piece.

    Raises
    ------
    SourceError
        If a dataset holds no images, or several.
    """
    if hasattr(source, "data_vars"):
        return _dataset_source(source, options)
    label = type(source).__name__
    name = f"{label} {source.name}" if getattr(source, "name", None) else label
    description = _described(source, name)
    return _opened(source, name, description, options)


def _dataset_source(dataset: Any, options: SourceOptions) -> Source:
    """Open the only variable of a dataset that holds images; others become coordinates."""
    images = [name for name, found in dataset.data_vars.items() if found.ndim >= LEAST_AXES]
    if len(images) != 1:
        listed = [
            f"source[{name!r}] has shape {dataset[name].shape} {dataset[name].dtype}"
            for name in images or dataset.data_vars
        ]
        raise SourceError(
            f"a Dataset holds {len(images) or 'no'} variables of at least {LEAST_AXES} axes; pass "
            f"one array: {'; '.join(listed) or 'it has none'}"
        )
    images_name = images[0]
    name = f"Dataset, variable {images_name}"
    array = dataset[images_name]
    description = _described(array, name)
    for other, found in dataset.variables.items():
        if other != images_name and other not in array.coords:
            description.add_coordinate(
                str(other), tuple(map(str, found.dims)), found.values, found.attrs
            )
    description.add_group_attributes(dataset.attrs)
    return _opened(array, name, description, options)


def _described(array: Any, name: str) -> ArrayDescription:
    """Collect what an array of xarray says of itself."""
    description = ArrayDescription(array.shape, name)
    description.name_axes(array.dims)
    for key, found in getattr(array, "coords", {}).items():
        if _is_multi_index(found):
            levels = ", ".join(map(str, found.to_index().names))
            description.leave_out(str(key), f"an index of several levels; {levels} are kept")
            continue
        dims = tuple(map(str, found.dims))
        description.add_coordinate(str(key), dims, found.values, found.attrs)
    for key, value in array.attrs.items():
        description.add_attribute(str(key), value)
    if getattr(array, "name", None) is not None:
        description.add_words(VARIABLE, WordsKind.TEXT, str(array.name))
    return description


def _is_multi_index(coordinate: Any) -> bool:
    of_an_axis = coordinate.dims == (coordinate.name,)
    return of_an_axis and getattr(coordinate.to_index(), "nlevels", 1) > 1


def _opened(array: Any, name: str, description: ArrayDescription, options: SourceOptions) -> Source:
    source = array_source(getattr(array, "variable", array), name, options)
    description.describe(source)
    names, frame = description.dims, source.metadata.dims[-len(source.frame) :]
    if set(ROW_COLUMN) <= set(names) and not set(ROW_COLUMN) <= set(frame):
        source.notes.append(
            f"The frames of {name} are {frame[0]} by {frame[1]}, the last axes. If y and x are to "
            'be their rows and columns, pack source.transpose(..., "y", "x").'
        )
    return source
