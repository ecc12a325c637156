"""The frames of a block, coded as its bytes and decoded from them.

A block is a self-contained run of coded frames, and the bytes of one HDF5 chunk. Encoding takes
these steps, and decoding takes them back:

1. `value_map` turns pixels into values of as few bits as possible.
2. `transforms` turns channels of colour into components, and subtracts predictions.
3. `encode_range` codes some bits of a component as one stream, by a codec of `registry`.
4. `block_format` puts the streams and their headers into bytes.

Nothing here knows of HDF5, threads or files.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import NotExactError, UnsupportedError
from . import value_map
from .block_format import Block, Stream, parse, seal
from .loss import differences, largest_difference
from .noise import levels
from .recipe import BitRange, Recipe
from .registry import RAW
from .transforms import (
    Colour,
    Values,
    container,
    from_components,
    in_pieces,
    predict,
    take_bits,
    to_components,
    unpredict,
)

Frames = npt.NDArray[Any]

KINDS = {"b": (1,), "u": (1, 2, 4, 8), "i": (1, 2, 4, 8), "f": (2, 4, 8)}
"""The item sizes of the dtypes that blocks hold, by NumPy's letter for their kind."""


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise UnsupportedError unless blocks can hold `dtype`."""
    if dtype.itemsize not in KINDS.get(dtype.kind, ()):
        raise UnsupportedError(
            f"h5vidstack cannot hold pixels of dtype {dtype}. It holds bool, integers of 8 to 64 "
            "bits, and floats of 16, 32 and 64 bits; pack a complex image as two stacks"
        )


def encode(frames: Frames, recipe: Recipe, *, verify: bool = True) -> bytes:
    """Code a run of frames as one block.

    Parameters
    ----------
    frames
        ``(n, H, W)`` or ``(n, H, W, C)``, of a dtype of `KINDS` in any byte order. No axis is
        empty.
    recipe
        How they are coded. A stream that its codec does not shrink, or does not take, is stored
        raw.
    verify
        Decode the block and compare it with `frames` before returning it.

    Raises
    ------
    UnsupportedError
        If blocks do not hold the dtype, or the codec of a strict recipe does not hold the bits.
    NotExactError
        If the check finds a difference that the recipe does not allow.
    """
    block, frames = assemble(frames, recipe)
    data = seal(block, frames.dtype)
    if verify and (recipe.lossless or recipe.bound):
        check(frames, decode(data, whole_shape(frames), frames.dtype), recipe)
    return data


def encode_lossy(frames: Frames, recipe: Recipe) -> tuple[bytes, Frames]:
    """Code a run of frames, and return them as a reader will get them.

    Returns
    -------
    tuple
        The block, and the frames that it decodes to, of the shape and dtype of `frames`.

    Raises
    ------
    UnsupportedError, NotExactError
        As of `encode`, which here always verifies.
    """
    block, frames = assemble(frames, recipe)
    data = seal(block, frames.dtype)
    decoded = decode(data, whole_shape(frames), frames.dtype)
    check(frames, decoded, recipe)
    return data, decoded


def decode(
    data: bytes,
    chunk: tuple[int, int, int, int],
    dtype: np.dtype[Any],
    frames: int | None = None,
    out: Frames | None = None,
) -> Frames:
    """Decode a block, or only its first frames.

    Parameters
    ----------
    data
        The block's bytes.
    chunk
        ``(n, H, W, C)``: the most that the block may fill. Nothing larger is allocated.
    dtype
        The pixels' dtype, in native byte order.
    frames
        How many frames to decode; None: all. Codecs decode no further than this.
    out
        If it has the shape of the result, frames are decoded into it, and it is returned.

    Returns
    -------
    ndarray
        Of `dtype`, ``(k, h, w)`` for one channel, else ``(k, h, w, C)``; k is at most
        `frames`, and no axis is longer than `chunk`'s.

    Raises
    ------
    BlockError
        If the bytes are damaged, or do not fit `chunk` or `dtype`.
    """
    return decode_from(0, data, chunk, dtype, frames, out)[0]


def decode_from(
    first: int,
    data: bytes,
    chunk: tuple[int, int, int, int],
    dtype: np.dtype[Any],
    frames: int | None = None,
    out: Frames | None = None,
) -> tuple[Frames, bool]:
    """Decode as `decode` does, but frames before `first` only if others need them.

    Returns
    -------
    tuple
        The frames, and whether each stands alone. If so, those before `first` may hold anything.
    """
    block = parse(data, chunk, np.dtype(np.uint8) if dtype.kind == "b" else dtype)
    k = block.frames if frames is None else min(frames, block.frames)
    shape = (k, block.height, block.width)
    whole = shape if block.channels == 1 else (*shape, block.channels)
    fits = out is not None and out.shape == whole and out.dtype == dtype
    pixels = out if fits and out is not None else np.empty(whole, dtype)
    alone = block.seeks_to(first)
    if alone and 0 < first < k:
        _decode(block.between(first, k), pixels[first:])
    else:
        _decode(block, pixels)
    return pixels, alone and first < k


def _decode(block: Block, pixels: Frames) -> None:
    """Fill pixels with the first frames of a block."""
    if _decoded_in_place(block, pixels):
        return
    made = pixels if pixels.flags.c_contiguous else np.empty(pixels.shape, pixels.dtype)
    words, how = made.view(container(8 * made.itemsize)), block.mapping
    if (
        block.channels == 1
        and how.kind == value_map.MapKind.LINEAR
        and container(how.bits) == words.dtype
    ):
        values = _component(block, 0, words)  # in place, because new memory takes time to get
    else:
        values = _values(block, (len(pixels), block.height, block.width))
    value_map.to_pixels(how, values, pixels.dtype, made)
    if made is not pixels:
        pixels[...] = made


def padded(pixels: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Bring decoded pixels to a chunk's shape; pixels that the block does not hold are zero."""
    if pixels.shape == shape:
        return pixels
    whole = np.zeros(shape, pixels.dtype)
    whole[tuple(map(slice, pixels.shape))] = pixels
    return whole


def frame_crcs(frames: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """Return the CRC-32 (ISO 3309, as zlib's) of the raw C-order bytes of each frame."""
    return np.array([zlib.crc32(np.ascontiguousarray(frame).data) for frame in frames], np.uint32)


def whole_shape(frames: Frames) -> tuple[int, int, int, int]:
    """Return ``(n, H, W, C)`` of frames with or without channels."""
    n, height, width = frames.shape[:3]
    return n, height, width, frames.shape[3] if frames.ndim == 4 else 1


def assemble(frames: Frames, recipe: Recipe) -> tuple[Block, Frames]:
    """Code frames as a block; return it, and the frames in native byte order without gaps."""
    check_dtype(frames.dtype)
    frames = np.ascontiguousarray(frames, frames.dtype.newbyteorder("="))
    if frames.dtype.kind == "b":
        frames = frames.view(np.uint8)
    mapped = _map(frames, recipe)
    if mapped is None:  # there is no range to scale
        recipe, mapped = Recipe(), value_map.map_exactly(frames)
    found, parts = mapped[0], components(*mapped, recipe)
    streams = []
    for number, component in enumerate(parts):
        for bits in recipe.ranges(found.bits):
            stream = encode_range(component, number, bits)
            if stream is not None:
                streams.append(stream)
    n, height, width, channels = whole_shape(frames)
    colour = recipe.colour_of(channels)
    return Block(n, height, width, channels, found, colour, recipe.predictor, streams), frames


def to_values(frames: Frames, recipe: Recipe) -> tuple[value_map.ValueMap, Values]:
    """Take the first step of a recipe: from pixels to values of as few bits as possible."""
    return _map(frames, recipe) or value_map.map_exactly(frames)


def _map(frames: Frames, recipe: Recipe) -> tuple[value_map.ValueMap, Values] | None:
    """Map pixels as a recipe wants; return None where a lossy codec has no range to code."""
    if not recipe.top.lossless:
        depth = min(recipe.top.codec.depths[-1], 8 * frames.itemsize)
        return value_map.map_to_depth(frames, depth)
    if recipe.noise is not None:
        return value_map.map_to_levels(frames, levels(recipe.noise, frames.dtype))
    if recipe.absolute:
        return value_map.map_within(frames, recipe.absolute)
    return value_map.map_exactly(frames)


def components(found: value_map.ValueMap, values: Values, recipe: Recipe) -> list[Values]:
    """Take the steps between `to_values` and coding: to components without their predictions."""
    if not found.bits:
        return []
    colour = recipe.colour_of(values.shape[3] if values.ndim == 4 else 1)
    return [
        predict(component, found.bits, recipe.predictor)
        for component in to_components(values, found.bits, colour)
    ]


def encode_range(component: Values, number: int, wanted: BitRange) -> Stream | None:
    """Code some bits of a component as a stream; return None where they are all 0."""
    low, bits, coding = wanted
    plane = take_bits(component, low, bits)
    if not plane.any():
        return None
    depth = coding.codec.depth_for(bits)
    if depth is not None:
        wide = plane.astype(container(depth), copy=False)
        packets, extradata = coding.encode(wide, depth)
        stream = Stream(coding.codec, number, low, bits, depth, extradata, packets)
        if stream.nbytes < plane.size * bits / 8:
            return stream
    packets, extradata = RAW.encode(plane, bits, {})
    return Stream(RAW, number, low, bits, bits, extradata, packets)


def _decoded_in_place(block: Block, pixels: Frames) -> bool:
    """Decode right into the pixels, if streams are pixels; return whether they are."""
    plain = block.mapping.trivial and block.colour == Colour.NONE
    plain = plain and not block.predictor
    words = pixels.view(container(8 * pixels.itemsize)) if plain else pixels
    for number in range(block.channels):
        streams = [stream for stream in block.streams if stream.component == number]
        if not plain or len(streams) != 1 or streams[0].low:
            return False
        if container(streams[0].depth) != words.dtype or streams[0].bits != block.mapping.bits:
            return False
    for stream in block.streams:
        _decode_into(stream, words[..., stream.component] if block.channels > 1 else words)
    return True


def _values(block: Block, shape: tuple[int, int, int]) -> Values:
    """Return the values of a block's first frames, ``(k, h, w)`` or ``(k, h, w, C)``."""
    bits = block.mapping.bits
    if not bits:
        return np.zeros(shape if block.channels == 1 else (*shape, block.channels), np.uint8)
    found = [
        _component(block, number, np.empty(shape, container(bits)))
        for number in range(block.channels)
    ]
    if block.channels == 1:
        return found[0]
    values = np.empty((*shape, block.channels), container(bits))
    from_components(found, bits, block.colour, values)
    return values


def _component(block: Block, number: int, values: Values) -> Values:
    """Return the values of a component, in `values` or in another array."""
    streams = [stream for stream in block.streams if stream.component == number]
    if len(streams) == 1 and not streams[0].low and container(streams[0].depth) == values.dtype:
        _decode_into(streams[0], values)
    else:
        _join(streams, values)
    return unpredict(values, block.mapping.bits, block.predictor)


def _join(streams: Sequence[Stream], values: Values) -> None:
    """Put values together from their bits, the highest first, so that it takes no other memory."""
    if not streams:
        values[...] = 0
        return
    pieces = in_pieces(values)
    falling = sorted(streams, key=lambda stream: stream.low, reverse=True)
    lows = [stream.low for stream in falling]
    for stream, next_low in zip(falling, [*lows[1:], 0], strict=True):
        part, shift = decode_stream(stream, values.shape), values.dtype.type(stream.low - next_low)
        for some in pieces:
            whole = values[some]
            if stream is falling[0]:
                whole[...] = part[some]
            else:
                np.bitwise_or(whole, part[some], out=whole, dtype=whole.dtype, casting="unsafe")
            if shift:
                whole <<= shift


def decode_stream(stream: Stream, shape: tuple[int, ...]) -> Values:
    """Decode the first ``shape[0]`` frames of a stream."""
    plane = np.empty(shape, container(stream.depth))
    _decode_into(stream, plane)
    return plane


def _decode_into(stream: Stream, out: Values) -> None:
    where = (stream.first,) if stream.first else ()
    stream.codec.decode(stream.packets, stream.extradata, stream.depth, out, *where)
    limit = stream.depth if stream.codec is RAW else 8 * out.itemsize
    if stream.bits < limit:  # a lossy codec or a hostile stream may give values of more bits
        np.minimum(out, out.dtype.type((1 << stream.bits) - 1), out=out)


def check(frames: Frames, decoded: Frames, recipe: Recipe) -> None:
    """Raise NotExactError if frames did not come back as a recipe promises."""
    if recipe.lossless:
        _check_equal(np.ascontiguousarray(frames, decoded.dtype), decoded, recipe)
    elif recipe.bound:
        _check_bound(frames, decoded, recipe)


def _check_equal(frames: Frames, decoded: Frames, recipe: Recipe) -> None:
    words = container(8 * frames.itemsize)  # compared as bits, because NaN differs from itself
    if not np.array_equal(decoded.view(words), frames.view(words)):
        raise NotExactError(
            f"a block of {recipe} did not decode to its input; nothing was written. "
            "Please report this with the versions that `h5vidstack --version` prints"
        )


def _check_bound(frames: Frames, decoded: Frames, recipe: Recipe) -> None:
    if recipe.noise is not None:
        holds = recipe.noise.holds(frames, differences(frames, decoded))
    else:
        holds = largest_difference(frames, decoded) <= recipe.absolute
    if not holds:
        raise NotExactError(
            f"a block of {recipe} differs from its input by more than {recipe.bound}; nothing was "
            "written. Please report this with the versions that `h5vidstack --version` prints"
        )
