"""What a comparison found: rows of medians, the best of each column, and advice."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .child import Run
from .contestants import Contestant


@dataclass(frozen=True)
class Row:
    """A contestant; figures are None where `problem` says why there are none.

    Attributes
    ----------
    name
        Who.
    ours
        Whether it is a method of this package.
    problem
        Why there are no figures.
    file_bytes, ratio
        Size of the file, and how many times smaller than the pixels it is.
    exact
        Whether it gave back each pixel, bit for bit.
    max_error, psnr
        Else how far off it was; PSNR in dB.
    pack_speed, read_speed
        Median, in 10^6 bytes of pixels a second.
    frame_ms, frame_p95_ms
        Median and 95th percentile of the time for a random frame, the first that is read
        after opening, in ms.
    peak_bytes
        Most memory that packing took on top of what the process held, as far as a look
        every few ms tells; None where the system does not tell.
    broken
        What it was to keep and did not: NaN and infinities, or its bound.
    options
        Of ``h5vidstack pack``, to do the same.
    """

    name: str
    ours: bool
    problem: str | None = None
    file_bytes: int | None = None
    ratio: float | None = None
    exact: bool | None = None
    max_error: float | None = None
    psnr: float | None = None
    pack_speed: float | None = None
    read_speed: float | None = None
    frame_ms: float | None = None
    frame_p95_ms: float | None = None
    peak_bytes: int | None = None
    broken: str | None = None
    options: str | None = None


def row(
    one: Contestant,
    runs: Sequence[Run],
    peaks: Sequence[int | None],
    raw_bytes: int,
    bound: float | None = None,
) -> Row:
    """Put the rounds of a contestant together."""
    singles = np.concatenate([run.frame_seconds for run in runs]) * 1e3
    packs = [run.pack_seconds for run in runs if run.pack_seconds is not None]
    last, max_error = runs[-1], max(run.max_error for run in runs)
    broken = None
    if math.isinf(max_error):  # as no difference of two numbers is
        broken = "NaN or infinities lost"
    elif one.bounded and bound is not None and max_error > bound:
        broken = "over its bound"
    return Row(
        one.name,
        one.ours,
        None,
        last.file_bytes,
        raw_bytes / last.file_bytes,
        all(run.exact for run in runs),
        max_error,
        last.psnr,
        raw_bytes / 1e6 / statistics.median(packs),
        raw_bytes / 1e6 / statistics.median(run.read_seconds for run in runs),
        float(np.median(singles)),
        float(np.percentile(singles, 95)),
        max((peak for peak in peaks if peak is not None), default=None),
        broken,
        one.options,
    )


COLUMNS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "file_bytes": min,
    "ratio": max,
    "pack_speed": max,
    "read_speed": max,
    "frame_ms": min,
    "frame_p95_ms": min,
    "peak_bytes": min,
}
"""The columns that are compared, and which of their values is best."""


@dataclass(frozen=True)
class Bench:
    """A comparison.

    Attributes
    ----------
    source
        What was packed.
    shape, dtype, raw_bytes
        Of the frames.
    bound
        Largest error allowed to contestants that keep one; None: none took part.
    rounds
        How often each was measured.
    machine
        What it ran on: names and versions.
    rows
        One a contestant.
    """

    source: str
    shape: tuple[int, ...]
    dtype: str
    raw_bytes: int
    bound: float | None
    rounds: int
    machine: dict[str, str]
    rows: tuple[Row, ...]

    @property
    def exact(self) -> list[Row]:
        """The rows that gave back each pixel."""
        return [row for row in self.rows if row.exact]

    def best(self) -> dict[str, float]:
        """The best value of each column among the exact rows, which alone compare."""
        found = {}
        for column, better in COLUMNS.items():
            values = [getattr(row, column) for row in self.exact]
            values = [value for value in values if value is not None]
            if values:
                found[column] = better(values)
        return found

    def front(self, column: str) -> list[Row]:
        """Exact rows that no exact row beats in both size and a speed, smallest first."""
        ordered = sorted(self.exact, key=lambda row: (row.file_bytes, -getattr(row, column)))
        front: list[Row] = []
        for row in ordered:
            if not front or getattr(row, column) > getattr(front[-1], column):
                front.append(row)
        return front
