"""The distributions of lpc: constants, built when they are first needed."""

from __future__ import annotations

import functools
import math

import numpy as np

from .model import FAMILY, PHASES, SCALES, SHAPES, Integers

PROB_BITS = 12
PROBS = 1 << PROB_BITS
SYMBOLS = 256
"""0 is the escape; s stands for the residual s - 128."""
IDENTITY = FAMILY * PHASES
"""The row of slots, and of frequencies, that changes no state and needs no word."""

# No value is within 0.001 of a half before it is rounded, so every machine rounds alike.
_LOGISTIC = np.array([round(65536 / (1 + math.exp(-i / 16))) for i in range(193)])
_NORMAL = np.array([round(32768 * (1 + math.erf(i / 27.2 / math.sqrt(2)))) for i in range(193)])
_SCALES = np.array([(10 * 12**k + 10**k // 2) // 10**k for k in range(SCALES)])


def _between(table: Integers, u: Integers) -> Integers:
    """Look up u, in 1/4096, between the entries of a table."""
    at = np.minimum(u >> 8, 191)
    between = table[at] + (((table[at + 1] - table[at]) * (u & 255)) >> 8)
    return np.where(u >> 8 >= 192, 65536, between)


def _cumulative(bound: Integers) -> Integers:
    """Return the chance, in 1/65536, of less than `bound` / 32: an axis of families in front."""
    scales = _SCALES.reshape(-1, *[1] * bound.ndim)
    u = np.minimum((np.abs(bound) << 15) // scales, 1 << 20)
    wide = (_between(_LOGISTIC, u * 3 // 2) + _between(_LOGISTIC, u * 3 // 5) + 1) // 2
    heavy = 7 * _between(_LOGISTIC, u * 8 // 5) + 3 * _between(_LOGISTIC, u * 3 // 10)
    shapes = (_between(_LOGISTIC, u), wide, (heavy + 5) // 10, _between(_NORMAL, u))
    half = np.concatenate(shapes[:SHAPES])
    return np.where(bound < 0, 65536 - half, half)


@functools.cache
def frequencies() -> Integers:
    """Return how many of the `PROBS` slots each symbol has: ``(IDENTITY + 1, SYMBOLS)``."""
    symbol = np.arange(SYMBOLS)
    bound = 32 * (symbol - 128) + 16 - (8 * np.arange(PHASES)[:, None] - 1)
    chance = (_cumulative(bound) * (PROBS - 1) + 32768) >> 16
    found = np.zeros((IDENTITY + 1, SYMBOLS), np.uint32)
    counts = found[:IDENTITY].reshape(FAMILY, PHASES, SYMBOLS)
    counts[..., 1:] = np.diff(chance)
    counts[..., 0] = PROBS - (chance[..., -1] - chance[..., 0])
    found[IDENTITY, 0] = PROBS
    return found


@functools.cache
def starts() -> Integers:
    """Return the first slot of each symbol, as `frequencies`."""
    counts = frequencies()
    return np.cumsum(counts, axis=1, dtype=np.uint32) - counts


@functools.cache
def slots() -> Integers:
    """Return what each slot holds: symbol, its frequency less 1, and the place among its slots."""
    counts, first = frequencies(), starts()
    held = np.arange(SYMBOLS, dtype=np.uint32) | (np.maximum(counts, 1) - 1) << 8
    entry = np.repeat((held - (first << 20)).ravel(), counts.ravel())  # modulo 2^32
    return entry + np.tile(np.arange(PROBS, dtype=np.uint32) << 20, IDENTITY + 1)


@functools.cache
def costs(bits: int) -> Integers:
    """Return the 1/256 bits of each symbol; one that no slot holds is an escape with a sample."""
    counts = frequencies()[:IDENTITY]
    frequency = np.arange(1, PROBS + 1)
    whole = np.array([int(f).bit_length() - 1 for f in frequency])
    mantissa, log = ((frequency << 31) >> whole).astype(np.uint64), whole << 8
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        mantissa = (mantissa * mantissa) >> np.uint64(31)
        over = mantissa >> np.uint64(32)
        mantissa >>= over
        log += bit * over.astype(np.int64)
    cost = np.append(0, (PROB_BITS << 8) - log)
    escape = cost[counts[:, :1]]
    return np.where(counts > 0, cost[counts], escape + (bits << 8)).reshape(FAMILY, -1)
