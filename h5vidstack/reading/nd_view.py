"""`NdView`: a stack with all its axes, of which several may count frames."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SelectionError
from ..metadata.description import Metadata, Places
from ..shapes import Numbers, Pixels, Shape, leading_chunk
from .described import Described
from .selection import Selection, parse


class NdView:
    """A stack with all its axes, as an array of numpy; its pixels are read when they are indexed.

    ``stack.nd[key]`` gives what numpy gives for the same key on the whole array, on every axis.
    Only the blocks that hold what was asked for are decoded.

    Parameters
    ----------
    stack
        The stack.
    places
        What is taken of some axes: several places, or one, which is no axis of the view; see `at`.
    """

    def __init__(self, stack: Described, places: Places | None = None) -> None:
        self.stack, self._places = stack, dict(places or {})
        self.dtype: np.dtype[Any] = stack.live().file.dtype

    def _kept(self, each: tuple[Any, ...]) -> tuple[Any, ...]:
        """Leave out what is of axes that stay at one place."""
        fixed = {axis for axis, places in self._places.items() if isinstance(places, int)}
        return tuple(value for axis, value in enumerate(each) if axis not in fixed)

    def _taken(self, axis: int) -> range:
        """Return which places of an axis of the stack the view has."""
        places = self._places.get(axis, range(self._edges[axis]))
        return range(places, places + 1) if isinstance(places, int) else places

    @property
    def _edges(self) -> Shape:
        """The lengths of all axes of the stack."""
        return (*self.stack.leading_shape, *self.stack.shape[1:])

    @property
    def shape(self) -> Shape:
        """The length of each axis."""
        return self._kept(tuple(len(self._taken(axis)) for axis in range(len(self._edges))))

    @property
    def dims(self) -> tuple[str, ...]:
        """The name of each axis."""
        return self._kept(self.stack.dims)

    @property
    def chunks(self) -> Shape:
        """How many places of each axis lie in about one block."""
        frames, *rest = self.stack.live().file.piles[0].chunks
        return self.chunks_of(frames, tuple(rest))

    def chunks_of(self, frames: int, rest: Shape) -> Shape:
        """Cut the axes into parts of about so many frames in a row.

        Parameters
        ----------
        frames
            At most so many.
        rest
            The lengths of a part along the axes of a frame.
        """
        leading = self.stack.leading_shape
        outer = (frames,) if len(leading) == 1 else leading_chunk(leading, frames, frames)
        shape = tuple(len(self._taken(axis)) for axis in range(len(self._edges)))
        return self._kept(tuple(map(min, (*outer, *rest), (max(1, edge) for edge in shape))))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all of it as an array."""
        return self.size * self.dtype.itemsize

    def at(self, **places: int | slice) -> NdView:
        """Return the view at some places, without reading: ``stack.nd.at(C=1, T=slice(0, 5))``.

        `pack` takes it, with the names, coordinates and times of the frames that it has.

        Parameters
        ----------
        places
            By the name of an axis: the only place, and then the view lacks this axis; or a slice.

        Raises
        ------
        SelectionError
            If there is no such axis or place.
        """
        taken = dict(self._places)
        for name, place in places.items():
            if name not in self.dims:
                raise SelectionError(f"there is no axis {name}; there are {', '.join(self.dims)}")
            axis = self.stack.dims.index(name)
            there = self._taken(axis)
            try:
                taken[axis] = there[place]
            except IndexError as error:
                raise SelectionError(
                    f"index {place} is out of bounds for {name} of length {len(there)}"
                ) from error
        return NdView(self.stack, taken)

    def described(self, metadata: Metadata) -> Metadata:
        """Return what is known of all frames of the stack for what the view has."""
        leading, frame = self.stack.leading_shape, self.stack.shape[1:]
        return metadata.at(self._places, leading, frame)

    def __getitem__(self, key: Any) -> Any:
        session = self.stack.live()
        selection = parse(key, self.shape, masks=False)
        plain = np.empty(selection.plain_shape, self.dtype)
        flat = self._flattened(selection)
        session.read(flat, plain.reshape(flat.plain_shape))
        result = selection.finish(plain)
        return result if result.ndim else result[()]

    def _flattened(self, selection: Selection) -> Selection:
        """Return a selection of the stack's frames whose plain result lies in memory as this one's.

        The axes that count frames become one. A plain result has the points first, then a grid. So
        frames of a grid become points where they are not evenly spaced, or points chose them.
        """
        edges, leading = self._edges, self.stack.leading_shape
        axes = self._kept(tuple(range(len(edges))))
        ranges = {axis: self._taken(axis) for axis in range(len(edges)) if axis not in axes}
        for axis, taken in selection.ranges.items():
            ranges[axes[axis]] = composed(self._taken(axes[axis]), taken)
        points = {}
        for axis, indices in selection.points.items():
            there = self._taken(axes[axis])
            points[axes[axis]] = there.start + indices * there.step
        grid, chosen = np.zeros(1, np.intp), np.zeros(1, np.intp)
        weight = math.prod(leading)
        by_points = False
        for axis, length in enumerate(leading):
            weight //= length
            if axis in points:
                chosen, by_points = chosen + points[axis] * weight, True
            else:
                steps = np.array(ranges[axis], np.intp) * weight
                grid = (grid[:, None] + steps).ravel()
        first = len(leading) - 1
        inner = {axis - first: ranges[axis] for axis in sorted(ranges) if axis > first}
        inner_points = {axis - first: points[axis] for axis in points if axis > first}
        even = None if by_points else evenly(grid)
        shape: Shape | None = None
        if even is not None:
            inner = {0: even, **inner}
            if inner_points:
                shape = (math.prod(selection.points_shape or ()),)
        else:
            count = math.prod(selection.points_shape or ())
            numbers = np.broadcast_to(chosen[:, None] + grid, (count, len(grid))).ravel()
            pairs = {axis: np.repeat(at, len(grid)) for axis, at in inner_points.items()}
            inner_points, shape = {0: numbers, **pairs}, numbers.shape
        return Selection(inner, inner_points, shape, frozenset(), ())

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Pixels:
        if copy is False:
            raise ValueError("a stack is on disk: an array of it is always a copy")
        array: Pixels = self[...]
        return array if dtype is None else array.astype(dtype, copy=False)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Pixels]:
        """Yield what is at each place of the first axis, decoding the next blocks meanwhile."""
        leading, frame = self.stack.leading_shape, self.stack.shape[1:]
        if self._places:
            yield from (self[place] for place in range(len(self)))
            return
        frames, inner = self.stack.live().frames(), math.prod(leading[1:])
        if len(leading) == 1:
            yield from frames
            return
        for _ in range(leading[0]):
            part = np.empty((inner, *frame), self.dtype)
            for place, pixels in enumerate(itertools.islice(frames, inner)):
                part[place] = pixels
            yield part.reshape(*leading[1:], *frame)

    def __repr__(self) -> str:
        axes = zip(self.dims, self.shape, strict=True)
        return f"<{', '.join(f'{name}: {length}' for name, length in axes)}; {self.dtype}>"


def composed(outer: range, inner: range) -> range:
    """Return what a range of places takes of another range."""
    step = outer.step * inner.step
    start, stop = (outer.start + place * outer.step for place in (inner.start, inner.stop))
    return range(start, stop, step)


def evenly(numbers: Numbers) -> range | None:
    """Return numbers as a range, or None where their distances differ."""
    if len(numbers) < 2:
        first = int(numbers[0]) if len(numbers) else 0
        return range(first, first + len(numbers))
    steps = np.diff(numbers)
    step = int(steps[0])
    if not step or (steps != step).any():
        return None
    return range(int(numbers[0]), int(numbers[-1]) + step, step)
