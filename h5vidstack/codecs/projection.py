"""Frames made as weighted sums of a few images, which is how a PCA is read.

The arithmetic is exact, so that every machine gives the same pixels. Weights and images are
whole numbers, and float64 holds the sums of their products without rounding.
Normative: spec/format.md, "Principal components".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from .value_map import to_dtype

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.integer[Any]]

EXACT = 2**53
"""Float64 holds all whole numbers up to this one."""
COLUMNS = 1 << 16
"""So many pixels are rebuilt at a time."""


class Basis:
    """The images of which frames are made.

    Parameters
    ----------
    mean
        ``(H, W[, C])`` float32 or float64.
    components
        ``(k, H, W[, C])`` signed integers.
    step
        A frame is ``mean + step * sum(coefficients * components)``.
    dtype
        Of the pixels.
    """

    def __init__(
        self, mean: npt.NDArray[Any], components: Whole, step: float, dtype: np.dtype[Any]
    ) -> None:
        if mean.shape != components.shape[1:]:
            raise FormatError(
                f"the mean of a PCA has shape {mean.shape}, but its components have "
                f"{components.shape[1:]}: the file is damaged"
            )
        self.mean, self.step, self.dtype = mean.astype(np.float64), step, dtype
        self.components, self.narrow = components, mean.dtype == np.float32
        self._largest = int(np.abs(components.astype(np.int64)).max(initial=0))

    def frames(self, coefficients: Whole) -> npt.NDArray[Any]:
        """Rebuild frames ``(n, H, W[, C])`` from coefficients ``(n, k)``.

        Raises
        ------
        FormatError
            If the coefficients are so large that sums would be rounded.
        """
        n, k = coefficients.shape
        if k != len(self.components):
            raise FormatError(
                f"a frame has {k} coefficients for {len(self.components)} components: the file is "
                "damaged"
            )
        most = int(np.abs(coefficients.astype(np.int64)).max(initial=0))
        if most * self._largest * k >= EXACT:
            raise FormatError(
                f"coefficients up to {most} and components up to {self._largest} are too large for "
                "exact sums: the file is damaged"
            )
        weights = coefficients.astype(np.float64)
        images, mean = self.components.reshape(k, -1), self.mean.ravel()
        flat = np.empty((n, mean.size), self.dtype)
        for start in range(0, mean.size, COLUMNS):
            part = slice(start, start + COLUMNS)
            numbers = weights @ images[:, part].astype(np.float64)
            numbers *= self.step
            numbers += mean[part]
            flat[:, part] = to_dtype(numbers, self.dtype)
        return flat.reshape(n, *self.mean.shape)
