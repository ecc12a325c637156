"""The commands that look at a stack and change nothing in it."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .. import plugin
from ..care import fidelity, verification
from ..care.originals import Original, compare_originals
from ..cli import colours
from ..errors import Error, FormatError
from ..hdf5.opening import is_url
from ..integrations.kerchunk import references as references_of
from ..layout.names import SEPARATOR
from ..layout.output import complete_or_absent
from ..reading.listing import stacks
from ..reading.metadata_summary import describe_metadata, metadata_rows, origin
from ..reading.search import mismatch
from ..reading.stack_file import split_readable
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

Seen = TypeVar("Seen")


@click.command(
    epilog=examples(
        "h5vidstack info out.h5",
        "h5vidstack info out.h5::/entry/stack --groups",
        "h5vidstack info out.h5 --json",
    )
)
@click.argument("file", callback=not_stdin)
@click.option("--groups", is_flag=True, help="Also show the piles of similar frames.")
@json_option
def info(file: str, groups: bool, as_json: bool) -> None:
    """Show what is in a stack.

    If FILE holds several stacks and names none of them, all are shown. --json has all that is known
    of the frames. Of several stacks it is a list. The exit code is 1 if one of several cannot be
    read.
    """
    found = _of_each(_named(file), lambda name: _described(name, as_json))
    if as_json:
        facts = [seen if isinstance(seen, dict) else seen[0] for seen in found]
        say(json_text(facts if len(facts) > 1 else facts[0]))
    for number, seen in enumerate([] if as_json else found):
        if number:
            say("")
        if isinstance(seen, dict):
            say(colours.bad(f"{seen['stack']}: {seen['error']}"))
            continue
        stack, rows = seen
        say(colours.facts(listings.stack_facts(stack, rows)))
        if groups:
            say("\n" + colours.table(listings.pile_table(stack)))
    sys.exit(1 if any(isinstance(seen, dict) for seen in found) else 0)


def _named(file: str) -> list[str]:
    """Return the stack that a name names; all of its file or group, if it names none of several."""
    path, inner = split_readable(file)
    found = [] if inner and _is_stack(file) else stacks(file)
    return [f"{path}{SEPARATOR}{stack}" for stack in found] if len(found) > 1 else [file]


def _is_stack(name: str) -> bool:
    try:
        Stack(name).close()
    except FormatError:
        return False
    return True


def _of_each(names: list[str], look: Callable[[str], Seen]) -> list[Seen | dict[str, Any]]:
    """Return what is seen of each of several stacks; of one that cannot be read, why not.

    A name that stands alone is refused by the error itself.
    """
    found: list[Seen | dict[str, Any]] = []
    for name in names:
        try:
            found.append(look(name))
        except Error as error:
            if len(names) == 1:
                raise
            found.append({"stack": split_readable(name)[1], "error": str(error)})
    return found


def _described(file: str, whole: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the facts of a stack, with all metadata if they are to be whole, and short lines."""
    facts = describe(file)
    with Stack(file) as stack:
        if whole:
            return facts | describe_metadata(stack, stack.attrs), {}
        return facts, metadata_rows(stack, stack.attrs)


@click.command("ls", epilog=examples("h5vidstack ls week.h5"))
@click.argument("file", callback=not_stdin)
@json_option
def list_stacks(file: str, as_json: bool) -> None:
    """List the stacks in a file.

    They are named by the paths that 'open' takes. The exit code is 1 if one of several cannot be
    read.
    """
    path, _ = split_readable(file)
    found = _of_each([f"{path}{SEPARATOR}{stack}" for stack in stacks(file)], describe)
    sound = [facts for facts in found if "error" not in facts]
    if as_json:
        names = ("stack", "shape", "dtype", "method", "lossless", "raw_bytes", "stored_bytes")
        say(
            json_text(
                [
                    {name: facts[name] for name in names if name in facts} | _why(facts)
                    for facts in found
                ]
            )
        )
    elif not found:
        say(f"{path} holds no stacks")
    elif sound:
        say(colours.table(listings.stack_table(sound)))
    for facts in [] if as_json else found:
        if "error" in facts:
            say(colours.bad(f"{facts['stack']}: {facts['error']}"))
    sys.exit(0 if len(sound) == len(found) else 1)


def _why(facts: dict[str, Any]) -> dict[str, Any]:
    return {"error": facts["error"]} if "error" in facts else {}


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
    """Describe a stack so that Zarr reads it in place.

    The output is JSON in kerchunk's format. A stack in order is the array "frames". In a reordered
    stack each pile is an array "groups/000000/video", and frame i is entry index/position[i] of
    pile index/group[i]; there is no array "frames", because Zarr has no virtual arrays. Tables and
    hashes are arrays, too. Readers need h5vidstack for the codec. When FILE has changed, make the
    references again.
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


@click.command(
    epilog=examples("h5vidstack find out.h5 query.png", "h5vidstack find out.h5 --frame 17 -k 5")
)
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
    """Find the frames that are most like an image.

    Of the stack FILE, those are listed that are most like the image file QUERY. Hashes propose
    frames; then the pixels of the nearest ones are compared.
    """
    if (query is None) == (frame is None):
        raise click.UsageError("give an image file as QUERY, or --frame N")
    with Stack(file) as stack:
        image = stack[frame] if query is None else read_image(query)
        note = mismatch(image, stack.shape[1:], stack.dtype)
        matches = stack.find(image, k, hash=name, max_distance=max_distance, rerank=not no_rerank)
        origins = [origin(stack, match.frame) for match in matches]
    if as_json:
        found = [
            dataclasses.asdict(match) | {"name": called or None}
            for match, called in zip(matches, origins, strict=True)
        ]
        say(json_text({"hash": name, "note": note, "matches": found}))
        return
    if note:
        click.echo(printable(f"note: {note}"), err=True)
    rows: list[tuple[str, ...]] = [("frame", "rms difference", "hash bits apart", "name")]
    for match, called in zip(matches, origins, strict=True):
        rmse = "-" if match.rmse is None else f"{match.rmse:.4g}"
        rows.append((str(match.frame), rmse, str(match.distance), called))
    if not any(origins):
        rows = [row[:-1] for row in rows]
    say(colours.table("\n".join(aligned(rows))))


@click.command("contact-sheet", epilog=examples("h5vidstack contact-sheet out.h5 sheet.png"))
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
    """Draw the piles of similar frames as one picture.

    Of each pile of the stack FILE, it has the first, a typical and the last frame. OUT is a
    picture, such as sheet.png; - writes PNG to standard output.
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


@click.command(
    epilog=examples(
        "h5vidstack verify out.h5",
        "h5vidstack verify out.h5 --against images/",
        "h5vidstack verify out.h5 --originals",
    )
)
@click.argument("file", callback=not_stdin)
@click.option(
    "--against", metavar="SRC", multiple=True, callback=not_stdin,
    help="Also compare every frame with this input; may be given once for each file.",
)  # fmt: skip
@click.option(
    "--originals", is_flag=True,
    help="Also list which of the files that the frames came from may be deleted.",
)  # fmt: skip
@reading_options
@json_option
def verify(file: str, against: tuple[str, ...], originals: bool, as_json: bool, **how: Any) -> None:
    """Decode all of a stack, and check each CRC and the index.

    If FILE names none of several stacks, all are checked. With --against the digest of each
    source file is compared, too, but not what the source says besides its pixels, such as names and
    times. With --originals a file may be deleted if its digest is that of
    the file that was packed, and all of its images equal their frames. The exit code is 1 if
    something is wrong, or if a file may not be deleted.
    """
    named = _named(file)
    if len(named) > 1 and (against or originals):
        raise click.UsageError(
            f"{file} holds {len(named)} stacks; name the one to compare: {', '.join(named)}"
        )
    results = _of_each(named, lambda name: _verified(name, against, originals, as_json, how))
    facts = [seen if isinstance(seen, dict) else seen[0] for seen in results]
    if as_json:
        say(json_text(facts if len(facts) > 1 else facts[0]))
    for seen in results:
        if isinstance(seen, dict) and not as_json:
            say(colours.bad(f"{seen['stack']}: {seen['error']}"))
    sys.exit(0 if all(not isinstance(seen, dict) and seen[1] for seen in results) else 1)


def _verified(
    name: str, against: tuple[str, ...], originals: bool, as_json: bool, how: dict[str, Any]
) -> tuple[dict[str, Any], bool]:
    """Verify one stack, and say what was found; return it, and whether all is well."""
    source: Any = against[0] if len(against) == 1 else list(against) or None
    notes = list[str]()
    compared: list[Original] | None = None
    with Stack(name) as stack, progress_bar("verifying") as progress:
        problems = verification.verify(stack, against=source, progress=progress, notes=notes, **how)
        if originals or (against and not any(map(is_url, against))):  # what has digests
            options = SourceOptions(**how) if source is not None or any(how.values()) else None
            compared = list(compare_originals(stack, source, options=options, progress=progress))
        frames, exact = len(stack), stack.attrs.get("lossless", True)
    for note in notes:
        click.echo(printable(note), err=True)
    sound = not problems
    facts: dict[str, Any] = {"frames": frames, "sound": sound, "problems": problems}
    if compared is not None:
        facts["files"] = [
            dataclasses.asdict(one) | {"replaceable": sound and one.replaceable} for one in compared
        ]
    kept = originals and compared is not None and not all(one.replaceable for one in compared)
    if not as_json:
        for problem in problems:
            say(problem)
        for line in listings.original_lines(compared or [], originals, sound):
            say(line)
        relation = "equal to" if exact else "within its largest error of"
        said = f", {relation} {', '.join(against)}" if against else ""
        verdict = f"{frames} frames, every block, CRC and index sound{said}"
        bad = f"{len(problems)} problem{'s' * (len(problems) > 1)} in {name}"
        say(f"{name}: {colours.verdict(verdict)}" if sound else colours.bad(bad))
    return facts, sound and not kept


@click.command(
    epilog=examples(
        "h5vidstack check out.h5", "h5vidstack check out.h5 --against sim.npy --plots pictures/"
    )
)
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
    """Say how exact a stack is.

    Of the stack FILE it tells the error, and the spectrum of a PCA. The exit code is 1 if the error
    is larger than the stack says. --plots draws the components of a PCA. With --against it also
    draws the frame with the largest error and a typical frame, each beside its input.
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
    """Print the folder of the HDF5 plugin.

    By HDF5_PLUGIN_PATH, HDF5 programs other than Python find this native plugin.
    """
    say(str(plugin.folder()))
