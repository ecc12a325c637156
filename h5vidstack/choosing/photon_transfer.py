"""The noise of a camera, estimated from its frames by a photon transfer curve.

The variance of shot noise grows linearly with the light: J. R. Janesick, Photon Transfer (SPIE
2007). The curve is taken from differences of successive frames, in which what stands still cancels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..codecs.noise import Floats, NoiseModel
from ..errors import SourceError
from ..shapes import Pixels, frame_bytes
from ..sources.source import Source
from ..text import shape_text

EDGE = 8
"""Variances are those of tiles of so many rows and columns."""
PAIRS = 64
"""Most pairs of successive frames that are looked at, along each axis."""
LOOK_BYTES, LEAST_PAIRS = 1 << 29, 4
"""Fewer pairs, but at least so many, where they have more bytes than that."""
PAIR_PIXELS = 1 << 20
"""Of larger frames only every so manieth row of tiles is looked at."""
BINS = 32
"""Tiles are put together in so many classes of their mean."""
LEAST_TILES = 256
"""Fewer tiles than that tell nothing certain."""
LEAST_GROWTH = 6
"""The noise must grow with the light by so many standard errors of its growth."""
MOST_BENT = 0.1
"""By so much of it may variances be off the line, beyond what chance explains twice: root mean
squares of all classes."""
MOST_MOVED = 1.3
"""The median of the variances may be so many times what their lower quartile says."""

_FREEDOM = EDGE * EDGE / 4
"""Degrees of freedom of a tile: four pixels give one independent number."""


@dataclass(frozen=True)
class _Tiles:
    """What is known of tiles, ``(n,)`` each: mean, variance, and largest pixel."""

    mean: Floats
    variance: Floats
    highest: Floats


def estimate(source: Source) -> NoiseModel:
    """Estimate the noise of the camera that made the frames of a source.

    From the difference of two successive frames, each 2 x 2 pixels give ``(a - b - c + d) / 2``.
    That also cancels what changes smoothly: lamps that flicker, slow drifts. Its mean square over
    a tile is twice the variance of a pixel there. Of tiles of about the same mean the median
    counts, so that what moves in fewer than about a quarter of them does no harm. A line through
    these variances is the curve. A line alone does not tell dark counts from read noise: `offset`
    is where it says that there is no noise, so that dark pixels are never thought noisier than it
    says, and `read` is 0. If that is below the least value of an unsigned dtype, `offset` is 0,
    and `read` is the noise there.

    Parameters
    ----------
    source
        Integers, with `Source.take` of any frame.

    Raises
    ------
    SourceError
        If the frames do not show it soundly. The error says why.
    """
    tiles, saturated = _unsaturated(_look(source))
    if len(tiles.mean) < LEAST_TILES:
        said = f", and {saturated} are saturated" if saturated else ""
        raise _unknown(
            source,
            f"only {len(tiles.mean)} tiles of {EDGE} x {EDGE} pixels of successive frames show "
            f"any{said}; {LEAST_TILES} are needed",
        )
    classes = np.array_split(np.argsort(tiles.mean, kind="stable"), BINS)
    mean = np.array([tiles.mean[one].mean() for one in classes])
    half, quarter = (_variances(tiles.variance, classes, share) for share in (0.5, 0.25))
    # The error of a median is sqrt(pi / 2) times that of a mean, here of squares.
    chance = math.sqrt(math.pi / 2 * 2 / _FREEDOM * BINS / len(tiles.mean))
    base, growth, error = _line(mean, half, chance)
    if not growth > LEAST_GROWTH * error:
        raise _unknown(
            source,
            f"it does not grow with the light, between {mean[0]:.5g} and {mean[-1]:.5g} counts",
        )
    fitted = base + growth * mean
    off = float(np.sqrt(np.mean((half / np.maximum(fitted, 1e-9 * fitted.max()) - 1) ** 2)))
    if off > math.hypot(MOST_BENT, 2 * chance):
        raise _unknown(
            source,
            f"its variance is no linear function of the light: it is off the line by {off:.0%} on "
            "average. Frames that were compressed, corrected or shown by a gamma curve are so",
        )
    moved = float(half.sum() / quarter.sum()) if quarter.sum() else math.inf
    if moved > MOST_MOVED:
        raise _unknown(source, "too much of the picture changes from each frame to the next")
    offset = max(-base / growth, float(np.iinfo(source.dtype).min))
    variance = max(base + growth * offset, 0.0)
    return NoiseModel(
        gain=1 / growth, offset=offset, read=math.sqrt(variance) / growth, estimated=True
    )


def _unknown(source: Source, why: str) -> SourceError:
    return SourceError(
        f"the noise of {source.name} cannot be estimated: {why}. Give the camera's own figures by "
        "noise, as gain=0.46,offset=100,read=1.6 (electrons per count, counts, electrons), or give "
        "max-error as a number"
    )


def _look(source: Source) -> _Tiles:
    """Look at pairs of successive frames all over the source, along the axis of least change."""
    count = source.count or 0
    if count < 2 or min(source.frame[:2]) < EDGE:
        raise _unknown(
            source,
            f"it takes two frames of at least {EDGE} x {EDGE} pixels, and there are {count} of "
            f"{shape_text(source.frame)}",
        )
    found = [_look_along(source, length, step) for length, step in _axes(source, count)]
    seen = [tiles for tiles in found if len(tiles.mean)]
    if not seen:
        raise _unknown(source, "successive frames are equal")
    return min(seen, key=lambda tiles: float(np.median(tiles.variance)))


def _axes(source: Source, count: int) -> list[tuple[int, int]]:
    """Return length and step of each axis that counts frames: times, channels, planes."""
    lengths = source.leading_shape or (count,)
    steps = [math.prod(lengths[number + 1 :]) for number in range(len(lengths))]
    return [axis for axis in zip(lengths, steps, strict=True) if axis[0] > 1]


def _look_along(source: Source, length: int, step: int) -> _Tiles:
    """Look at pairs of frames that follow one another on an axis."""
    numbers = np.arange(source.count or 0)
    firsts = numbers[numbers // step % length < length - 1]
    size = 2 * frame_bytes(source.frame, source.dtype.itemsize)
    pairs = max(LEAST_PAIRS, min(PAIRS, LOOK_BYTES // size))
    found = [_Tiles(*np.empty((3, 0)))]
    for first in firsts[np.unique(np.linspace(0, len(firsts) - 1, pairs).round().astype(np.intp))]:
        one, two = source.take(np.array([first, first + step]))
        if not np.array_equal(one, two):  # a frame that was stored twice shows no noise
            found.append(_of_pair(_strips(one), _strips(two)))
    names = ("mean", "variance", "highest")
    return _Tiles(*(np.concatenate([getattr(one, name) for one in found]) for name in names))


def _strips(frame: Pixels) -> Floats:
    """Return strips of a frame ``(H, W[, C])`` that are a tile high, as ``(n, EDGE, W)``."""
    height, width = (edge // EDGE * EDGE for edge in frame.shape[:2])
    step = -(-frame.size // PAIR_PIXELS)
    strips = frame[:height, :width].reshape(height // EDGE, EDGE, width, -1)[::step]
    return np.moveaxis(strips, 3, 1).reshape(-1, EDGE, width).astype(np.float64)


def _of_pair(one: Floats, two: Floats) -> _Tiles:
    """Return mean, variance and largest pixel of all tiles of two frames; flat ones show none."""
    apart = two - one
    rough = apart[:, ::2, ::2] - apart[:, ::2, 1::2] - apart[:, 1::2, ::2] + apart[:, 1::2, 1::2]
    squares = _tiled(rough * rough / 8, EDGE // 2)
    first, second = _tiled(one, EDGE), _tiled(two, EDGE)
    highest = np.maximum(first.max(axis=1), second.max(axis=1))
    lowest = np.minimum(first.min(axis=1), second.min(axis=1))
    mean = (first.mean(axis=1) + second.mean(axis=1)) / 2
    seen = lowest < highest
    return _Tiles(mean[seen], squares.mean(axis=1)[seen], highest[seen])


def _tiled(strips: Floats, edge: int) -> Floats:
    """Return strips ``(n, edge, W)`` as tiles, ``(m, edge * edge)``."""
    n, _, width = strips.shape
    return strips.reshape(n, edge, width // edge, edge).swapaxes(1, 2).reshape(-1, edge * edge)


def _unsaturated(tiles: _Tiles) -> tuple[_Tiles, int]:
    """Leave out tiles that hold the largest value of all, and count them.

    Where the converter or the pixels are full, there is no noise. Elsewhere these tiles are few.
    """
    kept = tiles.highest < tiles.highest.max(initial=-math.inf)
    left = _Tiles(tiles.mean[kept], tiles.variance[kept], tiles.highest[kept])
    return left, int(np.count_nonzero(~kept))


def _variances(variance: Floats, classes: list[np.ndarray], share: float) -> Floats:
    """Return the variance of each class, from a quantile of those of its tiles.

    Those of normal noise have a chi-squared distribution.
    """
    from scipy.special import gammaincinv  # inside, because it takes 0.2 s and few need it

    expected = 2 * float(gammaincinv(_FREEDOM / 2, share)) / _FREEDOM
    return np.array([np.quantile(variance[one], share) for one in classes]) / expected


def _line(mean: Floats, variance: Floats, share: float) -> tuple[float, float, float]:
    """Fit a line to variances; return its value at 0, its slope, and the error of that.

    The error of a variance is a share of it, so that the weights come from the line itself.

    Parameters
    ----------
    share
        The error of a variance over the variance.
    """
    least = max(1e-3 * float(variance.max()), np.finfo(np.float64).tiny)
    error, columns = np.full(len(mean), 1.0), np.stack([np.ones_like(mean), mean], axis=1)
    base = slope = 0.0
    for _ in range(20):
        base, slope = np.linalg.lstsq(columns / error[:, None], variance / error, rcond=None)[0]
        error = share * np.maximum(base + slope * mean, least)
    weighted = columns / error[:, None]
    spread = np.linalg.pinv(weighted.T @ weighted)
    return float(base), float(slope), math.sqrt(float(spread[1, 1]))
