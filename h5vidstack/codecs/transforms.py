"""Reversible steps between a block's values and the planes that codecs take (numpy).

All arithmetic is modulo ``2**bits``, on unsigned arrays just large enough.
Normative: spec/format.md, "From planes to pixels".
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
"""Unsigned integers of so many bits, ``(n, H, W)`` or ``(n, H, W, C)``."""


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
    if fold:
        one = rest.dtype.type(1)
        for frame in rest:  # one at a time stays in the processor's cache
            sign = frame & one
            frame >>= one
            frame ^= np.negative(sign, out=sign)
    for axis, times in _AXES[predictor]:
        for _ in range(times):
            _accumulate(rest, axis)
    return _mask(rest, bits)


def _differences(values: Values, axis: int) -> Values:
    """What is to be added up again by `_accumulate`."""
    rest = np.empty(values.shape, values.dtype)
    found, given = np.moveaxis(rest, axis, 0), np.moveaxis(values, axis, 0)
    found[0] = given[0]
    np.subtract(given[1:], given[:-1], out=found[1:])
    return rest


def _accumulate(values: Values, axis: int) -> None:
    """Cumulative sums of ``(n, H, W)``, in place."""
    if axis < 2:  # NumPy adds whole slices 10 to 40 times as fast as it accumulates
        slices = np.moveaxis(values, axis, 0)
        for earlier, later in pairwise(slices):
            later += earlier
    elif values.itemsize >= 4:
        np.add.accumulate(values, axis=axis, dtype=values.dtype, out=values)
    else:  # and small integers at a third of the speed of larger ones
        sums = np.empty(values.shape[1:], np.uint32)
        for frame in values:
            np.add.accumulate(frame, axis=1, dtype=sums.dtype, out=sums)
            frame[...] = sums


_AXES = {
    Predictor.PREVIOUS: ((0, 1),),
    Predictor.LEFT: ((2, 1),),
    Predictor.LINEAR: ((2, 2),),
    Predictor.GRADIENT: ((2, 1), (1, 1)),
}


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
