"""What a comparison found: rows of medians, the best of each column, and advice."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .child import Run


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
        Median and 95th percentile of the time for a random frame, in ms.
    peak_bytes
        Most memory that packing took on top of what the process held; None where the
        system does not tell.
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


def row(name: str, ours: bool, runs: Sequence[Run], peaks: Sequence[int], raw_bytes: int) -> Row:
    """Put the rounds of a contestant together."""
    singles = np.concatenate([run.frame_seconds for run in runs]) * 1e3
    packs = [run.pack_seconds for run in runs if run.pack_seconds is not None]
    last = runs[-1]
    return Row(
        name,
        ours,
        None,
        last.file_bytes,
        raw_bytes / last.file_bytes,
        all(run.exact for run in runs),
        max(run.max_error for run in runs),
        last.psnr,
        raw_bytes / 1e6 / statistics.median(packs),
        raw_bytes / 1e6 / statistics.median(run.read_seconds for run in runs),
        float(np.median(singles)),
        float(np.percentile(singles, 95)),
        max(peaks) or None,
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

    def advice(self) -> str:
        """Which to use for what, in a few sentences."""
        if not self.exact:
            return "Nothing here is exact, so there is nothing to recommend."
        size = {row.name: float(row.file_bytes or 0) for row in self.rows}
        smallest = min(self.exact, key=lambda row: size[row.name])
        said = [f"To archive: {smallest.name}, {_times(smallest)} smaller than the pixels."]
        quick = [row for row in self.exact if (row.pack_speed or 0) >= EVERYDAY_SPEED]
        if quick:
            everyday = min(quick, key=lambda row: size[row.name])
            said.append(
                f"Every day: {everyday.name}, {_times(everyday)} smaller at "
                f"{everyday.pack_speed:,.0f} MB/s, the smallest of those that pack "
                f"{EVERYDAY_SPEED:.0f} MB/s or more."
            )
        compact = [row for row in self.exact if 2 * size[row.name] <= self.raw_bytes]
        if compact:
            single = min(compact, key=lambda row: row.frame_p95_ms or math.inf)
            said.append(
                f"To read frames at random: {single.name}, {single.frame_p95_ms:.2g} ms for 95 "
                f"of 100 frames and {_times(single)} smaller, the fastest of those in half of "
                "the size of the pixels."
            )
        lossy = [
            row for row in self.rows if row.exact is False and size[row.name] < size[smallest.name]
        ]
        if lossy:
            least = min(lossy, key=lambda row: size[row.name])
            said.append(
                f"Smaller still but NOT exact: {least.name}, {_times(least)} smaller, "
                f"off by up to {least.max_error:.4g}."
            )
        return " ".join(said)


EVERYDAY_SPEED = 20.0
"""MB/s at which nobody waits for a recording to be packed: 76 frames/s of 512 x 512 pixels."""


def _times(row: Row) -> str:
    return f"{row.ratio:,.3g} times"
