"""What an array of another program says of itself, collected for a stack that is to keep it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import MetadataError
from ..metadata.coordinates import Coordinate, column
from ..metadata.description import Metadata, default_dims
from ..metadata.files import SourceFiles
from ..metadata.words import Words, WordsKind
from ..shapes import split_axes
from ..text import shape_text
from .source import Source

ATTRIBUTES, GROUP_ATTRIBUTES, VARIABLE = "attributes", "group_attributes", "variable"
"""Words of a source: attributes that HDF5 has no type for, those of what holds the array, and the
name of the array there."""
SHOWN = 5
"""A note names so many things that were left out, and counts the others."""
VALUE_CONVENTIONS = ("scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned")
"""Attributes by which the CF and netCDF conventions change what pixels mean."""


class ArrayDescription:
    """Collects what an array says of itself, and notes what no stack can keep.

    Parameters
    ----------
    shape
        Of the array.
    name
        What the user calls it.

    Attributes
    ----------
    dims
        The names of its axes; empty where they have none.
    """

    def __init__(self, shape: Sequence[int], name: str) -> None:
        self._name, self.shape = name, tuple(map(int, shape))
        self.dims: tuple[str, ...] = ()
        self._coords: dict[str, Coordinate] = {}
        self._attrs: dict[str, Any] = {}
        self._others: dict[str, Any] = {}
        self._words: dict[str, Words] = {}
        self._left_out: list[str] = []
        self._notes: list[str] = []

    def name_axes(self, names: Iterable[object]) -> None:
        """Name all axes, in order. None stands for an axis without a name."""
        found = [None if name is None or str(name) == "" else str(name) for name in names]
        if len(found) != len(self.shape) or not any(found):
            return
        outer, inner = split_axes(self.shape)
        usual = default_dims(len(outer), len(inner))
        taken = {name for name in found if name is not None}
        dims: list[str] = []
        for name, other in zip(found, usual, strict=True):
            if name is None:
                free = _free(other, taken)
                taken.add(free)
            elif name in dims:
                free = _free(name, taken)
                taken.add(free)
                self._notes.append(
                    f"Two axes of {self._name} are named {name}; the second one is kept as {free}."
                )
            else:
                free = name
            dims.append(free)
        self.dims = tuple(dims)

    def name_usual_axes(self) -> None:
        """Name the axes as if nobody had named them, so that coordinates can be along them."""
        outer, inner = split_axes(self.shape)
        self.dims = default_dims(len(outer), len(inner))

    def add_coordinate(
        self, name: str, dims: Sequence[str], values: Any, attrs: Mapping[str, Any]
    ) -> None:
        """Add values along axes, if they fit these."""
        lengths = dict(zip(self.dims, self.shape, strict=False))
        strange = [dim for dim in dims if dim not in lengths]
        want = tuple(lengths.get(dim, 0) for dim in dims)
        found = tuple(np.shape(values))
        if strange or found != want:
            where = strange[0] if strange else f"{shape_text(found)} values long"
            self.leave_out(name, f"it is along {where}" if strange else f"it is {where}")
            return
        kept = name
        if name in lengths and tuple(dims) != (name,):
            kept = _free(f"{name}_values", {*lengths, *self._coords})
            self._notes.append(
                f"The coordinate {name} of {self._name} is not along the axis {name} alone; it is "
                f"kept as {kept}."
            )
        try:
            self._coords[kept] = Coordinate.of(dims, column(values), self._plain(name, attrs))
        except MetadataError as error:
            self.leave_out(name, str(error))

    def add_attribute(self, name: str, value: Any) -> None:
        """Add an attribute of the array; as JSON where HDF5 has no type for it."""
        try:
            self._attrs[attribute_name(name)] = plain_value(value)
        except TypeError:
            try:
                self._others[name] = json_value(value)
            except TypeError as error:
                self.leave_out(f"attribute {name}", f"it is {error}")

    def add_group_attributes(self, attrs: Mapping[str, Any]) -> None:
        """Add the attributes of the file, group or dataset that holds the array."""
        said = {}
        for name, value in attrs.items():
            try:
                said[str(name)] = json_value(value)
            except TypeError as error:
                self.leave_out(f"attribute {name}", f"it is {error}")
        if said:
            self.add_words(GROUP_ATTRIBUTES, WordsKind.JSON, json.dumps(said))

    def add_words(self, name: str, kind: WordsKind, text: str) -> None:
        """Add what the source says of all frames, verbatim."""
        self._words[name] = Words.whole(kind, text)

    def leave_out(self, name: str, why: str) -> None:
        """Note that something is not kept."""
        self._left_out.append(f"{name} ({why})")

    def note(self, sentence: str) -> None:
        """Add a sentence for the user."""
        self._notes.append(sentence)

    def _plain(self, name: str, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes of a coordinate, as far as they can be kept."""
        plain = {}
        for key, value in attrs.items():
            try:
                plain[attribute_name(key)] = plain_value(value)
            except TypeError as error:
                self.leave_out(f"attribute {key} of {name}", f"it is {error}")
        return plain

    def describe(self, source: Source, files: SourceFiles | None = None) -> None:
        """Give a source what was collected, for the axes that it has kept of the array."""
        if self._others:
            self.add_words(ATTRIBUTES, WordsKind.JSON, json.dumps(self._others))
        metadata = Metadata(self.dims, self._coords, self._attrs, self._words, files)
        source.metadata = for_axes(metadata, source)
        source.notes += self._notes
        found = [name for name in VALUE_CONVENTIONS if name in self._attrs]
        if found:
            source.notes.append(
                f"Pixels are as they are stored in {self._name}: {', '.join(found)} "
                f"{'are' if len(found) > 1 else 'is'} kept as an attribute, and not applied."
            )
        if self._left_out:
            rest = len(self._left_out) - SHOWN
            shown = "; ".join(self._left_out[:SHOWN]) + (f"; {rest} more" if rest > 0 else "")
            source.notes.append(f"A stack cannot keep some of what {self._name} holds: {shown}.")


def for_axes(metadata: Metadata, source: Source) -> Metadata:
    """Return the metadata of an array for a source that left out the last axis, or made gray."""
    kept = len(source.leading_shape or (source.count,)) + len(source.frame)
    while len(metadata.dims) > kept:
        metadata = metadata.without(metadata.dims[-1])
    return metadata


def attribute_name(name: object) -> str:
    """Return the name of an attribute as it is kept; TypeError if HDF5 has no such name."""
    found = str(name)
    if not found or "\0" in found:
        raise TypeError(f"an attribute named {found!r}")
    return found


def plain_value(value: Any) -> Any:
    """Return the value of an attribute as HDF5 has it: text, number, array or list, in its dtype.

    Raises
    ------
    TypeError
        If HDF5 has no type for it; the message says what it is.
    """
    if isinstance(value, str | bytes):
        if value[-1:] in ("\0", b"\0"):
            raise TypeError("a text that ends in a zero character")
        return value
    if value is None or isinstance(value, Mapping):
        raise TypeError(f"a {type(value).__name__}")
    try:
        array = np.asarray(value)
    except ValueError as error:  # a ragged list
        raise TypeError(f"a {type(value).__name__} of different lengths") from error
    if array.dtype.kind in "OUT" and array.ndim == 1:
        flat = array.tolist()
        if all(isinstance(text, str | bytes) for text in flat):
            return [as_text(text) for text in flat]
    wide = array.dtype.itemsize > 8 and array.dtype.kind == "f"
    if array.dtype.kind not in "biufS" or wide:
        what = type(value).__name__ if array.dtype.kind == "O" else array.dtype
        raise TypeError(f"a {what}")
    if array.ndim:
        return array
    return array[()] if isinstance(value, np.generic | np.ndarray) else value


def json_value(value: Any) -> Any:
    """Return a value as JSON has it.

    Raises
    ------
    TypeError
        If it is of a kind that JSON lacks; the message says what it is.
    """
    if isinstance(value, Mapping):
        return {str(key): json_value(inner) for key, inner in value.items()}
    if isinstance(value, str | bytes):
        return as_text(value)
    if isinstance(value, np.generic | np.ndarray) and value.dtype.kind in "biufSUO":
        return json_value(value.tolist())
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    if value is None or isinstance(value, int | float):
        return value
    raise TypeError(f"a {type(value).__name__}")


def as_text(value: str | bytes) -> str:
    """Return a text, in which bytes that are no UTF-8 stand as surrogates."""
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value


def _free(name: str, taken: Iterable[str]) -> str:
    """Return a name that is not taken, made of this one."""
    names = set(taken)
    number = 1
    free = name
    while free in names:
        free, number = f"{name}_{number}", number + 1
    return free
