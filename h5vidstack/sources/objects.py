"""Frames from objects of Python: arrays, readers of other packages, and iterables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from ..shapes import Pixels
from .array_source import array_source
from .foreign_arrays import errors_of_reading
from .frame_source import FrameSource, iterate_frames
from .source import Access, Source, SourceOptions


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


class ReaderSource(FrameSource):
    """A source from a reader as that of pims, of which ``reader[k]`` is frame k as an array."""

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

    def take(self, numbers: npt.NDArray[np.intp]) -> Pixels:  # noqa: D102
        frames = np.empty((len(numbers), *self.frame), self.dtype)
        wanted = iterate_frames(self._frame(number, self.name) for number in numbers.tolist())
        for frame, (label, image) in zip(frames, wanted, strict=True):
            frame[...] = self._check(label, image)
        return frames


def _gives_pieces(source: Any) -> bool:
    """Return whether slices of an object are arrays; a reader only gives whole frames."""
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
    """Raise SourceError for an object that holds several arrays, and list them."""
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
