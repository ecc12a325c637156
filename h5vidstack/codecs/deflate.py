"""The codec deflate: the byte planes of each frame, compressed by zlib.

Of each frame the lowest byte of every value comes first, then the next bytes.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..errors import BlockError
from .codec import Encoded, Packet, Plane

DEPTHS = tuple(range(8, 65, 8))


def encode(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """Compress each frame as one packet: a zlib stream (RFC 1950) of its byte planes."""
    level, strategy = int(options["level"]), int(options.get("strategy", zlib.Z_DEFAULT_STRATEGY))
    packets = []
    for planes in _byte_planes(frames, depth):
        encoder, parts = zlib.compressobj(level, strategy=strategy), []
        for plane in planes:  # each has Huffman codes of its own
            parts += [encoder.compress(plane), encoder.flush(zlib.Z_BLOCK)]
        packets.append(b"".join([*parts, encoder.flush()]))
    return packets, b""


def decode(packets: Sequence[Packet], configuration: bytes, depth: int, out: Plane) -> None:
    """Undo `encode` for the first ``len(out)`` frames.

    Raises
    ------
    BlockError
        If a packet is damaged, or holds too few bytes.
    """
    size = math.prod(out.shape[1:]) * depth // 8
    for number, packet in zip(range(len(out)), packets, strict=False):
        try:
            data = zlib.decompressobj().decompress(packet, size)
        except zlib.error as error:
            raise BlockError(f"zlib cannot decode a packet: {error}") from error
        if len(data) != size:
            raise BlockError(f"a packet holds {len(data)} bytes, not {size}")
        _join_planes(out[number], np.frombuffer(data, np.uint8))


def _byte_planes(frames: Plane, depth: int) -> Plane:
    """Return the bytes of values as ``(n, planes, H, W)``, the lowest first."""
    little = np.ascontiguousarray(frames, frames.dtype.newbyteorder("<"))
    values = little.view(np.uint8).reshape(*frames.shape, -1)[..., : depth // 8]
    return np.ascontiguousarray(np.moveaxis(values, -1, 1))


def _join_planes(frame: Plane, data: npt.NDArray[np.uint8]) -> None:
    """Fill a frame with the values whose byte planes are given."""
    lowest, *planes = data.reshape(-1, *frame.shape)
    frame[...] = lowest
    for number, plane in enumerate(planes, 1):
        frame |= plane.astype(frame.dtype) << frame.dtype.type(8 * number)
