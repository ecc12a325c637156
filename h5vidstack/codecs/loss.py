"""How far a lossy stack is from its input: measured, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..shapes import Numbers
from .block import differences

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Loss:
    """The difference of a stack to its input, over all pixels.

    Attributes
    ----------
    max_error
        Largest absolute difference.
    mse
        Mean of the squared differences.
    psnr
        ``10 log10(peak**2 / mse)`` in dB, where the peak is 255 for uint8, else the range
        of the input's finite values; inf where nothing differs.
    exact
        Whether every pixel is its input, bit for bit.
    """

    max_error: float
    mse: float
    psnr: float
    exact: bool


NO_LOSS = Loss(0.0, 0.0, math.inf, True)


def stated(attrs: Mapping[str, Any]) -> Loss:
    """What a stack's attributes say of it; not a number where they say nothing."""
    if attrs["lossless"]:
        return NO_LOSS
    max_error, mse, psnr = (
        float(attrs.get(name, math.nan)) for name in ("max_error", "mse", "psnr")
    )
    return Loss(max_error, mse, psnr, False)


@dataclass(frozen=True)
class FrameLoss:
    """Of n frames, ``(n,)`` each: squared error (mean), largest error, finite range."""

    mse: Floats
    worst: Floats
    low: Floats
    high: Floats


def measure(frames: npt.NDArray[Any], decoded: npt.NDArray[Any]) -> FrameLoss:
    """Compare frames with what a reader gets, both ``(n, H, W[, C])``."""
    found = np.empty((4, len(frames)))
    for number, (frame, got) in enumerate(zip(frames, decoded, strict=True)):
        differing = differences(frame, got)
        with np.errstate(over="ignore"):
            squares = np.mean(differing**2)
        finite = frame[np.isfinite(frame)]
        ends = (finite.min(), finite.max()) if len(finite) else (math.inf, -math.inf)
        found[:, number] = squares, differing.max(), *map(float, ends)
    return FrameLoss(*found)


def join(parts: Sequence[FrameLoss]) -> FrameLoss:
    """Put runs of frames together."""
    names = ("mse", "worst", "low", "high")
    return FrameLoss(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@np.errstate(all="ignore")
def together(one: Loss, count: int, other: Loss, added: int) -> Loss:
    """The loss of `count` frames and of `added` more; a peak is known where something was lost."""
    mse = (one.mse * count + other.mse * added) / (count + added)
    peaks = [10 * math.log10(loss.mse) + loss.psnr for loss in (one, other) if loss.mse > 0]
    psnr = max(peaks) - 10 * math.log10(mse) if peaks else math.inf
    worst = max(one.max_error, other.max_error)
    return Loss(worst, mse, psnr, one.exact and other.exact)


@np.errstate(all="ignore")
def total(
    piles: Sequence[FrameLoss], pile: Numbers, position: Numbers, dtype: np.dtype[Any]
) -> Loss:
    """The loss of a stack whose frame i is at ``position[i]`` of ``pile[i]``; not `exact`."""
    starts = np.cumsum([0, *(len(found.mse) for found in piles)])[:-1]
    together = join(piles)
    where = starts[pile] + position
    mse = float(np.mean(together.mse[where]))
    peak = 255.0 if dtype == np.uint8 else float(together.high.max() - together.low.min())
    psnr = 20 * math.log10(peak) - 10 * math.log10(mse) if mse > 0 and peak > 0 else math.inf
    return Loss(float(together.worst[where].max()), mse, psnr if mse else math.inf, False)
