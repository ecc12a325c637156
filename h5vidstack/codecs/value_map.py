"""How the pixels of a block become unsigned values of as few bits as possible, and back.

A *word* is a pixel's bytes as an unsigned integer (two's complement, IEEE 754).
Normative: spec/format.md, "From values to pixels".
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BlockError
from .noise import Levels
from .transforms import Values, container

Pixels = npt.NDArray[Any]
Words = npt.NDArray[Any]

SAMPLE = 4096
"""So many pixels are looked at before all of them are."""
PART = 1 << 16
"""Values are looked for among so many pixels at a time."""
FEW = 1 / 1000
"""This share of the pixels may be kept apart, so that the others need fewer bits."""
MAX_PALETTE = 1 << 16
MAX_OTHERS = 256
"""So many distinct integers that a table of levels does not hold may have levels of their own."""
SCALED_BITS = 32
"""A scaled value has at most so many bits."""


class MapKind(IntEnum):
    """How a value becomes a pixel."""

    LINEAR = 0
    """``word = base + value * step`` modulo the word's size."""
    PALETTE = 1
    """``word = palette[value]``."""
    SCALED = 2
    """``pixel = base + value * step`` in float64, rounded to the pixel's dtype."""


_KINDS = frozenset(MapKind)
_NOTHING = np.empty(0, np.uint64)
_PACKED = struct.Struct("<BBH8s8sIII")


@dataclass(frozen=True)
class ValueMap:
    """How values of `bits` bits become pixels; see `MapKind`.

    Attributes
    ----------
    positions, words
        Pixels that are not made of values: their places in C order of the block, and their words.
    """

    kind: MapKind
    bits: int
    base: float
    step: float
    palette: Words
    positions: npt.NDArray[Any]
    words: Words

    @property
    def trivial(self) -> bool:
        """Whether a value is the pixel's word itself."""
        return (self.kind, self.base, self.step, len(self.positions)) == (MapKind.LINEAR, 0, 1, 0)

    def between(self, first: int, last: int) -> ValueMap:
        """Return the map of a run of a block's pixels."""
        if not len(self.positions):
            return self
        start, stop = np.searchsorted(self.positions, (first, last))
        positions = self.positions[start:stop] - np.uint64(first)
        return replace(self, positions=positions, words=self.words[start:stop])

    def pack(self) -> bytes:
        """Return the bytes by which a block stores the map."""
        form = "<d" if self.kind == MapKind.SCALED else "<Q"
        gaps = np.diff(self.positions, prepend=np.uint32(0))
        table = b"".join(
            part.astype(part.dtype.newbyteorder("<")).tobytes()
            for part in (self.palette, gaps, self.words)
        )
        packed = zlib.compress(table, 9) if table else b""
        head = _PACKED.pack(
            self.kind,
            self.bits,
            0,
            struct.pack(form, self.base),
            struct.pack(form, self.step),
            len(self.palette),
            len(self.positions),
            len(packed),
        )
        return head + packed


def identity(dtype: np.dtype[Any]) -> ValueMap:
    """Return the map by which a value is the pixel's word itself."""
    return _linear(dtype, 8 * dtype.itemsize, 0, 1)


def unpack(data: bytes, at: int, dtype: np.dtype[Any], pixels: int) -> tuple[ValueMap, int]:
    """Read what `ValueMap.pack` wrote for a block of so many pixels, and return where it ends.

    Raises
    ------
    BlockError
        If it is damaged.
    """
    if at + _PACKED.size > len(data):
        raise BlockError("the value map runs past the end of its block")
    code, bits, reserved, base, step, colours, patches, length = _PACKED.unpack_from(data, at)
    at += _PACKED.size
    if code not in _KINDS or reserved:
        raise BlockError(
            f"a value map is of kind {code}, which is unknown here; upgrade h5vidstack"
        )
    kind = MapKind(code)
    most = SCALED_BITS if kind == MapKind.SCALED else 8 * dtype.itemsize
    if bits > most or colours > MAX_PALETTE or patches > pixels or at + length > len(data):
        raise BlockError(
            f"a value map of {bits} bits, {colours} palette entries, {patches} pixels kept apart "
            f"and {length} bytes does not fit a block of {pixels} pixels of {dtype}"
        )
    form = "<d" if kind == MapKind.SCALED else "<Q"
    (base,), (step,) = struct.unpack(form, base), struct.unpack(form, step)
    size = (colours + patches) * dtype.itemsize + 4 * patches
    if not size:
        return ValueMap(kind, bits, base, step, _NOTHING, _NOTHING, _NOTHING), at + length
    try:
        table = zlib.decompressobj().decompress(data[at : at + length], size)
    except zlib.error as error:
        raise BlockError(f"the tables of a value map are damaged: {error}") from error
    if len(table) != size:
        raise BlockError(f"the tables of a value map have {len(table)} bytes, not {size}")
    word = f"<u{dtype.itemsize}"
    palette = np.frombuffer(table, word, colours)
    gaps = np.frombuffer(table, "<u4", patches, palette.nbytes)
    words = np.frombuffer(table, word, patches, palette.nbytes + gaps.nbytes)
    positions = np.cumsum(gaps, dtype=np.uint64)
    if patches and positions[-1] >= pixels:
        raise BlockError(f"a value map names pixel {positions[-1]} of a block of {pixels} pixels")
    return ValueMap(kind, bits, base, step, palette, positions, words), at + length


def to_pixels(mapping: ValueMap, values: Values, dtype: np.dtype[Any], out: Pixels) -> None:
    """Turn values into pixels of `dtype`, ``out`` (C-contiguous, of the values' shape).

    The values of a linear map may be in ``out`` already, as its words.

    Raises
    ------
    BlockError
        If a value has no entry in the palette.
    """
    words = out.view(container(8 * dtype.itemsize))
    if mapping.kind == MapKind.LINEAR:
        if not np.may_share_memory(words, values):
            words[...] = values
        if mapping.step != 1:
            words *= words.dtype.type(int(mapping.step) % (1 << 8 * dtype.itemsize))
        if mapping.base:
            words += words.dtype.type(int(mapping.base) % (1 << 8 * dtype.itemsize))
    elif mapping.kind == MapKind.PALETTE:
        if values.max(initial=0) >= len(mapping.palette):
            raise BlockError(
                f"value {values.max()} has no entry in a block's palette of {len(mapping.palette)}"
            )
        np.take(mapping.palette, values, out=words, mode="clip")
    else:
        out[...] = _scaled(mapping, values, dtype)
    if len(mapping.positions):
        within = np.searchsorted(mapping.positions, words.size)
        words.reshape(-1)[mapping.positions[:within]] = mapping.words[:within]


def _scaled(mapping: ValueMap, values: Values, dtype: np.dtype[Any]) -> Pixels:
    """Return the pixels of a scaled map, without those that are kept apart."""
    with np.errstate(over="ignore", invalid="ignore"):
        return to_dtype(mapping.base + values.astype(np.float64) * mapping.step, dtype)


def to_dtype(numbers: npt.NDArray[np.float64], dtype: np.dtype[Any]) -> Pixels:
    """Round numbers to a dtype, within its finite range. Integers: to the nearest, ties to even."""
    if dtype.kind == "f":
        return np.clip(numbers, np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
    limits = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
    # The greatest float below the limit, so that the conversion cannot overflow.
    most = limits.max if dtype.itemsize < 8 else np.nextafter(float(limits.max), 0)
    most = 1 if dtype.kind == "b" else most
    rounded = np.rint(np.nan_to_num(numbers))
    return np.clip(rounded, limits.min, most).astype(limits.dtype).view(dtype)


def map_exactly(frames: Pixels) -> tuple[ValueMap, Values]:
    """Map pixels of any dtype to values that give them back, bit for bit."""
    if frames.dtype.kind == "f":
        return _whole_numbers(frames) or _words(frames, frames.view(f"u{frames.itemsize}"), 0)
    low, high = int(frames.min()), int(frames.max())
    window = _window(frames, low, high)
    if window is not None:
        return window
    bits = (high - low).bit_length()
    unsigned = frames.view(f"u{frames.itemsize}")
    # An offset that saves no bit only costs time.
    base = low if low < 0 or bits < high.bit_length() else 0
    return _words(frames, unsigned, base)


def map_within(frames: Pixels, bound: float) -> tuple[ValueMap, Values]:
    """Map pixels to multiples of a step, so that no pixel moves by more than `bound`.

    Pixels that are not finite stay as they are, bit for bit. Where the dtype is too coarse for
    the bound, the map is exact.
    """
    if frames.dtype.kind != "f":
        return _whole_steps(frames, math.floor(bound))
    finite = np.isfinite(frames)
    if not finite.any():
        return map_exactly(frames)
    low = float(frames.min(initial=np.inf, where=finite))
    high = float(frames.max(initial=-np.inf, where=finite))
    # Rounding to the dtype adds an error of its own, which is subtracted from the bound first.
    span = high - low
    most = frames.dtype.type(max(abs(low), abs(high)))
    room = min(bound, span) - float(most - np.nextafter(most, frames.dtype.type(0)))
    if room <= 0 or span / (2 * room) >= 2 ** (SCALED_BITS - 1):
        return map_exactly(frames)
    return _scale(frames, low, 2 * room, bound, finite) or map_exactly(frames)


def map_to_levels(frames: Pixels, table: Levels) -> tuple[ValueMap, Values]:
    """Map integers to the levels of a table, so that they come back as the pixels of their levels.

    Integers that the table does not hold get levels of their own if they are few. Otherwise, and
    where each pixel is a level of its own, the map is exact.
    """
    low, high = int(frames.min()), int(frames.max())
    if high < table.exact_below:
        return map_exactly(frames)
    unsigned = frames.view(f"u{frames.itemsize}")
    words = table.pixel.astype(frames.dtype).view(unsigned.dtype)
    if table.first <= low and high <= table.last:
        level = table.level[frames.astype(np.int64) - table.first]
    else:
        apart = (frames < table.first) | (frames > table.last)
        others = np.unique(unsigned[apart])
        if len(others) > MAX_OTHERS:
            return map_exactly(frames)
        inside = np.where(apart, 0, frames).astype(np.int64)
        level = table.level[inside - table.first]
        level[apart] = len(words) + np.searchsorted(others, unsigned[apart])
        words = np.concatenate([words, others])
    found, values = map_exactly(level)
    count = int(values.max()) + 1
    if count > MAX_PALETTE:
        return map_exactly(frames)
    numbers = np.empty(count, level.dtype)
    to_pixels(replace(found, positions=_NOTHING), np.arange(count), level.dtype, numbers)
    return replace(
        _by_palette(words[numbers], frames.dtype, found.bits),
        positions=found.positions, words=words[found.words],
    ), values  # fmt: skip


def _by_palette(palette: Words, dtype: np.dtype[Any], bits: int) -> ValueMap:
    """Return the map of values to these words, which is linear if their distances are alike."""
    steps = np.unique(np.diff(palette))
    if len(steps) <= 1:
        return _linear(dtype, bits, int(palette[0]), int(steps[0]) if len(steps) else 1)
    return replace(_plain(MapKind.PALETTE, dtype, bits, 0, 0), palette=palette)


def map_to_depth(frames: Pixels, depth: int) -> tuple[ValueMap, Values] | None:
    """Map pixels to values of at most `depth` bits for a lossy codec, coarsely if need be.

    Return None where pixels have no range to scale: if all are equal, if none is finite, or if
    the range is infinite.
    """
    finite = np.isfinite(frames)
    if not finite.any():
        return None
    low, high = float(frames[finite].min()), float(frames[finite].max())
    if frames.dtype.kind != "f" and high < 1 << depth and low >= 0:
        return _linear(frames.dtype, depth, 0, 1), frames.view(f"u{frames.itemsize}")
    step = (high - low) / ((1 << depth) - 1)
    if not 0 < step < math.inf:
        return None
    return _scale(frames, low, step, math.inf, finite)


def _linear(dtype: np.dtype[Any], bits: int, base: int, step: int) -> ValueMap:
    return _plain(MapKind.LINEAR, dtype, bits, base % (1 << 8 * dtype.itemsize), step)


def _plain(kind: MapKind, dtype: np.dtype[Any], bits: int, base: float, step: float) -> ValueMap:
    """Return a map with empty tables."""
    nothing = np.empty(0, container(8 * dtype.itemsize))
    return ValueMap(kind, bits, base, step, nothing, np.empty(0, np.uint32), nothing)


def _patched(mapping: ValueMap, unsigned: Words, apart: npt.NDArray[np.bool_]) -> ValueMap:
    """Return the map with some pixels kept apart."""
    positions = np.flatnonzero(apart).astype(np.uint32)
    return replace(mapping, positions=positions, words=unsigned.reshape(-1)[positions])


def _words(frames: Pixels, unsigned: Words, base: int) -> tuple[ValueMap, Values]:
    """Map words by a palette, or as multiples of a common step above a base."""
    dtype, word = frames.dtype, unsigned.dtype.type
    low, high = int(unsigned.min()), int(unsigned.max())
    if low == high:
        return _linear(dtype, 0, low, 1), np.zeros(frames.shape, np.uint8)
    offset = word(base % (1 << 8 * dtype.itemsize))
    above = unsigned - offset if base else unsigned
    few = _palette(above)
    if few is not None:
        palette, values = few
        bits = (len(palette) - 1).bit_length()
        mapping = replace(_plain(MapKind.PALETTE, dtype, bits, 0, 0), palette=palette + offset)
        return mapping, values.astype(container(bits))
    step = _common_step(above)
    if step > 1:
        above = above // word(step)
    bits = int(above.max()).bit_length()
    return _linear(dtype, bits, base, step), above.astype(container(bits), copy=False)


def _sample(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    flat = array.reshape(-1)
    # Widths are mostly even, so an odd step meets all columns.
    return flat[:: max(1, flat.size // SAMPLE) | 1]


def _common_step(words: Words) -> int:
    """Return the greatest number that divides all words."""
    step = int(np.gcd.reduce(_sample(words)))
    while step > 1:
        rest = words % words.dtype.type(step)
        if not rest.any():
            return step
        step = math.gcd(step, int(rest.max()))
    return 1


def _palette(words: Words) -> tuple[Words, Values] | None:
    """Return the words that occur, and each pixel's place among them, if that saves bits."""
    seen = np.unique(_sample(words))
    if len(seen) > min(SAMPLE // 4, int(seen[-1] - seen[0]) // 2):
        return None
    high = int(words.max())
    most = min(MAX_PALETTE, (words.size - 1) // 4, 1 << high.bit_length() - 1)
    palette = _distinct(words.reshape(-1), high, most)
    if len(palette) > most:
        return None
    if high < 1 << 20:
        index = np.zeros(high + 1, np.uint32)
        index[palette] = np.arange(len(palette))
        return palette, index[words]
    return palette, np.searchsorted(palette, words)


def _distinct(words: Words, high: int, most: int) -> Words:
    """Find the words that occur, none of which is above `high`, in order.

    The search may end when there are more than `most`.
    """
    if high >= 1 << 20:
        return np.unique(words)
    occurs = np.zeros(high + 1, bool)
    for start in range(0, len(words), PART):
        occurs[words[start : start + PART]] = True
        if np.count_nonzero(occurs) > most:
            break
    return np.flatnonzero(occurs).astype(words.dtype)


def _window(frames: Pixels, low: int, high: int) -> tuple[ValueMap, Values] | None:
    """Map nearly all integers to fewer bits, and keep the few outside apart, if possible."""
    sample = np.sort(_sample(frames), axis=None)
    margin = int(len(sample) * FEW)
    inner_low, inner_high = int(sample[margin]), int(sample[-1 - margin])
    for bits in (8, 16):
        spare = (1 << bits) - 1 - (inner_high - inner_low)
        if high - low < 1 << bits or spare < 0:
            continue
        base = max(low, inner_low - spare // 2)
        top = min(high, base + (1 << bits) - 1)
        apart = (frames < base) | (frames > top)
        if np.count_nonzero(apart) > FEW * frames.size:
            continue
        inside = np.clip(frames, base, top)
        mapping, values = _words(inside, inside.view(f"u{frames.itemsize}"), base)
        return _patched(mapping, frames.view(f"u{frames.itemsize}"), apart), values
    return None


def _whole_numbers(frames: Pixels) -> tuple[ValueMap, Values] | None:
    """Map floats that are whole numbers, as counts or labels are; None for others."""
    seen = _sample(frames)
    seen = seen[np.isfinite(seen)].astype(np.float64)
    limit = 2 ** (SCALED_BITS - 2)
    if not len(seen) or (np.abs(seen) > limit).any() or (seen != np.rint(seen)).any():
        return None
    finite = np.isfinite(frames)
    low = float(frames.min(initial=np.inf, where=finite))
    if float(frames.max(initial=-np.inf, where=finite)) - low >= limit:
        return None
    return _scale(frames, np.floor(low), 1.0, 0.0, finite)


def _whole_steps(frames: Pixels, bound: int) -> tuple[ValueMap, Values]:
    """Map integers to the middles of ranges that are ``2 bound + 1`` wide."""
    low, high = int(frames.min()), int(frames.max())
    step = 2 * bound + 1
    if bound < 1 or step > high - low:
        if high - low > 2 * bound or bound < 1:
            return map_exactly(frames)
        middle = low + (high - low) // 2
        return _linear(frames.dtype, 0, middle, 1), np.zeros(frames.shape, np.uint8)
    unsigned = frames.view(f"u{frames.itemsize}")
    word = unsigned.dtype.type
    most = -(-(high - low + 1) // step) - 1
    base = low + bound
    limit = int(np.iinfo(np.uint8 if frames.dtype.kind == "b" else frames.dtype).max)
    base = min(base, limit - most * step)  # the last middle must not leave the dtype
    values = unsigned - word(low % (1 << 8 * frames.itemsize))
    values, rest = np.divmod(values, word(step))
    shift = low - (base - bound)  # less than a step
    if shift:
        values += rest >= step - shift
    bits = most.bit_length()
    return _linear(frames.dtype, bits, base, step), values.astype(container(bits))


def _scale(
    frames: Pixels, low: float, step: float, bound: float, finite: npt.NDArray[np.bool_]
) -> tuple[ValueMap, Values] | None:
    """Map pixels as ``low + value * step``, and keep apart those that are off by more than `bound`.

    Return None if too many finite ones are.
    """
    whole = np.where(finite, frames, low).astype(np.float64)
    values = np.rint((whole - low) / step)
    bits = int(values.max()).bit_length()
    values = values.astype(container(max(bits, 1)))
    mapping = _plain(MapKind.SCALED, frames.dtype, bits, low, step)
    made = _scaled(mapping, values, frames.dtype)
    unsigned = frames.view(container(8 * frames.itemsize))
    if bound == 0:
        wrong = made.view(unsigned.dtype) != unsigned
    elif math.isinf(bound):
        wrong = ~finite
    else:
        wrong = ~finite | ~(np.abs(made.astype(np.float64) - whole) <= bound)
    if np.count_nonzero(wrong & finite) > FEW * frames.size:
        return None
    return _patched(mapping, unsigned, wrong), values
