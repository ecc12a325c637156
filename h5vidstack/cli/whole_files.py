"""Commands on whole HDF5 files."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import click

from .. import text
from ..choosing.profiles import PROFILES
from ..codecs.registry import CODECS, PRESETS
from ..repacking.repacker import RepackReport
from ..repacking.repacker import repack as repack_file
from ..text import json_text
from .option_types import Pair
from .options import examples, json_option, overwrite_option, typed
from .pipes import not_stdin, not_stdout
from .signals import end_tidily
from .terminal import progress_bar, say


@click.command(
    epilog=examples(
        "h5vidstack repack scan.nxs packed.nxs --dry-run",
        "h5vidstack repack scan.nxs packed.nxs",
        "h5vidstack repack session.nwb small.nwb --select '/acquisition/*/data'",
        "h5vidstack repack packed.nxs plain.nxs --restore",
    )
)
@click.argument("source", metavar="IN", callback=not_stdin)
@click.argument("target", metavar="OUT", callback=not_stdout)
@click.option(
    "--select", multiple=True, metavar="GLOB",
    help="Only datasets at such paths, as '/entry/*/data'; may be given several times.  "
    "[default: all that look like stacks of images]",
)  # fmt: skip
@click.option("--restore", is_flag=True, help="The other way: pixels that any HDF5 reads.")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be replaced.")
@click.option(
    "--profile", type=click.Choice(list(PROFILES)), default="balanced", show_default=True,
    help="What matters, when samples of each dataset decide how it is coded.",
)  # fmt: skip
@click.option("--codec", type=click.Choice(list(CODECS)), help="Choose among this one's presets.")
@click.option(
    "--preset", type=click.Choice(list(PRESETS)), metavar="NAME", help="Exactly this coding."
)
@click.option("--chunk-frames", type=click.IntRange(min=1), help="About so many frames a block.")
@click.option("--tile", type=Pair(2, none=True), help="Height and width of tiles, or 'none'.")
@click.option("--no-hashes", is_flag=True, help="Store no hash tables; 'find' needs them.")
@click.option("--workers", type=click.IntRange(min=1), help="Threads.  [default: cores]")
@overwrite_option
@json_option
def repack(
    source: str, target: str, no_hashes: bool, dry_run: bool, as_json: bool, **options: Any
) -> None:
    """Copy the HDF5 file IN to OUT, its stacks of images as lossless video at the same paths.

    All else stays as it is: groups, attributes, links, references, dimension scales, types. What
    reads IN reads OUT after `import h5vidstack`. In the end all of both files is compared.
    """
    coding = typed(["profile", "codec", "preset", "chunk_frames", "tile", "no_hashes"])
    if options["restore"] and coding:
        raise click.UsageError(f"{coding} says how to code, and --restore makes pixels of it")
    end_tidily()
    with progress_bar("repacking") as progress:
        report = repack_file(
            source, target, hashes=not no_hashes, dry_run=dry_run, progress=progress, **options
        )
    if as_json:
        say(json_text(dataclasses.asdict(report)))
        return
    _say_repacked(report, target)


def _say_repacked(report: RepackReport, target: str) -> None:
    planned = report.path is None
    for one in report.replaced:
        shape = " x ".join(map(str, one.shape))
        say(
            f"{one.path}: {shape} {one.dtype}, {text.kilobytes(one.before)} -> "
            f"{'about ' if planned else ''}{text.kilobytes(one.after)} ({one.coding})"
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
        )
