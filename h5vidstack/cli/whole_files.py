"""Commands on whole HDF5 files."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections import Counter
from typing import Any

import click

from .. import text
from ..bulk.many import repack_many
from ..repacking.conversion import Repacked
from ..repacking.repacker import RepackReport
from ..repacking.repacker import repack as repack_file
from ..text import json_text, shape_text
from ..writing.option_texts import OptionGroup
from . import colours
from .grouped_help import GroupedCommand, grouped_option
from .many_files import bulk_options, refuse_bulk_options, run_many
from .options import (
    command_options,
    examples,
    json_option,
    packing_options,
    scheduler_option,
    typed,
)
from .pipes import not_stdin, not_stdout
from .signals import end_tidily
from .terminal import progress_bar, say


@click.command(
    cls=GroupedCommand,
    epilog=examples(
        "h5vidstack repack scan.nxs packed.nxs --dry-run",
        "h5vidstack repack scan.nxs packed.nxs",
        "h5vidstack repack session.nwb small.nwb --select '/acquisition/*/data'",
        "h5vidstack repack packed.nxs plain.nxs --restore",
        "h5vidstack repack runs/ small/ --recursive --jobs 4 --log small.jsonl",
    ),
)
@click.argument("source", metavar="IN", callback=not_stdin)
@click.argument("target", metavar="OUT", callback=not_stdout)
@grouped_option(
    "--select", multiple=True, metavar="GLOB", group=OptionGroup.WHAT,
    help="Only datasets at such paths, as '/entry/*/data'; may be given several times.  "
    "[default: all that look like stacks of images]",
)  # fmt: skip
@grouped_option(
    "--restore", is_flag=True, group=OptionGroup.WHAT,
    help="The other way: pixels that any HDF5 reads.",
)  # fmt: skip
@grouped_option(
    "--dry-run", is_flag=True, group=OptionGroup.OUTPUT,
    help="Write nothing; say what would be replaced.",
)  # fmt: skip
@grouped_option(
    "--recursive", is_flag=True, group=OptionGroup.MANY,
    help="All HDF5 files below the folder IN, to OUT.",
)  # fmt: skip
@bulk_options
@scheduler_option
@command_options("repack")
@json_option
def repack(
    source: str, target: str, *, select: tuple[str, ...], restore: bool, dry_run: bool,
    recursive: bool, scheduler: str | None, as_json: bool, **values: Any,
) -> None:  # fmt: skip
    """Copy a whole HDF5 file with its stacks of images packed.

    IN is copied to OUT, its stacks of images as lossless video at the same paths. All else stays as
    it is: groups, attributes, links, references, dimension scales, types. Programs that read IN
    read OUT after `import h5vidstack`. At the end both files are compared.

    With --recursive, IN and OUT are folders. Each file is worked on by itself. The exit code is 3
    if some files failed, and 1 if all did.
    """
    coding = typed(["profile", "codec", "preset", "chunk_frames", "tile", "no_hashes", "max_error"])
    if restore and coding:
        raise click.UsageError(
            f"{coding} says how to code, but --restore writes plain pixels: leave one of them out"
        )
    if recursive:
        if os.path.isfile(source):
            raise click.UsageError(f"{source} is a file; --recursive takes a folder")
        with packing_options(values, scheduler) as options:
            executor, options = options.executor, dataclasses.replace(options, executor=None)
            run_many(
                functools.partial(repack_many, source, target), "repacking", values, options,
                as_json=as_json, select=select, restore=restore, dry_run=dry_run,
                executor=executor,
            )  # fmt: skip
        return
    refuse_bulk_options("--recursive", ["scheduler"])
    if os.path.isdir(source):
        raise click.UsageError(f"{source} is a folder; add --recursive for all files below it")
    end_tidily()
    with packing_options(values) as options, progress_bar("repacking") as progress:
        report = repack_file(
            source, target, select=select, restore=restore, dry_run=dry_run, options=options,
            progress=progress,
        )  # fmt: skip
    if as_json:
        say(json_text(dataclasses.asdict(report)))
        return
    _say_repacked(report, target)


def _lossy(one: Repacked) -> str:
    """Say how lossy a dataset is; nothing where it is exact."""
    if one.lossless:
        return ""
    worst = "" if one.max_error is None else f", max error {one.max_error:g}"
    return f"; {colours.bad('LOSSY')}{worst}"


def _say_repacked(report: RepackReport, target: str) -> None:
    planned = report.path is None
    lossy = not all(one.lossless for one in report.replaced)
    for one in report.replaced:
        shape = shape_text(one.shape)
        say(
            f"{one.path}: {shape} {one.dtype}, {text.kilobytes(one.before)} -> "
            f"{'about ' if planned else ''}{text.kilobytes(one.after)} ({one.coding}{_lossy(one)})"
        )
    for why, count in Counter(left.why for left in report.left).most_common():
        kept = "datasets left as they are" if count > 1 else "dataset left as it is"
        say(f"{count} {kept}: {why}")
    for file in report.elsewhere:
        say(f"{target} names {file} by a relative path, and is in another folder")
    if report.lost_references:
        say(f"{report.lost_references} references led nowhere; they are null now")
    sizes = f"{text.kilobytes(report.before)} -> {text.kilobytes(report.after)}"
    if planned:
        say(f"the file would be {sizes}, about; nothing was written")
    else:
        say(
            f"{target}: {sizes} in {report.seconds:.1f} s; {report.compared} datasets, and all "
            "attributes and links, compared and equal"
            + ", but for what is lossy, of which each pixel is within the bound"
            * lossy
        )
