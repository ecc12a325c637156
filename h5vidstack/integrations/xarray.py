"""Stacks as xarray datasets: the engine ``"h5vidstack"``, which xarray finds by entry point."""

from __future__ import annotations

import json
import os
import pickle
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import AccessError, ClosedError, Error, FormatError, extra
from ..hdf5.failures import damage_as_error
from ..hdf5.opening import open_hdf5
from ..layout.names import DEFAULT_STACK, is_stack, split_target
from ..reading.stack_file import split_readable
from ..reading.stack_reader import StackReader
from ..shapes import Pixels

with extra("xarray"):
    import xarray
    from xarray.backends import BackendArray, BackendEntrypoint, CachingFileManager
    from xarray.core import indexing

DIMS = ("frame", "y", "x", "channel")
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

    def read(self, key: Any) -> Pixels:
        """Return some pixels; raise ClosedError if it was closed before."""
        with self._lock:
            if self._closed:
                raise ClosedError("xarray closed this stack meanwhile")
            self._readers += 1
        try:
            pixels: Pixels = self._stack[key]
            return pixels
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

    def __init__(self, stack: StackReader) -> None:
        self.shape, self.dtype = stack.shape, stack.dtype
        self.files = CachingFileManager(SharedStack, pickle.dumps(stack))

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
        while True:
            try:
                return self.files.acquire().read(key)
            except ClosedError:  # other threads needed so many files that this one had to go
                continue


class StackBackend(BackendEntrypoint):
    """The engine ``"h5vidstack"`` of xarray.

    A stack is the variable ``frames`` with dimensions ``(frame, y, x[, channel])``. Its values are
    read when they are needed. With ``chunks={}`` they are dask arrays of whole blocks. The dataset
    has the attributes of the stack, with the settings as JSON.
    """

    description = "Stacks of similar images in HDF5, coded by h5vidstack"
    open_dataset_parameters = (
        "filename_or_obj", "drop_variables", "mask_and_scale", "decode_times", "concat_characters",
        "decode_coords", "use_cftime", "decode_timedelta", "group", "storage_options",
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
            Variables to leave out. Without ``frames`` there are only attributes.
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
        variables, closing = {}, None
        with StackReader(
            filename_or_obj, group or DEFAULT_STACK, storage_options=storage_options
        ) as stack:
            if "frames" not in dropped:
                frames = StackArray(stack)
                closing = frames.files.close
                variables["frames"] = xarray.Variable(
                    DIMS[: stack.ndim],
                    indexing.LazilyIndexedArray(frames),
                    encoding={"preferred_chunks": {"frame": stack.preferred_frames}},
                )
        dataset = xarray.Dataset(variables, attrs=_attributes(stack.attrs))
        dataset.set_close(closing)
        known = {name: value for name, value in decoders.items() if value is not None}
        return xarray.decode_cf(dataset, **known)

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


def _attributes(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes of a stack as netCDF can store them: it has no bool, and no JSON."""
    found = {
        name: int(value) if isinstance(value, bool) else value for name, value in attrs.items()
    }
    if "settings" in found:
        found["settings"] = json.dumps(found["settings"])
    return found
