"""A comparison as text."""

from __future__ import annotations

import math
import textwrap

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
"""What the columns of a `Row` are called."""

MEANINGS = (
    "MB: 10^6 bytes of pixels. frame, p95: time for a random frame right after opening, when "
    "nothing is cached and opening is not counted, median and 95th percentile. "
    "memory: what packing took at most beyond its input, looked at every 5 ms."
)

UNSEEN = "<1"
"""Memory too small, or held too shortly, to be told; it is never marked."""


def cell(row: Row, column: str) -> str:
    """A figure of a row, for people."""
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
    """Whether a row has the best value of a column among the exact ones, as it is printed."""
    best = bench.best().get(column)
    if not row.exact or best is None:
        return False
    text = _figure(column, best)
    return text != UNSEEN and text == _figure(column, getattr(row, column))


def lines(bench: Bench) -> list[str]:
    """The table, what it means, and the advice."""
    shape = " x ".join(map(str, bench.shape))
    said = [f"{bench.source}: {shape} {bench.dtype}, {bench.raw_bytes / 1e3:,.0f} KB of pixels"]
    width = max(len(row.name) for row in bench.rows) + 1
    cells = [["", *HEADINGS.values()]]
    for row in bench.rows:
        if row.problem is None:
            marked = [
                cell(row, column) + ("*" if is_best(bench, row, column) else " ")
                for column in HEADINGS
            ]
            cells.append([row.name, *marked])
        else:
            cells.append([row.name, row.problem])
    figures = [line for line in cells if len(line) > 2]
    widths = [max(len(line[i]) for line in figures) + 1 for i in range(1, len(HEADINGS) + 1)]
    for line in cells:
        if len(line) == 2:  # the whole text is in JSON, and on the page
            text = textwrap.shorten(line[1], sum(widths) - 1, placeholder=" ...")
            said.append(f"{line[0]:{width}} {text}")
            continue
        numbers = [f"{text:>{wide}}" for text, wide in zip(line[1:], widths, strict=True)]
        said.append((f"{line[0]:{width}}" + "".join(numbers)).rstrip())
    bound = "" if bench.bound is None else f" bounded: no pixel off by more than {bench.bound:.4g}."
    times = f"{bench.rounds} interleaved round{'s' * (bench.rounds > 1)}"
    machine = ", ".join(f"{name} {value}" for name, value in bench.machine.items())
    said += ["", f"* the best of those that are exact, in {times}. {MEANINGS}{bound}", machine]
    return [*said, "", advise(bench)]
