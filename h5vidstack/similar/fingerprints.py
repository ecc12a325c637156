"""What is computed once of every frame: CRC-32, image hashes, and a small feature.

The hashes are those of the imagehash library, bit for bit; here a batch of frames is
hashed at once, which takes a quarter of the time. What they mean: phash, 8x8 lowest
frequencies of a DCT of the 32x32 thumbnail against their median; ahash, the 8x8
thumbnail against its mean; dhash, each pixel of the 9x8 thumbnail against its left
neighbour.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codecs.block import frame_crcs
from .thumbnails import thumbnails

Hashes = npt.NDArray[np.uint64]

HASHES = ("phash", "ahash", "dhash")

FEATURE_EDGE = {1: 16, 3: 9, 4: 8}
"""Block means a row and a column, by channels: about 256 numbers a frame."""

_WIDER = {np.dtype(np.uint8): np.uint16, np.dtype(np.uint16): np.uint32}
"""Integers that hold sums of many pixels, which is faster than sums of floats and as exact."""


@dataclass(frozen=True)
class Fingerprints:
    """Of n frames.

    Attributes
    ----------
    crc32
        ``(n,)`` uint32, of each frame's raw bytes in C order.
    phash, ahash, dhash
        ``(n,)`` uint64: imagehash's bits row by row, the first one highest, so that
        ``f"{value:016x}"`` is what ``str`` gives of imagehash's object. None if they
        were not wanted.
    feature
        ``(n, d)`` float32: means of a grid of blocks, for distances between frames.
    """

    crc32: npt.NDArray[np.uint32]
    phash: Hashes | None
    ahash: Hashes | None
    dhash: Hashes | None
    feature: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.crc32)

    @property
    def hashes(self) -> dict[str, Hashes]:
        """The hash tables by name, as far as there are some."""
        tables = {name: getattr(self, name) for name in HASHES}
        return {name: table for name, table in tables.items() if table is not None}


def fingerprint(frames: npt.NDArray[Any], *, hashes: bool = True) -> Fingerprints:
    """Compute the fingerprints of ``(n, H, W)`` or ``(n, H, W, C)`` frames."""
    phash, ahash, dhash = hash_images(frames) if hashes else (None, None, None)
    return Fingerprints(frame_crcs(frames), phash, ahash, dhash, block_means(frames))


def join(parts: Sequence[Fingerprints]) -> Fingerprints:
    """Put batches together, at least one."""

    def joined(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays)

    return Fingerprints(*(joined(field.name) for field in fields(Fingerprints)))


def hash_images(frames: npt.NDArray[Any]) -> tuple[Hashes, Hashes, Hashes]:
    """Phash, ahash and dhash of each frame.

    Parameters
    ----------
    frames
        ``(n, H, W)`` or ``(n, H, W, 3|4)`` of any dtype; see `to_8bit`.

    Returns
    -------
    tuple of ndarray
        Three of ``(n,)`` uint64. Source: imagehash 4.3, ``phash``, ``average_hash`` and
        ``dhash`` with their default sizes.
    """
    import scipy.fftpack

    grays = np.stack([_gray(frame) for frame in frames])
    for_p, for_a, for_d = thumbnails(grays, ((32, 32), (8, 8), (9, 8)))
    dct = scipy.fftpack.dct(scipy.fftpack.dct(for_p, axis=1), axis=2)[:, :8, :8]
    return (
        _pack_bits(dct > np.median(dct, axis=(1, 2), keepdims=True)),
        _pack_bits(for_a > for_a.mean(axis=(1, 2), keepdims=True)),
        _pack_bits(for_d[:, :, 1:] > for_d[:, :, :-1]),
    )


def _gray(frame: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    from PIL import Image

    image = to_8bit(frame)
    return image if image.ndim == 2 else np.asarray(Image.fromarray(image).convert("L"))


def _pack_bits(bits: npt.NDArray[np.bool_]) -> Hashes:
    return np.packbits(bits.reshape(-1, 64), axis=1).view(">u8").ravel().astype(np.uint64)


@np.errstate(all="ignore")
def to_8bit(frame: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """The 8-bit image that stands for a frame of any dtype where one looks at it.

    uint8 stays. Else the finite values of this frame (all its channels together) are
    spread over 0..255 as spec/format.md, "Image hashes", says; a frame of one value
    becomes 0, NaN and -inf 0, inf 255. bool becomes 0 and 255.
    """
    if frame.dtype == np.uint8:
        return np.ascontiguousarray(frame)
    if frame.dtype.kind in "iu" and frame.dtype.isnative and frame.size:
        least, count = int(frame.min()), int(frame.max()) - int(frame.min()) + 1
        if count < frame.size:  # it is faster to spread each value once than each pixel
            unsigned = np.dtype(f"u{frame.dtype.itemsize}")
            start = unsigned.type(least % (1 << 8 * unsigned.itemsize))
            levels = _spread((np.arange(count).astype(unsigned) + start).view(frame.dtype))
            image: npt.NDArray[np.uint8] = levels[frame.view(unsigned) - start]
            return image
    return _spread(frame)


def _spread(frame: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Spread the finite values of an array over 0 to 255."""
    values = np.asarray(frame, np.float64)
    finite = np.isfinite(values)
    least, greatest = (values[finite].min(), values[finite].max()) if finite.any() else (0, 0)
    # Halved, so that the range of the largest floats is no infinity.
    span = greatest / 2 - least / 2
    if span == 0:
        return np.where(values == np.inf, np.uint8(255), np.uint8(0))
    scaled = np.clip((values / 2 - least / 2) / span * 255, 0, 255)
    image: npt.NDArray[np.uint8] = np.nan_to_num(scaled, nan=0).astype(np.uint8)
    return image


@np.errstate(all="ignore")
def block_means(frames: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Means of a grid of blocks of each frame and channel, ``(n, d)`` float32.

    The grid is 16x16 for gray, 9x9 for three channels, 8x8 for four; where a frame has
    fewer rows or columns, each is a block. What is not a number counts as 0, and values
    beyond 1e17 as 1e17, so that squares of distances stay finite.
    """
    n, height, width = frames.shape[:3]
    channels = frames.shape[3] if frames.ndim == 4 else 1
    planes = frames.reshape(n, height, width, channels)
    rows = np.linspace(0, height, min(FEATURE_EDGE[channels], height) + 1).astype(int)
    columns = np.linspace(0, width, min(FEATURE_EDGE[channels], width) + 1).astype(int)
    wider = _WIDER.get(frames.dtype)
    sums = np.empty((n, len(rows) - 1, width, channels), np.float64 if wider is None else np.uint64)
    for number, (top, bottom) in enumerate(itertools.pairwise(rows)):
        band = planes[:, top:bottom]
        if wider is None:
            band = np.clip(np.nan_to_num(band.astype(np.float64)), -1e17, 1e17)
        few = bottom - top < 1 << 8 * frames.dtype.itemsize  # rows, whose sums `wider` holds
        sums[:, number] = band.sum(axis=1, dtype=wider if few and wider else sums.dtype)
    blocks = np.add.reduceat(sums, columns[:-1], axis=2)
    areas = np.diff(rows)[:, np.newaxis, np.newaxis] * np.diff(columns)[:, np.newaxis]
    means: npt.NDArray[np.float32] = (blocks / areas).reshape(n, -1).astype(np.float32)
    return means
