"""Stacks as xarray datasets: the engine ``"h5vidstack"``, which xarray finds by entry point."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import AccessError, Error, FormatError, extra
from ..hdf5.failures import damage_as_error
from ..hdf5.opening import open_hdf5
from ..layout.names import DEFAULT_STACK, is_stack, split_target
from ..reading.stack_file import split_readable
from ..reading.stack_reader import StackReader
from ..shapes import Pixels

with extra("xarray"):
    import xarray
    from xarray.backends import BackendArray, BackendEntrypoint
    from xarray.core import indexing

DIMS = ("frame", "y", "x", "channel")
_HDF5 = b"\x89HDF\r\n\x1a\n"


class StackArray(BackendArray):
    """Frames that are decoded when xarray asks for them."""

    def __init__(self, stack: StackReader) -> None:
        self.shape, self.dtype = stack.shape, stack.dtype
        self._stack = stack

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
        pixels: Pixels = self._stack[tuple(whole)]
        for axis in arrays[1:]:
            pixels = pixels.take(key[axis], axis)
        return pixels.squeeze(tuple(numbers))


class StackBackend(BackendEntrypoint):
    """The engine ``"h5vidstack"`` of xarray.

    A stack is the variable ``frames`` with dimensions ``(frame, y, x[, channel])``. Its values are
    read when they are needed. With ``chunks={}`` they are dask arrays of whole blocks. The dataset
    has the attributes of the stack, with the settings as JSON.
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
            Variables to leave out. Without ``frames`` there are only attributes.
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
        attrs = dict(stack.attrs)
        if "settings" in attrs:  # JSON can be written to other files
            attrs["settings"] = json.dumps(attrs["settings"])
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables or ()
        variables = {}
        if "frames" not in dropped:
            variables["frames"] = xarray.Variable(
                DIMS[: stack.ndim],
                indexing.LazilyIndexedArray(StackArray(stack)),
                encoding={"preferred_chunks": {"frame": stack.preferred_frames}},
            )
        dataset = xarray.Dataset(variables, attrs=attrs)
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
