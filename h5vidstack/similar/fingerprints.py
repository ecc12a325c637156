"""The fingerprints of frames: CRC-32, image hashes, and a small feature for distances.

The imagehash library defines the hashes, and `query_hashes` calls it for one image. Packing hashes
frames in batches by `hash_images`, because that takes a quarter of the time; both give the same
bits.

- phash compares the 8x8 lowest frequencies of a DCT of the 32x32 thumbnail with their median.
- ahash compares the pixels of the 8x8 thumbnail with their mean.
- dhash compares each pixel of the 9x8 thumbnail with its left neighbour.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..codecs.block import frame_crcs
from .thumbnails import thumbnails

Hashes = npt.NDArray[np.uint64]

HASHES = ("phash", "ahash", "dhash")

FEATURE_EDGE = {1: 16, 3: 9, 4: 8}
"""Rows and columns of the grid of block means, by channels: about 256 numbers a frame."""

_WIDER = {np.dtype(np.uint8): np.uint16, np.dtype(np.uint16): np.uint32}
"""Integers that hold sums of many pixels, which is faster than sums of floats and as exact."""


@dataclass(frozen=True)
class Fingerprints:
    """The fingerprints of n frames.

    Attributes
    ----------
    crc32
        ``(n,)`` uint32: the CRC-32 of each frame's raw bytes in C order.
    phash, ahash, dhash
        ``(n,)`` uint64: imagehash's bits row by row, the first one highest. So
        ``f"{value:016x}"`` equals ``str`` of imagehash's object. None if no hashes were wanted.
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
        """The hash tables by name; none if no hashes were wanted."""
        tables = {name: getattr(self, name) for name in HASHES}
        return {name: table for name, table in tables.items() if table is not None}


def fingerprint(frames: npt.NDArray[Any], *, hashes: bool = True) -> Fingerprints:
    """Compute the fingerprints of ``(n, H, W)`` or ``(n, H, W, C)`` frames."""
    phash, ahash, dhash = hash_images(frames) if hashes else (None, None, None)
    return Fingerprints(frame_crcs(frames), phash, ahash, dhash, block_means(frames))


def join(parts: Sequence[Fingerprints]) -> Fingerprints:
    """Join the fingerprints of one or more batches of frames."""

    def joined(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays)

    return Fingerprints(*(joined(field.name) for field in fields(Fingerprints)))


def hash_images(frames: npt.NDArray[Any]) -> tuple[Hashes, Hashes, Hashes]:
    """Return phash, ahash and dhash of each frame.

    Parameters
    ----------
    frames
        ``(n, H, W)`` or ``(n, H, W, 3|4)`` of any dtype; see `to_8bit`.

    Returns
    -------
    tuple of ndarray
        Three arrays of ``(n,)`` uint64, equal to those of `query_hashes`.
    """
    import scipy.fftpack  # inside, because it takes 0.2 s and only packing needs it

    grays = np.stack([_gray(frame) for frame in frames])
    for_p, for_a, for_d = thumbnails(grays, ((32, 32), (8, 8), (9, 8)))
    dct = scipy.fftpack.dct(scipy.fftpack.dct(for_p, axis=1), axis=2)[:, :8, :8]
    return (
        _pack_bits(dct > np.median(dct, axis=(1, 2), keepdims=True)),
        _pack_bits(for_a > for_a.mean(axis=(1, 2), keepdims=True)),
        _pack_bits(for_d[:, :, 1:] > for_d[:, :, :-1]),
    )


def query_hashes(image: npt.NDArray[Any]) -> dict[str, int]:
    """Return the hashes of one image by name, as the imagehash library makes them.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, 3|4)`` of any dtype; see `to_8bit`.
    """
    import imagehash  # inside, because only a search needs it and it loads scipy

    picture = Image.fromarray(to_8bit(image))
    made = (imagehash.phash(picture), imagehash.average_hash(picture), imagehash.dhash(picture))
    return {name: int(str(found), 16) for name, found in zip(HASHES, made, strict=True)}


def _gray(frame: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    image = to_8bit(frame)
    return image if image.ndim == 2 else np.asarray(Image.fromarray(image).convert("L"))


def _pack_bits(bits: npt.NDArray[np.bool_]) -> Hashes:
    return np.packbits(bits.reshape(-1, 64), axis=1).view(">u8").ravel().astype(np.uint64)


@np.errstate(all="ignore")
def to_8bit(frame: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the 8-bit image that shows a frame of any dtype.

    uint8 stays as it is. Otherwise the finite values of this frame, all its channels together, are
    spread over 0..255; see "Image hashes" in spec/format.md. A frame of one value becomes 0.
    NaN and -inf become 0, and inf becomes 255. bool becomes 0 and 255.
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
    # Both are halved, so that the range of the largest floats does not become infinite.
    span = greatest / 2 - least / 2
    if span == 0:
        return np.where(values == np.inf, np.uint8(255), np.uint8(0))
    scaled = np.clip((values / 2 - least / 2) / span * 255, 0, 255)
    image: npt.NDArray[np.uint8] = np.nan_to_num(scaled, nan=0).astype(np.uint8)
    return image


@np.errstate(all="ignore")
def block_means(frames: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the means of a grid of blocks of each frame and channel, ``(n, d)`` float32.

    The grid is 16x16 for gray, 9x9 for three channels and 8x8 for four. Where a frame has fewer
    rows or columns, each of them is a block. NaN counts as 0 and values beyond 1e17 count as 1e17,
    so that squares of distances stay finite.
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
