"""How many bits values will take, guessed from their histograms or from a coded sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .block_format import Stream
from .codecs.transforms import Predictor, Values, predict

LOOKED_AT = 1 << 13
"""About so many values of a plane."""


def bits_a_value(plane: Values, width: int) -> float:
    """Bits that a codec of pictures would take for one of a plane's values; at most `width`.

    It predicts a value from its neighbours, and knows how often each difference comes.

    Parameters
    ----------
    plane
        ``(n, H, W)`` unsigned, below ``2**width``.
    """
    rows = max(2, LOOKED_AT // max(1, plane[:, 0].size))
    top = max(0, plane.shape[1] - rows) // 2
    part = plane[:, top : top + rows]
    guesses = [float(width), _bits(part)]
    for predictor in (Predictor.PREVIOUS, Predictor.LEFT, Predictor.GRADIENT):
        rest = predict(part, width, predictor, fold=True)
        if predictor == Predictor.PREVIOUS and len(rest) > 1:
            rest = rest[1:]
        guesses.append(_bits(rest))
    return min(guesses)


def _bits(values: Values) -> float:
    """Entropy of how many bits values have, and those bits; or, of up to 8 bits, of the values."""
    lengths = np.frexp(values.astype(np.float32))[1].ravel()
    counts = np.bincount(lengths)
    guess = _entropy(counts) + float(np.maximum(np.arange(len(counts)) - 1, 0) @ counts) / len(
        lengths
    )
    if values.dtype.itemsize == 1:
        guess = min(guess, _entropy(np.bincount(values.ravel())))
    return guess


def _entropy(counts: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> float:
    """Shannon's entropy in bits, with Miller's correction for how few values were seen."""
    seen = counts[counts > 0]
    total = int(seen.sum())
    shares = seen / total
    return float(-(shares @ np.log2(shares))) + (len(seen) - 1) / (2 * total * math.log(2))


def projected(
    stream: Stream, shape: tuple[int, ...], chunk_frames: int, predictor: Predictor
) -> int:
    """How many bytes so many frames would have of a whole block.

    The first frame of a block is often the largest, and a sample has few others.
    """
    first, *rest = map(len, stream.packets)
    if not rest:
        return stream.nbytes
    whole = max(shape[0], chunk_frames)
    if predictor == Predictor.MEAN and len(rest) > 1:
        later = _fading(rest, math.prod(shape[1:3]), whole - 1)
    else:
        later = (whole - 1) * sum(rest) / len(rest)
    return stream.nbytes - first - sum(rest) + round((first + later) * shape[0] / whole)


def _fading(sizes: Sequence[int], values: int, count: int) -> float:
    """Bytes of so many frames of noise, of which the first are these, predicted by their mean.

    What is predicted by the mean of k frames has 1 + 1/k times the variance of one, so a value
    takes log2(1 + 1/k) / 2 bits more than it would otherwise; here, up to so many.
    """
    k = np.arange(1, count + 1, dtype=np.float64)
    k[8:] = 15  # of the mean of all in which one counts 7/8 of the next
    more = values / 16 * np.log2(1 + 1 / k)
    seen = more[: len(sizes)]
    slope = float(np.clip(np.polyfit(seen, sizes, 1)[0], 0, 1))
    least = sum(sizes) / len(sizes) - slope * float(seen.mean())
    return count * least + slope * float(more.sum())
