"""Blocks as a codec of numcodecs for Zarr arrays; numcodecs finds it by its entry point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codecs import block
from ..codecs.recipe import Recipe
from ..codecs.registry import Coding
from ..errors import BlockError, UnsupportedError, extra
from ..shapes import MAX_EDGE, Pixels, stack_shape

with extra("zarr"):
    from numcodecs.abc import Codec
    from numcodecs.compat import ensure_bytes, ensure_ndarray_like, ndarray_copy


USUAL_PRESET = "lpc-chain"
"""The preset of chunks where none is given; a reader needs no FFmpeg for it."""


class VideoBlock(Codec):  # type: ignore[misc]
    """The codec ``"id": "h5vidstack"``, which codes chunks of a Zarr array as lossless blocks.

    The array must be of format 2 and in C order, with this codec as its compressor and no filters.

    Parameters
    ----------
    shape
        The shape of a chunk: ``(n, H, W)`` or ``(n, H, W, 3|4)``; further leading axes count as
        frames.
    dtype
        The dtype of the pixels: bool, integers or floats.
    preset
        A lossless preset, one of those of `pack`.

    Raises
    ------
    UnsupportedError
        If such chunks cannot be coded, or the preset is lossy or unknown.
    """

    codec_id = "h5vidstack"

    def __init__(
        self, shape: Sequence[int], dtype: npt.DTypeLike, preset: str = USUAL_PRESET
    ) -> None:
        coding = Coding(preset)
        if not coding.lossless:
            raise UnsupportedError(f"{coding} is lossy; choose a lossless preset")
        block.check_dtype(np.dtype(dtype))
        self.shape, self.dtype, self.preset = tuple(map(int, shape)), np.dtype(dtype).str, preset
        self._frames = stack_shape(self.shape)
        if min(self.shape) < 1 or max(self._frames[1:]) > MAX_EDGE:
            raise UnsupportedError(
                f"a chunk has the shape {shape}; its edges must be 1 to {MAX_EDGE} pixels"
            )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the same codec again, ready for JSON."""
        return {
            "id": self.codec_id,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "preset": self.preset,
        }

    def encode(self, buf: Any) -> bytes:
        """Code one chunk as a block.

        Parameters
        ----------
        buf
            All pixels of a chunk in C order: an array of its shape, or any buffer.

        Returns
        -------
        bytes
            The block, which was decoded and compared with its input.

        Raises
        ------
        UnsupportedError
            If the chunk has another size, shape, dtype or order.
        NotExactError
            If the block does not decode to its input.
        """
        array = ensure_ndarray_like(buf)
        if array.flags.f_contiguous and not array.flags.c_contiguous:
            raise UnsupportedError('blocks hold pixels in C order: make the array with order="C"')
        n, height, width, channels = self._frames
        pixels = self._shaped(array)
        frames = pixels.reshape(n, height, width, *((channels,) if channels > 1 else ()))
        return block.encode(frames, Recipe(Coding(self.preset)))

    def _shaped(self, array: Pixels) -> Pixels:
        if (
            array.ndim == 1
            and array.nbytes == math.prod(self.shape) * np.dtype(self.dtype).itemsize
        ):
            return np.ascontiguousarray(array).view(self.dtype).reshape(self.shape)
        if array.shape != self.shape or array.dtype != self.dtype:
            raise UnsupportedError(
                f"the codec got {array.shape} {array.dtype} for a chunk of "
                f"{self.shape} {self.dtype}; remove the filters before it"
            )
        return array

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode a block to its chunk.

        Parameters
        ----------
        buf
            The block.
        out
            A buffer of the chunk's size, which is filled and returned.

        Returns
        -------
        ndarray
            The pixels, in the chunk's shape and dtype. Frames that the block lacks are zero.

        Raises
        ------
        BlockError
            If the block is damaged, or does not fit the chunk.
        """
        dtype = np.dtype(self.dtype)
        frames = block.decode(ensure_bytes(buf), self._frames, dtype.newbyteorder("="))
        whole = self._frames[: frames.ndim]
        if math.prod(whole) != math.prod(self.shape):
            raise BlockError(f"a block of {frames.shape} does not fit a chunk of {self.shape}")
        pixels = block.padded(frames, whole).astype(dtype, copy=False).reshape(self.shape)
        return pixels if out is None else ndarray_copy(pixels, out)
