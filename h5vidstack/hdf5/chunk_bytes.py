"""Where the bytes of a dataset's chunks come from: an open HDF5 file, or a remote one."""

from __future__ import annotations

import threading
from typing import Any, Protocol

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import ClosedError
from ..shapes import Shape
from .remote import Range
from .remote_pages import RemoteFile

Chunk = tuple[int, bytes]
"""The filter mask (the filters that were left out), and the bytes as they are stored."""


class Stored(Protocol):
    """The chunks of one dataset, as they are stored; from any thread."""

    def get(self, offset: Shape) -> Chunk | None:
        """Return the chunk that begins at an offset; None where there is none."""

    def region(self, region: tuple[slice, ...]) -> npt.NDArray[Any]:
        """Return a part of the dataset as HDF5 decodes it."""

    def range(self, offset: Shape) -> Range | None:
        """Return the chunk's first byte in the file and the one behind its last; None as `get`."""

    def check(self) -> None:
        """Raise ClosedError or RemoteError where that is why reading failed."""


class LocalChunks:
    """Chunks of a dataset of an open file."""

    def __init__(self, dataset: h5py.Dataset, name: str) -> None:
        self._dataset, self._name = dataset, name

    def get(self, offset: Shape) -> Chunk | None:
        """See `Stored`."""
        try:
            filter_mask, data = self._dataset.id.read_direct_chunk(offset)
        except (OSError, RuntimeError):  # also where there is none
            # Not asked before: HDF5 goes through all chunks for the answer.
            if self._dataset and self.range(offset) is None:
                return None
            raise
        return filter_mask, data

    def region(self, region: tuple[slice, ...]) -> npt.NDArray[Any]:
        """See `Stored`."""
        return np.asarray(self._dataset[region])

    def range(self, offset: Shape) -> Range | None:
        """See `Stored`."""
        info = self._dataset.id.get_chunk_info_by_coord(offset)
        start: int | None = info.byte_offset
        return None if start is None else (start, start + info.size)

    def check(self) -> None:
        """See `Stored`."""
        if not self._dataset:
            raise ClosedError(f"{self._name} was closed while it was read")


class RemoteChunks:
    """Chunks of a dataset of a remote file.

    HDF5's index of them is read once, when the first is asked for.

    Parameters
    ----------
    dataset
        Only what stays is taken of it.
    """

    def __init__(self, dataset: h5py.Dataset, file: RemoteFile) -> None:
        self._path, self._file, self._chunks = dataset.name, file, dataset.chunks
        self._lock = threading.Lock()
        self._grid: npt.NDArray[np.intp] | None = None
        self._table = np.empty((0, 3), np.uint64)

    def get(self, offset: Shape) -> Chunk | None:
        """See `Stored`."""
        found = self._find(offset)
        if found is None:
            return None
        (start, end), filter_mask = found
        return filter_mask, self._file.read(start, end)

    def region(self, region: tuple[slice, ...]) -> npt.NDArray[Any]:
        """See `Stored`."""
        return self._file.ask(lambda file: np.asarray(file[self._path][region]))

    def range(self, offset: Shape) -> Range | None:
        """See `Stored`."""
        found = self._find(offset)
        return None if found is None else found[0]

    def check(self) -> None:
        """See `Stored`."""
        self._file.data.check_unchanged()

    def _find(self, offset: Shape) -> tuple[Range, int] | None:
        """Return where the chunk is in the file, and its filter mask."""
        with self._lock:
            if self._grid is None:
                self._grid, self._table = self._file.ask(self._index)
        place = tuple(o // c for o, c in zip(offset, self._chunks, strict=True))
        start, length, filter_mask = map(int, self._table[self._grid[place]])
        return ((start, start + length), filter_mask) if length else None

    def _index(self, file: h5py.File) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint64]]:
        """Return the number of each chunk, and by number its first byte, length and mask."""
        dataset = file[self._path]
        counts = [-(-n // c) for n, c in zip(dataset.shape, self._chunks, strict=True)]
        found: list[tuple[int, int, int]] = [(0, 0, 0)]  # of chunks that are not there
        grid = np.zeros(counts, np.intp)

        def note(info: Any) -> None:
            place = tuple(o // c for o, c in zip(info.chunk_offset, self._chunks, strict=True))
            if info.byte_offset is not None:
                grid[place] = len(found)
                found.append((info.byte_offset, info.size, info.filter_mask))

        dataset.id.chunk_iter(note)
        return grid, np.array(found, np.uint64)
