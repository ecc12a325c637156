"""What the viewer says of a stack, and of one of its frames."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..metadata.coordinates import Coordinate
from ..reading.described import NAME
from ..reading.metadata_summary import metadata_rows, origin, short
from ..reading.stack_reader import StackReader
from ..reading.summary import describe_open
from ..shapes import stack_shape
from ..text import kilobytes, loss, repeats, shape_text
from .time_line import TimeLine

WHOLE_PIXELS = 1 << 21
"""Frames of more pixels than this are shown by tiles."""
TILE_EDGE = 256
"""The edge of a tile, in samples."""
LONGEST_AXIS = 16384
"""Values along the axes of a frame are shown for edges up to this."""
MOST_NAMED = 12
"""So many frames with the same pixels are named."""


def stack_facts(stack: StackReader) -> dict[str, Any]:
    """Return what the page needs to know of a stack to show it, JSON-ready.

    Raises
    ------
    FormatError
        If its tables are damaged.
    """
    frames, height, width, channels = stack_shape(stack.shape)
    names = stack.dims
    leading = len(stack.leading_shape)
    edge = None if height * width <= WHOLE_PIXELS else TILE_EDGE
    return {
        "name": os.path.basename(stack.path.rstrip("/")) or stack.path,
        "path": stack.path,
        "stack": stack.stack,
        "frames": frames,
        "height": height,
        "width": width,
        "channels": channels,
        "dtype": sample_dtype(stack.dtype).str[1:],
        "bool": stack.dtype.kind == "b",
        "block": stack.chunks[0],
        "tile": edge,
        "axes": [
            {"name": name, "length": length, "units": _units(stack, name)}
            for name, length in zip(names, stack.leading_shape, strict=False)
        ],
        "rows": _frame_axis(stack, names[leading], height),
        "columns": _frame_axis(stack, names[leading + 1], width),
        "facts": list(_facts(stack)),
    }


def sample_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of samples as they are sent: little-endian, truth values as bytes."""
    return np.dtype("u1") if dtype.kind == "b" else dtype.newbyteorder("<")


def frame_facts(stack: StackReader, frame: int, line: TimeLine) -> dict[str, Any]:
    """Return what is known of one frame, JSON-ready.

    Returns
    -------
    dict
        ``axes``: its place along each axis, with its value there; ``rows``: lines of name and
        value; ``pile`` and ``pile_frames``; ``same`` and ``same_count``: the frames with the same
        pixels.
    """
    indices = np.unravel_index(frame, stack.leading_shape)
    places = dict(zip(stack.dims, map(int, indices), strict=False))
    coords = stack.coords
    rows = []
    if name := origin(stack, frame):
        named = NAME in coords
        rows.append(("name", name) if named else ("file", os.path.basename(name)))
    for title, found in coords.items():
        own = title in places or title == NAME  # what was said already
        if not own and found.dims and set(found.dims) <= places.keys():
            value = found[tuple(places[dim] for dim in found.dims)]
            if np.ndim(value) == 0:
                rows.append((title, _in_units(value, found)))
    same = line.same_as(frame)
    return {
        "axes": [
            _in_units(coords[name][place], coords[name]) if _along(coords, name) else None
            for name, place in places.items()
        ],
        "rows": rows,
        "pile": int(line.pile[frame]),
        "pile_frames": int(np.count_nonzero(line.pile == line.pile[frame])),
        "same": same[:MOST_NAMED].tolist(),
        "same_count": len(same),
    }


def _along(coords: Any, axis: str) -> bool:
    """Whether there is one value for each place on an axis."""
    return axis in coords and coords[axis].dims == (axis,)


def _units(stack: StackReader, axis: str) -> str | None:
    return stack.coords[axis].units if _along(stack.coords, axis) else None


def _in_units(value: Any, of: Coordinate) -> str:
    """Return a value in words."""
    if isinstance(value, (float, np.floating)):
        text = f"{value:.6g}"
    elif isinstance(value, (np.datetime64, np.timedelta64, datetime.date)):
        text = str(value)
    else:
        text = str(value.item() if isinstance(value, np.generic) else value)
    return f"{short(text)} {of.units or ''}".strip()


def _frame_axis(stack: StackReader, name: str, edge: int) -> dict[str, Any]:
    """Return the name of the rows' or columns' axis, its units, and its numbers if it has some."""
    values = None
    if _along(stack.coords, name) and edge <= LONGEST_AXIS:
        found = stack.coords[name].values
        if found.dtype.kind in "iuf":
            values = found.astype(np.float64).tolist()
    return {"name": name, "units": _units(stack, name), "values": values}


def _facts(stack: StackReader) -> Iterator[tuple[str, str]]:
    """Yield lines about the stack: name and value."""
    facts = describe_open(stack.live().file)
    codings = [pile["coding"] or pile["preset"] for pile in facts["groups"]]
    kinds = list(dict.fromkeys(filter(None, codings)))
    copies = facts["shape"][0] - facts["unique_frames"]
    piles = len(facts["groups"])
    rows = {
        "file": stack.path,
        "stack": facts["stack"],
        "frames": f"{shape_text(facts['shape'])} {facts['dtype']}",
        "exact": "yes, every pixel"
        if facts["lossless"]
        else loss(facts["max_error"], facts["psnr"]),
        "coding": short(" / ".join(kinds)),
        "method": facts["method"],
        "blocks": f"{facts['blocks']:,} of {shape_text(facts['chunk'])}",
        "piles": f"{piles:,}" if piles > 1 else None,
        "copies": repeats(copies) if copies > 0 else None,
        "pixels": kilobytes(facts["raw_bytes"]),
        "stored": kilobytes(facts["stored_bytes"]),
        "ratio": f"{facts['ratio']:.2f}" if facts["ratio"] else None,
        "packed": facts["created"],
        "by": facts["creator"],
    }
    yield from ((name, str(value)) for name, value in rows.items() if value)
    for name, text in metadata_rows(stack, stack.attrs).items():
        yield name.strip(), text
