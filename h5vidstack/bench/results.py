"""The results of a comparison: a row of medians for each contestant, and the best of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .contestants import Contestant
from .measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of a contestant; they are None where `problem` says why.

    Attributes
    ----------
    name
        The name of the contestant.
    ours
        Whether it is a method of this package.
    problem
        Why there are no figures.
    file_bytes, ratio
        The size of the file, and how many times smaller than the pixels it is.
    exact
        Whether it gave back each pixel, bit for bit.
    max_error, psnr
        The largest error, and the PSNR in dB, where it is not exact.
    pack_speed, read_speed
        Median speeds, in 10^6 bytes of pixels per second.
    frame_ms, frame_p95_ms
        Median and 95th percentile of the time for a random frame, the first one after opening,
        in ms.
    peak_bytes
        The most memory that packing added to the process, measured every few ms. None where the
        system does not tell.
    broken
        What it had to keep and did not: NaN and infinities, or its bound.
    options
        The options of ``h5vidstack pack`` that do the same.
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


def median_row(
    one: Contestant,
    runs: Sequence[Measurement],
    peaks: Sequence[int | None],
    raw_bytes: int,
    bound: float | None = None,
) -> Row:
    """Return the row of a contestant from its measurements in all rounds."""
    singles = np.concatenate([run.frame_seconds for run in runs]) * 1e3
    packs = [run.pack_seconds for run in runs if run.pack_seconds is not None]
    last, max_error = runs[-1], max(run.max_error for run in runs)
    broken = None
    if math.isinf(max_error):  # the difference of two numbers never is
        broken = "NaN or infinities lost"
    elif one.bounded and bound is not None and max_error > bound:
        broken = "over its bound"
    return Row(
        name=one.name,
        ours=one.ours,
        file_bytes=last.file_bytes,
        ratio=raw_bytes / last.file_bytes,
        exact=all(run.exact for run in runs),
        max_error=max_error,
        psnr=last.psnr,
        pack_speed=raw_bytes / 1e6 / statistics.median(packs),
        read_speed=raw_bytes / 1e6 / statistics.median(run.read_seconds for run in runs),
        frame_ms=float(np.median(singles)),
        frame_p95_ms=float(np.percentile(singles, 95)),
        peak_bytes=max((peak for peak in peaks if peak is not None), default=None),
        broken=broken,
        options=one.options,
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


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The results of a comparison.

    Attributes
    ----------
    source
        The name of what was packed.
    shape, dtype, raw_bytes
        The shape, dtype and bytes of the frames.
    bound
        The largest error allowed to contestants that keep a bound; None if none took part.
    rounds
        How often each contestant was measured.
    machine
        Names and versions of what it ran on.
    rows
        One row for each contestant.
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
        """Return the best value of each column among the exact rows."""
        found = {}
        for column, better in COLUMNS.items():
            values = [getattr(row, column) for row in self.exact]
            values = [value for value in values if value is not None]
            if values:
                found[column] = better(values)
        return found

    def front(self, column: str) -> list[Row]:
        """Return the exact rows that no exact row beats in both size and speed, smallest first."""
        ordered = sorted(self.exact, key=lambda row: (row.file_bytes, -getattr(row, column)))
        front: list[Row] = []
        for row in ordered:
            if not front or getattr(row, column) > getattr(front[-1], column):
                front.append(row)
        return front
