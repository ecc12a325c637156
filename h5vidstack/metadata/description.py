"""What is known of the frames besides their pixels, as a source gives and a stack keeps it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import MetadataError
from ..shapes import Numbers, Shape
from ..text import shape_text
from .coordinates import Column, Coordinate, absent, joined, same_attrs
from .files import SourceFiles, joined_files
from .words import Words, joined_words

FRAME_AXIS = "frame"
"""The name of the axis along which all frames are counted, unless it has another."""
OTHER_FRAME_AXIS = "all_frames"
"""That axis, where several axes count frames and one of them is named `FRAME_AXIS`."""
SAMPLES_AXIS = "c"
OTHER_SAMPLES_AXIS = "sample"
"""The samples of a pixel, where another axis is named `SAMPLES_AXIS`."""
Places = Mapping[int, range | int]
"""What is taken of axes, by their numbers: several places, or one, without the axis."""
_SHOWN = 80
"""Characters of a value in a message."""


@dataclass(frozen=True, eq=False)
class Metadata:
    """What is known of the frames besides their pixels.

    Attributes
    ----------
    dims
        A name for each axis: those that count frames, then rows, columns and samples. Empty where
        nobody named them.
    coords
        Values along axes, by name. A column has a value for each frame, along `frame_axis` or
        along all axes that count frames.
    attrs
        Attributes of the whole: texts, numbers, and arrays of these.
    words
        What the source says, verbatim, by name.
    files
        The files that frames came from, if they came from files.
    """

    dims: tuple[str, ...] = ()
    coords: Mapping[str, Coordinate] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    words: Mapping[str, Words] = field(default_factory=dict)
    files: SourceFiles | None = None

    def axes(self, leading: Shape, frame: Shape) -> dict[str, int]:
        """Return name and length of each axis of a stack.

        Parameters
        ----------
        leading
            The lengths of the axes that count frames.
        frame
            ``(H, W[, C])``.

        Raises
        ------
        MetadataError
            If there is another number of names, or a name is used twice.
        """
        edges = (*leading, *frame)
        dims = self.dims or default_dims(len(leading), len(frame))
        if len(dims) != len(edges):
            raise MetadataError(
                f"dims names {len(dims)} axes ({', '.join(dims)}), but the stack has {len(edges)}: "
                + shape_text(edges)
            )
        if len(set(dims)) < len(dims):
            raise MetadataError(
                f"the names of the axes are {', '.join(dims)}: each axis needs a name of its own"
            )
        if not all(dims) or any("\0" in name for name in dims):
            raise MetadataError(f"the names of the axes are {dims!r}: a name is a text")
        return dict(zip(dims, edges, strict=True))

    def frame_axis(self, leading: Shape) -> str:
        """Return the name of the axis along which all frames are counted."""
        if self.dims and len(leading) == 1:
            return self.dims[0]
        return all_frames_axis(self.dims[: len(leading)])

    def checked(self, leading: Shape, frame: Shape) -> Metadata:
        """Return it with a name for each axis, if all coordinates fit the axes.

        Raises
        ------
        MetadataError
            If a coordinate has other axes, or another length.
        """
        axes = self.axes(leading, frame)
        lengths = axes | {self.frame_axis(leading): math.prod(leading)}
        for name, coordinate in self.coords.items():
            if not name or "\0" in name:
                raise MetadataError(f"the coordinate {name!r} has no usable name")
            strange = [dim for dim in coordinate.dims if dim not in lengths]
            if strange:
                raise MetadataError(
                    f"the coordinate {name} is along {strange[0]}; the axes are "
                    f"{', '.join(lengths)}"
                )
            if name in lengths and coordinate.dims != (name,):
                raise MetadataError(
                    f"the coordinate {name} has the name of an axis, but is along "
                    f"{', '.join(coordinate.dims) or 'no axis'}: give it another name"
                )
            want = tuple(lengths[dim] for dim in coordinate.dims)
            if coordinate.shape != want:
                raise MetadataError(
                    f"the coordinate {name} has {_by(coordinate.shape)} values along "
                    f"{', '.join(coordinate.dims) or 'no axis'}, not {_by(want)}"
                )
        return replace(self, dims=tuple(axes))

    def flat(self, leading: Shape) -> Metadata:
        """Return it for frames that are counted along one axis: all along others is for frames.

        Its coordinates fit (see `checked`).
        """
        if len(leading) < 2:
            return self
        outer, count = self.dims[: len(leading)], math.prod(leading)
        places = dict(zip(outer, np.unravel_index(np.arange(count), leading), strict=True))
        frames = self.frame_axis(leading)
        coords = {}
        for name, coordinate in self.coords.items():
            along = [dim for dim in coordinate.dims if dim in places]
            if not along:
                renamed = [FRAME_AXIS if dim == frames else dim for dim in coordinate.dims]
                coords[name] = coordinate.on(renamed)
                continue
            rest = [dim for dim in coordinate.dims if dim not in places]
            order = [coordinate.dims.index(dim) for dim in (*along, *rest)]
            values = coordinate.data.transpose(order)[tuple(places[dim] for dim in along)]
            coords[name] = Coordinate.of((FRAME_AXIS, *rest), values, coordinate.attrs)
        return replace(self, dims=(FRAME_AXIS, *self.dims[len(leading) :]), coords=coords)

    def without(self, dim: str) -> Metadata:
        """Return it without an axis; what is along one of length 1 becomes values without it."""
        coords = {}
        for name, coordinate in self.coords.items():
            if dim not in coordinate.dims:
                coords[name] = coordinate
                continue
            axis = coordinate.dims.index(dim)
            if coordinate.shape[axis] == 1:
                rest = coordinate.dims[:axis] + coordinate.dims[axis + 1 :]
                values = coordinate.data.take(0, axis)
                coords[name] = Coordinate.of(rest, values, coordinate.attrs)
        return replace(self, dims=tuple(name for name in self.dims if name != dim), coords=coords)

    def at(self, places: Places, leading: Shape, frame: Shape) -> Metadata:
        """Return it for some places of some axes.

        Where rows or columns are no axes any more, frames are other ones. Then only what is along
        axes stays.

        Parameters
        ----------
        places
            By the number of an axis: those that are taken, or the only one, without the axis.
        leading, frame
            The lengths of the axes that count frames, and ``(H, W[, C])``.
        """
        names, per_frame = tuple(self.axes(leading, frame)), self.frame_axis(leading)
        taken = {names[axis]: place for axis, place in places.items()}
        dims = tuple(name for name in names if not isinstance(taken.get(name), int))
        outer = names[: len(leading)]
        left = [name for name in outer if name in dims]
        same_frames = len(dims) == len(left) + len(frame)
        coords = {}
        for name, found in self.coords.items():
            along, values = found.dims, found.data
            flat = along.index(per_frame) if per_frame in set(along) - set(names) else None
            if flat is not None:
                values = _reshaped(values, flat, 1, leading)
                along = (*along[:flat], *outer, *along[flat + 1 :])
            values = values[tuple(_key(taken.get(dim)) for dim in along)]
            along = tuple(dim for dim in along if dim in dims)
            if flat is not None and same_frames and len(left) > 1:
                values = _reshaped(values, flat, len(left), (-1,))
                along = (*along[:flat], all_frames_axis(left), *along[flat + len(left) :])
            coords[name] = Coordinate.of(along, values, found.attrs)
        here = replace(self, dims=dims, coords=coords, words={}, files=None)
        if not same_frames:
            return here
        frames = _reshaped(np.arange(math.prod(leading)), 0, 1, leading)
        numbers = frames[tuple(_key(taken.get(name)) for name in outer)].ravel()
        said = {name: words.take(numbers).used() for name, words in self.words.items()}
        return replace(
            here,
            words={name: words for name, words in said.items() if words is not None},
            files=None if self.files is None else self.files.take(numbers, frames.size),
        )

    def take(self, numbers: Numbers, leading: Shape) -> Metadata:
        """Return it for some frames, which are then counted along one axis."""
        if not self.dims:
            raise MetadataError("the axes have no names yet")
        flat, count = self.flat(leading), math.prod(leading)
        axis = flat.dims[0]
        coords = {
            name: coordinate.take(numbers, coordinate.dims.index(axis))
            if axis in coordinate.dims
            else coordinate
            for name, coordinate in flat.coords.items()
        }
        taken = {name: words.take(numbers).used() for name, words in flat.words.items()}
        words = {name: words for name, words in taken.items() if words is not None}
        files = None if flat.files is None else flat.files.take(numbers, count)
        return replace(flat, coords=coords, words=words, files=files)

    def join(self, other: Metadata, leading: Shape, added: Shape) -> Metadata:
        """Return it for all frames of two sources, one after another.

        Parameters
        ----------
        other
            Of the frames to add.
        leading, added
            The lengths of the axes that count frames, of both.

        Raises
        ------
        MetadataError
            If axes, units or attributes contradict each other.
        """
        goes_on = leading[1:] == added[1:]
        for side, edges in ((self, leading), (other, added)):
            if not goes_on and len(edges) > 1 and _named(side.dims[: len(edges)]):
                raise MetadataError(
                    f"the axes {', '.join(self.dims[: len(leading)])} of {_by(leading)} frames do "
                    f"not go on with {_by(added)}: give frames of shape "
                    f"(n, {', '.join(map(str, leading[1:]))}{', ' * (len(leading) > 1)}H, W)"
                )
        one = self if goes_on else self.flat(leading)
        two = other if goes_on else other.flat(added)
        if two.dims != one.dims:
            raise MetadataError(
                f"the axes are {', '.join(one.dims)}, those of the frames to add "
                f"{', '.join(two.dims)}: give both the same names"
            )
        counts = math.prod(leading), math.prod(added)
        first = one.dims[0]
        frames = one.frame_axis(leading if goes_on else counts[:1])
        before, growing = {frames: counts[0]}, {frames: counts[1]}
        if goes_on:
            before[first], growing[first] = leading[0], added[0]
        names = dict.fromkeys(itertools.chain(one.coords, two.coords))
        coords = {
            name: _continued(name, one.coords.get(name), two.coords.get(name), before, growing)
            for name in names
        }
        words: dict[str, Words] = {}
        for name in dict.fromkeys(itertools.chain(one.words, two.words)):
            both = joined_words(one.words.get(name), counts[0], two.words.get(name), counts[1])
            if both is not None:
                words[name] = both
        return Metadata(
            one.dims,
            coords,
            _together(one.attrs, two.attrs),
            words,
            joined_files(one.files, counts[0], two.files, counts[1]),
        )

    def agreeing(self, other: Metadata) -> tuple[Metadata, list[str]]:
        """Return what a source says of frames to add, without attributes that differ from these.

        Returns
        -------
        tuple
            Also a whole sentence for each attribute that was left out.
        """
        differing = [
            name
            for name in self.attrs.keys() & other.attrs.keys()
            if not same_attrs({name: self.attrs[name]}, {name: other.attrs[name]})
        ]
        notes = [
            f"The attribute {name} of the frames to add is {_short(other.attrs[name])}; that of "
            f"the stack stays {_short(self.attrs[name])}."
            for name in sorted(differing)
        ]
        kept = {name: value for name, value in other.attrs.items() if name not in differing}
        return replace(other, attrs=kept), notes


NO_METADATA = Metadata()


def _key(places: range | int | None) -> slice | int:
    """Return what takes these places of an axis; None stands for all."""
    if places is None:
        return slice(None)
    if isinstance(places, int):
        return places
    stop = None if places.stop < 0 else places.stop
    return slice(places.start, stop, places.step)


def _reshaped(values: Column, axis: int, count: int, shape: Shape) -> Column:
    """Return an array with a new shape in place of `count` axes."""
    return values.reshape(*values.shape[:axis], *shape, *values.shape[axis + count :])


def default_dims(leading: int, frame: int) -> tuple[str, ...]:
    """Return the names of axes that nobody named.

    Parameters
    ----------
    leading, frame
        How many axes count frames, and how many a frame has.
    """
    outer = (FRAME_AXIS,) if leading == 1 else tuple(f"axis_{axis}" for axis in range(leading))
    return (*outer, "y", "x", SAMPLES_AXIS)[: leading + frame]


def _named(outer: tuple[str, ...]) -> bool:
    """Whether anybody named the axes that count frames."""
    return outer not in ((), default_dims(len(outer), 0))


def all_frames_axis(outer: Sequence[str]) -> str:
    """Return the name of the axis that counts all frames, beside several that count frames."""
    return OTHER_FRAME_AXIS if FRAME_AXIS in outer else FRAME_AXIS


def _continued(
    name: str,
    one: Coordinate | None,
    two: Coordinate | None,
    before: Mapping[str, int],
    growing: Mapping[str, int],
) -> Coordinate:
    """Return a coordinate of all frames: a column goes on, any other must be equal.

    Parameters
    ----------
    before, growing
        The axes along which frames are added: how many were there, and how many are added.
    """
    there = one or two
    if there is None:
        raise MetadataError(f"there is no coordinate {name}")
    grows = bool(there.dims) and there.dims[0] in growing
    if not grows:
        if one is not None and two is not None and not one.equals(two):
            raise MetadataError(
                f"the coordinate {name} of the frames to add differs from that of the stack: "
                "leave it out, or give the same values"
            )
        return there
    axis = there.dims[0]
    one = one if one is not None else absent(there, before[axis])
    two = two if two is not None else absent(there, growing[axis])
    if one.dims != two.dims:
        raise MetadataError(
            f"the coordinate {name} is along {', '.join(one.dims)}, that of the frames to add is "
            f"along {', '.join(two.dims) or 'no axis'}"
        )
    return joined(name, one, two)


def _together(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """Return all attributes; those of two sources must not contradict each other."""
    for name in one.keys() & two.keys():
        if not same_attrs({name: one[name]}, {name: two[name]}):
            raise MetadataError(
                f"the attribute {name} is {_short(one[name])}, that of the frames to add "
                f"{_short(two[name])}: leave it out, or give the same value"
            )
    return {**one, **two}


def _by(shape: Sequence[int]) -> str:
    return shape_text(shape) or "1"


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}..."
