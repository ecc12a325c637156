"""Where samples lie while they are coded: rasters with a margin, in the order of steps.

A frame is coded in steps: step s holds the samples (y, x) with x + 2y = s, by rising y. All
neighbours that a sample is predicted from are of earlier steps.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from .model import Integers

ABOVE, BELOW, SIDE = 2, 1, 2
"""Rows and columns of the margin."""


@dataclass(frozen=True)
class Raster:
    """The places of a frame's samples in an array with a margin, C order."""

    height: int
    width: int

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.width + 2 * (self.height - 1)

    @property
    def rows(self) -> int:
        """Rows with the margin."""
        return self.height + ABOVE + BELOW

    @property
    def pitch(self) -> int:
        """Columns with the margin."""
        return self.width + 2 * SIDE

    @property
    def cells(self) -> int:
        """Samples and margin."""
        return self.rows * self.pitch

    def zeros(self, count: int) -> Integers:
        """Return room for so many frames."""
        return np.zeros((count, self.rows, self.pitch), np.int16)

    def inside(self, planes: Integers, away: tuple[int, int] = (0, 0)) -> Integers:
        """Return for every sample the one so many rows and columns away, as a view."""
        top, left = ABOVE + away[0], SIDE + away[1]
        return planes[..., top : top + self.height, left : left + self.width]

    def offsets(self, places: tuple[tuple[int, int], ...]) -> Integers:
        """Return how far the cells are that lie so many rows and columns away: a column."""
        return np.array([[dy * self.pitch + dx] for dy, dx in places])

    @functools.cached_property
    def step_of(self) -> Integers:
        """The step of each sample, in raster order."""
        rows = 2 * np.arange(self.height)
        return (rows[:, None] + np.arange(self.width)).ravel()

    @functools.cached_property
    def order(self) -> Integers:
        """The samples, numbered in raster order, in the order of coding."""
        return np.argsort(self.step_of, kind="stable")

    @functools.cached_property
    def step_sizes(self) -> Integers:
        """How many samples each step has."""
        return np.bincount(self.step_of, minlength=self.steps)

    @functools.cached_property
    def step_starts(self) -> Integers:
        """The cell of each step's first sample; the next one is ``pitch - 2`` cells behind."""
        step = np.arange(self.steps)
        low = np.maximum(0, (step - self.width) // 2 + 1)
        starts: Integers = ABOVE * self.pitch + SIDE + step + low * (self.pitch - 2)
        return starts

    def sources(self) -> Integers:
        """Return for every cell the one whose value it repeats; -1 where that is of no frame."""
        cells = np.arange(self.cells).reshape(self.rows, self.pitch)
        cells[-BELOW, [0, -1]] = -1  # the only ones that no step looks at
        fill_margin(cells, -1)
        return cells.ravel()


def fill_margin(planes: Integers, before: Integers | int) -> None:
    """Fill the margin of ``(..., rows, pitch)``; `before` is the value before the first sample."""
    before = np.asarray(before)[..., None]
    width = planes.shape[-1] - 2 * SIDE
    rows, first = planes[..., ABOVE:-BELOW, :], planes[..., ABOVE, SIDE:-SIDE]
    rows[..., 1:, :SIDE] = rows[..., :-1, SIDE : SIDE + 1]
    rows[..., 0, :SIDE] = before
    rows[..., -SIDE:] = rows[..., -SIDE - 1 : -SIDE]
    planes[..., 1, : SIDE + 2] = before
    planes[..., 1, SIDE + 2 :] = first
    planes[..., 0, : SIDE + 4] = before
    planes[..., 0, SIDE + 4 :] = first[..., : max(0, width - 2)]
    planes[..., -1, 1:-1] = planes[..., -2, 1:-1]
