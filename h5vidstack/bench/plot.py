"""A plot of size against speed as SVG: a named point for each contestant, and the Pareto front.

It is drawn here because it is one scatter plot with the colours of the page, for which no plotting
library has to be installed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from .results import Bench, Row

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 560, 60, 16, 16, 48
LEAST_HEIGHT, HEIGHT_OF_A_POINT = 340, 15
"""The height of a plot grows with the number of its points, so that there is room for labels."""
LETTER, LINE, MARK = 7.1, 14, 5.5
"""About the width of a letter of a label, the height of a line, and the radius of a marker."""
SPARE = 0.06
"""The share of an axis that is left free at both ends."""

FAR = 2.5
"""Files that are so many times larger than the median stand at the right edge, with their size, so
that the others are told apart."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""


class Axis:
    """A logarithmic axis, which maps values to places between two ends, in pixels."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        low, high = math.log10(min(values)), math.log10(max(values))
        spare = max(SPARE * (high - low), 0.03)
        self._low, self._high = low - spare, high + spare
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        """Return the place of a value."""
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Return four to eight round values on the axis, or as near to that as there are."""
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        found: list[float] = []
        for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7), _steps(0.5), _steps(0.1)):
            values = (digit * 10.0**decade for decade in decades for digit in digits)
            inside = [value for value in values if self._low <= math.log10(value) <= self._high]
            if found and len(inside) > 9:
                break
            found = inside
            if len(found) >= 4:
                break
        return found


def _steps(step: float) -> tuple[float, ...]:
    """Return the numbers from 1 to 10 in steps."""
    return tuple(round(1 + number * step, 2) for number in range(round(9 / step)))


@dataclass(frozen=True)
class _Plot:
    """Where the points of a plot are.

    Attributes
    ----------
    rows
        The rows that have figures.
    names
        What stands beside the point of each.
    places
        The place of each, ``(x, y)`` in pixels.
    height
        The height of the plot in pixels.
    x, y
        Its axes.
    """

    rows: Sequence[Row]
    names: Sequence[str]
    places: Sequence[tuple[float, float]]
    height: int
    x: Axis
    y: Axis


def draw_plot(bench: Bench, column: str, title: str, exact: bool) -> str:
    """Draw sizes (across) against a speed (up) as an SVG element.

    Exact contestants are filled: circles are ours, squares are others, and a line joins those that
    none beats in both. Those that lose something are hollow diamonds. Each has its name beside it.
    Where there is no room near it, a thin line leads there.

    Parameters
    ----------
    column
        A column of `Row` with a speed, the higher the better.
    title
        The name of the speed, with its unit.
    exact
        Whether to draw the exact ones, or the others.

    Returns
    -------
    str
        The SVG element, whose colours are set by the page's style; empty if there are no figures.
    """
    measured = [row for row in bench.rows if row.file_bytes and getattr(row, column)]
    rows = [row for row in measured if bool(row.exact) == exact]
    if not rows:
        return ""
    height = max(LEAST_HEIGHT, HEIGHT_OF_A_POINT * len(rows) + TOP + BOTTOM)
    edge = FAR * statistics.median(map(_megabytes, rows))
    sizes = [min(_megabytes(row), edge) for row in rows]
    x = Axis(sizes, LEFT, WIDTH - RIGHT)
    y = Axis([float(getattr(row, column)) for row in rows], height - BOTTOM, TOP)
    places = [
        (x.place(size), y.place(float(getattr(row, column))))
        for size, row in zip(sizes, rows, strict=True)
    ]
    names = [
        f"{row.name} ({_megabytes(row):,.3g} MB) \u2192" if _megabytes(row) > edge else row.name
        for row in rows
    ]
    plot = _Plot(rows, names, places, height, x, y)
    front = [row.name for row in bench.front(column)] if exact else []
    return "".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {height}" role="img" '
            f'aria-label="{escape(title)} against size">',
            *_frame(plot, title),
            *_front(front, plot),
            *_marks(plot, lambda row: f"{getattr(row, column):,.3g} MB/s"),
            *_labels(plot, front),
            "</svg>",
        ]
    )


def _megabytes(row: Row) -> float:
    return (row.file_bytes or 0) / 1e6


def _frame(plot: _Plot, title: str) -> Iterator[str]:
    """Yield the grid, the ticks and the titles of the axes."""
    bottom = plot.height - BOTTOM
    for value in plot.x.ticks():
        at = plot.x.place(value)
        yield f'<path class="grid" d="M{at:.1f} {TOP}V{bottom}"/>'
        yield f'<text x="{at:.1f}" y="{bottom + 17}" class="mid">{value:,g}</text>'
    for value in plot.y.ticks():
        at = plot.y.place(value)
        yield f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 6}" y="{at + 4:.1f}" class="end">{value:,g}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle}" y="{plot.height - 8}" class="mid">size of the file, MB</text>'
    yield (
        f'<text transform="translate(14 {(TOP + bottom) / 2}) rotate(-90)" class="mid">'
        f"{escape(title)}</text>"
    )


def _front(front: Sequence[str], plot: _Plot) -> Iterator[str]:
    """Yield the line that joins the exact rows that none beats."""
    where = {row.name: place for row, place in zip(plot.rows, plot.places, strict=True)}
    points = [where[name] for name in front]
    if len(points) > 1:
        line = "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
        yield f'<path class="front" d="M{line}"/>'


def marker(kind: str, a: float, b: float, about: str = "") -> str:
    """Return a marker as SVG: a circle for ours, a square for others, a diamond for lossy ones."""
    title = f"<title>{escape(about)}</title>" if about else ""
    if "lossy" in kind:
        r = MARK + 1
        path = f"M{a:.1f} {b - r:.1f}l{r} {r}l-{r} {r}l-{r} -{r}z"
        return f'<path class="mark {kind}" d="{path}">{title}</path>'
    if "peer" in kind:
        corner = f'x="{a - MARK + 0.5:.1f}" y="{b - MARK + 0.5:.1f}"'
        size = 2 * MARK - 1
        return f'<rect class="mark {kind}" {corner} width="{size}" height="{size}">{title}</rect>'
    return f'<circle class="mark {kind}" cx="{a:.1f}" cy="{b:.1f}" r="{MARK}">{title}</circle>'


def _marks(plot: _Plot, speed: Callable[[Row], str]) -> Iterator[str]:
    """Yield the markers, with what they are as their title."""
    for row, (a, b) in zip(plot.rows, plot.places, strict=True):
        kind = ("ours" if row.ours else "peer") + ("" if row.exact else " lossy")
        yield marker(kind, a, b, f"{row.name}: {_megabytes(row):,.3g} MB, {speed(row)}")


def _labels(plot: _Plot, front: Sequence[str]) -> Iterator[str]:
    """Yield the names of all points, those on the front first, so that they stand nearest."""
    taken: list[Box] = [(a - MARK, b - MARK, a + MARK, b + MARK) for a, b in plot.places]
    order = sorted(range(len(plot.rows)), key=lambda number: plot.rows[number].name not in front)
    for number in order:
        row, text, (a, b) = plot.rows[number], plot.names[number], plot.places[number]
        left, base = _room(text, a, b, plot.height, taken)
        wide = LETTER * len(text)
        taken.append((left, base - LINE + 3, left + wide, base + 3))
        middle = base - LINE / 2 + 3
        end = max(left - 2, min(a, left + wide + 2))
        if math.hypot(end - a, middle - b) > 3 * MARK:
            yield f'<path class="lead" d="M{a:.1f} {b:.1f}L{end:.1f} {middle:.1f}"/>'
        kind = "name" if row.exact else "name lossy"
        yield f'<text class="{kind}" x="{left:.1f}" y="{base:.1f}">{escape(text)}</text>'


def _room(text: str, a: float, b: float, height: int, taken: Sequence[Box]) -> tuple[float, float]:
    """Return where a name has room near its point: its left end and its base line."""
    wide = LETTER * len(text)
    best, least = (a + 9, b + 4), math.inf
    for ring in range(1, 40):
        away = 3 + 6 * ring
        for turn in range(16):
            angle = math.tau * turn / 16
            x, y = a + away * math.cos(angle), b + away * math.sin(angle)
            left = (
                x if math.cos(angle) > 0.2 else x - wide if math.cos(angle) < -0.2 else x - wide / 2
            )
            base = y + 4
            box = (left, base - LINE + 3, left + wide, base + 3)
            inside = (
                box[0] >= LEFT + 2 and box[2] <= WIDTH and box[1] >= 0 and box[3] <= height - BOTTOM
            )
            hidden = sum(_overlap(box, other) for other in taken)
            if inside and not hidden:
                return left, base
            if inside and hidden < least:
                best, least = (left, base), hidden
    return best


def _overlap(one: Box, two: Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]
