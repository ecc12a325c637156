"""Columns of a recording, each with a value for every frame, as the first frame fixed them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import MetadataError, SourceError
from ..metadata.coordinates import Column, Coordinate, column
from ..metadata.description import Metadata

TEXT_BYTES = 64
"""The longest text of a column in UTF-8, unless the first one is longer."""
TIME = "time"
SECONDS = {"units": "s"}
"""What is said of a column `TIME` of numbers, unless the user says something else."""

ColumnValues = tuple[Column, ...]
"""One value of each column, ``(1,)``."""


class RecordedColumns:
    """Takes the values of one frame after another, and gives them in runs.

    Parameters
    ----------
    declared
        What is known before the first frame. Its columns along the axis of frames have no values
        yet; they say of which dtype values are, and in which units.
    """

    def __init__(self, declared: Metadata) -> None:
        self._declared = declared
        axis = declared.dims[0]
        self._known = {
            name: found for name, found in declared.coords.items() if found.dims == (axis,)
        }
        self._fixed: dict[str, Coordinate] | None = None
        self._rows: list[ColumnValues] = []

    @property
    def metadata(self) -> Metadata:
        """What is known of all frames, with columns that have no values yet."""
        static = {
            name: found for name, found in self._declared.coords.items() if name not in self._known
        }
        columns = self._known if self._fixed is None else self._fixed
        return Metadata(self._declared.dims, {**static, **columns}, self._declared.attrs)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self._fixed or ())

    def add(self, values: Mapping[str, Any]) -> None:
        """Take the values of the next frame, by name of column.

        Raises
        ------
        SourceError
            If there are others than of the first frame, or of another kind. Then none is taken.
        """
        if self._fixed is None:
            self._fixed = self._fix(values)
        if values.keys() != self._fixed.keys():
            raise SourceError(
                f"the frame has {_listed(values)}; each frame of this recording has "
                f"{_listed(self._fixed)}"
            )
        self._rows.append(
            tuple(_one(name, values[name], self._fixed[name]) for name in self._fixed)
        )

    def take(self) -> dict[str, Column]:
        """Return the values of all frames that were added since, by name of column."""
        rows, self._rows = self._rows, []
        if not rows:
            return {}
        parts = zip(*rows, strict=True)
        return {name: np.concatenate(part) for name, part in zip(self.names, parts, strict=True)}

    def __len__(self) -> int:
        return len(self._rows)

    def _fix(self, values: Mapping[str, Any]) -> dict[str, Coordinate]:
        """Return the columns that a first frame has."""
        missing = [name for name in self._known if name not in values]
        if missing:
            raise SourceError(f"the frame has no {missing[0]}, which coords of the recording names")
        fixed = {}
        for name, value in values.items():
            if name in self._declared.coords and name not in self._known:
                raise SourceError(
                    f"{name} is a coordinate of the whole recording: name it otherwise"
                )
            known = self._known.get(name)
            if known is not None and known.dtype.kind != "U":
                fixed[name] = known
                continue
            first = _values(name, value)
            dtype = first.dtype
            if name == TIME and isinstance(value, int):
                dtype = np.dtype(np.float64)  # a clock that begins at 0 goes on with fractions
            if dtype.kind == "S":
                dtype = np.dtype(f"S{max(TEXT_BYTES, dtype.itemsize)}")
            attrs: Mapping[str, Any] = {} if known is None else known.attrs
            if name == TIME and known is None and dtype.kind in "iuf":
                attrs = SECONDS
            fixed[name] = Coordinate.of(self._declared.dims[:1], np.empty(0, dtype), attrs)
        for name in fixed.keys() & set(self._declared.dims[1:]):
            raise SourceError(f"{name} is an axis of the frames: name the column otherwise")
        return fixed


def _values(name: str, value: Any) -> Column:
    """Return one value as an array, ``(1,)``."""
    try:
        found = column([value] if isinstance(value, str) else np.reshape(value, -1))
    except (MetadataError, ValueError) as error:
        raise SourceError(f"the column {name}: {error}") from error
    if np.shape(value) != () or found.shape != (1,):
        raise SourceError(
            f"the column {name} has {np.shape(value)} values for one frame: give one column for "
            "each of them"
        )
    return found


def _one(name: str, value: Any, like: Coordinate) -> Column:
    """Return one value in the dtype of its column, if that holds it exactly."""
    found, dtype = _values(name, value), like.data.dtype
    if dtype.kind == found.dtype.kind == "S":
        if found.dtype.itemsize > dtype.itemsize:
            raise SourceError(
                f"the column {name} takes texts of up to {dtype.itemsize} bytes, not of "
                f"{found.dtype.itemsize}"
            )
        return found.astype(dtype)
    numbers = {dtype.kind, found.dtype.kind} <= set("iuf")
    if dtype.kind == found.dtype.kind or numbers:
        with np.errstate(all="ignore"):
            kept = found.astype(dtype)
            floats = {dtype.kind, found.dtype.kind} <= set("fMm")
            if np.array_equal(kept.astype(found.dtype), found, equal_nan=floats):
                return kept
    raise SourceError(f"the column {name} holds {dtype}, and cannot hold {value!r}")


def _listed(names: Mapping[str, Any]) -> str:
    return f"the columns {', '.join(names)}" if names else "no columns"
