"""Numpy's indexing rules: `parse` reads a key as numpy does. Nothing here touches files."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SelectionError
from ..shapes import Shape

Indices = npt.NDArray[np.intp]

_NEW = -1  # in Selection.order: an axis that the key makes (np.newaxis)
_POINTS = -2  # in Selection.order: the axes that the index arrays make together


@dataclass(frozen=True)
class Mask:
    """A boolean mask of the axis of frames and one or more of a frame's.

    Attributes
    ----------
    taken
        ``(N, ...)``: which pixels are taken.
    starts
        ``(N + 1,)``: where those of each frame begin in the result.
    frames
        The numbers of the frames of which some are taken.
    """

    taken: npt.NDArray[np.bool_]
    starts: Indices
    frames: Indices


@dataclass(frozen=True)
class Selection:
    """A parsed key.

    The *plain* result, which reads of chunks fill, has one axis for all points (if there are
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
    mask
        In place of `points`: what a mask of several axes, frames among them, takes of each frame.
    """

    ranges: dict[int, range]
    points: dict[int, Indices]
    points_shape: Shape | None
    dropped: frozenset[int]
    order: tuple[int, ...]
    mask: Mask | None = None

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
        if self.mask is not None:
            return self.mask.frames
        if 0 in self.points:
            return self.points[0]
        taken = self.ranges[0]
        return np.arange(taken.start, taken.stop, taken.step)


def parse(key: Any, shape: Shape, *, masks: bool = True) -> Selection:
    """Read an index as numpy would for an array of `shape`.

    Parameters
    ----------
    masks
        Whether the result may have a `mask`; without, points stand for it.

    Raises
    ------
    SelectionError
        An IndexError, in the cases in which numpy raises one.
    """
    items = key if isinstance(key, tuple) else (key,)
    place = _leading_mask(items, shape) if masks else None
    if place is not None:
        return _parse_masked(items, place, shape)
    entries = _expand(items, shape)
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


def _leading_mask(items: tuple[Any, ...], shape: Shape) -> int | None:
    """Return which item is a mask of all frames and more axes, and the only index of its kind.

    Such a mask is not turned into index arrays, which take 8 bytes a pixel and axis.
    """
    taken = [number for number, item in enumerate(items) if isinstance(item, np.ndarray)]
    if len(taken) != 1 or not all(
        item is None or item is Ellipsis or isinstance(item, (slice, np.ndarray)) for item in items
    ):
        return None
    mask = items[taken[0]]
    leads = mask.dtype == np.bool_ and mask.ndim > 1 and mask.shape == shape[: mask.ndim]
    return taken[0] if leads and all(item is None for item in items[: taken[0]]) else None


def _parse_masked(items: tuple[Any, ...], place: int, shape: Shape) -> Selection:
    """Read an index in which a mask leads; see `_leading_mask`."""
    taken = items[place]
    whole = [slice(None)] * taken.ndim
    rest = parse((*items[:place], *whole, *items[place + 1 :]), shape)
    counts = np.fromiter(map(np.count_nonzero, taken), np.intp, len(taken))
    starts = np.concatenate([[0], np.cumsum(counts)])
    order = [_POINTS if axis == 0 else axis for axis in rest.order if not 0 < axis < taken.ndim]
    return replace(
        rest,
        ranges={axis: run for axis, run in rest.ranges.items() if axis >= taken.ndim},
        points_shape=(int(starts[-1]),),
        order=tuple(order),
        mask=Mask(taken, starts, np.flatnonzero(counts)),
    )


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
