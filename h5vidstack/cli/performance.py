"""The commands that show how well this package packs: `bench` and `demo`."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import click

from ..bench import comparison, table
from ..layout.output import complete_or_absent
from ..sources.overlap import refuse_source
from ..text import json_text
from ..writing.option_texts import OptionGroup
from . import colours, demonstration
from .grouped_help import GroupedCommand, grouped_option
from .option_types import Methods, Pair
from .options import examples, overwrite_option
from .pipes import STDOUT, not_stdin, not_stdout, to_stdout
from .signals import end_tidily
from .terminal import printable, progress_bar, say, steps_bar


@click.command(
    cls=GroupedCommand,
    epilog=examples(
        "h5vidstack bench ct.tif",
        "h5vidstack bench demo --peers --html demo.html",
        "h5vidstack bench movie.mp4 --gray --frames 500 --methods auto,x264",
    ),
)
@click.argument("src", callback=not_stdin)
@grouped_option(
    "--frames", type=click.IntRange(min=1), group=OptionGroup.WHAT,
    help="Take only the first so many.",
)  # fmt: skip
@grouped_option("--gray", is_flag=True, group=OptionGroup.WHAT, help="Make gray of colour.")
@grouped_option(
    "--dtype", type=click.Choice(demonstration.DTYPES), group=OptionGroup.WHAT,
    help="Dtype of 'demo'.  [default: uint8]",
)  # fmt: skip
@grouped_option(
    "--methods", type=Methods(), group=OptionGroup.WHAT,
    help="Only these: auto, 'video x264-slow', SZ3, ...  [default: all of ours]",
)  # fmt: skip
@grouped_option(
    "--peers", is_flag=True, group=OptionGroup.WHAT, help="Add all others that are installed.",
)  # fmt: skip
@grouped_option(
    "--rounds", type=click.IntRange(min=1), default=3, show_default=True, group=OptionGroup.EXACT,
    help="How often each is measured.",
)  # fmt: skip
@grouped_option(
    "--max-error", metavar="E", group=OptionGroup.EXACT,
    help="The bound of those that keep one.  [default for floats: 1e-3r]",
)  # fmt: skip
@grouped_option(
    "--json", "json_path", type=click.Path(path_type=Path), group=OptionGroup.OUTPUT,
    help="Write the figures to this file; - is standard output.",
)  # fmt: skip
@grouped_option(
    "--html", "page", type=click.Path(path_type=Path), group=OptionGroup.OUTPUT,
    help="Write a page with plots and pictures; - is standard output.",
)  # fmt: skip
@overwrite_option
def bench(
    src: str,
    methods: list[str] | None,
    dtype: str | None,
    json_path: Path | None,
    page: Path | None,
    overwrite: bool,
    **options: Any,
) -> None:
    """Compare ways to keep a stack on your own data.

    Sizes, speeds, memory and errors are measured. SRC, or 'demo' for a generated stack, must have
    at least 8 frames and 1 MB of pixels. Each method writes and reads in a process of its own, in
    the temporary folder (TMPDIR).
    """
    end_tidily()
    if dtype is not None and src != "demo":
        raise click.UsageError("--dtype goes only with 'demo', because other frames have a dtype")
    source = demonstration.generated(dtype or "uint8") if src == "demo" else src
    name = "demo" if src == "demo" else None
    json_to_pipe, page_to_pipe = str(json_path) == STDOUT, str(page) == STDOUT
    if json_to_pipe and page_to_pipe:
        raise click.UsageError("--html and --json cannot both go to standard output")
    with contextlib.ExitStack() as outputs:
        if page_to_pipe:
            page = outputs.enter_context(to_stdout(".html"))
        if json_path is not None and not json_to_pipe:
            if page is not None and page.resolve() == json_path.resolve():
                raise click.UsageError("--html and --json name one file; give each its own")
            refuse_source(json_path, source)
            temporary = outputs.enter_context(complete_or_absent(json_path, overwrite=overwrite))
        with steps_bar("benching") as progress:
            found = comparison.compare(
                source, name=name, methods=methods or (), page=page, overwrite=overwrite,
                progress=progress, **options,
            )  # fmt: skip
        figures = json_text(dataclasses.asdict(found))
        if json_path is not None and not json_to_pipe:
            temporary.write_text(f"{figures}\n")
    title, headings, *rest = table.lines(found)
    for line in (title, colours.heading(headings), *map(colours.best, rest)):
        click.echo(printable(line), err=json_to_pipe or page_to_pipe)
    if json_to_pipe:
        say(figures)


@click.command(epilog=examples("h5vidstack demo", "h5vidstack demo --grid 12x12x12 --out demo.h5"))
@click.option("--grid", type=Pair(3), default="20x10x10", show_default=True, help="Frames.")
@click.option(
    "--size",
    type=Pair(2),
    default="200x300",
    show_default=True,
    help="Height and width.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    callback=not_stdout,
    help="Keep the packed file here.",
)
def demo(grid: tuple[int, int, int], size: tuple[int, int], out: Path | None) -> None:
    """Pack and read a generated stack, beside gzip."""
    end_tidily()
    with progress_bar("packing") as progress:
        demonstration.demonstrate(
            grid, size, out, lambda line: say(colours.verdict(line)), progress
        )
