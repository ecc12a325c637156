"""The advice of a comparison: which contestant to take for what, in a few sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .results import Bench, Row

EVERYDAY_SPEED = 20.0
"""The least speed for everyday use, in MB/s: 76 frames of 512x512 pixels per second."""

SHRUNK = 1.005
"""The least ratio that is mentioned; a smaller one would be printed as 1."""


def advise(bench: Bench) -> str:
    """Name the smallest, the smallest that packs fast, the fastest to read, and the smallest lossy.

    Where that is a peer, the best of our contestants is named, too, because a peer has no command
    here. Our contestants are named with their options of ``h5vidstack pack``.
    """
    exact = bench.exact
    named: list[Row] = []
    if not exact:
        return "Nothing here is exact, so there is nothing to recommend."

    def best(
        rows: Sequence[Row], figure: Callable[[Row], float], told: Callable[[Row], str]
    ) -> tuple[Row, str]:
        first = min(rows, key=figure)
        ours = min((row for row in rows if row.ours), key=figure, default=None)
        if ours is not None:
            named.append(ours)
        if first is ours:
            return first, first.name
        also = "" if ours is None else f"; of ours: {ours.name}, {told(ours)}"
        return first, f"{first.name} (a peer{also})"

    shrunk = [row for row in exact if (row.ratio or 0) >= SHRUNK]
    if shrunk:
        smallest, name = best(shrunk, _size, _times)
        said = [f"To archive: {name}, {_times(smallest)} smaller than the pixels."]
    else:
        said = ["To archive: nothing here shrinks it, if it is to be exact."]
    quick = [row for row in shrunk if (row.pack_speed or 0) >= EVERYDAY_SPEED]
    if quick:
        everyday, name = best(quick, _size, _times)
        said.append(
            f"Every day: {name}, {_times(everyday)} smaller at {everyday.pack_speed:,.0f} MB/s, "
            f"the smallest of those that pack {EVERYDAY_SPEED:.0f} MB/s or more."
        )
    compact = [row for row in exact if 2 * _size(row) <= bench.raw_bytes]
    if compact:
        single, name = best(compact, lambda row: row.frame_p95_ms or math.inf, _wait)
        said.append(
            f"To read frames at random: {name}, {_wait(single)} for 95 of 100 frames "
            f"and {_times(single)} smaller, the fastest of those in half of the size of the pixels."
        )
    least = min(map(_size, exact))
    lossy = [
        row for row in bench.rows
        if row.exact is False and row.broken is None and _size(row) < least
    ]  # fmt: skip
    if lossy:
        tiny, name = best(lossy, _size, _times)
        said.append(
            f"Smaller still but NOT exact: {name}, {_times(tiny)} smaller, "
            f"off by up to {tiny.max_error:.4g}."
        )
    told = {row.name: row.options for row in named if row.options}
    if told:
        each = "; ".join(f"{name} is {options}" for name, options in told.items())
        said.append(f"As options of h5vidstack pack: {each}.")
    return " ".join(said)


def _size(row: Row) -> float:
    return float(row.file_bytes or 0)


def _wait(row: Row) -> str:
    return f"{row.frame_p95_ms:.2g} ms"


def _times(row: Row) -> str:
    ratio = row.ratio or 0
    return f"{ratio:,.0f} times" if ratio >= 1000 else f"{ratio:.3g} times"
