"""The model of an lpc stream: how it refers, predicts and codes; and its configuration's bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BlockError

Integers = NDArray[Any]

INTRA, CHAIN, CENTRE = range(3)
RUN_FRAMES = 4
"""Of a run, where frames refer to one in its centre."""

NEAR = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-2, -1), (-1, -2), (-2, 2),
)  # fmt: skip
"""Neighbours in the frame, as (rows, columns) away: W, N, NW, NE, WW, NN, NNE, NNW, NWW, NNEE."""
NEAR_OF_REFERRING = 6
"""So many of them are taps of a frame with a reference."""
AROUND = tuple((k // 3 - 1, k % 3 - 1) for k in range(9))
"""Taps in the reference: the 3x3 around the same place."""
INTRA_TAPS = len(NEAR)
TAPS = NEAR_OF_REFERRING + len(AROUND) + 1
BASE_TAP = {False: 0, True: 10}
"""The tap that stands for the sample itself, in frames without and with a reference."""
NEAR_ERRORS = NEAR[:6]
AROUND_ERRORS = ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0))
ENERGY_WEIGHTS = np.array(
    [[8, 8, 4, 4, 4, 4, 0, 0, 0, 0, 0], [7, 7, 3, 4, 2, 2, 3, 1, 1, 1, 1]], np.float32
)
"""Of errors in 1/32: those in the frame, then those in the reference. Without one, and with one."""
NEAR_DIFFERENCES = NEAR[:4]

ONE = 4096
"""A coefficient of 1."""
MAX_STATES = 64
ENERGIES = 2048
"""Errors and their means are below it."""
MAX_DIFFERENCE = 8191
LEVEL_STARTS = (
    0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 51, 64, 81, 102, 128, 161, 203, 256, 323,
    406, 512, 645, 813, 1024, 1290, 1625,
)  # fmt: skip
"""The least energy of each level."""
LEVELS = len(LEVEL_STARTS)
SCALES, SHAPES, PHASES = 48, 4, 4
FAMILY = SCALES * SHAPES
"""Number of distributions; as the number of one: none."""

_TAP_K, _OFFSET_K, _SCALE_K = 7, 10, 1


def level_of() -> Integers:
    """Return the level of every energy."""
    return np.searchsorted(LEVEL_STARTS, np.arange(ENERGIES), side="right") - 1


def reference_of(references: int, t: int, count: int) -> int:
    """Return the frame that frame t of so many refers to, or -1."""
    if references == CHAIN:
        return t - 1
    centre = min(t - t % RUN_FRAMES + RUN_FRAMES // 2, count - 1)
    return -1 if references == INTRA or t == centre else centre


@dataclass
class Model:
    """What a stream's configuration says.

    Attributes
    ----------
    coefficients
        ``(2, classes, TAPS + 1)``: the taps, then the offset; of frames without and with a
        reference. Those without have one class, repeated here, and `INTRA_TAPS` taps.
    families
        ``(2, LEVELS)``: the distribution of each level, without and with a reference.
    """

    bits: int
    references: int
    states: int
    error_shift: int
    classes: int
    thresholds: list[int]
    coefficients: Integers
    families: Integers

    @property
    def kinds(self) -> int:
        """1 if no frame has a reference, else 2."""
        return 1 if self.references == INTRA else 2

    def shifts(self) -> Integers:
        """Return for every level how many low bits of a residual are stored as they are."""
        if self.bits <= 8:
            return np.zeros(LEVELS, np.int64)
        samples = [(start << self.error_shift) >> 4 for start in LEVEL_STARTS]
        return np.array([max(0, n.bit_length() - 4) for n in samples])

    def sets(self) -> Iterator[tuple[int, int, int]]:
        """Yield kind, class and number of taps of each coefficient set, as they are stored."""
        for kind in range(self.kinds):
            for number in range(self.classes if kind else 1):
                yield kind, number, TAPS if kind else INTRA_TAPS


class _Writer:
    """Bits, the lowest first."""

    def __init__(self) -> None:
        self.value = self.count = 0

    def put(self, value: int, count: int) -> None:
        self.value |= value << self.count
        self.count += count

    def put_signed(self, value: int, k: int) -> None:
        above = (2 * -value - 1 if value < 0 else 2 * value) + (1 << k)
        length = above.bit_length() - 1
        self.put(1 << (length - k), length - k + 1)
        self.put(above - (1 << length), length)


class _Reader:
    """Bits, the lowest first; refuses to read beyond the end."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self.bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").tobytes()
        self.at = 0

    def get(self, count: int) -> int:
        found = self.bits[self.at : self.at + count]
        if len(found) < count:
            raise BlockError("an lpc stream is damaged: its configuration ends too early")
        self.at += count
        return sum(bit << i for i, bit in enumerate(found))

    def get_signed(self, k: int) -> int:
        one = self.bits.find(1, self.at)
        length = k + one - self.at
        if one < 0 or length > 31:
            raise BlockError("an lpc stream is damaged: a number in its configuration has no end")
        self.at = one + 1
        value = (1 << length) + self.get(length) - (1 << k)
        return -(value >> 1) - 1 if value & 1 else value >> 1


def write_configuration(model: Model) -> bytes:
    """Return the bytes of a stream's configuration."""
    writer = _Writer()
    writer.put(0, 4)
    writer.put(model.references, 4)
    writer.put(model.states.bit_length() - 1, 3)
    writer.put(model.error_shift, 4)
    writer.put(model.classes - 1, 2)
    for threshold in model.thresholds:
        writer.put(threshold, 16)
    for kind, number, taps in model.sets():
        for tap in model.coefficients[kind, number, :taps]:
            writer.put_signed(int(tap), _TAP_K)
        writer.put_signed(int(model.coefficients[kind, number, TAPS]), _OFFSET_K)
    for families in model.families[: model.kinds].tolist():
        used = [level for level, family in enumerate(families) if family < FAMILY]
        last, before = max(used, default=-1) + 1, 0
        writer.put(last, 5)
        for family in families[:last]:
            writer.put(family < FAMILY, 1)
            if family < FAMILY:
                shape, scale = divmod(family, SCALES)
                writer.put(shape, 2)
                writer.put_signed(scale - before, _SCALE_K)
                before = scale
    return writer.value.to_bytes((writer.count + 7) // 8, "little")


def read_configuration(data: bytes, bits: int) -> Model:
    """Return what a stream's configuration says, or raise `BlockError`."""
    reader = _Reader(data)
    version, references = reader.get(4), reader.get(4)
    if version or references > CENTRE:
        raise BlockError(
            f"an lpc stream is of version {version} and refers to frames in way {references}: "
            "upgrade h5vidstack"
        )
    states, error_shift = 1 << reader.get(3), reader.get(4)
    classes = reader.get(2) + 1
    if states > MAX_STATES:
        raise BlockError(f"an lpc stream cannot have {states} states")
    thresholds = [reader.get(16) for _ in range(classes - 1)]
    model = Model(
        bits, references, states, error_shift, classes, thresholds,
        np.zeros((2, classes, TAPS + 1), np.int64), np.zeros((2, LEVELS), np.int64),
    )  # fmt: skip
    for kind, number, taps in model.sets():
        values = [reader.get_signed(_TAP_K) for _ in range(taps)]
        offset = reader.get_signed(_OFFSET_K)
        if sum(map(abs, values)) > 32767 or abs(offset) > 1 << 29:
            raise BlockError("an lpc stream is damaged: it has coefficients out of range")
        model.coefficients[kind, number, :taps] = values
        model.coefficients[kind, number, TAPS] = offset
    model.coefficients[0] = model.coefficients[0, 0]
    for families in model.families[: model.kinds]:
        _read_families(reader, families)
    if (reader.at + 7) // 8 != reader.size:
        raise BlockError("an lpc stream is damaged: its configuration has bytes of no meaning")
    return model


def _read_families(reader: _Reader, families: Integers) -> None:
    """Read the distributions of levels; those that have none keep the first."""
    scale = 0
    for level in range(reader.get(5)):
        if reader.get(1):
            shape = reader.get(2)
            scale += reader.get_signed(_SCALE_K)
            if not 0 <= scale < SCALES:
                raise BlockError(f"an lpc stream names distribution {scale}, which does not exist")
            families[level] = shape * SCALES + scale
