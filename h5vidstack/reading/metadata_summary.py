"""What is known of the frames of a stack besides their pixels, for people and for programs."""

from __future__ import annotations

import base64
import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..layout import metadata_reading
from ..metadata.coordinates import FILL, Coordinate
from ..metadata.description import default_dims
from ..metadata.words import NOTHING, Words, WordsKind
from .described import NAME, Described

SHOWN = 60
"""Characters of a text that are shown."""


def describe_metadata(stack: Described, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that is known of the frames besides their pixels, JSON-ready.

    Parameters
    ----------
    attrs
        All attributes of the stack.

    Returns
    -------
    dict
        ``dims``; ``coords``: for each its dims, dtype, attrs and values, times in ISO 8601;
        ``attrs``; ``source``: ``files``, and ``words``: for each its kind, its different values
        (bytes in base64), and which of them each frame has.
    """
    names = stack.names
    return {
        "dims": list(stack.dims),
        "coords": {name: _coordinate(found) for name, found in stack.coords.items()},
        "attrs": {
            name: plain(value) for name, value in metadata_reading.user_attributes(attrs).items()
        },
        "names": None if names is None else names.tolist(),
        "source": {
            "files": [dataclasses.asdict(record) for record in stack.source.files],
            "words": {name: _words(found) for name, found in stack.source.words.items()},
        },
    }


def metadata_rows(stack: Described, attrs: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known besides pixels as short lines for people; nothing if nothing is."""
    rows: dict[str, str] = {}
    lengths = (*stack.leading_shape, *stack.shape[1:])
    if len(stack.leading_shape) > 1 or stack.dims != default_dims(1, len(stack.shape) - 1):
        rows["axes"] = ", ".join(
            f"{dim} {edge}" for dim, edge in zip(stack.dims, lengths, strict=True)
        )
    for name, found in stack.coords.items():
        along = f" along {', '.join(found.dims)}" if found.dims not in ((name,), ()) else ""
        rows[f"  {name}"] = f"{_values(found)}{along}"
    for name, value in metadata_reading.user_attributes(attrs).items():
        rows[f"  @{name}"] = short(plain(value))
    files = stack.source.files
    if len(files):
        size = sum(int(record.size) for record in files)
        digests = "" if files[0].sha256 else ", without digests"
        count = f"{len(files):,} file{'s' * (len(files) > 1)}"
        rows["from"] = f"{count}, {size:,} bytes{digests}: {files[0].path}" + (
            f" to {files[-1].path}" if len(files) > 1 else ""
        )
    if stack.source.words:
        rows["in its words"] = ", ".join(
            f"{name} ({_said(found)})" for name, found in stack.source.words.items()
        )
    return rows


def origin(stack: Described, frame: int) -> str:
    """Return the name of a frame: its own, or that of its file, with the image in it; or nothing.

    Parameters
    ----------
    frame
        Its number.
    """
    if NAME in stack.coords:
        return str(stack.coords[NAME][frame])
    record = stack.source.file(frame)
    if record is None:
        return ""
    table = stack.source.table
    several = table is not None and len(table) < stack.shape[0]
    return f"{record.path}[{stack.source.image(frame)}]" if several else record.path


def plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, np.ndarray):
        return [plain(part) for part in value.tolist()]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, (datetime.datetime, datetime.date, datetime.timedelta)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


def short(value: Any) -> str:
    """Return a value in at most `SHOWN` characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _coordinate(found: Coordinate) -> dict[str, Any]:
    return {
        "dims": list(found.dims),
        "dtype": str(found.dtype),
        "attrs": {name: plain(value) for name, value in found.attrs.items()},
        "values": _listed(found.values),
    }


def _listed(values: Any) -> Any:
    """Return values as lists; times as texts, since JSON has none."""
    return values.astype(str).tolist() if values.dtype.kind in "Mm" else values.tolist()


def _words(found: Words) -> dict[str, Any]:
    values: Sequence[Any] = [found.meant(value) for value in found.values]
    if found.kind == WordsKind.BYTES:
        values = [base64.b64encode(value).decode() for value in values]
    of = None
    if found.of is not None:
        of = [None if place == NOTHING else place for place in found.of.tolist()]
    return {"kind": str(found.kind), "values": values, "of": of}


def _values(found: Coordinate) -> str:
    """Return the first and last values with units, or the only ones; and how many are missing."""
    values = found.values.ravel()
    known = values[~_missing(values, found.attrs.get(FILL))]
    text = known.astype(str).tolist()
    if len(values) > 4 and len(known):
        text = [f"{text[0]} to {text[-1]}"]
    said = f"{short(', '.join(text))} {found.units or ''}".strip()
    gone = f"{len(values) - len(known):,} missing" if len(known) < len(values) else ""
    return ", ".join(filter(None, (said if len(known) else "", gone)))


def _missing(values: npt.NDArray[Any], fill: Any) -> npt.NDArray[np.bool_]:
    """Return where a column has no value; see `coordinates.missing`."""
    found: Any = False
    if values.dtype.kind == "f":
        found = np.isnan(values)
    elif values.dtype.kind in "mM":
        found = np.isnat(values)
    elif values.dtype.kind == "U":
        found = values == ""
    elif values.dtype.kind in "iu" and fill is not None and np.ndim(fill) == 0:
        found = values == fill
    return np.broadcast_to(found, values.shape)


def _said(found: Words) -> str:
    count = len(found.values)
    return f"{count:,} values" if found.of is not None else f"{len(found.values[0]):,} bytes"
