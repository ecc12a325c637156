"""The difference of a lossy stack to its input, measured frame by frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..shapes import Numbers

Floats = npt.NDArray[np.float64]


def largest_difference(frames: npt.NDArray[Any], decoded: npt.NDArray[Any]) -> float:
    """Return the largest absolute difference; inf if only one of two pixels is NaN or infinite."""
    return float(np.max(differences(frames, decoded), initial=0))


def differences(frames: npt.NDArray[Any], decoded: npt.NDArray[Any]) -> Floats:
    """Return the absolute difference of each pixel; 0 if both are NaN, or the same infinity."""
    if frames.dtype.kind != "f":
        larger, smaller = np.maximum(frames, decoded), np.minimum(frames, decoded)
        unsigned = f"u{frames.itemsize}"
        apart: Floats = (larger.view(unsigned) - smaller.view(unsigned)).astype(np.float64)
        return apart
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.abs(decoded.astype(np.float64) - frames.astype(np.float64))
    same = (frames == decoded) | (np.isnan(frames) & np.isnan(decoded))
    return np.where(same, 0.0, np.where(np.isnan(found), np.inf, found))


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The difference of a stack to its input, over all pixels.

    Attributes
    ----------
    max_error
        Largest absolute difference.
    mse
        Mean of the squared differences.
    psnr
        ``10 log10(peak**2 / mse)`` in dB; inf where nothing differs. The peak is 255 for uint8, and
        the range of the input's finite values for other dtypes.
    exact
        Whether every pixel equals its input, bit for bit.
    """

    max_error: float
    mse: float
    psnr: float
    exact: bool


NO_LOSS = Loss(max_error=0.0, mse=0.0, psnr=math.inf, exact=True)


def stated(attrs: Mapping[str, Any]) -> Loss:
    """Return the loss that a stack's attributes state; numbers that they lack are NaN."""
    if attrs["lossless"]:
        return NO_LOSS
    max_error, mse, psnr = (
        float(attrs.get(name, math.nan)) for name in ("max_error", "mse", "psnr")
    )
    return Loss(max_error=max_error, mse=mse, psnr=psnr, exact=False)


@dataclass(frozen=True)
class FrameLoss:
    """The mean squared error, largest error and finite range of n frames, ``(n,)`` each."""

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
    """Join the losses of several runs of frames."""
    names = ("mse", "worst", "low", "high")
    return FrameLoss(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@np.errstate(all="ignore")
def together(one: Loss, count: int, other: Loss, added: int) -> Loss:
    """Return the loss of `count` frames and `added` more; the peak is that of frames with loss."""
    mse = (one.mse * count + other.mse * added) / (count + added)
    peaks = [10 * math.log10(loss.mse) + loss.psnr for loss in (one, other) if loss.mse > 0]
    psnr = max(peaks) - 10 * math.log10(mse) if peaks else math.inf
    worst = max(one.max_error, other.max_error)
    return Loss(max_error=worst, mse=mse, psnr=psnr, exact=one.exact and other.exact)


@np.errstate(all="ignore")
def total(
    piles: Sequence[FrameLoss], pile: Numbers, position: Numbers, dtype: np.dtype[Any]
) -> Loss:
    """Return the loss of a stack whose frame i is at ``position[i]`` of ``pile[i]``; not exact."""
    starts = np.cumsum([0, *(len(found.mse) for found in piles)])[:-1]
    joined = join(piles)
    where = starts[pile] + position
    mse = float(np.mean(joined.mse[where]))
    peak = 255.0 if dtype == np.uint8 else float(joined.high.max() - joined.low.min())
    psnr = 20 * math.log10(peak) - 10 * math.log10(mse) if mse > 0 and peak > 0 else math.inf
    worst = float(joined.worst[where].max())
    return Loss(max_error=worst, mse=mse, psnr=psnr if mse else math.inf, exact=False)
