"""A block: the bytes of one HDF5 chunk, a self-contained run of coded frames.

The layout is normative in spec/format.md, section "Block". Nothing here knows of
HDF5, threads or files.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import codecs
from .codecs import Coding, Frames
from .errors import BlockError, NotExactError, UnsupportedError

MAGIC = b"H5VB"
VERSION = 1

_HEADER = struct.Struct("<4sIBBcBIIIIHH")
_STREAM = struct.Struct("<BBBBBBHqII")
_CRC_FROM = 8  # the CRC covers everything behind itself


@dataclass(frozen=True)
class Stream:
    """One coded channel: ``packets[i]`` decodes to frame i."""

    codec: codecs.Codec
    channel: int
    extradata: bytes
    packets: list[memoryview]


@dataclass(frozen=True)
class Block:
    """A parsed block; its pixels are still coded.

    `frames`, `height` and `width` may be smaller than the chunk's: what is missing
    is zero.
    """

    frames: int
    height: int
    width: int
    channels: int
    streams: list[Stream]


def check_dtype(dtype: np.dtype[np.generic]) -> None:
    """Raise UnsupportedError unless blocks of this format can hold `dtype`."""
    if dtype != np.uint8:
        raise UnsupportedError(
            f"dtype {dtype} is not supported yet: format 1.0 codes uint8 (8-bit gray or "
            "colour); other dtypes come with other codecs"
        )


def encode(frames: Frames, coding: Coding, *, verify: bool = True) -> bytes:
    """Code a run of frames as one block.

    Parameters
    ----------
    frames
        ``(n, H, W)`` or ``(n, H, W, C)`` uint8, no axis empty.
    coding
        Codec and preset. A channel that the codec does not shrink is stored raw.
    verify
        Decode the block and compare it with `frames` before returning it.

    Raises
    ------
    UnsupportedError
        For a dtype that no codec holds.
    NotExactError
        If the check finds a difference.
    """
    check_dtype(frames.dtype)
    n, height, width = frames.shape[:3]
    channels = frames.shape[3] if frames.ndim == 4 else 1
    planes = _planes(frames)
    parts = [b""]  # the header's place
    for channel in range(channels):
        parts += _encode_stream(planes[..., channel], channel, coding)
    length = _HEADER.size + sum(map(len, parts))
    header = _HEADER.pack(
        MAGIC, 0, VERSION, 0, b"u", 1, length, n, height, width, channels, channels
    )
    parts[0] = header[_CRC_FROM:]
    body = b"".join(parts)
    block = MAGIC + struct.pack("<I", zlib.crc32(body)) + body
    if verify and not np.array_equal(decode(block, (n, height, width, channels)), frames):
        raise NotExactError(
            f"a block of {coding.codec} did not decode to its input; nothing was written. "
            "Please report this with the versions that `h5vidstack --version` prints"
        )
    return block


def following_bytes(frames: Frames, coding: Coding) -> int:
    """How many bytes all but the first of ``(n, H, W[, C])`` frames take, each after the others."""
    planes = _planes(frames)
    encode_channel = codecs.BY_NAME[coding.codec].encode
    return sum(
        sum(map(len, encode_channel(planes[..., channel], coding.preset)[1:]))
        for channel in range(planes.shape[3])
    )


def _planes(frames: Frames) -> Frames:
    """Frames with an axis of channels, also where they are gray."""
    return frames if frames.ndim == 4 else frames[..., np.newaxis]


def _encode_stream(frames: Frames, channel: int, coding: Coding) -> list[bytes]:
    codec = codecs.BY_NAME[coding.codec]
    packets = codec.encode(frames, coding.preset)
    if sum(map(len, packets)) >= frames.size:
        codec = codecs.RAW
        packets = codec.encode(frames, "")
    bits, no_transform, low_bit, offset, extradata = 8, 0, 0, 0, b""
    header = _STREAM.pack(
        codec.id,
        codec.pixel_format,
        no_transform,
        channel,
        low_bit,
        bits,
        0,
        offset,
        len(packets),
        len(extradata),
    )
    sizes = struct.pack(f"<{len(packets)}I", *map(len, packets))
    return [header, sizes, extradata, *packets]


def decode(
    data: bytes,
    chunk: tuple[int, int, int, int],
    frames: int | None = None,
    out: Frames | None = None,
) -> Frames:
    """Decode a block, or only its first frames.

    Parameters
    ----------
    data
        The block's bytes.
    chunk
        ``(n, H, W, C)`` that the block may fill at most: nothing larger is allocated.
    frames
        How many frames to decode; None: all. Codecs are run no further than this.
    out
        Decode into this array, and return it, if it has the shape of the result.

    Returns
    -------
    ndarray
        uint8, ``(k, h, w)`` for one channel, else ``(k, h, w, C)``; k is at most
        `frames`, and no axis is longer than `chunk`'s.

    Raises
    ------
    BlockError
        If the bytes are damaged or do not fit `chunk`.
    """
    block = parse(data, chunk)
    k = block.frames if frames is None else min(frames, block.frames)
    channel_axis = (block.channels,) if block.channels > 1 else ()
    shape = (k, block.height, block.width, *channel_axis)
    pixels = out if out is not None and out.shape == shape else np.empty(shape, np.uint8)
    for stream in block.streams:
        plane = pixels[..., stream.channel] if block.channels > 1 else pixels
        stream.codec.decode(stream.packets, stream.extradata, plane)
    return pixels


def padded(pixels: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Bring decoded pixels to a chunk's shape: what a block does not hold is zero."""
    if pixels.shape == shape:
        return pixels
    whole = np.zeros(shape, pixels.dtype)
    whole[tuple(map(slice, pixels.shape))] = pixels
    return whole


def parse(data: bytes, chunk: tuple[int, int, int, int]) -> Block:
    """Check every length and the CRC of a block, and find its packets. See `decode`."""
    if len(data) < _HEADER.size or data[:4] != MAGIC:
        raise BlockError("not an h5vidstack block: its first bytes are wrong")
    (_, crc, version, flags, kind, itemsize, length, n, height, width, channels, streams) = (
        _HEADER.unpack_from(data)
    )
    if length != len(data):
        raise BlockError(f"a block of {length} bytes has {len(data)}: cut short or overwritten")
    if zlib.crc32(memoryview(data)[_CRC_FROM:]) != crc:
        raise BlockError("CRC-32 of a block is wrong: its bytes were damaged")
    if version != VERSION or flags:
        raise BlockError(
            f"a block of version {version}, flags {flags}; this h5vidstack reads version "
            f"{VERSION}: upgrade h5vidstack"
        )
    if (kind, itemsize) != (b"u", 1):
        raise BlockError(f"a block of dtype {kind!r}{itemsize}; this h5vidstack reads uint8")
    shape = (n, height, width, channels)
    if min(shape) < 1 or any(a > b for a, b in zip(shape, chunk, strict=True)):
        raise BlockError(f"a block of shape {shape} does not fit its chunk {chunk}")
    if channels != chunk[3] or streams != channels:
        raise BlockError(f"a block of {channels} channels in {streams} streams, not {chunk[3]}")
    found, position = [], _HEADER.size
    for _ in range(streams):
        stream, position = _parse_stream(data, position, n)
        found.append(stream)
    if position != length:
        raise BlockError(f"a block has {length - position} bytes that no stream claims")
    if sorted(stream.channel for stream in found) != list(range(channels)):
        raise BlockError("the streams of a block do not cover each channel once")
    return Block(n, height, width, channels, found)


def _parse_stream(data: bytes, position: int, frames: int) -> tuple[Stream, int]:
    if position + _STREAM.size > len(data):
        raise BlockError("a stream header runs past the end of its block")
    codec_id, pixel_format, transform, channel, low_bit, bits, reserved, offset, count, extra = (
        _STREAM.unpack_from(data, position)
    )
    position += _STREAM.size
    codec = codecs.BY_ID.get(codec_id)
    if codec is None:
        raise BlockError(f"a stream of codec {codec_id}: unknown here; upgrade h5vidstack")
    if (pixel_format, transform, low_bit, bits, reserved, offset) != (
        codec.pixel_format, 0, 0, 8, 0, 0,
    ):  # fmt: skip
        raise BlockError("a stream uses a transform that is unknown here; upgrade h5vidstack")
    if count != frames:
        raise BlockError(f"a stream of {count} packets in a block of {frames} frames")
    if position + 4 * count + extra > len(data):
        raise BlockError("a stream's packet table runs past the end of its block")
    sizes = struct.unpack_from(f"<{count}I", data, position)
    position += 4 * count
    extradata = bytes(data[position : position + extra])
    position += extra
    if position + sum(sizes) > len(data):
        raise BlockError("a stream's packets run past the end of their block")
    view, packets = memoryview(data), []
    for size in sizes:
        packets.append(view[position : position + size])
        position += size
    return Stream(codec, channel, extradata, packets), position


def frame_crcs(frames: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """CRC-32 (ISO 3309, as zlib's) of the raw C-order bytes of each frame."""
    return np.array([zlib.crc32(np.ascontiguousarray(frame).data) for frame in frames], np.uint32)
