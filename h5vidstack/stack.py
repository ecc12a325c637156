"""`Stack`: what users open. It adds to a reader what needs the rest of the package."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .care import verification
from .errors import Error
from .integrations import dask, jupyter
from .layout.names import SEPARATOR
from .pool import Progress
from .reading.stack_reader import CACHE_BYTES, StackReader
from .viewing import notebook_widget
from .writing.option_signatures import collected, takes_options
from .writing.pack_options import PackOptions
from .writing.packer import PackReport, pack


class Stack(StackReader):
    """A packed stack of images: a `StackReader` that can also be appended to and verified."""

    def __enter__(self) -> Stack:
        return self

    @takes_options("append")
    def append(
        self,
        frames: Any,
        *,
        options: PackOptions | None = None,
        progress: Progress | None = None,
        **named: Any,
    ) -> PackReport:
        """Add frames to the stack in its file, and see them.

        Parameters
        ----------
        frames
            Whatever `pack` takes, of the same frame shape and dtype.
        options
            All options at once, as a `PackOptions`.
        progress
            Called with a `Step` as packing goes on.
        <options of append>

        Returns
        -------
        PackReport

        Raises
        ------
        FormatError, SourceError, UnsupportedError, OutputError, NotExactError
            The file is then as it was before.
        FileChangedError
            If the file holds another stack now.
        """
        self.refresh()  # nothing is added to another stack
        chosen = replace(collected("append", named, options), mode="a")
        where = f"{self._path}{SEPARATOR}{self.stack}"
        report = pack(frames, where, options=chosen, progress=progress)
        self.refresh()
        return report

    def verify(self, **options: Any) -> list[str]:
        """Decode everything and check every CRC and index; see `h5vidstack.verify`.

        Parameters
        ----------
        options
            Those of `h5vidstack.verify`.

        Returns
        -------
        list of str
            What is wrong, a sentence each; empty for a sound stack.
        """
        return verification.verify(self, **options)

    def to_dask(self, nd: bool = False) -> Any:
        """Return the stack as a lazy dask array, for any scheduler.

        Parameters
        ----------
        nd
            With all axes of `nd`; dask's arrays have no names of axes, but those of xarray do.

        Returns
        -------
        dask.array.Array
            Of the same shape and dtype as the stack, or as its `nd`. A chunk is whole frames, as
            many blocks of them as make about 16 MB (64 MB where the stack is reordered), at least
            one. It stays readable when the stack is closed; other processes read the file by its
            path.

        Raises
        ------
        MissingError
            If dask is not installed.
        """
        return dask.to_dask(self, nd)

    def view(self, *, height: int = 620, frame: int = 0) -> Any:
        """Return a viewer for Jupyter, as the page of ``h5vidstack view``.

        It shows frames, time line and metadata as long as the stack is open.

        Parameters
        ----------
        height
            Of the viewer, in CSS pixels.
        frame
            The frame that is shown first; a negative number counts from the end.

        Returns
        -------
        anywidget.AnyWidget
            Jupyter shows it where it is the last value of a cell. ``frame`` is the number of the
            frame that is shown; another one can be assigned.

        Raises
        ------
        MissingError
            If anywidget is not installed.
        QueryError
            If there is no such frame.
        """
        return notebook_widget.widget(self, height, frame)

    def _repr_html_(self) -> str | None:
        """Return what Jupyter shows; None makes it show the text."""
        try:
            return None if self._closed else jupyter.html(self)
        except Error:
            return None


def open(
    path: str | os.PathLike[str],
    stack: str | None = None,
    cache_bytes: int = CACHE_BYTES,
    workers: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Stack:
    """Open a packed stack for reading; see `Stack`."""
    how: dict[str, Any] = {"workers": workers, "storage_options": storage_options}
    return Stack(path, stack, cache_bytes=cache_bytes, **how)
