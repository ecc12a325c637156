"""The mathematics of a PCA: components of a stack, and as few bits for them as do no harm.

Source: scikit-learn's PCA (randomized SVD after Halko, Martinsson and Tropp, 2011) and
IncrementalPCA (Ross et al., 2008) where the frames are too many to hold. It is imported only
when a PCA is made, because it takes long to import and nothing else needs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codecs.projection import EXACT, Floats, Whole
from ..errors import SourceError

HELD = 1 << 27
"""Most values that are fitted at once; more are fitted batch by batch."""
SMALL = 1 << 24
"""Most values that are fitted at once as float64; more are float32."""
BATCH = 1 << 23
"""Most values of a batch."""
HARMLESS = 0.05
"""Coefficients may be rounded by this share of the error that stays in any case."""
RAISED = 1.005
"""Fewer bits are taken if the mean squared error grows by no more than this factor."""

LARGEST = 1e150
"""Largest value whose square, summed, is still a finite float."""

Batches = Callable[[int], Iterator[npt.NDArray[Any]]]
"""Gives all frames in order, so many at a time, ``(n, H, W[, C])``."""


@dataclass(frozen=True)
class Fit:
    """What PCA found.

    Attributes
    ----------
    mean
        ``(P,)``, where P is the number of values of a frame.
    components
        ``(k, P)``, each of length 1.
    explained_variance, explained_variance_ratio, singular_values
        ``(k,)``, as scikit-learn has them.
    """

    mean: Floats
    components: Floats
    explained_variance: Floats
    explained_variance_ratio: Floats
    singular_values: Floats

    @property
    def spectrum(self) -> dict[str, Floats]:
        """What is kept of the components beside themselves, by scikit-learn's names."""
        return {
            "explained_variance": self.explained_variance,
            "explained_variance_ratio": self.explained_variance_ratio,
            "singular_values": self.singular_values,
        }

    def first(self, k: int) -> Fit:
        """Return the first k components."""
        return Fit(
            self.mean,
            self.components[:k],
            self.explained_variance[:k],
            self.explained_variance_ratio[:k],
            self.singular_values[:k],
        )

    def project(self, frames: npt.NDArray[Any]) -> Floats:
        """Return the coefficients ``(n, k)`` of frames."""
        rest = frames.reshape(len(frames), -1).astype(np.float64)
        rest -= self.mean
        found: Floats = rest @ self.components.T
        return found


def fit(batches: Batches, count: int, size: int, k: int, name: str) -> Fit:
    """Find k principal components of `count` frames of `size` values.

    Raises
    ------
    SourceError
        If there are fewer than k frames or values, or a value is not finite.
    """
    if k > min(count, size):
        raise SourceError(
            f"{name}: {k} components were asked for, but {count} frames of {size} values have "
            f"at most {min(count, size)}"
        )
    step = max(1, BATCH // size)
    first, reach, total = np.zeros(0), 0.0, np.zeros(size)
    for rows in _rows(batches, step, size, name):
        first = first if first.size else rows[0].copy()
        rows -= first  # so that a large offset costs no precision
        reach = max(reach, float(np.abs(rows).max()))
        total += rows.sum(axis=0)
    if not reach:  # all frames are equal: no direction is better than another
        nothing = np.zeros(k)
        return Fit(first, np.zeros((k, size)), nothing, nothing, nothing)
    mean = total / count / reach

    def centred(step: int) -> Iterator[Floats]:
        for rows in _rows(batches, step, size, name):
            yield (rows - first) / reach - mean

    model = _fit_held(centred(step), count, size, k) if count * size <= HELD else None
    if model is None:
        model = _fit_batches(centred(max(2 * k, step)), k)
    return Fit(
        first + mean * reach,
        model.components_.astype(np.float64),
        np.nan_to_num(model.explained_variance_.astype(np.float64)) * reach**2,
        np.nan_to_num(model.explained_variance_ratio_.astype(np.float64)),
        model.singular_values_.astype(np.float64) * reach,
    )


def _fit_held(parts: Iterator[Floats], count: int, size: int, k: int) -> Any:
    """Return a model of frames that are held in memory together."""
    from sklearn.decomposition import PCA  # type: ignore[import-untyped]  # slow

    held = np.empty((count, size), np.float32 if count * size > SMALL else np.float64)
    done = 0
    for rows in parts:
        held[done : done + len(rows)] = rows
        done += len(rows)
    solver = "full" if k > 0.5 * min(count, size) else "randomized"
    return PCA(k, svd_solver=solver, random_state=0, copy=False).fit(held)


def _fit_batches(parts: Iterator[Floats], k: int) -> Any:
    """Return a model of frames that come batch by batch; the last batch may be small."""
    from sklearn.decomposition import IncrementalPCA  # slow

    model = IncrementalPCA(k)
    waiting: list[Floats] = []
    for rows in parts:
        waiting.append(rows)
        if len(waiting) == 2 and len(rows) >= k:
            model.partial_fit(waiting.pop(0))
    return model.partial_fit(np.concatenate(waiting))


def _rows(batches: Batches, step: int, size: int, name: str) -> Iterator[Floats]:
    """Yield frames as rows of float64."""
    done = 0
    for batch in batches(step):
        rows = batch.reshape(len(batch), size).astype(np.float64)
        wrong = ~np.isfinite(rows).all(axis=1)
        if wrong.any():
            raise SourceError(
                f"{name}: frame {done + int(np.argmax(wrong))} holds NaN or infinity, "
                "so it has no components; pack by another method, which keeps such pixels"
            )
        done += len(rows)
        if rows.size and np.abs(rows).max() > LARGEST:
            raise SourceError(
                f"{name} holds values beyond {LARGEST:g}, whose squares are too large for a PCA; "
                "pack by another method"
            )
        yield rows


def squared_errors(found: Fit, batches: Batches) -> Floats:
    """Return the mean squared error with the first 0, 1, ..., k components, ``(k + 1,)``."""
    squares, values = np.zeros(len(found.components) + 1), 0
    for batch in batches(max(1, BATCH // found.mean.size)):
        rest = batch.reshape(len(batch), -1).astype(np.float64) - found.mean
        values += rest.size
        squares[0] += np.square(rest).sum()
        squares[1:] -= np.square(rest @ found.components.T).sum(axis=0)
    errors: Floats = np.maximum(np.cumsum(squares) / values, 0)
    return errors


def largest_error(found: Fit, batches: Batches) -> float:
    """Return the largest absolute error with all components."""
    worst = 0.0
    for batch in batches(max(1, BATCH // found.mean.size)):
        rest = batch.reshape(len(batch), -1).astype(np.float64) - found.mean
        rest -= (rest @ found.components.T) @ found.components
        worst = max(worst, float(np.abs(rest).max()))
    return worst


def quantise(found: Fit, weights: Floats, rms: float, bits: int) -> tuple[Whole, Whole, float]:
    """Make weights and components whole numbers.

    Parameters
    ----------
    weights
        ``(n, k)``.
    rms
        The error that stays with exact ones, as the root of the mean square.
    bits
        Bits of a component's values, with their sign: 8 or 16.

    Returns
    -------
    tuple
        Coefficients ``(n, k)``, components ``(k, P)`` and a step. The product of the first two,
        times the step, is nearly the product of weights and components.
    """
    most = (1 << (bits - 1)) - 1
    heights = np.abs(found.components).max(axis=1, initial=0)
    whole = np.rint(found.components / np.where(heights, heights, 1)[:, np.newaxis] * most)
    scaled = weights * heights  # the most that a component adds to a pixel
    reach = float(np.abs(scaled).max(initial=0))
    k = len(heights)
    finest = max(rms * HARMLESS / math.sqrt(k), reach / (1 << 30), reach * most * k / EXACT * 4)
    step = finest / most if finest else 1.0
    coefficients = np.rint(scaled / (step * most)) if finest else np.zeros_like(scaled)
    return _narrow(coefficients), whole.astype(np.int8 if bits == 8 else np.int16), step


def _narrow(numbers: Floats) -> Whole:
    """Return whole numbers in the smallest dtype that holds them."""
    most = np.abs(numbers).max(initial=0)
    dtype = next(dtype for dtype in (np.int8, np.int16, np.int32) if most <= np.iinfo(dtype).max)
    whole: Whole = numbers.astype(dtype)
    return whole
