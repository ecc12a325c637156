"""Coordinates: numbers, texts or times along axes of a stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MetadataError
from ..shapes import Numbers, Shape

Column = npt.NDArray[Any]
"""Values as they are kept: bool, whole numbers, floats, times, or texts in UTF-8 (`S`)."""

KINDS = "biufMmS"
"""NumPy's kinds of dtypes of a column."""


@dataclass(frozen=True, eq=False)
class Coordinate:
    """Values along one or several axes of a stack; an array in all that is read.

    Attributes
    ----------
    dims
        The names of its axes; none for a single value.
    shape
        The length of each axis.
    dtype
        Of `values`.
    attrs
        For example ``{"units": "s"}``.
    """

    dims: tuple[str, ...]
    shape: Shape
    dtype: np.dtype[Any]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    load: Callable[[], Column] = field(repr=False, kw_only=True)

    @staticmethod
    def of(dims: Sequence[str], values: Any, attrs: Mapping[str, Any] | None = None) -> Coordinate:
        """Make one of an array in memory.

        Raises
        ------
        MetadataError
            If the values are of a dtype that no coordinate has.
        """
        data = column(values)
        dtype = texts(data[:0]).dtype if data.ndim and data.dtype.kind == "S" else data.dtype
        if data.dtype.kind == "S":
            dtype = np.dtype(f"U{max(1, data.dtype.itemsize)}")
        return Coordinate(tuple(dims), data.shape, dtype, dict(attrs or {}), load=lambda: data)

    @property
    def data(self) -> Column:
        """The values as they are kept; texts are in UTF-8, with `surrogateescape`."""
        return self.load()

    @property
    def values(self) -> npt.NDArray[Any]:
        """All values."""
        data = self.load()
        return texts(data) if data.dtype.kind == "S" else data

    @property
    def units(self) -> str | None:
        """The units, as `attrs` has them."""
        units = self.attrs.get("units")
        return None if units is None else str(units)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        part = self.load()[key]
        if not isinstance(part, (np.ndarray, bytes)):
            return part
        return texts(np.asarray(part))[()] if np.asarray(part).dtype.kind == "S" else part

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Column:
        return np.array(self.values, dtype, copy=True if copy is None else copy)

    def on(self, dims: Sequence[str]) -> Coordinate:
        """Return it with other names of its axes."""
        return replace(self, dims=tuple(dims))

    def take(self, numbers: Numbers, axis: int = 0) -> Coordinate:
        """Return the values at some places of an axis."""
        return Coordinate.of(self.dims, self.load().take(numbers, axis), self.attrs)

    def equals(self, other: Coordinate) -> bool:
        """Whether both have the same axes, values and attributes."""
        one, two = self.load(), other.load()
        kinds = {one.dtype.kind, two.dtype.kind} <= set("fMm")
        return (
            self.dims == other.dims
            and self.shape == other.shape
            and bool(np.array_equal(one, two, equal_nan=kinds))
            and same_attrs(self.attrs, other.attrs)
        )


def column(values: Any) -> Column:
    """Return values as an array of one of the kinds that are kept.

    Raises
    ------
    MetadataError
        If they are of another kind, for example records or complex numbers.
    """
    array = np.asarray(values)
    if array.dtype.kind == "O":
        flat = array.ravel().tolist()
        if all(isinstance(value, str) for value in flat):
            array = np.asarray(values, dtype=np.str_) if flat else array.astype(np.str_)
        else:
            array = _of_objects(array, flat)
    if array.dtype.kind in "UT":
        return _encoded(array)
    if array.dtype.kind not in KINDS or (array.dtype.itemsize > 8 and array.dtype.kind == "f"):
        raise MetadataError(
            f"a coordinate holds numbers, texts or times; these are {array.dtype}: give one column "
            "for each part of them"
        )
    return np.asarray(array, array.dtype.newbyteorder("="), order="C")


def texts(data: Column) -> npt.NDArray[np.str_]:
    """Return texts that are kept in UTF-8 as strings."""
    flat = [value.decode(errors="surrogateescape") for value in data.ravel().tolist()]
    return np.array(flat, dtype=np.str_).reshape(data.shape)


def missing(dtype: np.dtype[Any]) -> Any:
    """Return what stands in a column where a frame has no value.

    NaN, NaT, an empty text; the largest number of unsigned integers and the least of signed ones.
    """
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return limits.max if dtype.kind == "u" else limits.min
    return {"f": np.nan, "M": "NaT", "m": "NaT", "S": b"", "b": False}[dtype.kind]


def absent(like: Coordinate, count: int) -> Coordinate:
    """Return a column of frames that have no values."""
    data = like.load()
    return Coordinate.of(
        like.dims, np.full((count, *data.shape[1:]), missing(data.dtype), data.dtype), like.attrs
    )


def joined(name: str, one: Coordinate, two: Coordinate) -> Coordinate:
    """Return one column after another, along their first axis.

    Raises
    ------
    MetadataError
        If their units or kinds of values differ.
    """
    if one.units != two.units:
        raise MetadataError(
            f"the coordinate {name} is in {one.units or 'no units'}, that of the frames to add in "
            f"{two.units or 'no units'}: give both in the same units"
        )
    first, second = one.load(), two.load()
    numbers = set("biuf")
    if first.dtype.kind != second.dtype.kind and not {first.dtype.kind, second.dtype.kind} <= (
        numbers - {"b"}
    ):
        raise MetadataError(
            f"the coordinate {name} holds {one.dtype}, that of the frames to add {two.dtype}: give "
            "both as the same kind of values"
        )
    both = np.concatenate([first, second])
    if {first.dtype.kind, second.dtype.kind} != {both.dtype.kind} and not _kept(
        both, first, second
    ):
        raise MetadataError(
            f"the coordinate {name} holds {one.dtype}, that of the frames to add {two.dtype}, and "
            "no dtype holds both exactly: give both as the same kind of values"
        )
    return Coordinate.of(one.dims, both, one.attrs)


def same_attrs(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether two sets of attributes are equal."""
    return one.keys() == two.keys() and all(
        np.array_equal(np.asarray(value), np.asarray(two[name])) for name, value in one.items()
    )


def _kept(both: Column, first: Column, second: Column) -> bool:
    parts = both[: len(first)], both[len(first) :]
    return all(
        np.array_equal(part.astype(own.dtype), own, equal_nan=own.dtype.kind == "f")
        for part, own in zip(parts, (first, second), strict=True)
    )


def _encoded(array: npt.NDArray[Any]) -> Column:
    flat = [str(value).encode(errors="surrogateescape") for value in array.ravel().tolist()]
    if any(value.endswith(b"\0") for value in flat):
        raise MetadataError("a text of a coordinate ends in a zero character, which HDF5 drops")
    return np.array(flat, dtype="S" if any(flat) else "S1").reshape(array.shape)


def _of_objects(array: npt.NDArray[Any], flat: Sequence[Any]) -> Column:
    """Return objects that numpy can make numbers or times of."""
    made = np.asarray(flat).reshape(array.shape) if flat else array.astype(np.float64)
    if made.dtype.kind == "O":
        kinds = sorted({type(value).__name__ for value in flat})
        raise MetadataError(
            f"a coordinate holds numbers, texts or times of one kind; these are {', '.join(kinds)}"
        )
    if made.dtype.kind in "SU" and not all(isinstance(value, (str, bytes)) for value in flat):
        raise MetadataError("a coordinate holds either texts or numbers; these are both")
    return made
