"""Which of many frames stands for them all: the one nearest to their mean, in a sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .feature_store import Features
from .fingerprints import block_means

MOST = 256
"""Most frames whose features are compared."""


class TypicalFrame:
    """Finds a frame that stands for many, which come one after another.

    Only evenly spaced ones are looked at. Their distance doubles each time there are too many.
    """

    def __init__(self) -> None:
        self._features: list[npt.NDArray[np.float32]] = []
        self._step, self._seen = 1, 0

    def add(self, frames: npt.NDArray[Any]) -> None:
        """Look at the next frames, ``(n, H, W[, C])``."""
        some = frames[-self._seen % self._step :: self._step]
        if len(some):
            self._features.extend(block_means(some))
        self._seen += len(frames)
        while len(self._features) > MOST:
            self._features = self._features[::2]
            self._step *= 2

    @property
    def number(self) -> int:
        """The number of the frame among all that came; 0 if there are none."""
        return self._step * nearest_to_mean(np.stack(self._features)) if self._features else 0


def nearest_to_mean(features: Features) -> int:
    """Return which of ``(n, d)`` points lies nearest to their mean."""
    distance = np.linalg.norm(features - features.mean(axis=0), axis=1)
    return int(np.argmin(distance))
