"""A live stack, which can be read while it is written (spec/format.md, "Recordings")."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..codecs.block import padded
from ..hdf5.standard_filters import shuffled
from ..layout import metadata_store
from ..layout.names import TABLE_CRC
from ..layout.writer import PileWriter, Record, StackWriter
from ..metadata.coordinates import Column, Coordinate
from ..metadata.description import NO_METADATA
from ..shapes import Shape
from ..similar.fingerprints import HASHES, Hashes
from .coders import Coder

TABLE_ROWS = 4096
"""Rows of a chunk of a table."""


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
        stored, _ = metadata_store.encoded(values, self._attrs, whole=False)
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
        self._file, self._frame = file, frame
        self._group = file.create_group(stack)
        writer = StackWriter(self._group, frame, dtype, chunk)
        self.pile: PileWriter = writer.add_pile(str(coder), coder.options())
        self.pile.data.parent.attrs["typical"] = np.uint64(0)
        self._group["frames"] = self.pile.data
        metadata = (record.metadata or NO_METADATA).checked((0,), frame)
        metadata_store.write(self._group, metadata, (0,), frame, dtype, growing=True)
        self._columns = {
            name: LiveColumn(self._group[metadata_store.stored_name(name)], column)
            for name, column in metadata.coords.items()
            if column.dims == metadata.dims[:1]
        }
        axis = self._group[metadata_store.stored_name(metadata.dims[0])]
        self._axis = None if metadata.dims[0] in self._columns else axis
        no_frames = np.empty(0, np.intp)
        crc32 = no_frames.astype(np.uint32)
        tables = dict.fromkeys(HASHES, no_frames.astype(np.uint64)) if hashes else {}
        for name, values in self._tables(crc32, tables).items():
            table = self._group.create_dataset(
                name, maxshape=(None,), chunks=(TABLE_ROWS,), shuffle=True, compression="gzip",
                data=values,
            )  # fmt: skip
            table.attrs[TABLE_CRC] = np.uint32(0)
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

    def finish(self, crc32: npt.NDArray[np.uint32], hashes: dict[str, Hashes]) -> None:
        """Fill the tables; after this the stack is like any other."""
        n = len(crc32)
        for name, values in self._tables(crc32, hashes).items():
            table = self._group[name]
            table.resize((n,))
            for start in range(0, n, TABLE_ROWS):
                rows = padded(values[start : start + TABLE_ROWS], (TABLE_ROWS,))
                table.id.write_direct_chunk((start,), zlib.compress(shuffled(rows)))
            table.attrs.modify(TABLE_CRC, np.uint32(zlib.crc32(values.tobytes())))
        for column in self._columns.values():
            column.finish()
        self.pile.data.parent.attrs.modify("typical", np.uint64(n // 2))
        self._group.attrs.modify("shape", np.array((n, *self._frame), np.uint64))
        self._file.flush()

    @staticmethod
    def _tables(crc32: npt.NDArray[np.uint32], hashes: dict[str, Hashes]) -> dict[str, Any]:
        """Return all tables of frames in order, by name."""
        n = len(crc32)
        order = np.arange(n, dtype=np.uint64)
        named = {f"hashes/{name}": table for name, table in hashes.items()}
        return {
            "groups/000000/members": order,
            "index/group": np.zeros(n, np.uint32),
            "index/position": order,
            "index/crc32": crc32,
        } | {name: table.astype("<u8") for name, table in named.items()}
