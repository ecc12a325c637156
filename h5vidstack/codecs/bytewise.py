"""Codecs without pictures in mind: raw bits, deflate, LZMA."""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import BlockError
from .video import Encoded, Plane

MAX_DICTIONARY = 16 << 20
"""LZMA looks back no further, in bytes: it takes twelve times as much memory to encode."""


def encode_raw(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """One packet a frame: its bytes, or its bits where they fill no bytes.

    Values of 8 or 16 bits are stored as they are, little-endian. Others are stored as
    bit planes, the lowest first: each has a bit a pixel, eight to a byte, the first
    one highest, and ends with a whole byte.
    """
    if depth in (8, 16):
        return [frame.astype(f"<u{depth // 8}", copy=False).tobytes() for frame in frames], b""
    planes = [np.packbits((frames >> bit & 1).reshape(len(frames), -1), 1) for bit in range(depth)]
    return [b"".join(plane[i].tobytes() for plane in planes) for i in range(len(frames))], b""


def decode_raw(
    packets: Sequence[bytes | memoryview], extradata: bytes, depth: int, out: Plane
) -> None:
    """Undo `encode_raw` for the first ``len(out)`` frames."""
    size = math.prod(out.shape[1:])
    length = size * depth // 8 if depth in (8, 16) else depth * -(-size // 8)
    for frame, packet in zip(out, packets, strict=False):
        if len(packet) != length:
            raise BlockError(f"a raw packet has {len(packet)} bytes; its frame has {length}")
        if depth in (8, 16):
            frame[...] = np.frombuffer(packet, f"<u{depth // 8}").reshape(frame.shape)
            continue
        planes = np.frombuffer(packet, np.uint8).reshape(depth, -1)
        bits = np.unpackbits(planes, axis=1, count=size).reshape(depth, *frame.shape)
        frame[...] = 0
        for place, plane in enumerate(bits):
            frame |= plane.astype(out.dtype) << place


def encode_deflate(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """One packet a frame: a zlib stream (RFC 1950) of its bytes."""
    level, strategy = int(options["level"]), int(options.get("strategy", zlib.Z_DEFAULT_STRATEGY))
    memory = int(options.get("memory", zlib.DEF_MEM_LEVEL))
    packets = []
    for frame in frames:
        encoder = zlib.compressobj(level, memLevel=memory, strategy=strategy)
        packets.append(encoder.compress(frame.tobytes()) + encoder.flush())
    return packets, b""


def decode_deflate(
    packets: Sequence[bytes | memoryview], extradata: bytes, depth: int, out: Plane
) -> None:
    """Undo `encode_deflate` for the first ``len(out)`` frames."""
    for frame, packet in zip(out, packets, strict=False):
        try:
            data = zlib.decompressobj().decompress(packet, frame.nbytes)
        except zlib.error as error:
            raise BlockError(f"zlib cannot decode a packet: {error}") from error
        _fill(frame, data)


def encode_lzma(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """One packet for all frames: a raw LZMA2 stream of their bytes.

    The decoder configuration is the size of its dictionary, 32 bits little-endian.
    """
    size = min(max(frames.nbytes, 4096), MAX_DICTIONARY)
    filters = {"id": lzma.FILTER_LZMA2, "preset": int(options["level"]), "dict_size": size, "pb": 0}
    data = lzma.compress(frames.tobytes(), lzma.FORMAT_RAW, filters=[filters])
    return [data], size.to_bytes(4, "little")


def decode_lzma(
    packets: Sequence[bytes | memoryview], extradata: bytes, depth: int, out: Plane
) -> None:
    """Undo `encode_lzma` for the first ``len(out)`` frames."""
    size = int.from_bytes(extradata, "little")
    if len(extradata) != 4 or size > MAX_DICTIONARY or len(packets) != 1:
        raise BlockError("an LZMA stream whose dictionary or number of packets is not allowed")
    try:
        filters = [{"id": lzma.FILTER_LZMA2, "dict_size": max(size, 4096)}]
        decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
        _fill(out, decoder.decompress(packets[0], out.nbytes))
    except lzma.LZMAError as error:
        raise BlockError(f"LZMA cannot decode a packet: {error}") from error


def _fill(out: Plane, data: bytes) -> None:
    if len(data) != out.nbytes:
        raise BlockError(f"a packet holds {len(data)} bytes, not {out.nbytes}")
    out[...] = np.frombuffer(data, out.dtype).reshape(out.shape)
