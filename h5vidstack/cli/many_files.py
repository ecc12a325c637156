"""Many files at once: options of `repack --recursive` and `pack --each`, and what they print."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from .. import text
from ..bulk.outcomes import STATUSES, BulkReport, FileResult
from ..text import json_text
from ..writing.option_texts import OptionGroup
from ..writing.pack_options import PackOptions
from . import colours
from .grouped_help import grouped_option
from .options import typed
from .signals import end_tidily
from .terminal import files_bar, say

SOME_FAILED = 3
"""The exit code where some files failed, but not all."""

Many = Callable[..., BulkReport]
"""`repack_many` or `pack_many`, with the sources and the folder of the outputs."""

_OPTIONS = (
    grouped_option(
        "--jobs", type=click.IntRange(min=1), metavar="N", group=OptionGroup.MANY,
        help="Files that are worked on at once, each by a process of its own.  "
        "[default: one a core]",
    ),
    grouped_option(
        "--threads", is_flag=True, group=OptionGroup.MANY,
        help="Work in threads of this process, which begin sooner; a crash ends all.",
    ),
    grouped_option(
        "--skip-existing", is_flag=True, group=OptionGroup.MANY,
        help="Leave each output that exists as it is.",
    ),
    grouped_option(
        "--log", type=click.Path(dir_okay=False), metavar="FILE", group=OptionGroup.MANY,
        help="Note each finished file in a line of JSON, and go on with what the log says of "
        "earlier runs: what is done and unchanged is not done again.",
    ),
)  # fmt: skip
_NAMES = ("jobs", "threads", "skip_existing", "log")


def bulk_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add to a command the options that say how many files are worked on."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def refuse_bulk_options(flag: str, more: Sequence[str] = ()) -> None:
    """Raise a usage error if an option was typed that goes with many files only.

    Parameters
    ----------
    flag
        What makes a command take many files.
    more
        Further parameters that do.
    """
    found = typed([*_NAMES, *more])
    if found:
        raise click.UsageError(f"{found} goes with {flag}, which takes many files")


def run_many(
    many: Many, label: str, values: dict[str, Any], options: PackOptions, *, as_json: bool,
    **more: Any,
) -> None:  # fmt: skip
    """Work on many files: a line for each, a table of totals, and the exit code.

    Parameters
    ----------
    many
        Does the work.
    label
        What is being done, for the progress bar.
    values
        What was given to the command; those of `bulk_options` are used.
    more
        Further arguments of `many`.
    """
    end_tidily()
    with files_bar(label) as (progress, show):
        lines = (lambda result: None) if as_json else (lambda result: show(_line(result)))
        report = many(
            **{name: values[name] for name in _NAMES}, **more, options=options, progress=progress,
            finished=lines,
        )  # fmt: skip
    if as_json:
        say(json_text(dataclasses.asdict(report) | {"totals": report.facts()}))
    else:
        for line in _table(report):
            say(line)
    sys.exit(_exit_code(report))


def _exit_code(report: BulkReport) -> int:
    if not report.failed:
        return 0
    return SOME_FAILED if report.written or report.held else 1


def _line(result: FileResult) -> str:
    """Say what came of a file: its name, sizes, ratio, and what was done or went wrong."""
    words = [f"{result.name}:"]
    if result.status in ("done", "planned"):
        about = "about " * (result.status == "planned")
        sizes = (result.before, result.after)
        before, after = ("?" if size is None else text.kilobytes(size) for size in sizes)
        words.append(f"{before} -> {about}{after}," if result.after is not None else f"{before},")
        if result.ratio is not None:
            words.append(f"ratio {result.ratio:.2f},")
    elif result.status == "failed":
        words.append(colours.bad("FAILED") + ":")
    else:
        words.append(f"{result.status}:")
    return " ".join([*words, result.what])


def _table(report: BulkReport) -> list[str]:
    """Return the totals: a row for each status, and what was saved."""
    rows = [["", "files", "before", "after", "ratio"]]
    for status in STATUSES:
        found = report.having(status)
        if not found:
            continue
        row = [status, str(len(found)), "", "", ""]
        if status in ("done", "planned"):
            row[2:] = text.kilobytes(report.before), text.kilobytes(report.after), "-"
            if report.after:
                row[4] = f"{report.before / report.after:.2f}"
        rows.append(row)
    lines = text.aligned(rows, left=1)
    count = len(report.written)
    speed = f", {count / report.seconds:.1f} files/s" if count and report.seconds else ""
    lines.append(f"{len(report.files)} files in {report.seconds:.1f} s{speed}")
    if report.having("planned"):
        lines.append("nothing was written")
    return ["", *lines]
