"""Parts of a dataset, as its chunks lie."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import h5py
import numpy as np
from h5py import h5s

from ..shapes import Numbers, Shape, split_axes, window_frames


def steps_of(shape: Sequence[int], chunk: Sequence[int], most: int) -> Shape:
    """The largest parts, of whole chunks, of about so many items, that follow one another."""
    steps = list(map(min, chunk, shape))
    for axis in reversed(range(len(shape))):
        steps[axis] = min(shape[axis], steps[axis] * max(1, most // math.prod(steps)))
        if steps[axis] < shape[axis]:
            break
    return tuple(steps)


def parts(shape: Sequence[int], steps: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Cut a shape, at least 1 on all axes, into parts of such lengths."""
    starts = (range(0, edge, step) for edge, step in zip(shape, steps, strict=True))
    for corner in itertools.product(*starts):
        ends = map(min, shape, map(int.__add__, corner, steps))
        yield tuple(map(slice, corner, ends))


def slabs(dataset: h5py.Dataset, most: int) -> Iterator[h5s.SpaceID]:
    """A dataset's space with about so many values of it selected, then the next.

    They are whole chunks.
    """
    space = dataset.id.get_space()
    if space.get_simple_extent_type() == h5s.NULL or not space.get_simple_extent_npoints():
        return
    if not dataset.shape:
        yield space
        return
    chunk = dataset.chunks or (1,) * len(dataset.shape)
    for part in parts(dataset.shape, steps_of(dataset.shape, chunk, most)):
        corner = tuple(one.start for one in part)
        space.select_hyperslab(corner, tuple(one.stop - one.start for one in part))
        yield space


def frame_slabs(dataset: h5py.Dataset) -> Iterator[tuple[Numbers, tuple[slice, ...]]]:
    """Yield numbers of frames, in C order, and where in a dataset they are.

    Each slab is whole chunks on the axes that count frames, so that each is read or written
    once; as many as `window_frames` says, but at least one.
    """
    leading, frame = split_axes(dataset.shape)
    chunk = dataset.chunks[: len(leading)] if dataset.chunks else (1,) * len(leading)
    most = window_frames(frame, dataset.dtype.itemsize)
    numbers = np.arange(math.prod(leading)).reshape(leading)
    for place in parts(leading, steps_of(leading, chunk, most)):
        yield numbers[place].ravel(), place
