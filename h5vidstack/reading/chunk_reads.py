"""A selection cut along the chunks of piles: which part of which chunk goes where in the result.

`rows` finds the runs of frames that share chunks, in all piles at once, so that the time is linear
in the frames. A `Cut` divides such a run along the other axes. Nothing here touches files.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from ..shapes import Numbers, Pixels, Shape
from .selection import Indices, Mask, Selection

Place = slice | Indices
"""Some indices of an axis."""

_Run = tuple[int, Place, Place]
"""Number of a chunk along an axis, place in the plain result, place in the chunk."""

_Points = tuple[tuple[int, ...], tuple[Place, ...], tuple[Place, ...]]
"""Of points in one chunk: its numbers, their places in the plain result, and those in the chunk."""


class ChunkRow(NamedTuple):
    """The frames of a selection that lie in one run of frames of a pile: in one row of chunks.

    Attributes
    ----------
    pile
        Number of the pile.
    number
        Number of the run, as of its chunks on the first axis.
    entries
        Which entries of the selection's axis of frames they are.
    positions
        Where they are on the first axis of the chunks.
    first, last
        The least and the largest of `positions`.
    """

    pile: int
    number: int
    entries: Place
    positions: Place
    first: int
    last: int


class ChunkRead(Protocol):
    """What to read of one chunk.

    Attributes
    ----------
    chunk
        The chunk's number along each axis of the array.
    first, frames
        Which of its frames is the first that is needed, and how many to the last one.
    """

    @property
    def chunk(self) -> Shape:
        """See the class."""

    @property
    def first(self) -> int:
        """See the class."""

    @property
    def frames(self) -> int:
        """See the class."""

    def target(self, plain: Pixels) -> Pixels | None:
        """View what the beginning of the chunk, as it stands, fills; None: it is not so."""

    def put(self, pixels: Pixels, plain: Pixels) -> None:
        """Put what is needed of a chunk's pixels into the plain result."""


@dataclass(frozen=True)
class BoxRead:
    """Put ``chunk.transpose(axes)[source]`` to ``result[places]``; see `ChunkRead`."""

    chunk: Shape
    first: int
    frames: int
    places: tuple[Place, ...]
    source: tuple[Place, ...]
    axes: Shape

    def target(self, plain: Pixels) -> Pixels | None:
        """See `ChunkRead`."""
        for place in self.source:
            if not isinstance(place, slice) or place.start != 0 or place.step != 1:
                return None
        return plain[self.places] if _all_slices(self.places) else None

    def put(self, pixels: Pixels, plain: Pixels) -> None:
        """See `ChunkRead`."""
        plain[self.places] = pixels.transpose(self.axes)[self.source]


@dataclass(frozen=True)
class MaskRead:
    """Put those pixels of a chunk to the result that a mask takes; see `ChunkRead`.

    Attributes
    ----------
    numbers, positions
        Of the frames: their numbers in the mask, and where they are in the chunk.
    tile
        The part of the mask's axes, but for that of frames, which the chunk covers.
    places, source
        Of the axes behind the mask's: see `BoxRead`.
    """

    chunk: Shape
    first: int
    frames: int
    mask: Mask
    numbers: Indices
    positions: Indices
    tile: tuple[slice, ...]
    places: tuple[Place, ...]
    source: tuple[Place, ...]

    def target(self, plain: Pixels) -> Pixels | None:
        """See `ChunkRead`."""
        return None

    def put(self, pixels: Pixels, plain: Pixels) -> None:
        """See `ChunkRead`."""
        for number, position in zip(self.numbers.tolist(), self.positions.tolist(), strict=True):
            taken = self.mask.taken[number][self.tile]
            found = pixels[position][(taken, *self.source)]
            plain[(self._order(number), *self.places)] = found

    def _order(self, number: int) -> Place:
        """Return where the pixels of a frame go that are in this tile."""
        start, stop = map(int, self.mask.starts[number : number + 2])
        frame = self.mask.taken[number]
        if all(edge.stop - edge.start == n for edge, n in zip(self.tile, frame.shape, strict=True)):
            return slice(start, stop)
        rows, *rest = self.tile
        band = frame[rows]
        order = np.cumsum(band, dtype=np.intp).reshape(band.shape)[(slice(None), *rest)]
        before = start + np.count_nonzero(frame[: rows.start]) - 1
        places: Indices = order[band[(slice(None), *rest)]] + before
        return places


def rows(
    selection: Selection, steps: Numbers, places: tuple[Numbers, Numbers] | None
) -> Iterator[ChunkRow]:
    """Yield the runs of frames that a selection needs, each once.

    Parameters
    ----------
    steps
        Frames of a chunk, of each pile.
    places
        Pile and position of each frame; None where one pile has all in order.
    """
    if 0 in selection.plain_shape:
        return
    if places is None and selection.mask is None and 0 in selection.ranges:
        for number, entries, source in split_range(selection.ranges[0], int(steps[0])):
            taken = range(*source.indices(int(steps[0])))
            yield ChunkRow(0, number, entries, source, min(taken), max(taken))
        return
    frames = selection.frames
    if places is None:
        yield from _scattered(np.zeros(len(frames), np.intp), frames, steps)
    else:
        yield from _scattered(places[0][frames], places[1][frames], steps)


def _scattered(piles: Numbers, positions: Numbers, steps: Numbers) -> Iterator[ChunkRow]:
    """Group frames by runs, from the pile and the position of each."""
    # As one number each they sort faster than as two.
    order = np.argsort(piles * (int(positions.max()) + 1) + positions, kind="stable")
    piles, positions = piles[order], positions[order]
    numbers = positions // steps[piles]
    local = positions - numbers * steps[piles]
    begins = np.concatenate([[True], (np.diff(piles) != 0) | (np.diff(numbers) != 0)])
    starts = np.flatnonzero(begins)
    stops = np.append(starts[1:], len(order))
    jumps = np.concatenate([[0], np.cumsum((np.diff(order) != 1) | (np.diff(local) != 1))])
    columns = (
        starts, stops, piles[starts], numbers[starts], order[starts], local[starts],
        local[stops - 1], jumps[starts] == jumps[stops - 1],
    )  # fmt: skip
    for start, stop, pile, number, entry, first, last, one_by_one in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        if one_by_one:
            count = stop - start
            yield ChunkRow(
                pile, number, slice(entry, entry + count, 1), slice(first, last + 1, 1), first, last
            )
        else:
            yield ChunkRow(pile, number, order[start:stop], local[start:stop], first, last)


class Cut:
    """A selection along a grid of chunks, but for its axis of frames.

    Parameters
    ----------
    chunks
        Shape of a chunk.
    shape
        Of the array.
    """

    def __init__(self, selection: Selection, chunks: Shape, shape: Shape) -> None:
        self._selection, self._chunks, self._shape = selection, chunks, shape
        self._axes = (*selection.points, *selection.ranges)
        self._runs: list[list[_Run]] = [
            list(split_range(taken, chunks[axis]))
            for axis, taken in selection.ranges.items()
            if axis
        ]
        self._points: list[_Points] = [((), (), ())]
        if selection.points and 0 not in selection.points:
            heads = np.arange(selection.plain_shape[0])
            self._points = list(self._grouped(selection.points, heads))

    def reads(self, row: ChunkRow) -> Iterator[ChunkRead]:
        """Yield what to read of each chunk of a run of frames."""
        if self._selection.mask is not None:
            yield from self._mask_reads(row, self._selection.mask)
            return
        run: list[_Run] = [(row.number, row.entries, row.positions)]
        points = self._selection.points
        if 0 not in points:
            yield from self._box_reads(row, self._points, [run, *self._runs])
        elif len(points) == 1:
            one: _Points = (row.number,), (row.entries,), (row.positions,)
            yield from self._box_reads(row, [one], self._runs)
        else:
            yield from self._box_reads(row, self._paired(row), self._runs)

    def _paired(self, row: ChunkRow) -> Iterator[_Points]:
        """Group points of several axes, that of frames among them."""
        entries, positions = _as_indices(row.entries), _as_indices(row.positions)
        points = {axis: i[entries] for axis, i in self._selection.points.items() if axis}
        for numbers, (place,), places in self._grouped(points, np.arange(len(entries))):
            members = _as_indices(place)
            yield (row.number, *numbers), (entries[members],), (positions[members], *places)

    def _grouped(self, points: dict[int, Indices], heads: Indices) -> Iterator[_Points]:
        """Group points by chunk."""
        columns = [indices // self._chunks[axis] for axis, indices in points.items()]
        order = np.lexsort(columns)
        ordered = np.stack([column[order] for column in columns])
        cuts = np.flatnonzero((ordered[:, 1:] != ordered[:, :-1]).any(axis=0)) + 1
        for members in np.split(order, cuts) if len(order) else ():
            yield (
                tuple(int(column[members[0]]) for column in columns),
                (heads[members],),
                tuple(indices[members] % self._chunks[axis] for axis, indices in points.items()),
            )

    def _box_reads(
        self, row: ChunkRow, points: Iterable[_Points], runs: list[list[_Run]]
    ) -> Iterator[ChunkRead]:
        crossing = bool(self._selection.points) and not isinstance(row.entries, slice)
        crossing = crossing and 0 not in self._selection.points
        for numbers, heads, sources in points:
            if crossing:
                # Two index arrays would be paired: as a column, points cross the frames.
                heads = tuple(_as_indices(head).reshape(-1, 1) for head in heads)
                sources = tuple(_as_indices(source).reshape(-1, 1) for source in sources)
            for combination in itertools.product(*runs):
                chunk = [0] * len(self._axes)
                found = (*numbers, *(run[0] for run in combination))
                for axis, number in zip(self._axes, found, strict=True):
                    chunk[axis] = number
                yield BoxRead(
                    tuple(chunk), row.first, row.last + 1,
                    (*heads, *(run[1] for run in combination)),
                    (*sources, *(run[2] for run in combination)), self._axes,
                )  # fmt: skip

    def _mask_reads(self, row: ChunkRow, mask: Mask) -> Iterator[ChunkRead]:
        numbers, positions = mask.frames[row.entries], _as_indices(row.positions)
        axes = range(1, mask.taken.ndim)
        counts = (range(-(-self._shape[axis] // self._chunks[axis])) for axis in axes)
        for place in itertools.product(*counts):
            tile = tuple(
                slice(n * self._chunks[axis], min((n + 1) * self._chunks[axis], self._shape[axis]))
                for axis, n in zip(axes, place, strict=True)
            )
            some = [bool(mask.taken[number][tile].any()) for number in numbers.tolist()]
            if not any(some):
                continue
            here, at = numbers[some], positions[some]
            for combination in itertools.product(*self._runs):
                yield MaskRead(
                    (row.number, *place, *(run[0] for run in combination)),
                    int(at.min()), int(at.max()) + 1, mask, here, at, tile,
                    tuple(run[1] for run in combination), tuple(run[2] for run in combination),
                )  # fmt: skip


def split_range(taken: range, chunk: int) -> Iterator[tuple[int, slice, slice]]:
    """Cut a range at chunk borders: chunk number, place in the result, place in the chunk."""
    start = 0
    while start < len(taken):
        number, first = divmod(taken[start], chunk)
        room = chunk - 1 - first if taken.step > 0 else first
        stop = min(len(taken), start + room // abs(taken.step) + 1)
        end = first + (stop - start) * taken.step
        yield number, slice(start, stop), slice(first, None if end < 0 else end, taken.step)
        start = stop


def _all_slices(places: tuple[Place, ...]) -> bool:
    return all(isinstance(place, slice) for place in places)


def _as_indices(place: Place) -> Indices:
    return np.arange(place.start, place.stop) if isinstance(place, slice) else place
