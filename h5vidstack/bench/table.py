"""The results of a comparison as a text table with advice."""

from __future__ import annotations

import math
import textwrap

from ..text import aligned, shape_text
from .advice import advise
from .results import Bench, Row

HEADINGS = {
    "file_bytes": "size KB",
    "ratio": "ratio",
    "exact": "exact",
    "pack_speed": "pack MB/s",
    "read_speed": "read MB/s",
    "frame_ms": "frame ms",
    "frame_p95_ms": "p95 ms",
    "peak_bytes": "memory MB",
}
"""The headings of the columns of a `Row`."""

MEANINGS = (
    "MB: 10^6 bytes of pixels. frame, p95: median and 95th percentile of the time for a random "
    "frame right after opening, when nothing is cached; opening is not counted. "
    "memory: the most that packing took beyond its input, measured every 5 ms."
)

UNSEEN = "<1"
"""Stands for memory that is too small, or was held too shortly, to be measured."""


def cell(row: Row, column: str) -> str:
    """Return a figure of a row as text."""
    value = getattr(row, column)
    if column != "exact" or value is None:
        return _figure(column, value)
    if value:
        return "yes"
    if math.isinf(row.max_error or 0):
        return str(row.broken)
    return ", ".join(filter(None, [f"off by {row.max_error:.3g}", row.broken]))


def _figure(column: str, value: float | None) -> str:
    if value is None:
        return "-"
    if column == "file_bytes":
        return f"{value / 1e3:,.0f}"
    if column == "peak_bytes":
        return f"{value / 1e6:,.0f}" if value >= 1e6 else UNSEEN
    if column.startswith("frame"):
        return f"{value:.2f}" if value < 100 else f"{value:.0f}"
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def is_best(bench: Bench, row: Row, column: str) -> bool:
    """Return whether a row has the best printed value of a column among the exact rows."""
    best = bench.best().get(column)
    if not row.exact or best is None:
        return False
    text = _figure(column, best)
    return text != UNSEEN and text == _figure(column, getattr(row, column))


def lines(bench: Bench) -> list[str]:
    """Return the lines of the table, its meaning, and the advice."""
    shape = shape_text(bench.shape)
    said = [f"{bench.source}: {shape} {bench.dtype}, {bench.raw_bytes / 1e3:,.0f} KB of pixels"]
    said += _rows(bench)
    bound = "" if bench.bound is None else f" bounded: no pixel off by more than {bench.bound:.4g}."
    times = f"{bench.rounds} interleaved round{'s' * (bench.rounds > 1)}"
    machine = ", ".join(f"{name} {value}" for name, value in bench.machine.items())
    said += ["", f"* the best of those that are exact, in {times}. {MEANINGS}{bound}", machine]
    return [*said, "", advise(bench)]


def _rows(bench: Bench) -> list[str]:
    """Return the headings and a line for each contestant, with its figures or its problem."""
    cells = [["", *HEADINGS.values()]]
    for row in bench.rows:
        figures = [""] * len(HEADINGS)
        if row.problem is None:
            figures = [
                cell(row, column) + ("*" if is_best(bench, row, column) else " ")
                for column in HEADINGS
            ]
        cells.append([row.name, *figures])
    first, *lines = aligned(cells, left=1, gap=" ")
    name = max(len(row.name) for row in bench.rows)
    for number, row in enumerate(bench.rows):
        if row.problem is not None:  # JSON and the page have the whole text
            text = textwrap.shorten(row.problem, len(first) - name - 1, placeholder=" ...")
            lines[number] = f"{row.name:{name}} {text}"
    return [first, *lines]
