"""Coders: they turn frames into the bytes of chunks, as our blocks or by HDF5's own filters."""

from __future__ import annotations

import zlib
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..codecs import block
from ..codecs.block_format import VERSION
from ..codecs.recipe import Recipe
from ..errors import BlockError, NotExactError
from ..hdf5.filter import FILTER_ID
from ..hdf5.standard_filters import fletcher32, shuffled
from ..reading.chunk_grid import to_words
from ..shapes import Pixels, Shape


class Coder(Protocol):
    """Turns tiles of frames into chunks; `str` says in words how."""

    @property
    def lossless(self) -> bool:
        """Whether a reader gets the coder's input, bit for bit."""

    def options(self) -> dict[str, Any]:
        """Return arguments of h5py's `create_dataset`."""

    def encode(self, tile: Pixels, corner: tuple[int, int]) -> tuple[bytes, Pixels | None]:
        """Return a chunk's bytes, and what they decode to where that differs from the tile.

        Parameters
        ----------
        tile
            ``(n, h, w[, C])``.
        corner
            Row and column of the tile's first pixel in the frames.
        """


class BlockCoder:
    """Makes blocks of this package's filter; see `block.encode`."""

    def __init__(self, recipe: Recipe, verify: bool) -> None:
        self.recipe, self.verify = recipe, verify

    def __str__(self) -> str:
        return str(self.recipe)

    @property
    def lossless(self) -> bool:
        """See `Coder`."""
        return self.recipe.lossless

    def options(self) -> dict[str, Any]:
        """See `Coder`."""
        parameters = (VERSION, self.recipe.top.row.id, int(self.verify))
        return {"compression": FILTER_ID, "compression_opts": parameters}

    def encode(self, tile: Pixels, corner: tuple[int, int]) -> tuple[bytes, Pixels | None]:
        """See `Coder`."""
        if self.lossless:
            return block.encode(tile, self.recipe, verify=self.verify), None
        return block.encode_lossy(tile, self.recipe)

    def check(self, tile: Pixels, data: bytes) -> tuple[bytes, Pixels | None] | None:
        """Return bytes as `encode` does, if they decode to this tile; else None."""
        try:
            decoded = block.decode(data, block.whole_shape(tile), tile.dtype)
            block.check(tile, decoded, self.recipe)
        except (BlockError, NotExactError):
            return None
        return data, None if self.lossless else decoded


class PlainCoder:
    """Makes chunks as HDF5 does: by shuffle and deflate, or without compression.

    They are made here, so that all cores take part. Source: HDF5 File Format Specification,
    III.A.2 and "Filter pipeline". Shuffle puts the first bytes of all elements first. Deflate is a
    zlib stream. What is not compressed is followed by its `fletcher32`.
    """

    lossless = True

    def __init__(self, chunk: Shape, level: int | None, shuffle: bool, verify: bool) -> None:
        self._chunk, self._level, self._shuffle, self._verify = chunk, level, shuffle, verify

    def __str__(self) -> str:
        if self._level is None:
            return "no compression, fletcher32"
        return f"{'shuffle, ' * self._shuffle}gzip {self._level}"

    def options(self) -> dict[str, Any]:
        """See `Coder`."""
        if self._level is None:
            return {"fletcher32": True}  # a stream of deflate has its own checksum
        return {"compression": "gzip", "compression_opts": self._level, "shuffle": self._shuffle}

    def encode(self, tile: Pixels, corner: tuple[int, int]) -> tuple[bytes, None]:
        """See `Coder`."""
        whole = block.padded(np.ascontiguousarray(tile), self._chunk)
        data = whole.astype(whole.dtype.newbyteorder("<"), copy=False)
        if self._level is None:
            pixels = data.tobytes()
            return pixels + fletcher32(pixels), None
        raw = shuffled(data) if self._shuffle else data.tobytes()
        packed = zlib.compress(raw, self._level)
        if self._verify and zlib.decompress(packed) != raw:
            raise NotExactError(
                "zlib did not give back what it compressed, so nothing was written. Memory or "
                "processor may be faulty: pack again, perhaps on another machine"
            )
        return packed, None


class DifferenceCoder:
    """Makes chunks of the differences of frames to one image, as words modulo their size.

    Parameters
    ----------
    mean
        ``(H, W[, C])``, of the frames' dtype.
    words
        Codes the differences.
    """

    lossless = True

    def __init__(self, mean: Pixels, words: Coder) -> None:
        self._mean, self._words = to_words(mean), words

    def __str__(self) -> str:
        return f"difference to the mean, {self._words}"

    def options(self) -> dict[str, Any]:
        """See `Coder`."""
        return self._words.options()

    def encode(self, tile: Pixels, corner: tuple[int, int]) -> tuple[bytes, Pixels | None]:
        """See `Coder`."""
        y, x = corner
        height, width = tile.shape[1:3]
        mean = self._mean[y : y + height, x : x + width]
        return self._words.encode(to_words(tile) - mean, corner)


def mean_frame(total: npt.NDArray[np.float64], count: int, dtype: np.dtype[Any]) -> Pixels:
    """Return the mean of frames, as an image of their dtype.

    Parameters
    ----------
    total
        The sum of `count` frames, in which values that are not finite count as 0.
    """
    mean = total / count
    if dtype.kind == "f":
        limits = np.finfo(dtype)
        return np.clip(mean, limits.min, limits.max).astype(dtype)
    if dtype.kind == "b":
        return mean >= 0.5
    bounds = np.iinfo(dtype)
    image: Pixels = np.clip(np.rint(mean), bounds.min, float(bounds.max))
    # Floats cannot express the largest 64-bit integers.
    top = image >= float(bounds.max)
    exact = np.where(top, 0, image).astype(dtype)
    exact[top] = bounds.max
    return exact
