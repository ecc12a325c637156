"""Frames from arrays of any package: anything with a shape, a dtype and slices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from ..shapes import Pixels, stack_shape
from .foreign_arrays import (
    AS_ARRAY,
    LAST_AXIS,
    errors_of_reading,
    plain_array,
    refuse_mask,
    tidy_bools,
    to_gray,
)
from .source import Access, Source, SourceOptions

NARROW = 8
"""Users are told of frames of fewer columns, because their last axis may hold channels."""


def array_source(
    array: Any, name: str, options: SourceOptions, owner: Any | None = None
) -> ArraySource:
    """Open an array; leave out a last axis of 1, and note what its axes are taken for."""
    array, notes = plain_axes(array, name)
    source = ArraySource(array, name, gray=options.gray, owner=owner)
    source.notes += notes
    return source


def plain_axes(array: Any, name: str) -> tuple[Any, list[str]]:
    """Leave out a last axis of 1; return the array, and notes on its axes.

    Raises
    ------
    SourceError
        If the shape is not known.
    """
    shape, note = tuple(array.shape), None
    if any(not isinstance(edge, (int, np.integer)) for edge in shape):
        raise SourceError(
            f"{name} has shape {shape}, which is not known before it is computed; for a dask "
            "array, call compute_chunk_sizes() first"
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


class ArraySource(Source):
    """A source from an array with slices: of numpy, h5py or zarr, a memmap, or a `Stack`."""

    def __init__(
        self, array: Any, name: str, *, gray: bool = False, owner: Any | None = None
    ) -> None:
        refuse_mask(array, name)
        self._array, self.name, self._gray, self._owner = array, name, gray, owner
        self.count, height, width, channels = stack_shape(array.shape)
        if 0 in array.shape:
            raise SourceError(f"{name} has shape {tuple(array.shape)}: it holds no frames")
        leading = array.shape[: -2 if channels == 1 else -3]
        self.leading_shape = tuple(map(int, leading)) if len(leading) > 1 else None
        self._leading = leading
        # An empty piece has numpy's dtype, whatever library the array is of. But HDF5 cannot read
        # one of a virtual dataset whose sources have numbered names.
        dtype = array.dtype if isinstance(array, h5py.Dataset) else self._taken(slice(0, 0)).dtype
        self.dtype = dtype.newbyteorder("=")
        self.frame = (height, width) if gray or channels == 1 else (height, width, channels)
        plain = isinstance(array, np.ndarray) or (
            isinstance(array, h5py.Dataset) and array.chunks is None and not array.is_virtual
        )
        self.access = Access.CHEAP if plain and not gray else Access.RANDOM

    def batches(self, size: int) -> Iterator[Pixels]:  # noqa: D102
        *outer, inner = self._leading
        for start in range(0, math.prod(self._leading), size):
            stop = min(start + size, math.prod(self._leading))
            pieces = []
            while start < stop:
                row, first = divmod(start, inner)
                taken = min(stop - start, inner - first)
                index = (*np.unravel_index(row, tuple(outer)), slice(first, first + taken))
                pieces.append(self._piece(index, taken))
                start += taken
            yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def take(self, numbers: npt.NDArray[np.intp]) -> Pixels:  # noqa: D102
        index = np.unravel_index(numbers, self._leading)
        if isinstance(self._array, np.ndarray):
            return self._piece(index, len(numbers))
        frames = np.empty((len(numbers), *self.frame), self.dtype)
        for frame, place in zip(frames, zip(*index, strict=True), strict=True):
            *outer, inner = map(int, place)
            frame[...] = self._piece((*outer, slice(inner, inner + 1)), 1)[0]
        return frames

    def _taken(self, index: Any) -> Pixels:
        with errors_of_reading(self.name):
            return plain_array(self._array[index], self.name)

    def _piece(self, index: tuple[Any, ...], count: int) -> Pixels:
        """Read `count` frames."""
        piece = self._taken(index)
        want = (count, *map(int, self._array.shape[len(self._leading) :]))
        if piece.shape != want or piece.dtype.newbyteorder("=") != self.dtype:
            raise SourceError(
                f"{self.name} has shape {tuple(self._array.shape)} {self.dtype}, but a piece of it "
                f"that should be {want} {self.dtype} is {piece.shape} {piece.dtype}; {AS_ARRAY}"
            )
        if self._gray and piece.ndim == 4:
            piece = to_gray(piece)
        # Encoding goes on while the next piece is read, and only what numpy and h5py give stays as
        # it is meanwhile; others may reuse their memory.
        keep = None if isinstance(self._array, (np.ndarray, h5py.Dataset)) else True
        return tidy_bools(np.array(piece, self.dtype, order="C", copy=keep))

    def close(self) -> None:  # noqa: D102
        if self._owner is not None:
            self._owner.close()


class _WithoutLastAxis:
    """An array whose last axis of 1 is left out of all that is read."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.dtype = tuple(array.shape[:-1]), array.dtype

    def __getitem__(self, index: Any) -> Any:
        return self._array[index][..., 0]
