"""Stacks as dask arrays."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..errors import extra
from ..reading.stack_reader import StackReader


def to_dask(stack: StackReader) -> Any:
    """Return a stack as a dask array; see `Stack.to_dask`."""
    frames = stack.preferred_frames
    with extra("dask"):  # inside, because dask is optional and `Stack` imports this module
        import dask.array
        from dask.base import tokenize
    return dask.array.from_array(  # type: ignore[no-untyped-call]
        copy.copy(stack),  # a copy, so that closing the stack does not end the array
        chunks=(frames, *stack.shape[1:]),
        name=f"h5vidstack-{tokenize(stack)}-{frames}",
        meta=np.empty((0,) * stack.ndim, stack.dtype),
        asarray=True,
        lock=False,
    )
