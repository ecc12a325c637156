"""A live stack, which can be read while it is written (spec/format.md, "Recordings")."""

from __future__ import annotations

import zlib
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..codecs.block import padded
from ..hdf5.standard_filters import shuffled
from ..layout.names import TABLE_CRC
from ..layout.words import explain_file, explain_frames
from ..layout.writer import PileWriter, Record, StackWriter, renew_uuid
from ..shapes import Shape
from ..similar.fingerprints import HASHES, Hashes
from .coders import Coder

TABLE_ROWS = 4096
"""Rows of a chunk of a table."""


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
        self._file, self._frame = file, frame
        self._group = file.create_group(stack)
        writer = StackWriter(self._group, frame, dtype, chunk)
        self.pile: PileWriter = writer.add_pile(str(coder), coder.options())
        self.pile.data.parent.attrs["typical"] = np.uint64(0)
        self._group["frames"] = self.pile.data
        explain_file(file)
        explain_frames(self._group, coded=True)
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
        self.pile.data.parent.attrs.modify("typical", np.uint64(n // 2))
        renew_uuid(self._group)
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
