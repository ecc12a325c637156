"""Principal components of a stack, and as few bits for them as do no harm.

Source: scikit-learn's PCA (randomized SVD after Halko, Martinsson and Tropp, 2011) and
IncrementalPCA (Ross et al., 2008) where the frames are too many to hold.
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
"""Most values that are fitted at once, as float32; more are fitted batch by batch."""
SMALL = 1 << 24
"""So many are fitted as float64."""
BATCH = 1 << 23
"""Values of a batch."""
HARMLESS = 0.05
"""Share of the error that stays anyway, by which coefficients may be rounded."""
RAISED = 1.005
"""Fewer bits are taken if the mean squared error grows by no more."""

LARGEST = 1e150

Batches = Callable[[int], Iterator[npt.NDArray[Any]]]
"""Gives all frames in order, ``(n, H, W[, C])`` a time."""


@dataclass(frozen=True)
class Fit:
    """What PCA found.

    Attributes
    ----------
    mean
        ``(P,)``: P values a frame.
    components
        ``(k, P)``, of length 1 each.
    explained_variance, explained_variance_ratio, singular_values
        ``(k,)``, as scikit-learn's.
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
        """The first k components."""
        return Fit(
            self.mean,
            self.components[:k],
            self.explained_variance[:k],
            self.explained_variance_ratio[:k],
            self.singular_values[:k],
        )

    def project(self, frames: npt.NDArray[Any]) -> Floats:
        """Coefficients ``(n, k)`` of frames."""
        rest = frames.reshape(len(frames), -1).astype(np.float64)
        rest -= self.mean
        found: Floats = rest @ self.components.T
        return found


def fit(batches: Batches, count: int, size: int, k: int, name: str) -> Fit:
    """Find k principal components of `count` frames of `size` values.

    Raises
    ------
    SourceError
        If there are fewer frames or values, or one of them is not finite.
    """
    if k > min(count, size):
        raise SourceError(
            f"{name}: {k} components of {count} frames of {size} values; "
            f"there can be at most {min(count, size)}"
        )
    step = max(1, BATCH // size)
    first, reach, total = np.zeros(0), 0.0, np.zeros(size)
    for rows in _rows(batches, step, size, name):
        first = first if first.size else rows[0].copy()
        rows -= first  # so that a large offset costs no precision
        reach = max(reach, float(np.abs(rows).max()))
        total += rows.sum(axis=0)
    if not reach:  # constant: no direction is better than another
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
    """A model of frames that are held together."""
    from sklearn.decomposition import PCA  # type: ignore[import-untyped]

    held = np.empty((count, size), np.float32 if count * size > SMALL else np.float64)
    done = 0
    for rows in parts:
        held[done : done + len(rows)] = rows
        done += len(rows)
    solver = "full" if k > 0.5 * min(count, size) else "randomized"
    return PCA(k, svd_solver=solver, random_state=0, copy=False).fit(held)


def _fit_batches(parts: Iterator[Floats], k: int) -> Any:
    """A model of frames that come batch by batch, the last of which may be small."""
    from sklearn.decomposition import IncrementalPCA

    model = IncrementalPCA(k)
    waiting: list[Floats] = []
    for rows in parts:
        waiting.append(rows)
        if len(waiting) == 2 and len(rows) >= k:
            model.partial_fit(waiting.pop(0))
    return model.partial_fit(np.concatenate(waiting))


def _rows(batches: Batches, step: int, size: int, name: str) -> Iterator[Floats]:
    """Frames as rows of float64."""
    done = 0
    for batch in batches(step):
        rows = batch.reshape(len(batch), size).astype(np.float64)
        wrong = ~np.isfinite(rows).all(axis=1)
        if wrong.any():
            raise SourceError(
                f"{name}: frame {done + int(np.argmax(wrong))} holds NaN or infinity, "
                "of which there are no components; the other methods keep such pixels"
            )
        done += len(rows)
        if rows.size and np.abs(rows).max() > LARGEST:
            raise SourceError(
                f"{name} holds values beyond {LARGEST:g}, whose squares are too large for a PCA"
            )
        yield rows


def squared_errors(found: Fit, batches: Batches) -> Floats:
    """Mean squared error with the first 0, 1, ..., k components, ``(k + 1,)``."""
    squares, values = np.zeros(len(found.components) + 1), 0
    for batch in batches(max(1, BATCH // found.mean.size)):
        rest = batch.reshape(len(batch), -1).astype(np.float64) - found.mean
        values += rest.size
        squares[0] += np.square(rest).sum()
        squares[1:] -= np.square(rest @ found.components.T).sum(axis=0)
    errors: Floats = np.maximum(np.cumsum(squares) / values, 0)
    return errors


def largest_error(found: Fit, batches: Batches) -> float:
    """The largest absolute error with all components."""
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
        The error that stays with exact ones: root of the mean square.
    bits
        Of the components, with their sign: 8 or 16.

    Returns
    -------
    tuple
        Coefficients ``(n, k)``, components ``(k, P)``, step: their product times it is that of
        the given ones, nearly.
    """
    most = (1 << (bits - 1)) - 1
    heights = np.abs(found.components).max(axis=1, initial=0)
    whole = np.rint(found.components / np.where(heights, heights, 1)[:, np.newaxis] * most)
    scaled = weights * heights  # what a component adds where it is largest
    reach = float(np.abs(scaled).max(initial=0))
    k = len(heights)
    finest = max(rms * HARMLESS / math.sqrt(k), reach / (1 << 30), reach * most * k / EXACT * 4)
    step = finest / most if finest else 1.0
    coefficients = np.rint(scaled / (step * most)) if finest else np.zeros_like(scaled)
    return _narrow(coefficients), whole.astype(np.int8 if bits == 8 else np.int16), step


def _narrow(numbers: Floats) -> Whole:
    """Whole numbers in the smallest dtype that holds them."""
    most = np.abs(numbers).max(initial=0)
    dtype = next(dtype for dtype in (np.int8, np.int16, np.int32) if most <= np.iinfo(dtype).max)
    whole: Whole = numbers.astype(dtype)
    return whole
