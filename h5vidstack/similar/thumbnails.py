"""Thumbnails of many images at once, bit for bit those of Pillow's LANCZOS filter.

Pillow shrinks one image at a time; matrix products shrink a batch in a fraction of that time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

Images = npt.NDArray[np.uint8]
"""``(n, H, W)``."""
Floats = npt.NDArray[np.float64]

PRECISION = 22
"""Fractional bits of Pillow's weights."""
LOBES = 3
"""Lobes of the Lanczos kernel on each side."""
AT_ONCE = 1 << 18
"""Pixels that are converted to floats at a time, so that they stay in a core's cache."""
BAND = 8
"""Columns of a thumbnail that are made together, from only the columns that they need."""
ALONE = 1 << 18
"""The largest product that OpenBLAS computes in one thread, in multiplications.

More threads would be slower here, because all cores are busy."""


def thumbnails(images: Images, sizes: Sequence[tuple[int, int]]) -> list[Images]:
    """Shrink images to several sizes.

    Parameters
    ----------
    sizes
        ``(width, height)`` of each thumbnail, about square.

    Returns
    -------
    list of ndarray
        For each size ``(n, height, width)`` uint8, as Pillow's
        ``resize(size, Image.Resampling.LANCZOS)`` makes them. Source: Pillow, Resample.c.
    """
    n, height, width = images.shape
    if height > width:
        # Pillow 13 shrinks the columns of some such images first, which rounds differently.
        return [_by_pillow(images, size) for size in sizes]
    if (width, height) in sizes:  # Pillow copies an image that has its size already
        others = iter(thumbnails(images, [size for size in sizes if size != (width, height)]))
        return [images if size == (width, height) else next(others) for size in sizes]
    rows = images.reshape(-1, width)
    bands = [band for wanted, _ in sizes for band in _bands(width, wanted)]
    narrow = np.empty((len(rows), sum(weights.shape[1] for _, weights in bands)))
    step = max(1, AT_ONCE // width)
    for start in range(0, len(rows), step):
        part = rows[start : start + step].astype(np.float64)
        _multiply(part, bands, narrow[start : start + step])
    narrow = _rounded(narrow).reshape(n, height, -1)
    found, left = [], 0
    for wanted, rest in sizes:
        columns = narrow[:, :, left : left + wanted]
        found.append(_rounded(_weights(height, rest).T @ columns).astype(np.uint8))
        left += wanted
    return found


def _multiply(rows: Floats, bands: Sequence[tuple[int, Floats]], out: Floats) -> None:
    """Multiply rows by weights, in products that OpenBLAS computes in this thread."""
    left = 0
    for first, weights in bands:
        last, right = first + len(weights), left + weights.shape[1]
        step = max(1, ALONE // weights.size)
        whole = len(rows) // step * step
        if whole:
            many, target = (a[:whole].reshape(-1, step, a.shape[1]) for a in (rows, out))
            np.matmul(many[..., first:last], weights, out=target[..., left:right])
        if whole < len(rows):
            np.matmul(rows[whole:, first:last], weights, out=out[whole:, left:right])
        left = right


def _by_pillow(images: Images, size: tuple[int, int]) -> Images:
    how = Image.Resampling.LANCZOS
    return np.stack([np.asarray(Image.fromarray(image).resize(size, how)) for image in images])


@lru_cache(maxsize=64)
def _bands(before: int, after: int) -> list[tuple[int, Floats]]:
    """Return bands of columns of `_weights`: the first row that is not 0, and all rows in use."""
    found = []
    # Where there are few columns, each needs nearly all rows.
    step = BAND if after > 2 * BAND else after
    for left in range(0, after, step):
        weights = _weights(before, after)[:, left : left + step]
        used = np.flatnonzero(weights.any(axis=1))
        found.append((int(used[0]), np.ascontiguousarray(weights[used[0] : used[-1] + 1])))
    return found


@lru_cache(maxsize=64)
def _weights(before: int, after: int) -> Floats:
    """Return the weight of each pixel in each pixel of a resized row, ``(before, after)``.

    Weights are whole multiples of ``2**-PRECISION``, so their products with pixels are exact in
    float64.
    """
    matrix = np.zeros((before, after))
    scale = before / after
    stretch = max(scale, 1.0)
    for number in range(after):
        centre = (number + 0.5) * scale
        first = max(0, int(centre - LOBES * stretch + 0.5))
        last = min(before, int(centre + LOBES * stretch + 0.5))
        weights = _lanczos((np.arange(first, last, dtype=np.float64) - centre + 0.5) / stretch)
        weights = weights / sum(weights.tolist()) * (1 << PRECISION)
        matrix[first:last, number] = np.trunc(weights + np.copysign(0.5, weights))
    return matrix


def _lanczos(x: Floats) -> Floats:
    inside = (x >= -LOBES) & (x < LOBES)
    return np.where(inside, np.sinc(x) * np.sinc(x / LOBES), 0.0)


def _rounded(sums: Floats) -> Floats:
    """Round weighted sums to pixel values, in place."""
    sums += 1 << (PRECISION - 1)
    sums *= 2.0**-PRECISION
    np.floor(sums, out=sums)
    return np.clip(sums, 0, 255, out=sums)
