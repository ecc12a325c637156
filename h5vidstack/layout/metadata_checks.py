"""What is sound of the metadata of a stack, and what is not, for `verify` and `recover`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import h5py
import numpy as np

from ..errors import FormatError, MetadataError
from ..hdf5.failures import damage_as_error
from ..metadata.coordinates import Coordinate, absent
from ..metadata.description import FRAME_AXIS, Metadata
from ..metadata.files import Places, SourceFiles
from ..metadata.words import NOTHING, Words
from . import metadata_names, metadata_reading
from .stack_group import Layout

Found = TypeVar("Found")


def sound_metadata(layout: Layout) -> tuple[Metadata, list[str]]:
    """Return what is sound of the metadata of a stack, read completely.

    A column that is too short is filled up with values that stand for none, and one that is too
    long is cut.

    Returns
    -------
    tuple
        What is sound, with a name for each axis; and for all that is not, a sentence.
    """
    if layout.group is None:
        return Metadata().checked(layout.leading_shape, layout.shape[1:]), []
    return _MetadataLook(layout, layout.group).metadata()


class _MetadataLook:
    """Reads all metadata of a stack, and notes what is wrong with it."""

    def __init__(self, layout: Layout, group: h5py.Group) -> None:
        self._layout, self._group = layout, group
        self._leading, self._frame = layout.leading_shape, layout.shape[1:]
        self._count = layout.shape[0]
        self.notes: list[str] = []

    def metadata(self) -> tuple[Metadata, list[str]]:
        """Return what is sound, and what is not."""
        group, axes = self._group, self._axes()
        names = self._try("coords", lambda: metadata_reading.coordinate_names(group)) or ()
        coords = {name: self._coordinate(name, axes) for name in names}
        said = self._try("source", lambda: metadata_reading.word_names(group)) or ()
        words = {name: self._words(name) for name in said}
        found = Metadata(
            axes.dims,
            {name: coordinate for name, coordinate in coords.items() if coordinate is not None},
            metadata_reading.user_attributes(self._layout.attrs),
            {name: kept for name, kept in words.items() if kept is not None},
            self._files(),
        )
        return found, self.notes

    def _try(self, what: str, read: Callable[[], Found]) -> Found | None:
        """Return what a function reads; None, and a note, if it is damaged."""
        try:
            with damage_as_error(what):
                return read()
        except (FormatError, MetadataError) as error:
            self.notes.append(str(error))
            return None

    def _axes(self) -> Metadata:
        """Return the names of the axes."""
        dims = self._layout.attrs.get(metadata_names.DIMS, ())
        if dims and len(dims) != len(self._leading) + len(self._frame):
            flat = FRAME_AXIS, *dims[len(dims) - len(self._frame) :]
            dims = flat if len(self._leading) == 1 else ()
            self.notes.append("dims does not name each axis; frames were added by another program")
        named = self._try("dims", lambda: Metadata(dims).checked(self._leading, self._frame))
        return named or Metadata().checked(self._leading, self._frame)

    def _coordinate(self, name: str, axes: Metadata) -> Coordinate | None:
        """Return a coordinate with all of its values, as many as the axes are long."""
        frames = self._count if self._layout.live else None

        def read() -> Coordinate:
            found = metadata_reading.coordinate_of(self._group, name, frames)
            return Coordinate.of(found.dims, found.data, found.attrs)

        found = self._try(f"the coordinate {name}", read)
        if found is None:
            return None
        fitted = self._fitted(name, found, axes)
        alone = replace(axes, coords={name: fitted})
        if self._try(name, lambda: alone.checked(self._leading, self._frame)) is None:
            return None
        return fitted

    def _fitted(self, name: str, found: Coordinate, axes: Metadata) -> Coordinate:
        """Return a column with a value for each frame."""
        per_frame = axes.frame_axis(self._leading)
        if found.dims[:1] != (per_frame,) or found.shape[0] == self._count:
            return found
        if not self._layout.live or found.shape[0] < self._count:
            self.notes.append(
                f"the coordinate {name} has {found.shape[0]} values, the stack {self._count} frames"
            )
        data = found.data[: self._count]
        missing = absent(found, self._count - len(data))
        both = np.concatenate([data.astype(missing.data.dtype), missing.data])
        return Coordinate.of(found.dims, both, missing.attrs if missing.shape[0] else found.attrs)

    def _words(self, name: str) -> Words | None:
        """Return what the source says under a name, without the values that cannot be read."""
        found = self._try(
            f"the source's {name}", lambda: metadata_reading.read_words(self._group, name)
        )
        if found is None:
            return None
        lost = self._unreadable(name, found)
        if found.of is None:
            return None if lost else found
        of = np.where(np.isin(found.of, lost), NOTHING, found.of) if lost else found.of
        of = self._of_all(f"the source's {name}", of.astype(np.uint32))
        return Words(found.kind, found.values, of).used()

    def _unreadable(self, name: str, words: Words) -> list[int]:
        """Return the places of values that cannot be read."""
        lost, why = [], ""
        for place in range(len(words.values)):
            try:
                words.values[place]
            except FormatError as error:
                lost.append(place)
                why = why or str(error)
        if lost:
            count = len(words.values)
            self.notes.append(f"{len(lost)} of {count} values of the source's {name}: {why}")
        return lost

    def _files(self) -> SourceFiles | None:
        what = "the table of source files"
        files = self._try(what, lambda: metadata_reading.read_files(self._group))
        if files is None:
            return None
        file, image = (
            None if table is None else self._of_all(f"{what} ({name})", table)
            for name, table in (("file", files.file), ("image", files.image))
        )
        if files.file is None and len(files) not in (1, self._count):
            self.notes.append(f"{what} has {len(files)} files for {self._count} frames")
            file = self._padded(np.arange(len(files), dtype=np.uint32))
        return replace(files, file=file, image=image)

    def _of_all(self, what: str, table: Places) -> Places:
        """Return a table with an entry for each frame."""
        if len(table) != self._count:
            self.notes.append(f"{what} has {len(table)} entries, the stack {self._count} frames")
        return self._padded(table)

    def _padded(self, table: Places) -> Places:
        missing = max(0, self._count - len(table))
        return np.append(table[: self._count], np.full(missing, NOTHING, np.uint32))
