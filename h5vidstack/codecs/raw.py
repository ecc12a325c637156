"""The codec raw: values as they are, or as bit planes where they fill no integers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import BlockError
from .codec import Encoded, Packet, Plane

DEPTHS = tuple(range(1, 65))
_WHOLE = (8, 16, 32, 64)
"""Depths that fill integers."""


def encode(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """Store each frame as one packet: its bytes, or its bits where they fill no integers.

    Values of 8, 16, 32 or 64 bits are stored as they are, little-endian. Others are stored as bit
    planes, the lowest first. A plane has one bit a pixel, eight to a byte, the first one highest,
    and ends with a whole byte.
    """
    if depth in _WHOLE:
        return [frame.astype(f"<u{depth // 8}", copy=False).tobytes() for frame in frames], b""
    bits = frames.dtype.type
    planes = [
        np.packbits((frames >> bits(bit) & bits(1)).astype(bool).reshape(len(frames), -1), 1)
        for bit in range(depth)
    ]
    return [b"".join(plane[i].tobytes() for plane in planes) for i in range(len(frames))], b""


def decode(packets: Sequence[Packet], configuration: bytes, depth: int, out: Plane) -> None:
    """Undo `encode` for the first ``len(out)`` frames.

    Raises
    ------
    BlockError
        If a packet has another size than its frame.
    """
    size = math.prod(out.shape[1:])
    length = size * depth // 8 if depth in _WHOLE else depth * -(-size // 8)
    for frame, packet in zip(out, packets, strict=False):
        if len(packet) != length:
            raise BlockError(f"a raw packet has {len(packet)} bytes; its frame has {length}")
        if depth in _WHOLE:
            frame[...] = np.frombuffer(packet, f"<u{depth // 8}").reshape(frame.shape)
            continue
        planes = np.frombuffer(packet, np.uint8).reshape(depth, -1)
        frame[...] = 0
        for place, plane in enumerate(planes):
            bits = np.unpackbits(plane, count=size).reshape(frame.shape)
            frame |= bits.astype(out.dtype) << out.dtype.type(place)
