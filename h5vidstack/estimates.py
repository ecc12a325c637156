"""How many bits values will take, guessed from their histograms: nothing is coded."""

from __future__ import annotations

import math

import numpy as np

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
