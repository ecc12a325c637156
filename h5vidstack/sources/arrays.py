"""Frames from objects: arrays of any package, readers that give whole frames, iterables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from .base import (
    LAST_AXIS,
    Access,
    Array,
    ArraySource,
    FrameSource,
    Source,
    SourceOptions,
    errors_of_reading,
    iterate_frames,
)

NARROW = 8
"""Frames of fewer columns than this are told of: their last axis may be meant for channels."""


def object_source(source: Any, options: SourceOptions) -> Source:
    """Open an array, a reader or an iterable of frames.

    Raises
    ------
    SourceError
        If it is neither, or holds several arrays.
    """
    name = type(source).__name__
    _refuse_many(source, name)
    if hasattr(source, "nnz") or hasattr(source, "todense"):
        raise SourceError(
            f"a {name} is sparse, and a stack is not: pass source.toarray() or source.todense()"
        )
    if all(hasattr(source, part) for part in ("shape", "dtype", "__getitem__")):
        if _gives_pieces(source):
            return array_source(source, name, options)
        return ReaderSource(source, name, options.gray)
    if not isinstance(source, Iterable):
        raise SourceError(
            f"a {name} is no stack: give a path, an array-like of shape (N, H, W), or an iterable "
            "of frames"
        )
    count = len(source) if isinstance(source, (list, tuple)) else None
    return FrameSource(iterate_frames(source), name, count, options.gray)


def array_source(
    array: Any, name: str, options: SourceOptions, owner: Any | None = None
) -> ArraySource:
    """Open an array; a last axis of 1 is left out, and what its axes are taken for is said."""
    array, notes = plain_axes(array, name)
    source = ArraySource(array, name, gray=options.gray, owner=owner)
    source.notes += notes
    return source


def plain_axes(array: Any, name: str) -> tuple[Any, list[str]]:
    """Leave out a last axis of 1; return the array, and what must be said of its axes.

    Raises
    ------
    SourceError
        If the shape is not known.
    """
    shape, note = tuple(array.shape), None
    if any(not isinstance(edge, (int, np.integer)) for edge in shape):
        raise SourceError(
            f"{name} has shape {shape}, which is not known before it is computed: of a dask "
            "array call compute_chunk_sizes() first"
        )
    if len(shape) >= 4 and shape[-1] == 1:
        array = array[..., 0] if isinstance(array, np.ndarray) else _WithoutLastAxis(array)
        note = LAST_AXIS
    elif len(shape) >= 3 and shape[-1] < NARROW and not (len(shape) >= 4 and shape[-1] in (3, 4)):
        note = (
            f"Frames are {shape[-2]} x {shape[-1]} pixels, by the shape {shape}; if its last axis "
            + (
                "holds the channels of a single image, give it a first axis of 1."
                if len(shape) == 3
                else "holds channels, move it before the others: np.moveaxis(array, -1, -3)."
            )
        )
    elif len(shape) >= 4 and shape[-3] == 1:
        note = f"The axis of 1 in the shape {shape} is kept as one before those of the frames."
    return array, [] if note is None else [note]


class _WithoutLastAxis:
    """An array whose last axis of 1 is left out of all that is read."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.dtype = tuple(array.shape[:-1]), array.dtype

    def __getitem__(self, index: Any) -> Any:
        return self._array[index][..., 0]


class ReaderSource(FrameSource):
    """A reader of another package (pims and others): ``reader[k]`` is frame k, as an array."""

    access = Access.RANDOM

    def __init__(self, reader: Any, name: str, gray: bool) -> None:
        self._reader = reader
        with errors_of_reading(name):
            count = len(reader)
        frames = iterate_frames(self._frame(number, name) for number in range(count))
        super().__init__(frames, name, count, gray)

    def _frame(self, number: int, name: str) -> Any:
        with errors_of_reading(name):
            return self._reader[number]

    def take(self, numbers: npt.NDArray[np.intp]) -> Array:  # noqa: D102
        frames = np.empty((len(numbers), *self.frame), self.dtype)
        wanted = iterate_frames(self._frame(number, self.name) for number in numbers.tolist())
        for frame, (label, image) in zip(frames, wanted, strict=True):
            frame[...] = self._check(label, image)
        return frames


def _gives_pieces(source: Any) -> bool:
    """Whether slices of an object are arrays, as numpy's; a reader gives whole frames only."""
    if isinstance(source, (np.ndarray, h5py.Dataset)):
        return True
    if hasattr(source, "__dask_graph__") or not hasattr(source, "__len__"):
        return True
    try:
        piece = np.asanyarray(source[0:0])
    except Exception:  # noqa: BLE001 - a reader may raise anything
        return False
    return bool(piece.shape == (0, *tuple(source.shape)[1:]))


def _refuse_many(source: Any, name: str) -> None:
    """Raise SourceError, which lists them, for an object that holds several arrays."""
    found: Iterator[tuple[str, Any]]
    if isinstance(source, h5py.Group):
        names: list[str] = []
        source.visit(names.append)
        found = ((inner, source[inner]) for inner in names)
    elif isinstance(source, Mapping):
        found = iter(source.items())
    elif callable(getattr(source, "arrays", None)):  # a group of zarr
        found = iter(source.arrays())
    else:
        return
    listed = [
        f"source[{inner!r}] has shape {tuple(array.shape)} {array.dtype}"
        for inner, array in found
        if hasattr(array, "shape") and hasattr(array, "dtype")
    ]
    raise SourceError(
        f"a {name} holds several arrays; pass one of them: {'; '.join(listed) or 'it has none'}"
    )
