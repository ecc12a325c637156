"""Stacks as Jupyter shows them: a table of facts, and a strip of frames."""

from __future__ import annotations

import base64
import io
import math
from html import escape

from ..errors import Error
from ..layout import metadata_names
from ..layout.names import SEPARATOR
from ..metadata.coordinates import Coordinate
from ..reading.stack_reader import StackReader
from ..sinks.contact_sheet import small
from ..text import loss, shape_text

MAX_PICTURES = 8
MAX_COORDINATES, MAX_VALUES = 20, 8
"""A table names so many coordinates, and shows all values of one that has no more than these."""
EDGE = 96
"""The longest edge of a picture, in pixels."""


def html(stack: StackReader) -> str:
    """Return HTML with a table of what a stack is, and pictures of up to 8 of its frames.

    Raises
    ------
    Error
        If the stack is closed, or its tables are damaged. A damaged frame is only labelled so.
    """
    attrs = stack.attrs
    stored = sum(pile.stored_bytes for pile in stack.groups)
    psnr = attrs.get("psnr")
    lost = loss(float(attrs.get("max_error", "nan")), None if psnr is None else float(psnr))
    rows = {
        "stack": f"{stack.path}{SEPARATOR}{stack.stack}",
        "shape": shape_text(stack.shape),
        "dtype": str(stack.dtype),
        "ratio": f"{stack.nbytes / stored:.2f}" if stored else "-",
        "method": str(attrs.get("method", "-")),
        "exact": "lossless" if attrs.get("lossless", True) else lost,
        **_described(stack),
    }
    cells = "".join(
        f'<tr><th style="text-align:left">{name}</th>'
        f'<td style="text-align:left">{_escaped(value)}</td></tr>'
        for name, value in rows.items()
    )
    strip = "".join(_figure(stack, number) for number in _chosen(len(stack)))
    return f'<div><table>{cells}</table><div style="display:flex;gap:6px">{strip}</div></div>'


def _described(stack: StackReader) -> dict[str, str]:
    """Return the axes, and the coordinates with their units, if any are known."""
    shown = {}
    if metadata_names.DIMS in stack.attrs:
        axes = zip(stack.dims, stack.nd.shape, strict=True)
        shown["axes"] = ", ".join(f"{name} {length}" for name, length in axes)
    coords = [_coordinate(name, found) for name, found in stack.coords.items()]
    if coords:
        rest = len(coords) - MAX_COORDINATES
        more = f", and {rest} more" if rest > 0 else ""
        shown["coordinates"] = "; ".join(coords[:MAX_COORDINATES]) + more
    return shown


def _coordinate(name: str, coordinate: Coordinate) -> str:
    """Return name, units and axes of a coordinate, and its values if they are few."""
    along = ", ".join(coordinate.dims)
    of_an_axis = coordinate.dims == (name,)
    facts = [] if of_an_axis or not along else [f"along {along}"]
    if coordinate.units:
        facts.insert(0, coordinate.units)
    text = f"{name} ({', '.join(facts)})" if facts else name
    values = coordinate.values if math.prod(coordinate.shape) <= MAX_VALUES else None
    return text if values is None else f"{text}: {', '.join(map(str, values.ravel()))}"


def _chosen(count: int) -> list[int]:
    """Return frame numbers at even distances, with the first and the last frame."""
    shown = min(count, MAX_PICTURES)
    return [number * (count - 1) // max(shown - 1, 1) for number in range(shown)]


def _figure(stack: StackReader, number: int) -> str:
    try:
        picture = small(stack[number], EDGE)
    except Error as error:
        shown = f'<span title="{_escaped(str(error))}">damaged</span>'
    else:
        file = io.BytesIO()
        picture.save(file, format="PNG")
        data = base64.b64encode(file.getvalue()).decode()
        shown = f'<img alt="frame {number}" src="data:image/png;base64,{data}">'
    caption = f'<figcaption style="font-size:small">{number}</figcaption>'
    return f'<figure style="margin:0">{shown}{caption}</figure>'


def _escaped(text: str) -> str:
    return escape(text.encode("utf-8", "backslashreplace").decode())
