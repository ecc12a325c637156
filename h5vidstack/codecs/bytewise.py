"""Codecs without pictures in mind: raw bits, deflate, LZMA.

Deflate takes values of more than a byte as byte planes: of each frame first the lowest
byte of every value, then the next ones. LZMA takes them as they are, little-endian.
"""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..errors import BlockError
from .av_engine import Encoded, Plane

MAX_DICTIONARY = 16 << 20
"""LZMA looks back no further, in bytes: it takes twelve times as much memory to encode."""
_WHOLE = (8, 16, 32, 64)
"""Depths that fill integers."""


def encode_raw(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """One packet a frame: its bytes, or its bits where they fill no integers.

    Values of 8, 16, 32 or 64 bits are stored as they are, little-endian. Others are stored
    as bit planes, the lowest first: each has a bit a pixel, eight to a byte, the first
    one highest, and ends with a whole byte.
    """
    if depth in _WHOLE:
        return [frame.astype(f"<u{depth // 8}", copy=False).tobytes() for frame in frames], b""
    bits = frames.dtype.type
    planes = [
        np.packbits((frames >> bits(bit) & bits(1)).astype(bool).reshape(len(frames), -1), 1)
        for bit in range(depth)
    ]
    return [b"".join(plane[i].tobytes() for plane in planes) for i in range(len(frames))], b""


def decode_raw(
    packets: Sequence[bytes | memoryview], extradata: bytes, depth: int, out: Plane
) -> None:
    """Undo `encode_raw` for the first ``len(out)`` frames."""
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


def encode_deflate(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """One packet a frame: a zlib stream (RFC 1950) of its bytes."""
    level, strategy = int(options["level"]), int(options.get("strategy", zlib.Z_DEFAULT_STRATEGY))
    packets = []
    for planes in _byte_planes(frames, depth):
        encoder, parts = zlib.compressobj(level, strategy=strategy), []
        for plane in planes:  # each has Huffman codes of its own
            parts += [encoder.compress(plane), encoder.flush(zlib.Z_BLOCK)]
        packets.append(b"".join([*parts, encoder.flush()]))
    return packets, b""


def decode_deflate(
    packets: Sequence[bytes | memoryview], extradata: bytes, depth: int, out: Plane
) -> None:
    """Undo `encode_deflate` for the first ``len(out)`` frames."""
    size = math.prod(out.shape[1:]) * depth // 8
    for number, packet in zip(range(len(out)), packets, strict=False):
        try:
            data = zlib.decompressobj().decompress(packet, size)
        except zlib.error as error:
            raise BlockError(f"zlib cannot decode a packet: {error}") from error
        if len(data) != size:
            raise BlockError(f"a packet holds {len(data)} bytes, not {size}")
        _fill(out[number], np.frombuffer(data, np.uint8))


def encode_lzma(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """One packet for all frames: a raw LZMA2 stream of their bytes.

    The decoder configuration is the size of its dictionary, 32 bits little-endian.
    """
    raw = frames.astype(f"<u{depth // 8}", copy=False).tobytes()
    size = min(max(len(raw), 4096), MAX_DICTIONARY)
    place = (depth // 8).bit_length() - 1  # bits that tell which byte of a value is next
    filters = {
        "id": lzma.FILTER_LZMA2, "preset": int(options["level"]), "dict_size": size,
        "pb": place, "lp": place, "lc": min(3, 4 - place),
    }  # fmt: skip
    return [lzma.compress(raw, lzma.FORMAT_RAW, filters=[filters])], size.to_bytes(4, "little")


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
        data = decoder.decompress(packets[0], out.nbytes)
    except lzma.LZMAError as error:
        raise BlockError(f"LZMA cannot decode a packet: {error}") from error
    if len(data) != out.nbytes:
        raise BlockError(f"a packet holds {len(data)} bytes, not {out.nbytes}")
    out[...] = np.frombuffer(data, f"<u{depth // 8}").reshape(out.shape)


def _byte_planes(frames: Plane, depth: int) -> Plane:
    """``(n, planes, H, W)`` bytes of values, the lowest first."""
    little = np.ascontiguousarray(frames, frames.dtype.newbyteorder("<"))
    values = little.view(np.uint8).reshape(*frames.shape, -1)[..., : depth // 8]
    return np.ascontiguousarray(np.moveaxis(values, -1, 1))


def _fill(frame: Plane, data: npt.NDArray[np.uint8]) -> None:
    """Make values of their byte planes."""
    lowest, *planes = data.reshape(-1, *frame.shape)
    frame[...] = lowest
    for number, plane in enumerate(planes, 1):
        frame |= plane.astype(frame.dtype) << frame.dtype.type(8 * number)
