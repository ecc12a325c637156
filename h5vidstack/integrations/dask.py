"""Stacks as dask arrays."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..errors import extra
from ..reading.nd_view import NdView
from ..reading.stack_reader import StackReader


def to_dask(stack: StackReader, nd: bool = False) -> Any:
    """Return a stack as a dask array; see `Stack.to_dask`."""
    frames = stack.preferred_frames
    kept = copy.copy(stack)  # a copy, so that closing the stack does not end the array
    array: StackReader | NdView = kept.nd if nd else kept
    chunks = kept.nd.chunks_of(frames, stack.shape[1:]) if nd else (frames, *stack.shape[1:])
    with extra("dask"):  # inside, because dask is optional and `Stack` imports this module
        import dask.array
        from dask.base import tokenize
    return dask.array.from_array(  # type: ignore[no-untyped-call]
        array,
        chunks=chunks,
        name=f"h5vidstack-{tokenize(stack, array.shape)}-{frames}",
        meta=np.empty((0,) * array.ndim, stack.dtype),
        asarray=True,
        lock=False,
    )
