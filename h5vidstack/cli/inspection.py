"""The commands that look at a stack and change nothing in it."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from pathlib import Path
from typing import Any

import click

from .. import plugin
from ..care import fidelity, verification
from ..cli import colours
from ..integrations.kerchunk import references as references_of
from ..layout.output import complete_or_absent
from ..reading.search import mismatch
from ..reading.summary import describe
from ..similar.fingerprints import HASHES
from ..sinks import pictures
from ..sinks.contact_sheet import MAX_ROWS, draw_sheet
from ..sources.openers import read_image
from ..sources.overlap import refuse_source
from ..sources.source import SourceOptions
from ..stack import Stack
from ..text import aligned, json_text
from . import listings
from .options import examples, json_option, overwrite_option, reading_options
from .pipes import STDOUT, not_stdin, not_stdout, to_stdout
from .signals import end_tidily
from .terminal import printable, progress_bar, say


@click.command()
@click.argument("file", callback=not_stdin)
@click.option("--groups", is_flag=True, help="Also show the piles of similar frames.")
@json_option
def info(file: str, groups: bool, as_json: bool) -> None:
    """Show what is in the stack FILE."""
    facts = describe(file)
    if as_json:
        say(json_text(facts))
        return
    say(colours.facts(listings.stack_facts(facts)))
    if groups:
        say("\n" + colours.table(listings.pile_table(facts)))


@click.command(
    epilog=examples(
        "h5vidstack references out.h5 > refs.json",
        "h5vidstack references out.h5 -o refs.json --url https://host/data/out.h5",
    )
)
@click.argument("file", callback=not_stdin)
@click.option(
    "-o", "--output", "out", default="-", metavar="OUT", help="Write to this file; - prints."
)
@click.option("--url", help="Where readers will find FILE.  [default: where it is]")
@overwrite_option
def references(file: str, out: str, url: str | None, overwrite: bool) -> None:
    """Describe the stack FILE so that Zarr reads it in place: JSON in kerchunk's format.

    A stack in order is the array "frames". In a reordered stack each pile is an array
    "groups/000000/video", and frame i is entry index/position[i] of pile index/group[i]; there is
    no array "frames", because Zarr has no virtual arrays. Tables and hashes are arrays, too.
    Readers need h5vidstack for the codec. When FILE has changed, make the references again.
    """
    if out != STDOUT:
        refuse_source(out, file)
    found = json_text(references_of(file, url=url))
    if out == STDOUT:
        say(found)
        return
    end_tidily()
    with complete_or_absent(Path(out), overwrite=overwrite) as temporary:
        temporary.write_text(found)


@click.command()
@click.argument("file", callback=not_stdin)
@click.argument("query", required=False, callback=not_stdin)
@click.option("--frame", type=int, help="Search for frames like this one of FILE.")
@click.option(
    "-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many to find."
)
@click.option(
    "--hash", "name", type=click.Choice(HASHES), default="phash", show_default=True,
    help="Which hash proposes frames.",
)  # fmt: skip
@click.option(
    "--max-distance",
    type=click.IntRange(0, 64),
    help="Only hashes that differ in at most so many bits.",
)
@click.option("--no-rerank", is_flag=True, help="Compare only hashes, not pixels.")
@json_option
def find(
    file: str,
    query: str | None,
    frame: int | None,
    k: int,
    name: str,
    max_distance: int | None,
    no_rerank: bool,
    as_json: bool,
) -> None:
    """Find the frames of the stack FILE that are most like the image file QUERY.

    Hashes propose frames; then the pixels of the nearest ones are compared.
    """
    if (query is None) == (frame is None):
        raise click.UsageError("give an image file as QUERY, or --frame N")
    with Stack(file) as stack:
        image = stack[frame] if query is None else read_image(query)
        note = mismatch(image, stack.shape[1:], stack.dtype)
        matches = stack.find(image, k, hash=name, max_distance=max_distance, rerank=not no_rerank)
    if as_json:
        found = [dataclasses.asdict(match) for match in matches]
        say(json_text({"hash": name, "note": note, "matches": found}))
        return
    if note:
        click.echo(printable(f"note: {note}"), err=True)
    rows = [("frame", "rms difference", "hash bits apart")]
    for match in matches:
        rmse = "-" if match.rmse is None else f"{match.rmse:.4g}"
        rows.append((str(match.frame), rmse, str(match.distance)))
    say(colours.table("\n".join(aligned(rows))))


@click.command("contact-sheet")
@click.argument("file", callback=not_stdin)
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--size", type=click.IntRange(16, 2048), default=192, show_default=True,
    help="Longest edge of a small picture, in pixels.",
)  # fmt: skip
@click.option(
    "--rows", type=click.IntRange(min=1), default=MAX_ROWS, show_default=True,
    help="The most piles to draw; the largest are drawn.",
)  # fmt: skip
@overwrite_option
def contact_sheet(file: str, out: Path, size: int, rows: int, overwrite: bool) -> None:
    """Draw the piles of the stack FILE: the first, typical and last frame of each.

    OUT is a picture, such as sheet.png; - writes PNG to standard output.
    """
    end_tidily()
    with contextlib.ExitStack() as cleanup:
        to_pipe = str(out) == STDOUT
        path = cleanup.enter_context(to_stdout(".png")) if to_pipe else out
        stack = cleanup.enter_context(Stack(file))
        count = draw_sheet(stack, path, edge=size, max_rows=rows, overwrite=overwrite)
    if to_pipe:
        return
    say(f"drew {count} pile{'s' * (count != 1)} to {out}")


@click.command()
@click.argument("file", callback=not_stdin)
@click.option(
    "--against", metavar="SRC", multiple=True, callback=not_stdin,
    help="Also compare every frame with this input; may be given once for each file.",
)  # fmt: skip
@reading_options
@json_option
def verify(file: str, against: tuple[str, ...], as_json: bool, **how: Any) -> None:
    """Decode all of the stack FILE, and check each CRC and the index.

    The exit code is 1 if something is wrong.
    """
    with Stack(file, cache_bytes=0) as stack, progress_bar("verifying") as progress:
        source = against[0] if len(against) == 1 else list(against) or None
        notes = list[str]()
        problems = verification.verify(stack, against=source, progress=progress, notes=notes, **how)
        frames, exact = len(stack), stack.attrs.get("lossless", True)
    for note in notes:
        click.echo(printable(note), err=True)
    if as_json:
        say(json_text({"frames": frames, "sound": not problems, "problems": problems}))
    elif problems:
        for problem in problems:
            say(problem)
        say(colours.bad(f"{len(problems)} problem{'s' * (len(problems) > 1)} in {file}"))
    else:
        relation = "equal to" if exact else "within its largest error of"
        compared = f", {relation} {', '.join(against)}" if against else ""
        say(
            f"{file}: "
            + colours.verdict(f"{frames} frames, every block, CRC and index sound{compared}")
        )
    sys.exit(1 if problems else 0)


@click.command()
@click.argument("file", callback=not_stdin)
@click.option(
    "--against", metavar="SRC", multiple=True, callback=not_stdin,
    help="Measure the error of every frame against this input; may be given once for each file.",
)  # fmt: skip
@click.option(
    "--plots",
    type=click.Path(),
    metavar="DIR",
    callback=not_stdout,
    help="Draw pictures in this folder.",
)
@reading_options
@overwrite_option
@json_option
def check(
    file: str,
    against: tuple[str, ...],
    plots: str | None,
    overwrite: bool,
    as_json: bool,
    **how: Any,
) -> None:
    """Say how exact the stack FILE is: its error, and the spectrum of a PCA.

    The exit code is 1 if the error is larger than the stack says. --plots draws the components of a
    PCA. With --against it also draws the frame with the largest error and a typical frame, each
    beside its input.
    """
    source = against[0] if len(against) == 1 else list(against) or None
    with progress_bar("comparing") as progress:
        found = fidelity.check(file, source, progress=progress, **how)
    if as_json:
        facts = dataclasses.asdict(found) | {"keeps_its_word": found.keeps_its_word}
        say(json_text(facts))
    else:
        for line in fidelity.lines(found):
            say(colours.verdict(line))
    if plots is not None:
        for name in pictures.draw(
            file, plots, found, source, options=SourceOptions(**how), overwrite=overwrite
        ):
            click.echo(f"drew {printable(name)}", err=as_json)
    sys.exit(0 if found.keeps_its_word else 1)


@click.command(epilog=examples('HDF5_PLUGIN_PATH="$(h5vidstack plugin-path)" h5dump -H out.h5'))
def plugin_path() -> None:
    """Print the folder of the native HDF5 plugin.

    HDF5 programs other than Python find the plugin by HDF5_PLUGIN_PATH.
    """
    say(str(plugin.folder()))
