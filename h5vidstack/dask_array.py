"""A stack as a dask array."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from .geometry import WINDOW_BYTES, frame_bytes
from .optional import extra

if TYPE_CHECKING:  # whose method this is
    from .reader import Stack

CHUNK_BYTES = 16 << 20


def chunk_frames(stack: Stack, in_order: bool) -> int:
    """How many frames to read at a time: whole blocks, about `CHUNK_BYTES` of them.

    Neighbours in a reordered stack lie in many blocks, each of which is decoded for every
    chunk that has a frame of it: there chunks are larger.
    """
    block = stack.chunks[0] * frame_bytes(stack.shape[1:], stack.dtype.itemsize)
    limit = CHUNK_BYTES if in_order else WINDOW_BYTES
    return max(1, limit // block) * stack.chunks[0]


def to_dask(stack: Stack, frames: int) -> Any:
    """See `Stack.to_dask`."""
    with extra("dask"):
        import dask.array
        from dask.base import tokenize
    token = tokenize(stack.path, stack.stack, stack.identity, stack.shape, stack.dtype.str)
    return dask.array.from_array(  # type: ignore[no-untyped-call]
        copy.copy(stack),  # of its own, so that closing the stack does not end the array
        chunks=(frames, *stack.shape[1:]),
        name=f"h5vidstack-{token}-{frames}",
        meta=np.empty((0,) * stack.ndim, stack.dtype),
        asarray=True,
        lock=False,
    )
