"""Columns: arrays that grow at their end, for what is noted of each frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from ..similar.fingerprints import HASHES, Fingerprints

LEAST = 1 << 10
"""Rows of a new column."""


class Column:
    """An array that grows at its end, in one piece of memory.

    A list of Python's numbers, or of small arrays, takes several times as much.

    Parameters
    ----------
    dtype
        Of the array.
    row
        The shape behind its first axis.
    """

    def __init__(self, dtype: npt.DTypeLike, row: tuple[int, ...] = ()) -> None:
        self._held = np.empty((LEAST, *row), dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def values(self) -> npt.NDArray[Any]:
        """All rows, in memory that the column shares until it grows."""
        return self._held[: self._count]

    def extend(self, rows: npt.NDArray[Any]) -> None:
        """Add rows at the end."""
        count = self._count + len(rows)
        if count > len(self._held):
            larger = np.empty(
                (max(count, len(self._held) * 3 // 2), *self._held.shape[1:]), self._held.dtype
            )
            larger[: self._count] = self.values
            self._held = larger
        self._held[self._count : count] = rows
        self._count = count


class FingerprintColumns:
    """The fingerprints of frames that come batch after batch.

    Parameters
    ----------
    hashes
        Whether there are image hashes among them.
    """

    def __init__(self, hashes: bool) -> None:
        self._crc32 = Column(np.uint32)
        self._tables = {name: Column(np.uint64) for name in HASHES if hashes}

    def __len__(self) -> int:
        return len(self._crc32)

    def extend(self, prints: Fingerprints) -> None:
        """Add those of the next frames."""
        self._crc32.extend(prints.crc32)
        for name, table in prints.hashes.items():
            self._tables[name].extend(table)

    def joined(self, name: str) -> Fingerprints:
        """Return those of all frames; if there are none, SourceError names the source."""
        if not len(self):
            raise SourceError(f"{name} holds no frames")
        tables = {name: table.values for name, table in self._tables.items()}
        return Fingerprints(self._crc32.values, **tables)
