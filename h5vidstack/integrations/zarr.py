"""Blocks as codecs of Zarr 3, which zarr finds by their entry points."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..errors import UnsupportedError, extra
from .numcodecs import USUAL_PRESET, VideoBlock

with extra("zarr"):
    from zarr.abc.codec import ArrayBytesCodec, BytesBytesCodec

NAME = "h5vidstack"
"""The name of the codec in the metadata of an array."""


@dataclass(frozen=True)
class BlockCodec(ArrayBytesCodec):
    """The codec ``"name": "h5vidstack"`` of Zarr 3, which codes chunks as lossless blocks.

    It takes the place of the codec ``bytes``, also inside of shards::

        zarr.create_array(
            store, shape=(1000, 512, 512), chunks=(16, 512, 512), dtype="uint16",
            serializer=BlockCodec(), compressors=None,
        )

    A chunk is ``(n, H, W)`` or ``(n, H, W, 3|4)``; further leading axes count as frames.

    Parameters
    ----------
    preset
        A lossless preset, one of those of `pack`.

    Raises
    ------
    UnsupportedError
        If the preset is lossy or unknown. When an array is made: if its chunks cannot be coded.
    """

    preset: str = USUAL_PRESET

    is_fixed_size = False

    def __post_init__(self) -> None:
        VideoBlock((1, 1, 1), "u1", self.preset)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Make the codec that the metadata of an array describes."""
        known = {field.name for field in dataclasses.fields(cls)}
        given = dict(data.get("configuration") or {})
        if data.get("name") != NAME or not given.keys() <= known:
            raise UnsupportedError(
                f"the codec is {data!r}; its name is {NAME!r}, and its configuration has "
                f"{', '.join(sorted(known))}"
            )
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """Return what the metadata of an array says of the codec."""
        return {"name": NAME, "configuration": dataclasses.asdict(self)}

    def validate(self, *, shape: Any, dtype: Any, chunk_grid: Any) -> None:
        """Raise UnsupportedError if chunks of an array cannot be coded."""
        chunk = getattr(chunk_grid, "chunk_shape", None)
        if chunk is not None:
            VideoBlock(chunk, dtype.to_native_dtype(), self.preset)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Raise UnsupportedError: a block is as large as its pixels make it."""
        raise UnsupportedError("the size of a block is known only when it was coded")

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._decode_sync, chunk_bytes, chunk_spec)

    async def _encode_single(self, chunk_array: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._encode_sync, chunk_array, chunk_spec)

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        pixels = self._block(chunk_spec).decode(chunk_bytes.to_bytes())
        return chunk_spec.prototype.nd_buffer.from_ndarray_like(pixels)

    def _encode_sync(self, chunk_array: Any, chunk_spec: Any) -> Any:
        pixels = np.ascontiguousarray(chunk_array.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(self._block(chunk_spec).encode(pixels))

    def _block(self, chunk_spec: Any) -> VideoBlock:
        return VideoBlock(chunk_spec.shape, chunk_spec.dtype.to_native_dtype(), self.preset)


@dataclass(frozen=True)
class TranslatedCodec(BytesBytesCodec):
    """The codec ``"name": "numcodecs.h5vidstack"``, which VirtualiZarr makes of references.

    It is the codec of numcodecs behind the codec ``bytes``. Arrays of one's own take `BlockCodec`.

    Parameters
    ----------
    configuration
        The arguments of `VideoBlock`.

    Raises
    ------
    UnsupportedError
        If no `VideoBlock` has such arguments.
    """

    configuration: dict[str, Any]

    is_fixed_size = False

    def __post_init__(self) -> None:
        self._block()

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Make the codec that the metadata of an array describes."""
        return cls(dict(data["configuration"]))

    def to_dict(self) -> dict[str, Any]:
        """Return what the metadata of an array says of the codec."""
        return {"name": f"numcodecs.{NAME}", "configuration": self.configuration}

    def get_config(self) -> dict[str, Any]:
        """Return what the metadata of an array of format 2 says of the codec."""
        return self._block().get_config()

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Raise UnsupportedError: a block is as large as its pixels make it."""
        raise UnsupportedError("the size of a block is known only when it was coded")

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        pixels = await asyncio.to_thread(self._block().decode, chunk_bytes.to_bytes())
        return chunk_spec.prototype.buffer.from_bytes(pixels.tobytes())

    async def _encode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        pixels = np.frombuffer(chunk_bytes.to_bytes(), np.uint8)
        block = await asyncio.to_thread(self._block().encode, pixels)
        return chunk_spec.prototype.buffer.from_bytes(block)

    def _block(self) -> VideoBlock:
        try:
            return VideoBlock(**self.configuration)
        except TypeError as error:
            raise UnsupportedError(
                f"the codec's configuration is {self.configuration!r}; it must have shape and "
                "dtype, and may have preset"
            ) from error
