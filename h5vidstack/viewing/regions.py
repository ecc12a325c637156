"""Regions of frames as the viewer gets them: whole, or smaller by a factor."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import QueryError
from ..reading.stack_reader import StackReader
from ..shapes import Pixels, Shape

MOST_BYTES = 64 << 20
"""The most bytes of samples in one answer."""
MOST_FRAMES = 1024
"""The most frames in one answer."""
BAND_BYTES = 16 << 20
"""Bytes of pixels that are made smaller at a time."""
SMALL_FACTOR = 128
"""The largest factor whose squares of 16-bit pixels sum up to less than 2**31."""


@dataclass(frozen=True)
class Region:
    """A part of some frames.

    Attributes
    ----------
    numbers
        The frames.
    rows, columns
        The first row or column, and the one behind the last.
    factor
        One sample stands for a square of so many pixels; 1 gives the pixels themselves.
    """

    numbers: tuple[int, ...]
    rows: tuple[int, int]
    columns: tuple[int, int]
    factor: int = 1

    def samples(self, frame: Shape) -> Shape:
        """Return the shape of one frame's samples, for frames of shape ``(H, W[, C])``."""
        edges = (-(-(stop - start) // self.factor) for start, stop in (self.rows, self.columns))
        return (*edges, *frame[2:])

    def check(self, shape: Shape, itemsize: int) -> None:
        """Raise QueryError unless it lies in a stack of this shape, and is not too large."""
        count, height, width = shape[:3]
        if not 1 <= len(self.numbers) <= MOST_FRAMES:
            raise QueryError(f"{len(self.numbers)} frames; ask for 1 to {MOST_FRAMES}")
        for number in self.numbers:
            if not 0 <= number < count:
                raise QueryError(f"there is no frame {number}; there are {count}")
        for name, (start, stop), edge in (
            ("rows", self.rows, height),
            ("columns", self.columns, width),
        ):
            if not 0 <= start < stop <= edge:
                raise QueryError(f"there are no {name} {start} to {stop}; there are {edge}")
            if start % self.factor:
                raise QueryError(f"{name} begin at {start}, which {self.factor} does not divide")
        size = len(self.numbers) * int(np.prod(self.samples(shape[1:]))) * itemsize
        if size > MOST_BYTES:
            raise QueryError(f"{size} bytes of samples; ask for at most {MOST_BYTES}")


def read_region(stack: StackReader, region: Region) -> Pixels:
    """Return the samples of a region, ``(n, h, w[, C])``, in the dtype of the stack.

    Raises
    ------
    QueryError
        If the region is not one of the stack, or too large.
    BlockError
        If a block that is needed is damaged.
    """
    region.check(stack.shape, stack.dtype.itemsize)
    if region.factor == 1:
        key = _key(region.numbers), slice(*region.rows), slice(*region.columns)
        found: Pixels = stack.read(key)
        return found
    frame = region.samples(stack.shape[1:])
    samples = np.empty((len(region.numbers), *frame), stack.dtype)
    step = _band_rows(stack, region)
    for place, number in enumerate(region.numbers):
        for start in range(region.rows[0], region.rows[1], step):
            rows = slice(start, min(start + step, region.rows[1]))
            small = shrink(stack.read((number, rows, slice(*region.columns))), region.factor)
            first = (start - region.rows[0]) // region.factor
            samples[place, first : first + len(small)] = small
    return samples


def _key(numbers: tuple[int, ...]) -> slice | list[int]:
    """Return evenly spaced frame numbers as a slice, which is read with less overhead."""
    steps = {after - before for before, after in itertools.pairwise(numbers)} or {1}
    step = min(steps)
    if len(steps) == 1 and step > 0:
        return slice(numbers[0], numbers[-1] + 1, step)
    return list(numbers)


def _band_rows(stack: StackReader, region: Region) -> int:
    """Return how many rows to read at a time: whole blocks where that fits, and whole squares."""
    width = region.columns[1] - region.columns[0]
    row = width * stack.dtype.itemsize * int(np.prod(stack.shape[3:]))
    block = stack.chunks[1]
    unit = block if block % region.factor == 0 else region.factor
    return max(1, BAND_BYTES // (row * unit)) * unit


def shrink(pixels: Pixels, factor: int) -> Pixels:
    """Return the mean of each square of pixels, in the same dtype.

    Squares at the lower and right edges hold what is left. Means of whole numbers are rounded.
    NaN is left out; a square of nothing else is NaN. Of whole numbers of 64 bits, which no
    float holds, the first pixel of each square is taken.

    Parameters
    ----------
    pixels
        ``(h, w[, C])``.
    factor
        Edge of a square.
    """
    dtype = pixels.dtype
    if dtype.kind in "iu" and dtype.itemsize == 8:
        return pixels[::factor, ::factor]
    if dtype.kind == "f":
        known = ~np.isnan(pixels)
        with np.errstate(all="ignore"):  # infinities of both signs, and squares of NaN
            sums = _sums(np.where(known, pixels, 0), factor, np.dtype(np.float64))
            means = sums / _sums(known, factor, np.dtype(np.int64))
            return means.astype(dtype)
    small = dtype.itemsize <= 2 and factor <= SMALL_FACTOR
    sums = _sums(pixels, factor, np.dtype(np.int32 if small else np.int64))
    one = np.ones((*pixels.shape[:2], *(1 for _ in pixels.shape[2:])), bool)
    rows, columns = (_sums(part, factor, sums.dtype) for part in (one[:, :1], one[:1]))
    rounded: Pixels = np.rint(sums / (rows * columns))
    return rounded.astype(dtype)


def _sums(pixels: Pixels, factor: int, dtype: np.dtype[Any]) -> Pixels:
    """Return the sum of each square of pixels; adding whole rows at a time is fast."""
    for axis in (0, 1):
        rows = np.moveaxis(pixels, axis, 0)
        sums = np.zeros((-(-len(rows) // factor), *rows.shape[1:]), dtype)
        for first in range(min(factor, len(rows))):
            part = rows[first::factor]
            sums[: len(part)] += part
        pixels = np.moveaxis(sums, 0, axis)
    return pixels
