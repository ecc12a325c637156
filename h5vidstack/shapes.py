"""Shapes: the axes of frames, rows, columns and channels, and how a stack is cut into chunks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UnsupportedError

Shape = tuple[int, ...]
Pixels = npt.NDArray[Any]
Numbers = npt.NDArray[np.intp]
"""Frame numbers, or positions of frames."""

MAX_EDGE = 16384
"""The longest edge of a stream in pixels, which x264 and FFmpeg's H.264 decoder limit."""
CHUNK_FRAMES = 16
"""The frames of a chunk where nothing else decides."""
WINDOW_BYTES = 64 << 20
"""The raw bytes of the frames that `window_frames` counts."""
MAX_BLOCK_BYTES = 64 << 20
"""The largest raw block that packing makes."""
MAX_COPIED_BYTES = 1 << 30
"""The largest raw block of packets that are copied, which the GOPs of a video file decide."""
MAX_ROW_BYTES = 256 << 20
"""The largest raw row of tiles that packing chooses: all tiles of one run of frames."""
LEAST_STRUCTURE, MOST_STRUCTURE = 2048, 1 << 20
"""The bytes that HDF5 takes from the file at a time for its structures; its default is 2048."""
TILE_ABOVE_PIXELS = 4 << 20
"""Frames of more pixels than this are tiled."""
TILE_EDGE = 1024
"""Tiles chosen by default are no longer than this on either edge."""


def stack_shape(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """Return an array's shape as ``(frames, height, width, channels)``.

    The last two axes are height and width. Where there are at least four axes and the last one is
    3 or 4 long, the last three are height, width and channels. All axes before them count frames.
    Gray has one channel.

    Raises
    ------
    UnsupportedError
        If there are fewer than three axes.
    """
    if len(shape) < 3:
        raise UnsupportedError(
            f"an array of shape {tuple(shape)} is no stack: it must be (N, H, W) or "
            "(N, H, W, 3|4); a single image needs a leading axis of 1"
        )
    if len(shape) >= 4 and shape[-1] in (3, 4):
        *leading, height, width, channels = shape
    else:
        *leading, height, width = shape
        channels = 1
    return math.prod(leading), height, width, channels


def split_axes(shape: Sequence[int]) -> tuple[Shape, Shape]:
    """Split an array's shape into the axes that count frames and those of a frame.

    Raises
    ------
    UnsupportedError
        If there are fewer than three axes.
    """
    gray = stack_shape(shape)[3] == 1
    last = len(shape) - (2 if gray else 3)
    return tuple(shape[:last]), tuple(shape[last:])


def leading_chunk(leading: Shape, wanted: int, most: int) -> Shape:
    """Cut the axes that count frames into chunks of about so many consecutive frames.

    A chunk has length 1 on the first axes and the full length on the last ones. On the axis between
    them its length divides the axis, except on the first axis. So the chunks, one after another,
    hold the frames in C order.

    Parameters
    ----------
    wanted, most
        The wanted and the largest number of frames in a chunk.
    """
    found: list[tuple[float, Shape]] = []
    for axis, edge in enumerate(leading):
        inner = leading[axis + 1 :]
        fitting = max(1, most) // math.prod(inner)
        for length in range(1, min(edge, fitting) + 1):
            if axis == 0 or edge % length == 0:
                ratio = length * math.prod(inner) / wanted
                shape = (*(1 for _ in leading[:axis]), length, *inner)
                found.append((max(ratio, 1 / ratio), shape))
    return min(found)[1]


def is_consecutive(leading: Shape, chunk: Shape) -> bool:
    """Return whether chunks hold frames one after another; see `leading_chunk`."""
    cut = [axis for axis, step in enumerate(chunk) if step != leading[axis]]
    first = cut[-1] if cut else 0
    whole = first == 0 or leading[first] % chunk[first] == 0
    return whole and all(step == 1 for step in chunk[:first])


def frame_bytes(frame: Shape, itemsize: int) -> int:
    """Return the bytes of one raw frame of shape ``(H, W)`` or ``(H, W, C)``."""
    return math.prod(frame) * itemsize


def window_frames(frame: Shape, itemsize: int) -> int:
    """Return how many frames to hold at a time, so that each block is decoded only once."""
    return max(1, WINDOW_BYTES // frame_bytes(frame, itemsize))


def choose_chunk(
    frame: Shape,
    itemsize: int,
    chunk_frames: int | None,
    tile: tuple[int, int] | None,
    usual: int = CHUNK_FRAMES,
) -> Shape:
    """Choose the chunk ``(G, h, w[, C])`` for frames of shape ``(H, W[, C])``.

    Parameters
    ----------
    chunk_frames
        The frames of a chunk. None means `usual`, or fewer if `MAX_BLOCK_BYTES` and
        `MAX_ROW_BYTES` allow only fewer.
    tile
        The height and width of a tile. ``(0, 0)`` means not to tile. None means to tile frames of
        more than `TILE_ABOVE_PIXELS` pixels, or with an edge that is too long for a codec.
    usual
        The frames of a chunk where `chunk_frames` is None.

    Raises
    ------
    UnsupportedError
        If an argument is not positive, or makes a raw block of more than `MAX_BLOCK_BYTES` or an
        edge longer than `MAX_EDGE`.
    """
    height, width = frame[:2]
    if chunk_frames is not None and not (isinstance(chunk_frames, int) and chunk_frames > 0):
        raise UnsupportedError(f"chunk_frames is {chunk_frames!r}; it must be at least 1")
    if tile is not None and not (
        isinstance(tile, tuple) and len(tile) == 2 and all(isinstance(edge, int) for edge in tile)
    ):
        raise UnsupportedError(
            f"tile is {tile!r}; it must be a height and a width, such as (512, 512)"
        )
    if tile is None:
        tiled = height * width > TILE_ABOVE_PIXELS or max(height, width) > MAX_EDGE
        rows, columns = (_even(height), _even(width)) if tiled else (height, width)
    elif tile == (0, 0):
        rows, columns = height, width
    elif min(tile) < 1:
        raise UnsupportedError(f"tile is {tile[0]}x{tile[1]}; both edges must be at least 1")
    else:
        rows, columns = min(tile[0], height), min(tile[1], width)
    if max(rows, columns) > MAX_EDGE:
        raise UnsupportedError(
            f"a tile of {rows}x{columns} pixels: no codec takes an edge over {MAX_EDGE}; "
            "give a smaller tile"
        )
    block_frame = frame_bytes((rows, columns, *frame[2:]), itemsize)
    if block_frame > MAX_BLOCK_BYTES:
        raise UnsupportedError(
            f"one tile of {rows}x{columns} is {block_frame >> 20} MiB, over the "
            f"{MAX_BLOCK_BYTES >> 20} MiB of a block; give a smaller tile"
        )
    fitting = MAX_BLOCK_BYTES // block_frame
    if chunk_frames is None:
        in_a_row = max(1, MAX_ROW_BYTES // frame_bytes(frame, itemsize))
        chunk_frames = min(usual, fitting, in_a_row)
    elif chunk_frames > fitting:
        raise UnsupportedError(
            f"{chunk_frames} frames of {rows}x{columns} are over the "
            f"{MAX_BLOCK_BYTES >> 20} MiB of a block; at most {fitting} fit, or give a smaller tile"
        )
    return (chunk_frames, rows, columns, *frame[2:])


def structure_bytes(
    count: int | None,
    frame: Shape,
    itemsize: int,
    chunk: Shape,
    reorders: bool,
    columns: int = 0,
) -> int:
    """Estimate the bytes of HDF5's own structures for a stack, which it should keep in one place.

    Parameters
    ----------
    count
        The number of frames. If it is None, the estimate is a share of a block, so that the file of
        a short stack stays small.
    frame
        ``(H, W[, C])``.
    chunk
        ``(G, h, w[, C])``.
    reorders
        Whether frames may be put into piles, each of which needs structures of its own.
    columns
        The number of datasets for what is known beside the pixels.
    """
    if count is None:
        return max(LEAST_STRUCTURE, min(math.prod(chunk) * itemsize // 8, MOST_STRUCTURE // 16))
    tiles = math.prod(-(-edge // step) for edge, step in zip(frame, chunk[1:], strict=True))
    blocks = -(-count // chunk[0]) * tiles
    # Dimension scales take some 6 KiB: HDF5 keeps what refers to them in a heap of 4 KiB.
    needed = 14336 + 1024 * columns + 20 * blocks + reorders * 2048 * (blocks // 16)
    share = (
        count * frame_bytes(frame, itemsize) >> 8
    )  # files are seldom less than 1/20 of their pixels
    return max(LEAST_STRUCTURE, min(needed, share, MOST_STRUCTURE))


def _even(edge: int) -> int:
    """Return the edge of equal tiles of at most `TILE_EDGE`, in whole macroblocks of 16."""
    parts = math.ceil(edge / TILE_EDGE)
    return min(edge, math.ceil(edge / parts / 16) * 16)
