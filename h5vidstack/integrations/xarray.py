"""Stacks as xarray datasets: the engine ``"h5vidstack"``, which xarray finds by entry point."""

from __future__ import annotations

import json
import os
import pickle
import threading
from collections.abc import Callable, Iterable, Mapping
from types import NoneType
from typing import Any, TypeVar

import numpy as np

from ..errors import AccessError, ClosedError, Error, FormatError, extra
from ..hdf5.failures import damage_as_error
from ..hdf5.opening import open_hdf5
from ..layout import metadata_names, metadata_reading
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
    from xarray.backends import BackendArray, BackendEntrypoint, CachingFileManager
    from xarray.core import indexing

Values = TypeVar("Values")

FRAMES = "frames"
"""The variable that holds the pixels, where their source has no name for it."""
_SAID_BY_THE_DATASET = (metadata_names.DIMS, metadata_names.COORDS, metadata_names.ATTRIBUTES)
"""Attributes of a stack that its dataset needs none of, because it has axes and coordinates."""
_DECODERS = (
    "mask_and_scale", "decode_times", "concat_characters", "decode_coords", "use_cftime",
    "decode_timedelta",
)  # fmt: skip
"""What xarray gives every engine, for `xarray.decode_cf`."""
_HDF5 = b"\x89HDF\r\n\x1a\n"


class SharedStack:
    """An open stack in xarray's cache of files, which closes what was not used for long.

    A reader that another thread uses is closed when that read ends.

    Parameters
    ----------
    state
        The pickled stack. What is opened is the same stack, or an error.
    """

    def __init__(self, state: bytes) -> None:
        self._stack: StackReader = pickle.loads(state)  # noqa: S301  # of this module
        self._lock = threading.Lock()
        self._readers = 0
        self._closed = False

    def ask(self, question: Callable[[StackReader], Values]) -> Values:
        """Return what a function reads; raise ClosedError if the stack was closed before."""
        with self._lock:
            if self._closed:
                raise ClosedError("xarray closed this stack meanwhile")
            self._readers += 1
        try:
            return question(self._stack)
        finally:
            self._leave(1)

    def close(self) -> None:
        """Close the file as soon as nobody reads."""
        self._closed = True
        self._leave(0)

    def _leave(self, readers: int) -> None:
        with self._lock:
            self._readers -= readers
            last = self._closed and not self._readers
        if last:
            self._stack.close()


class StackArray(BackendArray):
    """Frames that are decoded when xarray asks for them.

    Parameters
    ----------
    stack
        It is not kept: xarray's cache opens it again when it is needed, and keeps as many files
        open as its option ``file_cache_maxsize`` says.
    """

    def __init__(self, stack: StackReader, view: NdView, files: CachingFileManager[Any]) -> None:
        self.shape, self.dtype = view.shape, view.dtype
        self._nd = stack.ndim != view.ndim
        self._files = files

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
        pixels = self._pixels(tuple(whole))
        for axis in arrays[1:]:
            pixels = pixels.take(key[axis], axis)
        return pixels.squeeze(tuple(numbers))

    def _pixels(self, key: tuple[Any, ...]) -> Pixels:
        def read(stack: StackReader) -> Pixels:
            pixels: Pixels = (stack.nd if self._nd else stack)[key]
            return pixels

        return asked(self._files, read)


def asked(files: CachingFileManager[Any], question: Callable[[StackReader], Values]) -> Values:
    """Return what a function reads in a stack, which is opened again if it has to be."""
    while True:
        try:
            found: Values = files.acquire().ask(question)
            return found
        except ClosedError:  # other threads needed so many files that this one had to go
            continue


class CoordinateArray(BackendArray):
    """Values of a coordinate, which are read when xarray asks for them.

    Parameters
    ----------
    name, coordinate
        The coordinate and its name.
    shape
        In which it is shown.
    files
        By which xarray opens the stack.
    """

    def __init__(
        self, name: str, coordinate: Coordinate, shape: Shape, files: CachingFileManager[Any]
    ) -> None:
        self.shape, self.dtype = shape, coordinate.dtype
        self._name, self._files = name, files

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        basic = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, basic, self._read)

    def _read(self, key: tuple[Any, ...]) -> Any:
        values = asked(self._files, lambda stack: stack.coords[self._name].values)
        return values.reshape(self.shape)[key]


class StackBackend(BackendEntrypoint):
    """The engine ``"h5vidstack"`` of xarray.

    A stack is a variable with all axes of its N-D view, by their names, and with its coordinates.
    The variable is called ``frames``, or as the source called it: a DataArray comes back as it was.
    Its attributes are those of the user and the source. Values are read when they are needed. With
    ``chunks={}`` they are dask arrays of whole blocks. The dataset has all attributes of the stack,
    with the settings as JSON.
    """

    description = "Stacks of similar images in HDF5, coded by h5vidstack"
    open_dataset_parameters = (
        "filename_or_obj", "drop_variables", *_DECODERS, "group", "storage_options",
    )  # fmt: skip

    def open_dataset(  # type: ignore[override]  # each backend has its own options
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        group: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
        **decoders: Any,
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
        decoders
            ``mask_and_scale``, ``decode_times`` and the like, which xarray gives every engine; see
            `xarray.decode_cf`.

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
        unknown = decoders.keys() - set(self.open_dataset_parameters)
        if unknown:
            raise TypeError(f"the engine h5vidstack takes no {', '.join(sorted(unknown))}")
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables or ()
        with StackReader(filename_or_obj, group, storage_options=storage_options) as stack:
            files = CachingFileManager(SharedStack, pickle.dumps(stack))
            dataset = contents(stack, files).drop_vars(dropped, errors="ignore")
        dataset.set_close(files.close)
        if any(decoders.values()):  # what a stack says of its values is true as it stands
            wanted: dict[str, Any] = {name: bool(decoders.get(name)) for name in _DECODERS}
            dataset = xarray.decode_cf(dataset, **wanted)
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


def contents(stack: StackReader, files: CachingFileManager[Any]) -> xarray.Dataset:
    """Return a stack as a dataset of lazy values: pixels, coordinates and attributes."""
    view, words = stack.nd, stack.source.words
    coords = {name: _variable(stack, name, files) for name, found in stack.coords.items()}
    named = words[VARIABLE].value if VARIABLE in words else None
    taken = {*coords, *view.dims}
    name = next(name for name in (named, FRAMES, "pixels", "_pixels") if name not in {None, *taken})
    attrs = metadata_reading.user_attributes(stack.live().file.attrs)
    attrs |= words[ATTRIBUTES].value if ATTRIBUTES in words else {}
    chunks = view.chunks_of(stack.preferred_frames, stack.shape[1:])
    pixels = xarray.Variable(
        view.dims,
        indexing.LazilyIndexedArray(StackArray(stack, view, files)),
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


def _variable(stack: StackReader, name: str, files: CachingFileManager[Any]) -> xarray.Variable:
    """Return a coordinate as a variable; a column for all frames is along their axes."""
    coordinate = stack.coords[name]
    leading, dims, shape = stack.leading_shape, coordinate.dims, coordinate.shape
    frames = all_frames_axis(stack.dims[: len(leading)])
    if len(leading) > 1 and frames in dims:
        axis = dims.index(frames)
        dims = (*dims[:axis], *stack.dims[: len(leading)], *dims[axis + 1 :])
        shape = (*shape[:axis], *leading, *shape[axis + 1 :])
    values = indexing.LazilyIndexedArray(CoordinateArray(name, coordinate, shape, files))
    return xarray.Variable(dims, values, dict(coordinate.attrs))
