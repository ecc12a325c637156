"""The results of a comparison as one web page, which needs no other file.

`string.Template` fills ``page.html``, because the page has few places to fill.
"""

from __future__ import annotations

import base64
import importlib.resources
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template

from ..care import fidelity
from ..reading.stack_reader import StackReader
from ..sinks import pictures
from ..sinks.contact_sheet import largest_piles, small, telling_frames
from ..text import shape_text
from .advice import advise
from .contestants import Pixels
from .plot import draw_plot, marker
from .results import COLUMNS, Bench, Row
from .table import HEADINGS, MEANINGS, cell, is_best

EDGE = 240
"""The longest edge of a picture, in pixels."""
MOST_PILES = 24
"""The most piles that the page shows."""

Images = Iterable[tuple[str, Pixels]]
"""Images, each with its caption."""


def write_page(bench: Bench, path: Path, outputs: Mapping[str, Path], pixels: Pixels) -> None:
    """Write the page.

    Parameters
    ----------
    bench
        The results.
    path
        The file to make.
    outputs
        Packed files of our contestants by name. The page shows what they give back.
    pixels
        The frames, ``(N, H, W[, C])``.
    """
    shape = shape_text(bench.shape)
    facts = f"{shape} {bench.dtype}, {bench.raw_bytes / 1e3:,.0f} KB of pixels"
    times = f"{bench.rounds} interleaved round{'s' * (bench.rounds > 1)}"
    bound = ""
    if bench.bound is not None:
        bound = f" “Bounded” ones keep every pixel within {bench.bound:.4g}."
    template = importlib.resources.files(__package__).joinpath("page.html").read_text("utf-8")
    text = Template(template).substitute(
        source=escape(bench.source),
        facts=escape(facts),
        advice=escape(advise(bench)),
        head="".join(_headings()),
        groups="".join(_groups(bench)),
        key=" ".join(_key(bench)),
        meanings=escape(f"Marked: the best of those that are exact, in {times}. {MEANINGS}{bound}"),
        plots="".join(_plots(bench)) or "<p>Nothing gave figures to draw.</p>",
        pictures="".join(_sections(outputs, pixels)),
        machine=escape(", ".join(f"{name} {value}" for name, value in bench.machine.items())),
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
    )
    path.write_text(text, "utf-8")


def _plots(bench: Bench) -> Iterator[str]:
    """Yield the plots: those of exact methods, then those of the others."""
    for exact, words in ((True, "exact"), (False, "not exact")):
        for column, title in (("pack_speed", "packing"), ("read_speed", "reading all")):
            drawn = draw_plot(bench, column, f"{title}, MB/s", exact)
            if drawn:
                caption = f"<figcaption>{words}: {title} against size</figcaption>"
                yield f'<figure class="plot">{caption}<div>{drawn}</div></figure>'


def _headings() -> Iterator[str]:
    """Yield the headings of the columns: buttons that sort, with what is best of a column."""
    for column, name in {"name": "method", **HEADINGS}.items():
        best = "most" if COLUMNS.get(column) is max else "least"
        yield (
            f'<th scope=col data-best={best}><button type=button title="sort by {escape(name)}">'
            f"{escape(name)}</button></th>"
        )


def _groups(bench: Bench) -> Iterator[str]:
    """Yield the rows in groups: exact methods, those that are not, and those without figures."""
    groups = {
        "exact: every pixel, bit for bit": [row for row in bench.rows if row.exact],
        "not exact": [row for row in bench.rows if row.problem is None and not row.exact],
        "not measured": [row for row in bench.rows if row.problem is not None],
    }
    for name, rows in groups.items():
        if rows:
            heading = (
                f"<tr class=group><th scope=rowgroup colspan={len(HEADINGS) + 1}>"
                f"<span>{name}</span></th></tr>\n"
            )
            yield f"<tbody>\n{heading}{''.join(_row(bench, row) for row in rows)}</tbody>\n"


def _key(bench: Bench) -> Iterator[str]:
    """Yield what the markers of the plots mean, those that there are."""
    kinds = {
        "ours": "h5vidstack", "peer": "others", "ours lossy": "h5vidstack, not exact",
        "peer lossy": "others, not exact",
    }  # fmt: skip
    measured = [row for row in bench.rows if row.problem is None]
    there = {("ours" if row.ours else "peer") + " lossy" * (not row.exact) for row in measured}
    for kind, words in kinds.items():
        if kind in there:
            yield f'<span><svg viewBox="0 0 16 16">{marker(kind, 8, 8)}</svg> {words}</span>'


def _row(bench: Bench, row: Row) -> str:
    kind = "ours" if row.ours else "peer"
    name = f'<th scope=row data-value="{escape(row.name)}">{escape(row.name)}</th>'
    if row.problem is not None:
        reason = f"<td class=problem colspan={len(HEADINGS)}>{escape(row.problem)}</td>"
        return f"<tr class={kind}>{name}{reason}</tr>\n"
    cells = []
    for column in HEADINGS:
        text = escape(cell(row, column))
        if is_best(bench, row, column):
            text = f'<strong title="best">{text}</strong>'
        lossy = " class=lossy" if column == "exact" and not row.exact else ""
        cells.append(f'<td data-value="{_sorted_by(row, column)}"{lossy}>{text}</td>')
    return f"<tr class={kind}>{name}{''.join(cells)}</tr>\n"


def _sorted_by(row: Row, column: str) -> str:
    """Return the number by which a cell is sorted; empty if it has none."""
    value = row.max_error if column == "exact" else getattr(row, column)
    return "" if value is None or not math.isfinite(value) else repr(float(value))


def _sections(outputs: Mapping[str, Path], pixels: Pixels) -> Iterator[str]:
    """Yield sections: the piles of one stack, principal components, and what is lost."""
    piles: dict[str, tuple[int, Path]] = {}
    for name, path in outputs.items():
        with StackReader(path) as stack:
            piles[name] = len(stack.groups), path
    if piles:
        name, (_, path) = max(piles.items(), key=lambda item: item[1][0])
        yield _section("Piles of similar frames", *_contact_sheet(name, path))
    for name, path in outputs.items():
        found = fidelity.check(path, pixels)
        drawn = pictures.pieces(path, found, pixels)
        if "components" in drawn:
            about = f"{name}: the mean and each component, with the variance that it explains."
            yield _section("Principal components", about, drawn["components"])
        if not found.exact:
            text = (
                f"{name}: worst is the frame with the largest error. A difference is mid-gray "
                "where nothing differs, and black or white where it is largest."
            )
            both = [(f"worst: {a}", image) for a, image in drawn["worst"]]
            both += [(f"typical: {a}", image) for a, image in drawn["typical"]]
            yield _section(f"What {name} loses", text, both)


def _contact_sheet(name: str, path: Path) -> tuple[str, Images]:
    images = []
    with StackReader(path) as stack:
        shown, total = largest_piles(stack, MOST_PILES)
        for pile in shown:
            images += [
                (f"pile {pile.number}, {len(pile.frames):,} frames; {which}: {frame}", stack[frame])
                for which, frame in telling_frames(pile).items()
            ]
    largest = (
        f"the {len(shown)} largest of {total} piles" if len(shown) < total else f"piles: {total}"
    )
    return f"{name}, {largest}: the first, a typical and the last frame of each.", images


def _section(title: str, about: str, images: Images) -> str:
    figures = "".join(
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{_png(image)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, image in images
    )
    return (
        f"<section><h2>{escape(title)}</h2><p>{escape(about)}</p>"
        f"<div class=pictures>{figures}</div></section>"
    )


def _png(image: Pixels) -> str:
    data = io.BytesIO()
    small(image, EDGE).save(data, "PNG", optimize=True)
    return base64.b64encode(data.getvalue()).decode("ascii")
