"""Frames from arrays of Zarr: objects and folders, with axes as xarray and OME-NGFF write them."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SourceError, extra
from ..layout.names import SEPARATOR
from ..metadata.files import SourceFiles
from ..metadata.words import NOTHING, WordsKind
from . import ngff
from .array_description import VARIABLE, ArrayDescription
from .array_source import array_source
from .source import Source, SourceOptions

MARKS = ("zarr.json", ".zarray", ".zgroup")
"""Files that make a folder a store of Zarr: of format 3, and of format 2."""
AXES_OF_XARRAY = "_ARRAY_DIMENSIONS"
"""The attribute that names the axes of an array of format 2."""
AUXILIARY = "coordinates"
"""The attribute that names other arrays with values along the axes of an array."""
SHOWN = 20
"""An error message lists at most so many arrays."""


def is_zarr_object(source: Any) -> bool:
    """Return whether an object is an array or a group of Zarr's Python package, version 3."""
    zarr = sys.modules.get("zarr")
    kinds = tuple(getattr(zarr, kind) for kind in ("Array", "Group") if hasattr(zarr, kind))
    return isinstance(source, kinds)


def is_zarr_folder(path: Path) -> bool:
    """Return whether a folder is a store of Zarr."""
    return any((path / mark).is_file() for mark in MARKS)


def zarr_folder_source(path: Path, inner: str | None, options: SourceOptions) -> Source:
    """Open an array in a folder of Zarr; of OME-NGFF images the largest one.

    Raises
    ------
    SourceError
        If there is none, or several.
    MissingError
        If zarr is not installed.
    """
    with extra("zarr"):
        import zarr  # inside, because it is optional
    name = f"{path}{SEPARATOR}{inner}" if inner else str(path)
    top = _store_of(path)
    within = "/".join(filter(None, (*path.parts[len(top.parts) :], (inner or "").strip("/"))))
    try:
        node = zarr.open(str(top), mode="r", path=within)
    except Exception as error:  # zarr raises every kind of exception
        raise SourceError(f"cannot read {name}: {type(error).__name__}: {error}") from error
    array = _array(node, name)
    source = _opened(array, name, options)
    found = sorted(file for file in (top / array.path).rglob("*") if file.is_file())
    files = SourceFiles.of(found)
    # A frame may lie in several files, and a file may hold several frames.
    nowhere = np.full(source.count or 0, NOTHING, np.uint32)
    source.metadata = replace(source.metadata, files=replace(files, file=nowhere))
    source.file_bytes = int(files.sizes.sum())
    return source


def _store_of(path: Path) -> Path:
    """Return the folder of the whole store that a folder is in: groups say what arrays mean."""
    while path.parent != path and is_zarr_folder(path.parent):
        path = path.parent
    return path


def zarr_source(source: Any, options: SourceOptions) -> Source:
    """Open an array of Zarr, or the largest image of a group of OME-NGFF.

    Raises
    ------
    SourceError
        If a group holds no images, or several.
    """
    name = type(source).__name__
    return _opened(_array(source, name), name, options)


def _array(node: Any, name: str) -> Any:
    """Return an array itself, and of a group of OME-NGFF the largest image."""
    if hasattr(node, "shape"):
        return node
    largest = ngff.largest(dict(node.attrs))
    if largest is not None and largest in node:
        return node[largest]
    listed = [
        f"{inner} has shape {found.shape} {found.dtype}"
        for inner, found in itertools.islice(node.members(max_depth=None), SHOWN)
        if hasattr(found, "shape")
    ]
    raise SourceError(
        f"{name} is a group of a Zarr store; give one of its arrays, as source['name'] or "
        f"folder.zarr::/name: {'; '.join(listed) or 'it has none'}"
    )


def _opened(array: Any, name: str, options: SourceOptions) -> Source:
    """Open an array with what it and its group say of it."""
    description = ArrayDescription(array.shape, name)
    folder, _, own = array.path.rpartition("/")
    group = _group(array.store, folder) if own else None
    said = {} if group is None else dict(group.attrs)
    if group is not None and ngff.describes(said, own):
        ngff.describe(said, own, description)
    else:
        description.name_axes(_names(array) or [None] * array.ndim)
        description.add_group_attributes(said)
        if description.dims and group is not None:
            _add_coordinates(description, array, group)
            description.add_words(VARIABLE, WordsKind.TEXT, own)
    for key, value in _attributes(array).items():
        description.add_attribute(key, value)
    source = array_source(array, name, options)
    description.describe(source)
    return source


def _group(store: Any, path: str) -> Any:
    """Return the group that an array is in; None if it is in none."""
    zarr = sys.modules["zarr"]
    try:
        return zarr.open_group(store=store, path=path, mode="r")
    except (OSError, KeyError, ValueError):  # not found, by several names
        return None


def _names(array: Any) -> list[str | None] | None:
    """Return the names of an array's axes, if it has any."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get(AXES_OF_XARRAY)
    return list(names) if isinstance(names, list | tuple) else None


def _attributes(array: Any) -> dict[str, Any]:
    own = (AXES_OF_XARRAY, AUXILIARY)
    return {key: value for key, value in dict(array.attrs).items() if key not in own}


def _add_coordinates(description: ArrayDescription, array: Any, group: Any) -> None:
    """Add the arrays beside one that have the names of its axes, or that it names."""
    named = array.attrs.get(AUXILIARY, "")
    others = named.split() if isinstance(named, str) else []
    for name in dict.fromkeys((*description.dims, *others)):
        found: Any = group.get(name)
        if hasattr(found, "shape") and found.path != array.path:
            names = _names(found) or ([name] if found.ndim == 1 else [])
            description.add_coordinate(name, list(map(str, names)), found[...], _attributes(found))
