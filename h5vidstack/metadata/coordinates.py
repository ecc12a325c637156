"""Coordinates: numbers, texts or times along axes of a stack."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MetadataError
from ..shapes import Numbers, Shape
from .time_stamps import TIME_BASE, common_base

Column = npt.NDArray[Any]
"""Values as they are kept: bool, whole numbers, floats, times, or texts in UTF-8 (`S`)."""

KINDS = "biufMmS"
"""NumPy's kinds of dtypes of a column."""
FILL = "_FillValue"
"""The attribute of whole numbers that says which of them stands for no value, as in netCDF."""
_TIMES = (datetime.datetime, datetime.date, datetime.timedelta)


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
        dtype = data.dtype
        if dtype.kind == "S":
            dtype = np.dtype(f"U{dtype.itemsize}")
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
    if array.dtype.kind in "OUS" and not isinstance(values, np.ndarray):
        array = np.asarray(values, dtype=np.object_)  # NumPy makes texts of numbers beside texts
    if array.dtype.kind == "O":
        flat = array.ravel().tolist()
        if all(isinstance(value, str) for value in flat):
            return _encoded(array)
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
    return {"f": np.nan, "M": "NaT", "m": "NaT", "S": b""}[dtype.kind]


def absent(like: Coordinate, count: int) -> Coordinate:
    """Return a column of frames that have no values.

    The attribute `FILL` says which whole number stands for none: one that `like` does not have.
    Truth values become numbers for this, since both of them mean something.
    """
    data, attrs = like.load(), dict(like.attrs)
    dtype = np.dtype(np.int8) if data.dtype.kind == "b" else data.dtype
    if dtype.kind not in "iu":
        fill = missing(dtype)
    elif FILL in attrs:
        fill = attrs[FILL]
    elif data.dtype.kind == "b":
        fill = attrs[FILL] = -1
    else:
        while dtype.itemsize < 8 and (data == missing(dtype)).any():
            dtype = np.dtype(f"{dtype.kind}{2 * dtype.itemsize}")
        fill = attrs[FILL] = missing(dtype)
    return Coordinate.of(like.dims, np.full((count, *data.shape[1:]), fill, dtype), attrs)


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
    fills = [each.attrs[FILL] for each in (one, two) if FILL in each.attrs]
    first, second = _alike(one.load(), two.load(), bool(fills))
    numbers = set("biuf")
    if first.dtype.kind != second.dtype.kind and not {first.dtype.kind, second.dtype.kind} <= (
        numbers - {"b"}
    ):
        raise MetadataError(
            f"the coordinate {name} holds {one.dtype}, that of the frames to add {two.dtype}: give "
            "both as the same kind of values"
        )
    if first.shape[1:] != second.shape[1:]:
        raise MetadataError(
            f"the coordinate {name} has {first.shape[1:]} values for each frame, that of the "
            f"frames to add {second.shape[1:]}"
        )
    for part, other in ((one, second), (two, first)):
        if FILL in part.attrs and len(fills) == 1 and (other == fills[0]).any():
            raise MetadataError(
                f"the coordinate {name} has the value {fills[0]}, which stands for no value in "
                "the frames before or behind: give it as another kind of values"
            )
    both = _concatenated(first, second)
    if both is None:
        raise MetadataError(
            f"the coordinate {name} holds {one.dtype}, that of the frames to add {two.dtype}, and "
            "no dtype holds both exactly: give both as the same kind of values"
        )
    if len(fills) == 2 and fills[0] != fills[1]:
        both[len(first) :][second == fills[1]] = fills[0]
    attrs = _joined_attrs(one.attrs, two.attrs)
    return Coordinate.of(one.dims, both, {**attrs, **({FILL: fills[0]} if fills else {})})


def _joined_attrs(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of both: those of the first, with a time base that holds for both."""
    attrs = dict(one)
    if attrs.pop(TIME_BASE, None) is not None and (base := common_base(one, two)) is not None:
        attrs[TIME_BASE] = str(base)
    return attrs


def _alike(first: Column, second: Column, filled: bool) -> tuple[Column, Column]:
    """Return two columns, truth values as numbers where the other one lacks some of its values."""
    if filled and {first.dtype.kind, second.dtype.kind} == {"b", "i"}:
        one, two = (
            each.astype(np.int8) if each.dtype.kind == "b" else each for each in (first, second)
        )
        return one, two
    return first, second


def same_attrs(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether two sets of attributes are equal."""
    return one.keys() == two.keys() and all(
        _same_value(np.asarray(value), np.asarray(two[name])) for name, value in one.items()
    )


def _same_value(one: npt.NDArray[Any], two: npt.NDArray[Any]) -> bool:
    floats = {one.dtype.kind, two.dtype.kind} <= set("fiub")  # NaN equals NaN
    return bool(np.array_equal(one, two, equal_nan=floats))


def _concatenated(first: Column, second: Column) -> Column | None:
    """Return one column after another; None if no dtype holds the values of both exactly."""
    try:
        with np.errstate(all="ignore"):
            both = np.concatenate([first, second])
            parts = both[: len(first)], both[len(first) :]
            kept = both.dtype.kind == "S" or all(
                np.array_equal(part.astype(own.dtype), own, equal_nan=own.dtype.kind in "fMm")
                for part, own in zip(parts, (first, second), strict=True)
            )
    except OverflowError:  # of times
        return None
    return both if kept else None


def _encoded(array: npt.NDArray[Any]) -> Column:
    flat = [str(value).encode(errors="surrogateescape") for value in array.ravel().tolist()]
    if any(value.endswith(b"\0") for value in flat):
        raise MetadataError("a text of a coordinate ends in a zero character, which HDF5 drops")
    return np.array(flat, dtype="S" if any(flat) else "S1").reshape(array.shape)


def _of_objects(array: npt.NDArray[Any], flat: Sequence[Any]) -> Column:
    """Return objects that numpy can make numbers or times of."""
    if flat and all(isinstance(value, _TIMES) for value in flat):
        return _times(flat).reshape(array.shape)
    made = np.asarray(flat).reshape(array.shape) if flat else array.astype(np.float64)
    if made.dtype.kind == "O":
        kinds = sorted({type(value).__name__ for value in flat})
        raise MetadataError(
            f"a coordinate holds numbers, texts or times of one kind; these are {', '.join(kinds)}"
        )
    if made.dtype.kind in "SU" and not all(isinstance(value, (str, bytes)) for value in flat):
        raise MetadataError("a coordinate holds either texts or numbers; these are both")
    return made


def _times(flat: Sequence[Any]) -> Column:
    """Return Python's times of one kind, those with a time zone as UTC."""
    if all(isinstance(value, datetime.timedelta) for value in flat):
        return np.array(flat, "m8[us]")
    if any(isinstance(value, datetime.timedelta) for value in flat):
        raise MetadataError("a coordinate holds either times or durations; these are both")
    zones = {getattr(value, "tzinfo", None) is not None for value in flat}
    if len(zones) > 1:
        raise MetadataError("some of these times have a time zone, and some have none")
    if zones == {True}:
        flat = [value.astimezone(datetime.UTC).replace(tzinfo=None) for value in flat]
    return np.array(flat, "M8[us]")
