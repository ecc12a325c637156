"""The values of columns as HDF5 and netCDF-4 have them, and back."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from ..hdf5 import standard_filters
from ..hdf5.failures import DamageError
from ..metadata.coordinates import FILL, Column, texts
from ..metadata.time_stamps import MISSING, TIME_BASE, time_base, to_seconds, to_ticks
from .metadata_names import (
    HDF5_ATTRIBUTES,
    STORED_AS,
    column_names,
    given_name,
)
from .names import TABLE_CRC, scalar

REGULAR_VALUES = 4096
"""So many floats in equal steps are stored as whole numbers. Fewer of them take little room, and
programs that know HDF5 alone read floats more easily."""
_SCALES = ("scale_factor", "add_offset")
"""By which attributes CF says that whole numbers mean floats."""
_EPOCH = "1970-01-01"
_UNITS = {
    "D": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds",
    "us": "microseconds", "ns": "nanoseconds",
}  # fmt: skip
"""NumPy's units of time in the words of CF, "Time Coordinate"."""
_STORED_TYPES = {
    ("b", 1): ("u1",), ("M", 8): ("i8",), ("m", 8): ("i8",), ("f", 2): ("f4",),
    ("f", 8): ("i4", "i8"),
}  # fmt: skip
"""The types in the file of values of a kind and size that the attribute `STORED_AS` names."""


def encoded(
    data: Column, attrs: Mapping[str, Any], *, whole: bool = True
) -> tuple[Column, dict[str, Any]]:
    """Return values as HDF5 and netCDF-4 have them, and the attributes that say what they mean.

    Parameters
    ----------
    whole
        Whether these are all values, so that the way may depend on them.
    """
    kind = data.dtype.kind
    if kind == "b":
        return data.astype(np.uint8), {STORED_AS: "bool", "dtype": "bool"}
    if kind in "Mm":
        unit, step = np.datetime_data(data.dtype)
        if unit not in _UNITS or step != 1:
            data = data.astype(f"{kind}8[ns]")
            unit = "ns"
        marks: dict[str, Any] = {STORED_AS: data.dtype.str[1:], "units": _UNITS[unit]}
        if kind == "M":
            marks |= {"units": f"{_UNITS[unit]} since {_EPOCH}", "calendar": "proleptic_gregorian"}
        else:
            marks |= {"dtype": f"timedelta64[{unit}]"}
        if np.isnat(data).any():
            marks |= {FILL: np.int64(np.iinfo(np.int64).min)}
        return data.view(np.int64), marks
    if data.dtype == np.float16:
        return data.astype(np.float32), {STORED_AS: "float16"}  # netCDF-4 has no such type
    if whole and kind == "f" and data.ndim == 1 and not attrs.keys() & set(_SCALES):
        return _regular(data) or _timed(data, attrs) or (data, {})
    return data, {}


def _timed(data: Column, attrs: Mapping[str, Any]) -> tuple[Column, dict[str, Any]] | None:
    """Return seconds as time stamps in the unit that the attributes name, if these are exact."""
    base = time_base(attrs)
    ticks = None if base is None else to_ticks(data, base)
    if base is None or ticks is None:
        return None
    marks = {STORED_AS: "float64", "scale_factor": float(base)}
    if (ticks == MISSING).any():
        marks[FILL] = np.int64(MISSING)
    return ticks, marks


def _regular(data: Column) -> tuple[Column, dict[str, Any]] | None:
    """Return floats in equal steps as whole numbers, if these give the same floats."""
    if len(data) < REGULAR_VALUES or data.dtype != np.float64 or not np.isfinite(data).all():
        return None
    count = np.arange(len(data), dtype=np.int32)
    offset = float(data[0])
    for step in (float(data[1] - data[0]), float((data[-1] - data[0]) / (len(data) - 1))):
        marks = {"scale_factor": step, "add_offset": offset, STORED_AS: "float64"}
        if np.array_equal(_scaled(count, marks).view(np.uint64), data.view(np.uint64)):
            return count, marks
    return None


def _scaled(data: Column, marks: Mapping[str, Any]) -> Column:
    if not marks.keys() >= set(_SCALES):
        raise DamageError(f"values of float64 have no {' or '.join(_SCALES)}")
    step, offset = (np.float64(scalar(np.asarray(marks[name])[()], "f")) for name in _SCALES)
    values: Column = data * step + offset
    return values


def values_of(data: h5py.Dataset, frames: int | None = None) -> Column:
    """Return the values of a column, or of a part of one that is being recorded."""
    stored = standard_filters.read(data)
    if frames is not None and TABLE_CRC in data.attrs:
        stored = stored[:frames]
    elif TABLE_CRC in data.attrs and zlib.crc32(stored.tobytes()) != scalar(data.attrs[TABLE_CRC]):
        raise DamageError(f"the values of {data.name} are damaged: their CRC-32 is wrong")
    stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    dtype = stored_dtype(data.attrs)
    if dtype is None:
        return stored
    if dtype.kind in "Mm":
        return stored.view(dtype)
    if dtype != np.float64:
        return stored.astype(dtype)
    if stored.dtype == np.int64:
        base = time_base({TIME_BASE: plain_attribute(data.attrs.get(TIME_BASE))})
        if base is None:
            raise DamageError(f"{data.name} has no sound attribute {TIME_BASE}")
        return to_seconds(stored, base)
    return _scaled(stored, data.attrs)


def described(data: h5py.Dataset) -> tuple[dict[str, Any], np.dtype[Any]]:
    """Return the attributes of a column but for those of how it is stored, and its dtype."""
    # Of HDF5's own attributes some lie in a heap without a checksum, and are not read.
    attrs = {key: data.attrs[key] for key in data.attrs if key not in HDF5_ATTRIBUTES}
    marks = _marks(attrs)
    dtype = stored_dtype(attrs) or data.dtype
    if dtype.kind == "S":
        dtype = np.dtype(f"U{dtype.itemsize}")
    own = column_names(marks)
    kept = {
        given_name(key, own): plain_attribute(value)
        for key, value in attrs.items()
        if key not in own
    }
    return kept, dtype


def stored_dtype(attrs: Mapping[str, Any]) -> np.dtype[Any] | None:
    """Return of which dtype values are, if not of the one they are stored in."""
    if STORED_AS not in attrs:
        return None
    said = plain_attribute(attrs[STORED_AS])
    times = {f"{kind}8[{unit}]" for kind in "Mm" for unit in _UNITS}
    if said not in ("bool", "float16", "float64", *times):
        raise DamageError(f"the attribute {STORED_AS} is {said!r}")
    dtype: np.dtype[Any] = np.dtype(said)
    return dtype


def is_stored(stored: np.dtype[Any], dtype: np.dtype[Any]) -> bool:
    """Whether values of a dtype that `STORED_AS` names are stored in another one."""
    return stored.str[1:] in _STORED_TYPES[dtype.kind, dtype.itemsize]


def _marks(attrs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which attributes say how values are stored."""
    dtype = stored_dtype(attrs)
    if dtype is None:
        return ()
    more = {
        ("b", 1): ("dtype",),
        ("M", 8): ("units", "calendar", FILL),
        ("m", 8): ("units", "dtype", FILL),
        ("f", 8): (*_SCALES, FILL),
    }
    return (STORED_AS, *more.get((dtype.kind, dtype.itemsize), ()))


def plain_attribute(value: Any) -> Any:
    """Return the value of an attribute: a text, a number, or an array or list of these."""
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind == "S":
        found = texts(value)
        return found.tolist() if value.ndim == 1 else found
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return value.tolist()
    return value
