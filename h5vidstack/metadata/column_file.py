"""Columns of values from text files, such as CSV, and from ``.npy``."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MetadataError
from .coordinates import Coordinate

_UNITS = re.compile(r"(.+?)\s*[\[(]\s*([^\])]*)\s*[\])]\s*")
"""A name with units, as ``time [s]`` or ``time (s)``."""


def split_units(name: str) -> tuple[str, str | None]:
    """Split ``time [s]`` into name and units; None where there are none."""
    found = _UNITS.fullmatch(name)
    return (found[1], found[2]) if found else (name.strip(), None)


def read_column(path: Path, name: str, column: str | None = None) -> tuple[Any, str | None]:
    """Read the values of a coordinate from a file.

    Parameters
    ----------
    path
        ``.npy``, or a text with one value a line, or CSV (separated by commas, semicolons or
        tabs), where a first line may name the columns.
    name
        Of the coordinate: a file of several columns must have one of this name.
    column
        Another name of the column.

    Returns
    -------
    values, units
        Whole numbers if all are, else floats, times of ISO 8601, or texts. `units` is what the
        name of the column has in brackets, or None.

    Raises
    ------
    MetadataError
        If the file cannot be read, or has no such column.
    """
    if path.suffix.lower() == ".npy":
        try:
            return np.load(path, allow_pickle=False), None
        except (OSError, ValueError) as error:
            raise MetadataError(f"cannot read {path}: {error}") from error
    rows = _rows(path)
    wanted = column or name
    head = [split_units(cell) for cell in rows[0]]
    names = [found for found, _ in head]
    if wanted in names:
        place = names.index(wanted)
        return _values([row[place] for row in rows[1:]]), head[place][1]
    if len(head) > 1 or column is not None:
        raise MetadataError(f"{path} has no column {wanted}; it has {', '.join(names)}")
    return _values([row[0] for row in rows]), None


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = file.readline()
            separator = max(",;\t", key=sample.count)
            file.seek(0)
            rows = [row for row in csv.reader(file, delimiter=separator) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MetadataError(f"cannot read {path}: {error}") from error
    if not rows:
        raise MetadataError(f"{path} holds no values")
    width = len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise MetadataError(
                f"line {number} of {path} has {len(row)} values, the first one {width}"
            )
    return rows


def _values(cells: Sequence[str]) -> Any:
    """Return cells as the first of these kinds that takes all: int, float, time, text."""
    kinds: tuple[Callable[[str], Any], ...] = (int, float, _time)
    for kind in kinds:
        try:
            return np.array([kind(cell) for cell in cells])
        except (ValueError, OverflowError):
            continue
    return np.array([cell.strip() for cell in cells])


def _time(cell: str) -> np.datetime64:
    if not re.match(r"\d{4}-\d\d-\d\d", cell.strip()):
        raise ValueError(cell)
    return np.datetime64(cell.strip().removesuffix("Z").replace(" ", "T"), "ns")


def parse_scale(text: str, dims: Sequence[str]) -> dict[str, tuple[float, str | None]]:
    """Read ``0.65um`` (of rows and columns) or ``Z=2um,y=0.65um`` as step and units of each axis.

    Raises
    ------
    MetadataError
        If it is no number, or names no axis.
    """
    found: dict[str, tuple[float, str | None]] = {}
    for part in text.split(","):
        axis, named, size = part.rpartition("=")
        number = re.fullmatch(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*)", size.strip())
        if number is None or not float(number[1]):
            raise MetadataError(
                f"the scale {part!r} is no size; write 0.65um, or for each axis y=0.65um,x=0.7um"
            )
        axes = (axis.strip(),) if named else ("y", "x")
        for name in axes:
            if name not in dims:
                raise MetadataError(f"the scale names the axis {name}; axes are {', '.join(dims)}")
            found[name] = float(number[1]), number[2] or None
    return found


def spaced(axis: str, length: int, step: float, units: str | None) -> Coordinate:
    """Return the coordinate of an axis in equal steps from 0."""
    return Coordinate.of(
        (axis,), np.arange(length) * np.float64(step), {} if units is None else {"units": units}
    )
