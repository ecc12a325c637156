"""The features of many frames: a bounded number of them in memory, the rest in a file."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ..shapes import Numbers

Features = npt.NDArray[np.float32]
"""``(n, d)``, finite."""

MOST_HELD = 1 << 13
"""Rows that are kept in memory. Where there are more, all are in the file."""


class FeatureStore:
    """Rows of features, which are added at the end and taken in any order.

    Parameters
    ----------
    folder
        Where an unnamed file is made, if there are many rows.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._held: list[Features] = []
        self._file: BinaryIO | None = None
        self._width = 0

    @staticmethod
    def of(features: Features) -> FeatureStore:
        """Return a store of features that are in memory."""
        store = FeatureStore(Path())
        store._count, store._held, store._width = len(features), [features], features.shape[1]
        return store

    def __len__(self) -> int:
        return self._count

    def extend(self, rows: Features) -> None:
        """Add rows."""
        self._count += len(rows)
        self._width = rows.shape[1]
        self._held.append(np.ascontiguousarray(rows, np.float32))
        if self._file is None and self._count > MOST_HELD:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
        if self._file is not None:
            for part in self._held:
                self._file.write(part.data)
            self._held = []

    def take(self, numbers: Numbers) -> Features:
        """Return rows by their numbers, ``(len(numbers), d)``."""
        if self._file is None:
            if len(self._held) > 1:
                self._held = [np.concatenate(self._held)]
            return self._held[0][numbers]
        rows = np.empty((len(numbers), self._width), np.float32)
        # Rows that follow each other in the file are read together.
        starts = np.flatnonzero(np.diff(numbers, prepend=-2) != 1)
        for start, stop in itertools.pairwise([*starts.tolist(), len(rows)]):
            self._file.seek(int(numbers[start]) * 4 * self._width)
            self._file.readinto(rows[start:stop].data)  # type: ignore[attr-defined]
        return rows

    def evenly(self, most: int) -> Features:
        """Return at most so many rows that are evenly spaced."""
        step = -(-len(self) // most) or 1
        return self.take(np.arange(0, len(self), step))

    def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()
