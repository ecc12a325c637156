"""The fingerprints of frames: CRC-32 and image hashes; and their features, for distances.

The imagehash library defines the hashes, and `query_hashes` calls it for one image. Packing hashes
frames in batches by `hash_images`, because that takes a quarter of the time; both give the same
bits.

- phash compares the 8x8 lowest frequencies of a DCT of the 32x32 thumbnail with their median.
- ahash compares the pixels of the 8x8 thumbnail with their mean.
- dhash compares each pixel of the 9x8 thumbnail with its left neighbour.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..codecs.block import frame_crcs
from .thumbnails import AT_ONCE, thumbnails

Hashes = npt.NDArray[np.uint64]
Digests = npt.NDArray[np.uint64]
"""``(n, 2)``; see `frame_digests`."""
Floats = npt.NDArray[np.float64]

HASHES = ("phash", "ahash", "dhash")

FEATURE_EDGE = {1: 16, 3: 9, 4: 8}
"""Rows and columns of the grid of block means, by channels: about 256 numbers a frame."""

SMALL = 1 << 12
"""Frames of no more pixels are converted together to 8 bits."""

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
    """

    crc32: npt.NDArray[np.uint32]
    phash: Hashes | None = None
    ahash: Hashes | None = None
    dhash: Hashes | None = None

    def __len__(self) -> int:
        return len(self.crc32)

    @property
    def hashes(self) -> dict[str, Hashes]:
        """The hash tables by name; none if no hashes were wanted."""
        tables = {name: getattr(self, name) for name in HASHES}
        return {name: table for name, table in tables.items() if table is not None}


def fingerprint(frames: npt.NDArray[Any], *, hashes: bool = True) -> Fingerprints:
    """Compute the fingerprints of ``(n, H, W)`` or ``(n, H, W, C)`` frames."""
    return Fingerprints(frame_crcs(frames), *(hash_images(frames) if hashes else ()))


def join(parts: Sequence[Fingerprints]) -> Fingerprints:
    """Join the fingerprints of one or more batches of frames."""

    def joined(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays)

    return Fingerprints(*(joined(field.name) for field in fields(Fingerprints)))


def frame_digests(frames: npt.NDArray[Any]) -> Digests:
    """Return the first 128 bits of the SHA-256 of the raw C-order bytes of each frame, ``(n, 2)``.

    Frames of one digest are equal: nobody has found two others, nor will chance.
    """
    whole = np.ascontiguousarray(frames)
    data = b"".join(hashlib.sha256(frame.data).digest()[:16] for frame in whole)
    return np.frombuffer(data, np.uint64).reshape(-1, 2)


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

    for_p, for_a, for_d = thumbnails(_grays(frames), ((32, 32), (8, 8), (9, 8)))
    rows = scipy.fftpack.dct(for_p, axis=1)[:, :8]
    dct = scipy.fftpack.dct(rows, axis=2)[:, :, :8]
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


def _grays(frames: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the 8-bit gray images of frames, ``(n, H, W)``."""
    images = _images(frames)
    if images.ndim == 3:
        return images
    return np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])


def _pack_bits(bits: npt.NDArray[np.bool_]) -> Hashes:
    return np.packbits(bits.reshape(-1, 64), axis=1).view(">u8").ravel().astype(np.uint64)


def to_8bit(frame: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the 8-bit image that shows a frame of any dtype.

    uint8 stays as it is. Otherwise the finite values of this frame, all its channels together, are
    spread over 0..255; see "Image hashes" in spec/format.md. A frame of one value becomes 0.
    NaN and -inf become 0, and inf becomes 255. bool becomes 0 and 255.
    """
    image: npt.NDArray[np.uint8] = _images(frame[np.newaxis])[0]
    return image


@np.errstate(all="ignore")
def _images(frames: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the 8-bit images of frames, of their shape; see `to_8bit`.

    Only a part is converted at a time, which bounds memory: several small frames, or a part of
    a large one.
    """
    if frames.dtype == np.uint8:
        return np.ascontiguousarray(frames)
    flat = np.ascontiguousarray(frames, frames.dtype.newbyteorder("=")).reshape(len(frames), -1)
    images = np.empty(flat.shape, np.uint8)
    if flat.shape[1] <= SMALL:
        step = AT_ONCE // max(1, flat.shape[1])
        for start in range(0, len(flat), step):
            part = flat[start : start + step]
            images[start : start + step] = _spread(part, *_ends(part))
    else:
        for pixels, image in zip(flat, images, strict=True):
            _spread_parts(pixels, image)
    return images.reshape(frames.shape)


def _spread_parts(pixels: npt.NDArray[Any], image: npt.NDArray[np.uint8]) -> None:
    """Spread the pixels of one frame over an 8-bit image, ``(size,)`` each, a part at a time."""
    parts = [slice(start, start + AT_ONCE) for start in range(0, pixels.size, AT_ONCE)]
    if pixels.dtype.kind in "iu":
        least, count = int(pixels.min()), int(pixels.max()) - int(pixels.min()) + 1
        if count < min(pixels.size, AT_ONCE):  # it is faster to spread each value once
            unsigned = np.dtype(f"u{pixels.itemsize}")
            first = unsigned.type(least % (1 << 8 * unsigned.itemsize))
            values = (np.arange(count).astype(unsigned) + first).view(pixels.dtype)[np.newaxis]
            levels = _spread(values, *_ends(values))[0]
            for part in parts:
                image[part] = levels[pixels[part].view(unsigned) - first]
            return
    ends = [_ends(pixels[part][np.newaxis]) for part in parts]
    least, greatest = (
        np.min([low for low, _ in ends], axis=0),
        np.max([high for _, high in ends], 0),
    )
    for part in parts:
        image[part] = _spread(pixels[part][np.newaxis], least, greatest)[0]


def _ends(values: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Return the least and greatest finite value of each row, ``(n, 1)``; inf and -inf: none."""
    numbers = values.astype(np.float64)
    finite = np.isfinite(numbers)
    least: Floats = numbers.min(axis=1, keepdims=True, initial=np.inf, where=finite)
    greatest: Floats = numbers.max(axis=1, keepdims=True, initial=-np.inf, where=finite)
    return least, greatest


def _spread(values: npt.NDArray[Any], least: Floats, greatest: Floats) -> npt.NDArray[np.uint8]:
    """Spread the finite values of rows over 0 to 255, between the ends of each row."""
    numbers = values.astype(np.float64)
    # Both are halved, so that the range of the largest floats does not become infinite.
    span = greatest / 2 - least / 2
    scaled = np.clip((numbers / 2 - least / 2) / span * 255, 0, 255)
    image: npt.NDArray[np.uint8] = np.nan_to_num(scaled, nan=0).astype(np.uint8)
    flat = ~(span > 0)
    return np.where(flat, np.where(numbers == np.inf, np.uint8(255), np.uint8(0)), image)


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
