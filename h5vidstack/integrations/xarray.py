"""Stacks as xarray datasets: the engine ``"h5vidstack"``, which xarray finds by entry point."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any

import numpy as np

from ..errors import AccessError, Error, FormatError, extra
from ..hdf5.failures import damage_as_error
from ..hdf5.opening import open_hdf5
from ..layout import metadata_store
from ..layout.names import DEFAULT_STACK, is_stack, split_target
from ..metadata.coordinates import Coordinate
from ..metadata.description import all_frames_axis
from ..reading.nd_view import NdView
from ..reading.stack_file import split_readable
from ..reading.stack_reader import StackReader
from ..shapes import Pixels, Shape
from ..sources.array_description import ATTRIBUTES, GROUP_ATTRIBUTES, VARIABLE

with extra("xarray"):
    import xarray
    from xarray.backends import BackendArray, BackendEntrypoint
    from xarray.core import indexing

FRAMES = "frames"
"""The variable that holds the pixels, where their source has no name for it."""
_SAID_BY_THE_DATASET = (metadata_store.DIMS, metadata_store.COORDS, metadata_store.ATTRIBUTES)
"""Attributes of a stack that its dataset needs none of, because it has axes and coordinates."""
_HDF5 = b"\x89HDF\r\n\x1a\n"


class StackArray(BackendArray):
    """Frames that are decoded when xarray asks for them."""

    def __init__(self, frames: StackReader | NdView) -> None:
        self.shape, self.dtype = frames.shape, frames.dtype
        self._frames = frames

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        grid = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, grid, self._read)

    def _read(self, key: tuple[Any, ...]) -> Pixels:
        """Read a grid of rows and columns.

        numpy takes several index arrays for points, but xarray means a grid. So the stack gets one
        array at most. It gets no number beside that array, because numpy would take the number for
        another array, and move the axis to the front.
        """
        whole, numbers, arrays = list(key), [], []
        for axis, part in enumerate(key):
            if isinstance(part, (int, np.integer)):
                number = range(self.shape[axis])[part]
                whole[axis] = slice(number, number + 1)
                numbers.append(axis)
            elif not isinstance(part, slice):
                arrays.append(axis)
        for axis in arrays[1:]:
            whole[axis] = slice(None)
        pixels: Pixels = self._frames[tuple(whole)]
        for axis in arrays[1:]:
            pixels = pixels.take(key[axis], axis)
        return pixels.squeeze(tuple(numbers))


class CoordinateArray(BackendArray):
    """Values of a coordinate, which are read when xarray asks for them.

    Parameters
    ----------
    coordinate
        The coordinate.
    shape
        In which it is shown.
    """

    def __init__(self, coordinate: Coordinate, shape: Shape) -> None:
        self.shape, self.dtype = shape, coordinate.dtype
        self._coordinate = coordinate

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        basic = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, basic, self._read)

    def _read(self, key: tuple[Any, ...]) -> Any:
        return self._coordinate.values.reshape(self.shape)[key]


class StackBackend(BackendEntrypoint):
    """The engine ``"h5vidstack"`` of xarray.

    A stack is a variable with all axes of its N-D view, by their names, and with its coordinates.
    The variable is called ``frames``, or as the source called it: a DataArray comes back as it was.
    Its attributes are those of the user and the source. Values are read when they are needed. With
    ``chunks={}`` they are dask arrays of whole blocks. The dataset has all attributes of the stack,
    with the settings as JSON.
    """

    description = "Stacks of similar images in HDF5, coded by h5vidstack"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "group", "storage_options")

    def open_dataset(  # type: ignore[override]  # each backend has its own options
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        group: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> xarray.Dataset:
        """Open a stack as a dataset.

        Parameters
        ----------
        filename_or_obj
            ``file.h5`` or ``file.h5::/path``, or such a URL.
        drop_variables
            Variables and coordinates to leave out.
        group
            The path of the stack in the file, ``/stack`` by default.
        storage_options
            Options of fsspec's file system, if the file is a URL; see `Stack`.

        Raises
        ------
        FormatError
            If there is no such stack, if it is damaged, or if both arguments name a stack.
        RemoteError
            If a URL cannot be read.
        """
        if not isinstance(filename_or_obj, (str, os.PathLike)):
            raise FormatError(
                f"a {type(filename_or_obj).__name__} is no path of a stack; give a str or a path"
            )
        if group is not None and split_readable(filename_or_obj)[1] is not None:
            raise FormatError(
                f"{filename_or_obj} names a stack, and so does group={group!r}; give one of them"
            )
        stack = StackReader(
            filename_or_obj, group or DEFAULT_STACK, storage_options=storage_options
        )
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables or ()
        dataset = contents(stack).drop_vars(dropped, errors="ignore")
        dataset.set_close(stack.close)
        return dataset

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether this is the path of a file that holds the stack.

        It is False for URLs, because each look at one costs requests. For URLs name the engine.
        """
        if not isinstance(filename_or_obj, (str, os.PathLike)):
            return False
        try:
            path, inner = split_target(filename_or_obj)
            with open(path, "rb") as file:  # a cheap test, because most files are others
                if file.read(len(_HDF5)) != _HDF5:
                    return False
            with open_hdf5(str(path)) as file, damage_as_error(str(path)):
                return is_stack(file.get(inner or DEFAULT_STACK))
        except AccessError:
            raise  # which says more than that no engine fits
        except (Error, OSError):
            return False


def contents(stack: StackReader) -> xarray.Dataset:
    """Return a stack as a dataset of lazy values: pixels, coordinates and attributes."""
    view, words = stack.nd, stack.source.words
    coords = {name: _variable(stack, found) for name, found in stack.coords.items()}
    named = words[VARIABLE].value if VARIABLE in words else None
    taken = {*coords, *view.dims}
    name = next(name for name in (named, FRAMES, "pixels", "_pixels") if name not in {None, *taken})
    attrs = metadata_store.user_attributes(stack.live().file.attrs)
    attrs |= words[ATTRIBUTES].value if ATTRIBUTES in words else {}
    chunks = view.chunks_of(stack.preferred_frames, stack.shape[1:])
    pixels = xarray.Variable(
        view.dims,
        indexing.LazilyIndexedArray(StackArray(stack if stack.ndim == view.ndim else view)),
        attrs,
        encoding={"preferred_chunks": dict(zip(view.dims, chunks, strict=True))},
    )
    facts = {key: value for key, value in stack.attrs.items() if key not in _SAID_BY_THE_DATASET}
    if "settings" in facts:  # JSON can be written to other files
        facts["settings"] = json.dumps(facts["settings"])
    # netCDF has no bool.
    facts |= {key: int(value) for key, value in facts.items() if isinstance(value, bool)}
    held = words[GROUP_ATTRIBUTES].value if GROUP_ATTRIBUTES in words else {}
    held = {key: value for key, value in held.items() if not isinstance(value, dict | NoneType)}
    return xarray.Dataset({name: pixels}, coords, held | facts)


def _variable(stack: StackReader, coordinate: Coordinate) -> xarray.Variable:
    """Return a coordinate as a variable; a column for all frames is along their axes."""
    leading, dims, shape = stack.leading_shape, coordinate.dims, coordinate.shape
    frames = all_frames_axis(stack.dims[: len(leading)])
    if len(leading) > 1 and frames in dims:
        axis = dims.index(frames)
        dims = (*dims[:axis], *stack.dims[: len(leading)], *dims[axis + 1 :])
        shape = (*shape[:axis], *leading, *shape[axis + 1 :])
    values = indexing.LazilyIndexedArray(CoordinateArray(coordinate, shape))
    return xarray.Variable(dims, values, dict(coordinate.attrs))
