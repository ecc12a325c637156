"""Parts of a dataset of frames, as its chunks lie."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import h5py
import numpy as np

from ..geometry import Numbers, split_axes, window_frames


def frame_slabs(dataset: h5py.Dataset) -> Iterator[tuple[Numbers, tuple[slice, ...]]]:
    """Yield numbers of frames, in C order, and where in a dataset they are.

    Each slab is whole chunks on the axes that count frames, so that each is read or written
    once; as many as `window_frames` says, but at least one.
    """
    leading, frame = split_axes(dataset.shape)
    steps = list(dataset.chunks[: len(leading)] if dataset.chunks else (1,) * len(leading))
    most = window_frames(frame, dataset.dtype.itemsize)
    for axis in reversed(range(len(leading))):
        steps[axis] = min(leading[axis], steps[axis] * max(1, most // math.prod(steps)))
        if steps[axis] < leading[axis]:
            break
    numbers = np.arange(math.prod(leading)).reshape(leading)
    starts = (range(0, edge, step) for edge, step in zip(leading, steps, strict=True))
    for corner in itertools.product(*starts):
        place = tuple(slice(start, start + step) for start, step in zip(corner, steps, strict=True))
        yield numbers[place].ravel(), place
