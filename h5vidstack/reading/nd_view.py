"""`NdView`: a stack with all its axes, of which several may count frames."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SelectionError
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
    fixed
        Axes that stay at one place, and are no axes of the view; see `at`.
    """

    def __init__(self, stack: Described, fixed: Mapping[int, int] | None = None) -> None:
        self.stack, self._fixed = stack, dict(fixed or {})
        self.dtype: np.dtype[Any] = stack.live().file.dtype

    def _kept(self, each: tuple[Any, ...]) -> tuple[Any, ...]:
        """Leave out what is of axes that stay at one place."""
        return tuple(value for axis, value in enumerate(each) if axis not in self._fixed)

    @property
    def _edges(self) -> Shape:
        """The lengths of all axes of the stack."""
        return (*self.stack.leading_shape, *self.stack.shape[1:])

    @property
    def shape(self) -> Shape:
        """The length of each axis."""
        return self._kept(self._edges)

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
        return self._kept((*outer, *rest))

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

    def at(self, **places: int) -> NdView:
        """Return the view at one place of some axes, without reading: ``stack.nd.at(C=1)``.

        Parameters
        ----------
        places
            The place on each axis, by its name.

        Raises
        ------
        SelectionError
            If there is no such axis or place.
        """
        names, fixed = self.stack.dims, dict(self._fixed)
        for name, place in places.items():
            axis = names.index(name) if name in names else -1
            if axis < 0 or axis in fixed:
                raise SelectionError(f"there is no axis {name}; there are {', '.join(self.dims)}")
            length = self._edges[axis]
            if not -length <= place < length:
                raise SelectionError(
                    f"index {place} is out of bounds for {name} of length {length}"
                )
            fixed[axis] = range(length)[place]
        return NdView(self.stack, fixed)

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
        axes = [axis for axis in range(len(edges)) if axis not in self._fixed]
        ranges = {axis: range(at, at + 1) for axis, at in self._fixed.items()}
        ranges |= {axes[axis]: taken for axis, taken in selection.ranges.items()}
        points = {axes[axis]: indices for axis, indices in selection.points.items()}
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
        if self._fixed:
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
