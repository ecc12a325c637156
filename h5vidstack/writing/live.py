"""A live stack, which can be read while it is written (spec/format.md, "Recordings")."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..hdf5.standard_filters import shuffled
from ..layout import column_values, metadata_names, metadata_writing
from ..layout.explanations import explain_file, explain_frames
from ..layout.names import TABLE_CRC
from ..layout.writer import PileWriter, Record, StackWriter, renew_uuid
from ..metadata.coordinates import Column, Coordinate
from ..metadata.description import NO_METADATA
from ..shapes import Shape
from ..similar.fingerprints import HASHES, Fingerprints
from .coders import Coder

TABLE_ROWS = 4096
"""Rows of a chunk of a table."""
_TABLES = {
    "groups/000000/members": "<u8",
    "index/group": "<u4",
    "index/position": "<u8",
    "index/crc32": "<u4",
}
_HASHES = {f"hashes/{name}": "<u8" for name in HASHES}
"""The tables of a stack, and the dtype of each."""


class LiveColumn:
    """A column that grows while it is read.

    A chunk that is not full is written again with more values, in its place. What a reader finds
    there is right for the values that it knows of, whenever it reads.

    Parameters
    ----------
    data
        Its dataset.
    column
        Its dtype and attributes.
    """

    def __init__(self, data: h5py.Dataset, column: Coordinate) -> None:
        self._data, self._attrs = data, column.attrs
        self._rows = np.zeros(data.chunks, data.dtype)
        self._count = self._crc32 = 0

    def extend(self, values: Column) -> None:
        """Add values behind the others."""
        stored, _ = column_values.encoded(values, self._attrs, whole=False)
        stored = stored.astype(self._data.dtype, copy=False)
        self._crc32 = zlib.crc32(stored.tobytes(), self._crc32)
        while len(stored):
            place = self._count % len(self._rows)
            part = stored[: len(self._rows) - place]
            self._rows[place : place + len(part)] = part
            self._count, stored = self._count + len(part), stored[len(part) :]
            self._data.id.set_extent((self._count,))
            first = (self._count - 1) // len(self._rows) * len(self._rows)
            self._data.id.write_direct_chunk((first,), self._rows.tobytes())
        self._data.flush()

    def finish(self) -> None:
        """Set the checksum of all values."""
        self._data.attrs.modify(TABLE_CRC, np.uint32(self._crc32))


class LiveStack:
    """A stack of one pile in order, whose blocks can be read as soon as they are there.

    All objects that it will ever hold are made first, empty. Then HDF5's single-writer,
    multiple-readers mode (SWMR) begins, in which no object can be made. A reader finds a sound
    file at any moment, also after a crash.

    Parameters
    ----------
    file
        A new file of HDF5 1.10's format, open for writing.
    stack
        Path of the group to make.
    frame, dtype, chunk
        Shape and dtype of a frame, and shape of a block.
    coder
        The coder of all blocks.
    record
        What the stack's attributes say. Columns of its metadata have no values yet.
    hashes
        Whether to make tables of image hashes.

    Attributes
    ----------
    pile
        What takes the blocks.
    """

    def __init__(
        self,
        file: h5py.File,
        stack: str,
        frame: Shape,
        dtype: np.dtype[Any],
        chunk: Shape,
        coder: Coder,
        record: Record,
        hashes: bool,
    ) -> None:
        self._file, self._frame, self._frames = file, frame, 0
        self._group = file.create_group(stack)
        writer = StackWriter(self._group, frame, dtype, chunk)
        self.pile: PileWriter = writer.add_pile(str(coder), coder.options())
        self.pile.data.parent.attrs["typical"] = np.uint64(0)
        self._group["frames"] = self.pile.data
        explain_file(file)
        explain_frames(self._group, coded=True)
        metadata = (record.metadata or NO_METADATA).checked((0,), frame)
        metadata_writing.write(self._group, metadata, (0,), frame, dtype, growing=True)
        self._columns = {
            name: LiveColumn(self._group[metadata_names.stored_name(name)], column)
            for name, column in metadata.coords.items()
            if column.dims == metadata.dims[:1]
        }
        axis = self._group[metadata_names.stored_name(metadata.dims[0])]
        self._axis = None if metadata.dims[0] in self._columns else axis
        self._tables = {
            name: _GrowingTable(self._group, name, dtype)
            for name, dtype in (_TABLES | (_HASHES if hashes else {})).items()
        }
        writer.write_attributes((0, *frame), record)
        file.flush()
        file.swmr_mode = True

    def add_columns(self, values: Mapping[str, Column], frames: int) -> None:
        """Write the values of frames, before the frames themselves.

        Parameters
        ----------
        values
            By name of column.
        frames
            How many frames there will be.
        """
        for name, column in values.items():
            self._columns[name].extend(column)
        if self._axis is not None:
            self._axis.id.set_extent((frames,))
            self._axis.flush()

    def extend(self, prints: Fingerprints) -> None:
        """Add the next frames to the tables; full chunks are written at once."""
        first = self._frames
        self._frames += len(prints)
        numbers = np.arange(first, self._frames)
        columns: dict[str, npt.NDArray[Any]] = {
            "groups/000000/members": numbers,
            "index/group": np.zeros(len(prints)),
            "index/position": numbers,
            "index/crc32": prints.crc32,
        }
        columns |= {f"hashes/{name}": table for name, table in prints.hashes.items()}
        for name, table in self._tables.items():
            table.extend(columns[name])

    def finish(self) -> None:
        """Complete the tables; after this the stack is like any other."""
        for table in self._tables.values():
            table.finish()
        for column in self._columns.values():
            column.finish()
        self.pile.data.parent.attrs.modify("typical", np.uint64(self._frames // 2))
        renew_uuid(self._group)
        self._group.attrs.modify("shape", np.array((self._frames, *self._frame), np.uint64))
        self._file.flush()


class _GrowingTable:
    """A table of a live stack, of which memory holds only the chunk that is being filled."""

    def __init__(self, group: h5py.Group, name: str, dtype: str) -> None:
        self._table = group.create_dataset(
            name, (0,), dtype, maxshape=(None,), chunks=(TABLE_ROWS,), shuffle=True,
            compression="gzip",
        )  # fmt: skip
        self._table.attrs[TABLE_CRC] = np.uint32(0)
        self._chunk = np.zeros(TABLE_ROWS, dtype)
        self._start = self._filled = self._crc32 = 0

    def extend(self, values: npt.NDArray[Any]) -> None:
        """Add rows."""
        while len(values):
            some = values[: TABLE_ROWS - self._filled]
            self._chunk[self._filled : self._filled + len(some)] = some
            self._filled += len(some)
            values = values[len(some) :]
            if self._filled == TABLE_ROWS:
                self._write()

    def _write(self) -> None:
        """Write the chunk, of which the rest is zeros."""
        stop = self._start + self._filled
        self._crc32 = zlib.crc32(self._chunk[: self._filled].data, self._crc32)
        self._chunk[self._filled :] = 0
        self._table.resize((stop,))
        self._table.id.write_direct_chunk((self._start,), zlib.compress(shuffled(self._chunk)))
        self._start, self._filled = stop, 0

    def finish(self) -> None:
        """Write what is left, and the checksum."""
        if self._filled:
            self._write()
        self._table.attrs.modify(TABLE_CRC, np.uint32(self._crc32))
