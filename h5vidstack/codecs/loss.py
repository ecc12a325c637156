"""The difference of a lossy stack to its input, measured frame by frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..shapes import Numbers
from .noise import NoiseBound, NoiseLoss, NoiseModel

Floats = npt.NDArray[np.float64]

NOISE_ATTRIBUTES = (
    "noise_bound", "noise_error", "noise_bias", "noise_gain", "noise_offset", "noise_read",
    "noise_estimated",
)  # fmt: skip
"""What a stack states of its loss in units of noise: all of these, or none."""


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
    noise
        The difference in units of each pixel's noise, where that was bounded for all frames.
    """

    max_error: float
    mse: float
    psnr: float
    exact: bool
    noise: NoiseLoss | None = None

    def covers(self, frame: npt.NDArray[Any], got: npt.NDArray[Any]) -> bool:
        """Return whether a frame that a reader gets is as near to its input as this says."""
        apart = differences(frame, got)
        near = not apart.max(initial=0) > self.max_error  # an error that is not known is NaN
        return near and (self.noise is None or self.noise.holds(frame, apart))

    @property
    def promise(self) -> str:
        """What no difference exceeds, in words."""
        if self.noise is None:
            return f"{self.max_error:g}"
        return f"{self.max_error:g}, or {self.noise.bound:g} times the noise,"


NO_LOSS = Loss(max_error=0.0, mse=0.0, psnr=math.inf, exact=True)


def stated(attrs: Mapping[str, Any]) -> Loss:
    """Return the loss that a stack's attributes state; numbers that they lack are NaN."""
    if attrs["lossless"]:
        return NO_LOSS
    max_error, mse, psnr = (
        float(attrs.get(name, math.nan)) for name in ("max_error", "mse", "psnr")
    )
    return Loss(
        max_error=max_error, mse=mse, psnr=psnr, exact=False, noise=stated_noise(attrs)
    )  # fmt: skip


def stated_noise(attrs: Mapping[str, Any]) -> NoiseLoss | None:
    """Return what a stack's attributes state of its loss in units of noise, if it has such.

    Raises
    ------
    UnsupportedError
        If they are no numbers of a camera.
    """
    if NOISE_ATTRIBUTES[0] not in attrs:
        return None
    bound, error, bias, gain, offset, read = (float(attrs[name]) for name in NOISE_ATTRIBUTES[:-1])
    estimated = bool(attrs[NOISE_ATTRIBUTES[-1]])
    model = NoiseModel(gain=gain, offset=offset, read=read, estimated=estimated)
    return NoiseLoss(model=model, bound=bound, error=error, bias=bias)


def noise_attributes(lost: NoiseLoss | None) -> dict[str, float | bool]:
    """Return the attributes by which a stack states its loss in units of noise."""
    if lost is None:
        return {}
    model = lost.model
    values = (
        lost.bound, lost.error, lost.bias, model.gain, model.offset, model.read, model.estimated,
    )  # fmt: skip
    return dict(zip(NOISE_ATTRIBUTES, values, strict=True))


@dataclass(frozen=True)
class FrameLoss:
    """The errors of n frames, ``(n,)`` each.

    Attributes
    ----------
    mse, worst
        Mean squared error and largest error.
    low, high
        The finite range.
    sigmas, bias
        Largest error in standard deviations of the noise, and mean error with its sign; 0 where
        no bound in units of noise was given.
    """

    mse: Floats
    worst: Floats
    low: Floats
    high: Floats
    sigmas: Floats
    bias: Floats


def measure(
    frames: npt.NDArray[Any],
    decoded: npt.NDArray[Any],
    bound: NoiseBound | None = None,
) -> FrameLoss:
    """Compare frames with what a reader gets, both ``(n, H, W[, C])``.

    Parameters
    ----------
    bound
        Compare in units of this noise, too; then frames are integers.
    """
    found = np.zeros((6, len(frames)))
    for number, (frame, got) in enumerate(zip(frames, decoded, strict=True)):
        differing = differences(frame, got)
        with np.errstate(over="ignore"):
            squares = np.mean(differing**2)
        finite = frame[np.isfinite(frame)]
        ends = (finite.min(), finite.max()) if len(finite) else (math.inf, -math.inf)
        found[:4, number] = squares, differing.max(), *map(float, ends)
        if bound is not None:
            signed = np.where(got < frame, -differing, differing)
            found[4:, number] = bound.largest(frame, differing), signed.mean()
    return FrameLoss(*found)


def join(parts: Sequence[FrameLoss]) -> FrameLoss:
    """Join the losses of several runs of frames."""
    names = [one.name for one in fields(FrameLoss)]
    return FrameLoss(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@np.errstate(all="ignore")
def together(one: Loss, count: int, other: Loss, added: int) -> Loss:
    """Return the loss of `count` frames and `added` more; the peak is that of frames with loss."""
    mse = (one.mse * count + other.mse * added) / (count + added)
    peaks = [10 * math.log10(loss.mse) + loss.psnr for loss in (one, other) if loss.mse > 0]
    psnr = max(peaks) - 10 * math.log10(mse) if peaks else math.inf
    worst = max(one.max_error, other.max_error)
    exact = one.exact and other.exact
    noise = _noise_together(one, count, other, added)
    return Loss(max_error=worst, mse=mse, psnr=psnr, exact=exact, noise=noise)


def _noise_together(one: Loss, count: int, other: Loss, added: int) -> NoiseLoss | None:
    """Return the loss of all frames in units of noise, if it has one noise and a bound."""
    lossy = [loss.noise for loss in (one, other) if not loss.exact]
    first = lossy[0] if lossy else None
    bounded = [noise for noise in lossy if noise is not None]
    if first is None or len(bounded) < len(lossy):
        return None
    if not all(first.model.same_camera(noise.model) for noise in bounded):
        return None
    biases = [0.0 if loss.noise is None else loss.noise.bias for loss in (one, other)]
    return replace(
        first,
        bound=max(noise.bound for noise in bounded),
        error=max(noise.error for noise in bounded),
        bias=(biases[0] * count + biases[1] * added) / (count + added),
    )


@np.errstate(all="ignore")
def total(
    piles: Sequence[FrameLoss],
    pile: Numbers,
    position: Numbers,
    dtype: np.dtype[Any],
    bound: NoiseBound | None = None,
) -> Loss:
    """Return the loss of a stack whose frame i is at ``position[i]`` of ``pile[i]``; not exact.

    Parameters
    ----------
    bound
        The bound in units of noise by which frames were measured.
    """
    starts = np.cumsum([0, *(len(found.mse) for found in piles)])[:-1]
    joined = join(piles)
    where = starts[pile] + position
    mse = float(np.mean(joined.mse[where]))
    peak = 255.0 if dtype == np.uint8 else float(joined.high.max() - joined.low.min())
    psnr = 20 * math.log10(peak) - 10 * math.log10(mse) if mse > 0 and peak > 0 else math.inf
    worst = float(joined.worst[where].max())
    noise = None
    if bound is not None:
        error, bias = float(joined.sigmas[where].max()), float(joined.bias[where].mean())
        noise = NoiseLoss(model=bound.model, bound=bound.times, error=error, bias=bias)
    psnr = psnr if mse else math.inf
    return Loss(max_error=worst, mse=mse, psnr=psnr, exact=False, noise=noise)
