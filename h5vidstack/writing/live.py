"""A live stack, which can be read while it is written (spec/format.md, "Recordings")."""

from __future__ import annotations

import zlib
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..hdf5.standard_filters import shuffled
from ..layout.names import TABLE_CRC
from ..layout.words import explain_file, explain_frames
from ..layout.writer import PileWriter, Record, StackWriter, renew_uuid
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
        What the stack's attributes say.
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
        self._tables = {
            name: _GrowingTable(self._group, name, dtype)
            for name, dtype in (_TABLES | (_HASHES if hashes else {})).items()
        }
        writer.write_attributes((0, *frame), record)
        file.flush()
        file.swmr_mode = True

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
