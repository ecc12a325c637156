"""Reversible steps between a block's values and the planes that codecs take (numpy).

All arithmetic is modulo ``2**bits``, on unsigned arrays just large enough.
Normative: spec/format.md, "From planes to pixels".
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
"""Unsigned integers of so many bits, ``(n, H, W)`` or ``(n, H, W, C)``."""


TOGETHER = 1 << 18
"""Values on which all steps are done before the next: they stay in the processor's cache."""


class Predictor(IntEnum):
    """What is subtracted from a value before it is coded; what is outside counts as 0."""

    NONE = 0
    PREVIOUS = 1
    """The same pixel of the frame before."""
    LEFT = 2
    """The pixel to the left."""
    LINEAR = 3
    """Twice the pixel to the left, less the one left of that: a straight line."""
    GRADIENT = 4
    """Left plus above less above left: a plane."""
    MEAN = 5
    """The mean of up to 8 earlier frames, those long ago counting less; in the first, LEFT."""

    @property
    def of_frames(self) -> bool:
        """Whether frames before are needed to undo it."""
        return self in (Predictor.PREVIOUS, Predictor.MEAN)


MEAN_MOST = 32
"""Bits of which `Predictor.MEAN` predicts at most: their sums have to fit."""


class Colour(IntEnum):
    """How the channels of colour become components."""

    NONE = 0
    DIFFERENCE = 1
    """Green; red less green and blue less green, each plus half of the range; alpha."""
    LIFT = 2
    """The mean of all; red less green; blue less the mean of both; alpha."""


@cache
def container(bits: int) -> np.dtype[Any]:
    """The smallest unsigned dtype for values of so many bits."""
    size = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    return np.dtype(f"u{size}")


def to_components(values: Values, bits: int, colour: Colour) -> list[Values]:
    """Split ``(n, H, W[, C])`` into components ``(n, H, W)``."""
    if values.ndim == 3:
        return [values]
    channels = [values[..., number] for number in range(values.shape[3])]
    if colour == Colour.NONE:
        return channels
    red, green, blue, *alpha = channels
    half = values.dtype.type(1 << (bits - 1))
    first = _mask(red - green + half, bits)
    middle = green if colour == Colour.DIFFERENCE else green + _share(first, 1, bits)
    second = _mask(blue - middle + half, bits)
    if colour == Colour.LIFT:
        middle = _mask(middle + _share(second, 2, bits), bits)
    return [middle, first, second, *alpha]


def from_components(components: Sequence[Values], bits: int, colour: Colour, out: Values) -> None:
    """Undo `to_components` into ``(n, H, W, C)``."""
    if colour != Colour.NONE:
        middle, first, second, *alpha = components
        half = out.dtype.type(1 << (bits - 1))
        if colour == Colour.LIFT:
            middle = middle - _share(second, 2, bits)
        blue = _mask(second + middle - half, bits)
        green = middle
        if colour == Colour.LIFT:
            green = _mask(middle - _share(first, 1, bits), bits)
        components = [_mask(first + green - half, bits), green, blue, *alpha]
    for number, component in enumerate(components):
        out[..., number] = component


def _share(difference: Values, shift: int, bits: int) -> Values:
    """A ``2**shift``-th of a difference that half of the range was added to, rounded down."""
    one = difference.dtype.type
    part: Values = (difference >> one(shift)) - one((1 << (bits - 1)) >> shift)
    return part


def predict(values: Values, bits: int, predictor: Predictor, fold: bool) -> Values:
    """Subtract predictions from ``(n, H, W)`` values.

    With `fold`, a difference d of ``-2**(bits-1) <= d < 2**(bits-1)`` becomes 2d, or
    -2d-1 where it is negative ("zigzag"), so that small ones have no high bits.
    """
    if predictor == Predictor.NONE:
        return values
    if predictor == Predictor.MEAN:
        rest = _differences_to_means(values, bits)
    else:
        rest = values
        for axis, times in _AXES[predictor]:
            for _ in range(times):
                rest = _differences(rest, axis)
    rest = _mask(rest, bits)
    if fold:
        sign = rest >> rest.dtype.type(bits - 1)
        rest = _mask((rest << rest.dtype.type(1)) ^ (0 - sign), bits)
    return rest


def unpredict(rest: Values, bits: int, predictor: Predictor, fold: bool) -> Values:
    """Undo `predict`, in place where that can be."""
    if predictor == Predictor.NONE:
        return rest
    rest = np.ascontiguousarray(rest)
    if predictor == Predictor.MEAN:
        _add_means(rest, bits, fold)
        return rest
    pieces = [slice(None)] if predictor == Predictor.PREVIOUS else in_pieces(rest)
    for some in (rest[piece] for piece in pieces):
        if fold:
            _unfold(some)
        for axis, times in _AXES[predictor]:
            for _ in range(times):
                _ADD_UP[axis](some)
    return _mask(rest, bits)


def _unfold(rest: Values) -> None:
    """Undo what `predict` does with `fold`, in place."""
    one = rest.dtype.type(1)
    sign = np.bitwise_and(rest, one, out=_scratch.take(rest.shape, rest.dtype))
    rest >>= one
    rest ^= np.negative(sign, out=sign)


class _Mean:
    """The mean of earlier frames, by which the next is predicted.

    Of up to 8 it is the mean; then, as a new one comes, an eighth of their sum goes.
    """

    def __init__(self, shape: tuple[int, ...], bits: int) -> None:
        self._sum = np.zeros(shape, container(bits + 3))  # at most 8 times the largest
        self._share = np.empty_like(self._sum)
        self._count = 0

    def prediction(self) -> Values:
        """The mean, rounded to the nearest, until the next call."""
        number = self._sum.dtype.type
        np.add(self._sum, number(self._count // 2), out=self._share)
        if self._count == 8:
            self._share >>= number(3)
        else:
            self._share //= number(self._count)
        return self._share

    def add(self, frame: Values) -> None:
        """Take a frame in."""
        if self._count == 8:
            self._sum -= np.right_shift(self._sum, self._sum.dtype.type(3), out=self._share)
        self._sum += frame
        self._count = min(self._count + 1, 8)


def _differences_to_means(values: Values, bits: int) -> Values:
    """What `_add_means` undoes, but for folding."""
    rest = np.empty(values.shape, values.dtype)
    rest[:1] = _differences(values[:1], 2)
    mean = _Mean(values.shape[1:], bits)
    for earlier, later, found in zip(values, values[1:], rest[1:], strict=False):
        mean.add(earlier)
        np.subtract(later, mean.prediction(), out=found, dtype=values.dtype, casting="unsafe")
    return rest


def _add_means(rest: Values, bits: int, fold: bool) -> None:
    """Add to each frame its prediction by those before it, in place."""
    step = max(1, TOGETHER // 2 // max(1, rest.shape[2]))
    for top in range(0, rest.shape[1], step):  # all frames of some rows: they stay in the cache
        rows = rest[:, top : top + step]
        mean = _Mean(rows.shape[1:], bits)
        for number, frame in enumerate(rows):
            if fold:
                _unfold(frame)
            if number:
                np.add(frame, mean.prediction(), out=frame, dtype=rest.dtype, casting="unsafe")
            else:
                _add_rows(frame[None])
            if bits < 8 * rest.itemsize:
                frame &= rest.dtype.type((1 << bits) - 1)
            mean.add(frame)


def _differences(values: Values, axis: int) -> Values:
    """What cumulative sums along an axis of ``(n, H, W)`` undo."""
    rest = np.empty(values.shape, values.dtype)
    found, given = np.moveaxis(rest, axis, 0), np.moveaxis(values, axis, 0)
    found[0] = given[0]
    np.subtract(given[1:], given[:-1], out=found[1:])
    return rest


def _add_frames(values: Values) -> None:
    """Cumulative sums of the frames of ``(n, H, W)``, in place."""
    for earlier, later in pairwise(values):
        later += earlier


def _add_columns(values: Values) -> None:
    """Cumulative sums down the columns of ``(n, H, W)``, in place.

    Of 2 rows, then 4, 8, ... at once (Hillis and Steele, 1986): NumPy adds arrays ten times as fast
    as it accumulates, and other threads run meanwhile.
    """
    height, step = values.shape[1], 1
    sums, spare = values, _scratch.take(values.shape, values.dtype)
    while step < height:
        spare[:, :step] = sums[:, :step]
        np.add(sums[:, step:], sums[:, :-step], out=spare[:, step:])
        sums, spare = spare, sums
        step *= 2
    if sums is not values:
        values[...] = sums


def _add_rows(values: Values) -> None:
    """Cumulative sums along the rows of ``(n, H, W)`` without gaps, in place."""
    rows, width = values.shape[0] * values.shape[1], values.shape[2]
    # NumPy lets other threads run only while it accumulates more than 500 rows.
    parts = next((n for n in (1, 2, 4, 8) if rows * n > 500 and width % n == 0), 1)
    cut = values.reshape(rows * parts, width // parts)
    # Small integers it accumulates at a third of the speed of larger ones.
    sums = _scratch.take(cut.shape, np.result_type(values.dtype, np.uint32))
    np.add.accumulate(cut, axis=1, dtype=sums.dtype, out=sums)
    cut[...] = sums
    pieces = values.reshape(rows, parts, width // parts)
    for part in range(1, parts):
        pieces[:, part] += pieces[:, part - 1, -1:]


class _Scratch(threading.local):
    """Memory that a thread uses again: new memory takes longer to come than it takes to add."""

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Values:
        """An array of any content, until the next is taken."""
        size = math.prod(shape) * dtype.itemsize
        if size > TOGETHER * 4:
            return np.empty(shape, dtype)
        if size > self._bytes.size:
            self._bytes = np.empty(size, np.uint8)
        return self._bytes[:size].view(dtype).reshape(shape)


_scratch = _Scratch()
_ADD_UP = (_add_frames, _add_columns, _add_rows)
_AXES = {
    Predictor.PREVIOUS: ((0, 1),),
    Predictor.LEFT: ((2, 1),),
    Predictor.LINEAR: ((2, 2),),
    Predictor.GRADIENT: ((2, 1), (1, 1)),
}


def in_pieces(values: Values) -> list[slice]:
    """Runs of frames, on each of which some steps are done before the next."""
    step = max(1, TOGETHER // max(1, math.prod(values.shape[1:])))
    return [slice(start, start + step) for start in range(0, len(values), step)]


def take_bits(values: Values, low: int, count: int) -> Values:
    """Bits `low` to ``low + count - 1`` of values, at most 16, C-contiguous."""
    dtype = container(count)
    if low == 0 and dtype == values.dtype:
        return np.ascontiguousarray(_mask(values, count))
    shifted = values >> values.dtype.type(low)
    return np.ascontiguousarray(_mask(shifted.astype(dtype), count))


def _mask(values: Values, bits: int) -> Values:
    """Values modulo ``2**bits``."""
    if bits == 8 * values.itemsize:
        return values
    masked: Values = values & values.dtype.type((1 << bits) - 1)
    return masked
