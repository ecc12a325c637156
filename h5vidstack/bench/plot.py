"""A plot of size against speed as SVG, with a point for each contestant and the Pareto front.

It is drawn here because it is one scatter plot with the colours of the page, for which no plotting
library has to be installed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from .results import Bench, Row

WIDTH, HEIGHT = 440, 360
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 44
LETTER, LINE = 6.4, 13
"""About the width of a letter of a label, and the height of a line."""


class Axis:
    """A logarithmic axis, which maps values to places between two ends, in pixels."""

    def __init__(self, values: list[float], start: float, end: float) -> None:
        low, high = math.log10(min(values)), math.log10(max(values))
        spare = max(0.08 * (high - low), 0.05)
        self._low, self._high = low - spare, high + spare
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        """Return the place of a value."""
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Return at least three round values on the axis, if there are so many."""
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
            found = [digit * 10.0**decade for decade in decades for digit in digits]
            found = [v for v in found if self._low <= math.log10(v) <= self._high]
            if len(found) >= 3:
                break
        return found


def draw_plot(bench: Bench, column: str, title: str) -> str:
    """Draw sizes (across) against a speed (up) as an SVG element.

    Parameters
    ----------
    column
        A column of `Row` with a speed, the higher the better.
    title
        The name of the speed.

    Returns
    -------
    str
        The SVG element, whose colours are set by the page's style; empty if there are no figures.
    """
    rows = [row for row in bench.rows if row.file_bytes and getattr(row, column)]
    if not rows:
        return ""
    x = Axis([float(row.file_bytes or 0) / 1e3 for row in rows], LEFT, WIDTH - RIGHT)
    y = Axis([float(getattr(row, column)) for row in rows], HEIGHT - BOTTOM, TOP)

    def point(row: Row) -> tuple[float, float]:
        return x.place((row.file_bytes or 0) / 1e3), y.place(getattr(row, column))

    front = bench.front(column)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)} against size">'
    ]
    for value in x.ticks():
        at = x.place(value)
        parts.append(f'<path class="grid" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 16}" class="mid">{value:,g}</text>')
    for value in y.ticks():
        at = y.place(value)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{at + 4:.1f}" class="end">{value:,g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" class="mid">size of the file, KB</text>')
    parts.append(
        f'<text transform="translate(12 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" '
        f'class="mid">{escape(title)}</text>'
    )
    if len(front) > 1:
        line = "L".join(f"{a:.1f} {b:.1f}" for a, b in map(point, front))
        parts.append(f'<path class="front" d="M{line}"/>')
    for row in rows:
        a, b = point(row)
        kind = ("ours" if row.ours else "peer") + ("" if row.exact else " lossy")
        about = (
            f"{row.name}: {(row.file_bytes or 0) / 1e3:,.0f} KB, {getattr(row, column):,.3g} MB/s"
        )
        parts.append(
            f'<circle class="{kind}" cx="{a:.1f}" cy="{b:.1f}" r="4.5">'
            f"<title>{escape(about)}</title></circle>"
        )
    points = [point(row) for row in rows]
    for text, a, b in _labels([(row.name, *point(row)) for row in front], points):
        parts.append(f'<text class="name" x="{a:.1f}" y="{b:.1f}">{escape(text)}</text>')
    return "".join([*parts, "</svg>"])


def _labels(
    named: list[tuple[str, float, float]], points: list[tuple[float, float]]
) -> Iterator[tuple[str, float, float]]:
    """Yield places for names beside their points, where they cover no point and no other name."""
    taken = [(a - 5, b - 5, a + 5, b + 5) for a, b in points]
    for text, a, b in named:
        wide = LETTER * len(text)
        for left, base in (
            (a + 8, b + 4), (a - 8 - wide, b + 4), (a - wide / 2, b - 9), (a - wide / 2, b + 18),
            (a + 6, b - 8), (a + 6, b + 16), (a - 6 - wide, b - 8), (a - 6 - wide, b + 16),
        ):  # fmt: skip
            box = (left, base - LINE + 3, left + wide, base + 3)
            inside = (
                box[0] >= LEFT and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT - BOTTOM
            )
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                yield text, left, base
                break


def _overlap(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]
