"""The bytes of a block as a `Block`, and back; its pixels stay coded.

The layout is normative in spec/format.md, section "Block".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Any

import numpy as np

from ..errors import BlockError
from . import registry, value_map
from .codec import Codec, Packet
from .transforms import Colour, Predictor

MAGIC = b"H5VB"
VERSION = 1

_HEADER = struct.Struct("<4sIBBcBIIIIHH")
_STEPS = struct.Struct("<BBH")
_STREAM = struct.Struct("<BBBBBBHII")
_COLOURS, _PREDICTORS = frozenset(Colour), frozenset(Predictor)
_CRC_FROM = 8  # the CRC covers everything behind itself


@dataclass(frozen=True)
class Stream:
    """Some bits of one component, as a codec coded them.

    Attributes
    ----------
    low, bits
        Which bits of the component's values: the lowest, and how many.
    depth
        Bits of the pixels that the codec was given.
    packets
        One for each frame, or one for all.
    """

    codec: Codec
    component: int
    low: int
    bits: int
    depth: int
    extradata: bytes
    packets: Sequence[Packet]
    first: int = 0
    """The first frame that is wanted, if the codec can pass over others."""

    @property
    def nbytes(self) -> int:
        """How many bytes its packets, their sizes and the decoder configuration take."""
        sizes = self.size_width * len(self.packets)
        return sum(map(len, self.packets)) + sizes + len(self.extradata)

    def entry(self, frame: int) -> int:
        """Return the last frame up to `frame` at which a decoder may begin."""
        if self.codec.entries is None or not frame:
            return 0
        return max(self.codec.entries(self.packets[: frame + 1]), default=0)

    def between(self, first: int, last: int) -> Stream:
        """Return it for frames `first` to ``last - 1``, as far as others are not needed."""
        if self.codec.intra:
            packets, skipped = self.packets[first:last], self.first
        else:
            entry = self.entry(first)
            packets, skipped = self.packets[entry:], first - entry
        # Not `replace`, which takes as long as all else that is done for a tiny frame.
        return Stream(
            self.codec, self.component, self.low, self.bits, self.depth, self.extradata,
            packets, skipped,
        )  # fmt: skip

    @property
    def size_width(self) -> int:
        """How many bytes the size of each packet takes in the block."""
        most = max(map(len, self.packets), default=0)
        return max(1, (most.bit_length() + 7) // 8)


@dataclass(frozen=True)
class Block:
    """A block whose headers were read; its pixels are still coded.

    `frames`, `height` and `width` may be smaller than those of the chunk. The pixels that it lacks
    are zero.
    """

    frames: int
    height: int
    width: int
    channels: int
    mapping: value_map.ValueMap
    colour: Colour
    predictor: Predictor
    streams: list[Stream]

    def seeks_to(self, frame: int) -> bool:
        """Return whether a frame can be decoded without all those before it."""
        alone = all(
            stream.codec.intra or stream.codec.seeks or stream.entry(frame)
            for stream in self.streams
        )
        return alone and self.predictor != Predictor.PREVIOUS

    def between(self, first: int, last: int) -> Block:
        """Return frames `first` to ``last - 1`` of a block that seeks to the first of them."""
        frame = self.height * self.width * self.channels
        streams = [stream.between(first, last) for stream in self.streams]
        part = self.mapping.between(first * frame, last * frame)
        return Block(
            last - first, self.height, self.width, self.channels, part, self.colour,
            self.predictor, streams,
        )  # fmt: skip


def seal(block: Block, dtype: np.dtype[Any]) -> bytes:
    """Return the bytes of a block of pixels of `dtype`."""
    parts = [
        b"",  # the header's place
        _STEPS.pack(block.colour, block.predictor, 0),
        block.mapping.pack(),
    ]
    for stream in block.streams:
        parts.append(
            _STREAM.pack(
                stream.codec.id,
                stream.depth,
                stream.component,
                stream.low,
                stream.bits,
                stream.size_width,
                0,
                len(stream.packets),
                len(stream.extradata),
            )
        )
        width = stream.size_width
        parts += [len(packet).to_bytes(width, "little") for packet in stream.packets]
        parts += [stream.extradata, *map(bytes, stream.packets)]
    length = _HEADER.size + sum(map(len, parts))
    header = _HEADER.pack(
        MAGIC,
        0,
        VERSION,
        0,
        dtype.kind.encode(),
        dtype.itemsize,
        length,
        block.frames,
        block.height,
        block.width,
        block.channels,
        len(block.streams),
    )
    parts[0] = header[_CRC_FROM:]
    body = b"".join(parts)
    return MAGIC + struct.pack("<I", zlib.crc32(body)) + body


def find_blocks(
    data: mmap,
) -> Iterator[tuple[int, int, tuple[int, int, int, int], np.dtype[Any]]]:
    """Find sound blocks among any bytes; yield start, length, shape ``(n, H, W, C)`` and dtype."""
    at = data.find(MAGIC)
    while at >= 0:
        step = len(MAGIC)
        if at + _HEADER.size <= len(data):
            _, crc, _, _, kind, itemsize, length, *shape, _ = _HEADER.unpack_from(data, at)
            whole = _HEADER.size <= length <= len(data) - at and kind in (b"u", b"i", b"f")
            if whole and zlib.crc32(data[at + _CRC_FROM : at + length]) == crc:
                yield at, length, tuple(shape), np.dtype(f"{kind.decode()}{itemsize}")
                step = length
        at = data.find(MAGIC, at + step)


def resealed(data: bytes) -> bytes:
    """Return a damaged block with the right length and CRC, so that decoding tries it."""
    body = data[_CRC_FROM : _CRC_FROM + 4] + struct.pack("<I", len(data)) + data[_CRC_FROM + 8 :]
    return MAGIC + struct.pack("<I", zlib.crc32(body)) + body


def parse(data: bytes, chunk: tuple[int, int, int, int], dtype: np.dtype[Any]) -> Block:
    """Check every length and the CRC of a block, and find its packets.

    Parameters
    ----------
    chunk, dtype
        The chunk shape and the dtype of the dataset that holds the block.

    Raises
    ------
    BlockError
        If it is damaged, or does not fit `chunk` or `dtype`.
    """
    if len(data) < _HEADER.size or data[:4] != MAGIC:
        raise BlockError(
            f"these are no h5vidstack block: they begin with {bytes(data[:4])!r}, not {MAGIC!r}"
        )
    (_, crc, version, flags, kind, itemsize, length, n, height, width, channels, streams) = (
        _HEADER.unpack_from(data)
    )
    if length != len(data):
        raise BlockError(
            f"a block states {length} bytes, but has {len(data)}: it was cut short or overwritten"
        )
    if zlib.crc32(memoryview(data)[_CRC_FROM:]) != crc:
        raise BlockError("CRC-32 of a block is wrong: its bytes were damaged")
    if version != VERSION or flags:
        raise BlockError(
            f"a block has version {version} and flags {flags}; this h5vidstack reads version "
            f"{VERSION} and flags 0: upgrade it"
        )
    if (kind, itemsize) != (dtype.kind.encode(), dtype.itemsize):
        raise BlockError(f"a block of dtype {kind!r}{itemsize} stands where {dtype} was promised")
    shape = (n, height, width, channels)
    if min(shape) < 1 or any(a > b for a, b in zip(shape, chunk, strict=True)):
        raise BlockError(f"a block of shape {shape} does not fit its chunk {chunk}")
    if channels != chunk[3]:
        raise BlockError(f"a block has {channels} channels, not {chunk[3]}")
    colour, predictor, position = _parse_steps(data, _HEADER.size, channels)
    pixels = n * height * width * channels
    how, position = value_map.unpack(data, position, dtype, pixels)
    found, used = [], [0] * channels
    for _ in range(streams):
        stream, position = _parse_stream(data, position, n)
        mask = ((1 << stream.bits) - 1) << stream.low
        if stream.component >= channels or mask >> how.bits or used[stream.component] & mask:
            raise BlockError(
                f"a stream holds bits {stream.low} to {stream.low + stream.bits - 1} of component "
                f"{stream.component}, which the block lacks or another stream holds"
            )
        used[stream.component] |= mask
        found.append(stream)
    if position != length:
        raise BlockError(f"a block has {length - position} bytes that no stream claims")
    return Block(n, height, width, channels, how, colour, predictor, found)


def _parse_steps(data: bytes, at: int, channels: int) -> tuple[Colour, Predictor, int]:
    if at + _STEPS.size > len(data):
        raise BlockError("a block ends within its header")
    colour, predictor, reserved = _STEPS.unpack_from(data, at)
    known = colour in _COLOURS and predictor in _PREDICTORS
    if not known or reserved or (colour and channels < 3):
        raise BlockError(
            f"a block uses colour transform {colour} and predictor {predictor}, which are unknown "
            "here; upgrade h5vidstack"
        )
    return Colour(colour), Predictor(predictor), at + _STEPS.size


def _parse_stream(data: bytes, position: int, frames: int) -> tuple[Stream, int]:
    if position + _STREAM.size > len(data):
        raise BlockError("a stream header runs past the end of its block")
    codec_id, depth, component, low, bits, width, zeros, count, extra = _STREAM.unpack_from(
        data, position
    )
    position += _STREAM.size
    codec = registry.BY_ID.get(codec_id)
    if codec is None:
        raise BlockError(
            f"a stream has codec {codec_id}, which is unknown here; upgrade h5vidstack"
        )
    known = 1 <= width <= 4 and not zeros
    if not known or depth not in codec.depths or bits > depth:
        raise BlockError(
            f"a stream of {codec.name} holds {bits} bits at depth {depth} in a way that is unknown "
            "here; upgrade h5vidstack"
        )
    if not bits or count != (1 if codec.whole else frames):
        raise BlockError(
            f"a stream has {count} packets and {bits} bits in a block of {frames} frames"
        )
    if extra and not codec.configured:
        raise BlockError(f"a stream of {codec.name} takes no decoder configuration")
    if position + width * count + extra > len(data):
        raise BlockError("a stream's packet table runs past the end of its block")
    table = np.zeros((count, 4), np.uint8)
    table[:, :width] = np.frombuffer(data, np.uint8, width * count, position).reshape(count, width)
    sizes = table.view("<u4").ravel().tolist()
    position += width * count
    extradata = bytes(data[position : position + extra])
    position += extra
    if position + sum(sizes) > len(data):
        raise BlockError("a stream's packets run past the end of their block")
    view, packets = memoryview(data), []
    for size in sizes:
        packets.append(view[position : position + size])
        position += size
    return Stream(codec, component, low, bits, depth, extradata, packets), position
