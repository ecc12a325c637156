"""The reversible steps between a block's values and the planes that codecs take, in numpy.

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
"""All steps are done on so many values before the next, so that they stay in the cache."""


FOLDED_BITS = 16
"""Differences of wider values are not folded, because LZMA then makes floats 2 to 4 % smaller."""


class Predictor(IntEnum):
    """What is subtracted from a value before it is coded. Pixels outside count as 0.

    It helps codecs that see bytes instead of pictures.
    """

    NONE = 0
    PREVIOUS = 1
    """The same pixel of the frame before."""
    LEFT = 2
    """The pixel to the left."""
    LINEAR = 3
    """Twice the pixel to the left, minus the one left of that: a straight line."""


class Colour(IntEnum):
    """How the channels of colour become components."""

    NONE = 0
    LIFT = 1
    """The mean of all; red minus green; blue minus the mean of red and green; alpha."""


@cache
def container(bits: int) -> np.dtype[Any]:
    """Return the smallest unsigned dtype for values of so many bits."""
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
    middle = green + _share(first, 1, bits)
    second = _mask(blue - middle + half, bits)
    return [_mask(middle + _share(second, 2, bits), bits), first, second, *alpha]


def from_components(components: Sequence[Values], bits: int, colour: Colour, out: Values) -> None:
    """Undo `to_components` into ``(n, H, W, C)``."""
    if colour != Colour.NONE:
        middle, first, second, *alpha = components
        half = out.dtype.type(1 << (bits - 1))
        middle = middle - _share(second, 2, bits)
        blue = _mask(second + middle - half, bits)
        green = _mask(middle - _share(first, 1, bits), bits)
        components = [_mask(first + green - half, bits), green, blue, *alpha]
    for number, component in enumerate(components):
        out[..., number] = component


def _share(difference: Values, shift: int, bits: int) -> Values:
    """Return a ``2**shift``-th, rounded down, of a difference to which half the range was added."""
    one = difference.dtype.type
    part: Values = (difference >> one(shift)) - one((1 << (bits - 1)) >> shift)
    return part


def predict(values: Values, bits: int, predictor: Predictor) -> Values:
    """Subtract predictions from ``(n, H, W)`` values.

    Where values have up to 16 bits, a difference d of ``-2**(bits-1) <= d < 2**(bits-1)`` becomes
    2d, or -2d-1 where it is negative ("zigzag"). So small differences have no high bits.
    """
    if predictor == Predictor.NONE:
        return values
    axis, times = _AXES[predictor]
    rest = values
    for _ in range(times):
        rest = _differences(rest, axis)
    rest = _mask(rest, bits)
    if bits > FOLDED_BITS:
        return rest
    sign = rest >> rest.dtype.type(bits - 1)
    return _mask((rest << rest.dtype.type(1)) ^ (0 - sign), bits)


def unpredict(rest: Values, bits: int, predictor: Predictor) -> Values:
    """Undo `predict`, in place where that is possible."""
    if predictor == Predictor.NONE:
        return rest
    rest = np.ascontiguousarray(rest)
    axis, times = _AXES[predictor]
    pieces = [slice(None)] if axis == 0 else in_pieces(rest)
    for some in (rest[piece] for piece in pieces):
        if bits <= FOLDED_BITS:
            _unfold(some)
        for _ in range(times):
            _ADD_UP[axis](some)
    return _mask(rest, bits)


def _unfold(rest: Values) -> None:
    """Give differences their signs again, in place."""
    one = rest.dtype.type(1)
    sign = np.bitwise_and(rest, one, out=_scratch.take(rest.shape, rest.dtype))
    rest >>= one
    rest ^= np.negative(sign, out=sign)


def _differences(values: Values, axis: int) -> Values:
    """Return differences along an axis of ``(n, H, W)``, which cumulative sums undo."""
    rest = np.empty(values.shape, values.dtype)
    found, given = np.moveaxis(rest, axis, 0), np.moveaxis(values, axis, 0)
    found[0] = given[0]
    np.subtract(given[1:], given[:-1], out=found[1:])
    return rest


def _add_frames(values: Values) -> None:
    """Replace each frame of ``(n, H, W)`` by the sum of all up to it."""
    for earlier, later in pairwise(values):
        later += earlier


def _add_rows(values: Values) -> None:
    """Replace each pixel of ``(n, H, W)``, without gaps, by the sum of its row up to it."""
    rows, width = values.shape[0] * values.shape[1], values.shape[2]
    # NumPy lets other threads run only while it accumulates more than 500 rows, so rows are cut.
    parts = next((n for n in (1, 2, 4, 8) if rows * n > 500 and width % n == 0), 1)
    cut = values.reshape(rows * parts, width // parts)
    # NumPy accumulates small integers at a third of the speed of larger ones.
    sums = _scratch.take(cut.shape, np.result_type(values.dtype, np.uint32))
    np.add.accumulate(cut, axis=1, dtype=sums.dtype, out=sums)
    cut[...] = sums
    pieces = values.reshape(rows, parts, width // parts)
    for part in range(1, parts):
        pieces[:, part] += pieces[:, part - 1, -1:]


class _Scratch(threading.local):
    """Memory that a thread uses again, because getting new memory takes longer than adding."""

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Values:
        """Return an array of any content, which is valid until the next is taken."""
        size = math.prod(shape) * dtype.itemsize
        if size > TOGETHER * 4:
            return np.empty(shape, dtype)
        if size > self._bytes.size:
            self._bytes = np.empty(size, np.uint8)
        return self._bytes[:size].view(dtype).reshape(shape)


_scratch = _Scratch()
_ADD_UP = {0: _add_frames, 2: _add_rows}
_AXES = {Predictor.PREVIOUS: (0, 1), Predictor.LEFT: (2, 1), Predictor.LINEAR: (2, 2)}
"""Along which axis of ``(n, H, W)`` differences are taken, and how often."""


def in_pieces(values: Values) -> list[slice]:
    """Return runs of frames; on each of them some steps are done before the next run."""
    step = max(1, TOGETHER // max(1, math.prod(values.shape[1:])))
    return [slice(start, start + step) for start in range(0, len(values), step)]


def take_bits(values: Values, low: int, count: int) -> Values:
    """Return bits `low` to ``low + count - 1`` of values, C-contiguous."""
    dtype = container(count)
    if low == 0 and dtype == values.dtype:
        return np.ascontiguousarray(_mask(values, count))
    shifted = values >> values.dtype.type(low)
    return np.ascontiguousarray(_mask(shifted.astype(dtype), count))


def _mask(values: Values, bits: int) -> Values:
    """Return values modulo ``2**bits``."""
    if bits == 8 * values.itemsize:
        return values
    masked: Values = values & values.dtype.type((1 << bits) - 1)
    return masked
