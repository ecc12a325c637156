"""Numpy's indexing rules, turned into jobs on the chunks of a grid.

`parse` reads a key as numpy does; `chunk_reads` says which part of which chunk goes where
in the result. Nothing here touches pixels or files.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SelectionError
from ..shapes import Shape

Indices = npt.NDArray[np.intp]
Place = slice | Indices

_NEW = -1  # in Selection.order: an axis that the key makes (np.newaxis)
_POINTS = -2  # in Selection.order: the axes that the index arrays make together


@dataclass(frozen=True)
class ChunkRead:
    """``result[target] = chunk.transpose(axes)[source]`` for one chunk.

    Attributes
    ----------
    chunk
        The chunk's number along each axis of the array.
    first, frames
        Which of its frames is the first that is needed, and how many to the last one.
    """

    chunk: Shape
    first: int
    frames: int
    target: tuple[Place, ...]
    source: tuple[Place, ...]
    axes: Shape

    @property
    def fits(self) -> bool:
        """Whether the beginning of the chunk, as it stands, goes to one piece of the result."""
        pieces = (*self.source, *self.target)
        return all(isinstance(piece, slice) for piece in pieces) and all(
            piece.start == 0 and piece.step == 1
            for piece in self.source
            if isinstance(piece, slice)
        )


@dataclass(frozen=True)
class PileFrames:
    """Some of the frames of a selection, which lie in one array of packed frames.

    Attributes
    ----------
    entries
        Which entries of `Selection.frames` they are.
    positions
        Where each is on the first axis of the packed array.
    """

    entries: Indices
    positions: Indices


@dataclass(frozen=True)
class Selection:
    """A parsed key.

    The *plain* result, which `chunk_reads` fill, has one axis for all points (if there are
    index arrays), then one for each axis that is indexed by a slice or an integer.

    Attributes
    ----------
    ranges
        For each axis without an index array: the indices taken, in order.
    points
        For each axis with an index array: its indices, flattened; all are of one length.
    points_shape
        Shape of the index arrays, broadcast together; None where there is none.
    dropped
        Axes that an integer takes out of the result.
    order
        Axes of numpy's result in order: array axes, or the marks above.
    """

    ranges: dict[int, range]
    points: dict[int, Indices]
    points_shape: Shape | None
    dropped: frozenset[int]
    order: tuple[int, ...]

    @property
    def plain_shape(self) -> Shape:
        """Shape of the plain result."""
        points = () if self.points_shape is None else (math.prod(self.points_shape),)
        return (*points, *(len(taken) for taken in self.ranges.values()))

    @property
    def shape(self) -> Shape:
        """Shape of numpy's result."""
        lengths: list[int] = []
        for axis in self.order:
            if axis == _POINTS:
                lengths += self.points_shape or ()
            else:
                lengths.append(1 if axis == _NEW else len(self.ranges[axis]))
        return tuple(lengths)

    def finish(self, plain: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """View the plain result as numpy would give it."""
        head = self.points_shape or ()
        opened = plain.reshape(*head, *map(len, self.ranges.values()))
        kept = [axis for axis in self.ranges if axis not in self.dropped]
        opened = opened[(..., *(slice(None) if axis in kept else 0 for axis in self.ranges))]
        places: list[int] = []
        index: list[slice | None] = []
        for axis in self.order:
            if axis == _NEW:
                index.append(None)
                continue
            found = range(len(head)) if axis == _POINTS else [len(head) + kept.index(axis)]
            places += found
            index += [slice(None)] * len(found)
        return opened.transpose(places)[tuple(index)]

    def plain_view(self, result: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        """View an array of numpy's shape as the plain result, or None where none exists."""
        if self.points_shape is not None or _NEW in self.order:
            return None
        return result[tuple(None if axis in self.dropped else slice(None) for axis in self.ranges)]

    @property
    def frames(self) -> Indices:
        """The frame of each entry along the plain result's axis that counts frames."""
        return self.points[0] if 0 in self.points else np.array(self.ranges[0], np.intp)

    def chunk_reads(self, chunks: Shape, part: PileFrames | None = None) -> Iterator[ChunkRead]:
        """Split the selection along a grid of chunks of shape `chunks`.

        Parameters
        ----------
        part
            Only some of the frames, and where they are in the array that the grid
            divides; None: all, where their numbers say.
        """
        if 0 in self.plain_shape:
            return
        axes = (*self.points, *self.ranges)
        runs: list[list[tuple[int, Place, Place]]] = [
            list(_split_range(taken, chunks[axis])) for axis, taken in self.ranges.items()
        ]
        crossing = False
        if part is not None and 0 in self.ranges:
            crossing = self.points_shape is not None
            runs[0] = list(_split_positions(part, chunks[0], slices=not crossing))
        for numbers, heads, sources in self._split_points(chunks, part):
            if crossing:
                # Two index arrays would be paired: as a column, points cross the frames.
                heads = tuple(head.reshape(-1, 1) for head in heads)
                sources = tuple(source.reshape(-1, 1) for source in sources)
            for combination in itertools.product(*runs):
                found = dict(zip(axes, (*numbers, *(run[0] for run in combination)), strict=True))
                source = (*sources, *(run[2] for run in combination))
                first, last = _ends(source[axes.index(0)])
                yield ChunkRead(
                    tuple(found[axis] for axis in sorted(found)),
                    first,
                    last + 1,
                    (*heads, *(run[1] for run in combination)),
                    source,
                    axes,
                )

    def _split_points(
        self, chunks: Shape, part: PileFrames | None
    ) -> Iterator[tuple[tuple[int, ...], tuple[Indices, ...], tuple[Indices, ...]]]:
        """Group the points by chunk: its numbers, places in the plain result, places in it."""
        if self.points_shape is None:
            yield (), (), ()
            return
        points, heads = self.points, np.arange(math.prod(self.points_shape))
        if part is not None and 0 in points:
            heads = part.entries
            points = {axis: indices[heads] for axis, indices in points.items()}
            points[0] = part.positions
        columns = [indices // chunks[axis] for axis, indices in points.items()]
        order = np.lexsort(columns)
        ordered = np.stack([column[order] for column in columns])
        cuts = np.flatnonzero((ordered[:, 1:] != ordered[:, :-1]).any(axis=0)) + 1
        for members in np.split(order, cuts):
            yield (
                tuple(int(column[members[0]]) for column in columns),
                (heads[members],),
                tuple(indices[members] % chunks[axis] for axis, indices in points.items()),
            )


def parse(key: Any, shape: Shape) -> Selection:
    """Read an index as numpy would for an array of `shape`.

    Raises
    ------
    SelectionError
        An IndexError, in the cases in which numpy raises one.
    """
    entries = _expand(key if isinstance(key, tuple) else (key,), shape)
    arrays = [entry for entry in entries if isinstance(entry, np.ndarray)]
    ranges: dict[int, range] = {}
    points: dict[int, Indices] = {}
    dropped: set[int] = set()
    order: list[int] = []
    places: list[int] = []  # of the index arrays among the entries
    axis = 0
    for place, entry in enumerate(entries):
        if entry is Ellipsis:
            continue
        if entry is None:
            order.append(_NEW)
            continue
        if isinstance(entry, slice):
            ranges[axis] = range(*entry.indices(shape[axis]))
            order.append(axis)
        elif arrays:  # an integer beside arrays broadcasts with them
            points[axis] = _in_bounds(np.asarray(entry, np.intp), axis, shape)
            order.append(_POINTS)
            places.append(place)
        else:
            number = int(_in_bounds(np.asarray(entry, np.intp), axis, shape))
            ranges[axis] = range(number, number + 1)
            dropped.add(axis)
        axis += 1
    points_shape = None
    if arrays:
        try:
            together = np.broadcast_arrays(*points.values())
        except ValueError as error:
            raise SelectionError(f"index arrays do not broadcast together: {error}") from error
        points_shape = together[0].shape
        points = {axis: np.ravel(array) for axis, array in zip(points, together, strict=True)}
        # Numpy: their axes stand where the arrays stood, or first if those were apart.
        adjacent = places[-1] - places[0] == len(places) - 1
        first = order.index(_POINTS) if adjacent else 0
        rest = [mark for mark in order if mark != _POINTS]
        order = [*rest[:first], _POINTS, *rest[first:]]
    return Selection(ranges, points, points_shape, frozenset(dropped), tuple(order))


def _expand(key: tuple[Any, ...], shape: Shape) -> list[Any]:
    """Spell a key out: an entry an axis (slice, int, index array), None, the ellipsis."""
    entries: list[Any] = []
    ellipsis = None
    for number, item in enumerate(key):
        if item is Ellipsis:
            if ellipsis is not None:
                raise SelectionError("an index can only have a single ellipsis ('...')")
            ellipsis = len(entries)
        elif item is None or isinstance(item, slice):
            entries.append(item)
        else:
            after = key[number + 1 :] if ellipsis is not None else None
            entries += _expand_index(item, shape, _used(entries), after)
    missing = len(shape) - _used(entries)
    if missing < 0:
        raise SelectionError(
            f"too many indices: the stack has {len(shape)} axes, {_used(entries)} were indexed"
        )
    if ellipsis is None:
        return entries + [slice(None)] * missing
    # It stays as a mark: even where it stands for no axis, it sets arrays apart.
    filled = [Ellipsis, *[slice(None)] * missing]
    return [*entries[:ellipsis], *filled, *entries[ellipsis:]]


def _expand_index(item: Any, shape: Shape, used: int, after: tuple[Any, ...] | None) -> list[Any]:
    """Spell out an integer, integer array, or boolean mask (one index array an axis).

    `after` are the items that follow where an ellipsis came before, else None.
    """
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        if abs(int(item)) > np.iinfo(np.intp).max:
            raise SelectionError(f"index {item} is out of bounds")
        return [int(item)]
    try:
        array = np.asarray(item)
    except ValueError as error:  # a ragged list
        raise SelectionError(f"{item!r} is no index: {error}") from error
    if array.size == 0 and not isinstance(item, np.ndarray):
        array = array.astype(np.intp)
    if array.dtype.kind in "iu":
        return [array.astype(np.intp)] if array.ndim else [int(array)]
    if array.dtype != np.bool_ or not array.ndim:
        return _refuse(item)
    # Behind an ellipsis, a mask's axes are counted from the end.
    axis = used if after is None else len(shape) - array.ndim - sum(map(_width, after))
    if array.shape != shape[axis : axis + array.ndim]:
        raise SelectionError(
            f"a boolean mask of shape {array.shape} stands where the stack has "
            f"{shape[axis : axis + array.ndim]}"
        )
    return list(array.nonzero())


def _width(item: Any) -> int:
    """Return how many axes an item of a key takes."""
    if item is None or item is Ellipsis:
        return 0
    if isinstance(item, slice):
        return 1
    array = np.asarray(item)
    return array.ndim if array.dtype == np.bool_ else 1


def _used(entries: list[Any]) -> int:
    return sum(entry is not None for entry in entries)


def _refuse(item: Any) -> list[Any]:
    raise SelectionError(
        f"{item!r} is no index: use integers, slices, ..., None, and integer or boolean "
        "arrays (a single True or False is not supported)"
    )


def _in_bounds(indices: Indices, axis: int, shape: Shape) -> Indices:
    length = shape[axis]
    wrong = (indices < -length) | (indices >= length)
    if wrong.any():
        first = indices[wrong][0] if indices.ndim else indices
        raise SelectionError(f"index {first} is out of bounds for axis {axis} of length {length}")
    return np.where(indices < 0, indices + length, indices)


def _split_range(taken: range, chunk: int) -> Iterator[tuple[int, Place, Place]]:
    """Cut a range at chunk borders: chunk number, place in the result, place in the chunk."""
    start = 0
    while start < len(taken):
        number, first = divmod(taken[start], chunk)
        room = chunk - 1 - first if taken.step > 0 else first
        stop = min(len(taken), start + room // abs(taken.step) + 1)
        end = first + (stop - start) * taken.step
        source = slice(first, None if end < 0 else end, taken.step)
        yield number, slice(start, stop), source
        start = stop


def _split_positions(
    part: PileFrames, chunk: int, slices: bool
) -> Iterator[tuple[int, Place, Place]]:
    """Group scattered frames by chunk: as `_split_range`, with slices only where they can be."""
    form = _as_slice if slices else np.asarray
    order = np.argsort(part.positions, kind="stable")
    numbers = part.positions[order] // chunk
    for members in np.split(order, np.flatnonzero(np.diff(numbers)) + 1):
        positions = part.positions[members]
        number = int(positions[0]) // chunk
        yield number, form(part.entries[members]), form(positions - number * chunk)


def _as_slice(indices: Indices) -> Place:
    """Return indices as a slice, if they count up by one."""
    if (np.diff(indices) == 1).all():
        return slice(int(indices[0]), int(indices[-1]) + 1, 1)
    return indices


def _ends(source: Place) -> tuple[int, int]:
    """Return the least and the largest index that a non-empty place in a chunk takes."""
    if not isinstance(source, slice):
        return int(source.min()), int(source.max())
    stop = source.stop if source.stop is not None else -1
    taken = range(source.start, stop, source.step)
    return min(taken[0], taken[-1]), max(taken[0], taken[-1])
