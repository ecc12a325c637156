"""Commands that write a stack, or write out what is in one."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import sys
from pathlib import Path
from typing import Any

import click

from .. import text
from ..bulk.many import pack_many
from ..care import rehashing, remapping, salvage
from ..cli import colours
from ..layout.replacing import kind_of_name
from ..sinks import unpacking
from ..sinks.video_export import CONTAINERS, MAX_FPS, Exported
from ..sinks.video_export import export as export_video
from ..stack import Stack
from ..text import json_text, shape_text
from ..writing import linking, packer
from ..writing.estimation import Estimate, estimate
from ..writing.option_texts import OptionGroup
from . import listings
from .grouped_help import GroupedCommand, grouped_option
from .many_files import bulk_options, refuse_bulk_options, run_many
from .option_types import Frames
from .options import (
    command_options,
    examples,
    json_option,
    overwrite_option,
    packing_options,
    typed,
)
from .pipes import STDOUT, binary_stdout, not_stdin, not_stdout, to_stdout
from .signals import end_tidily
from .terminal import printable, progress_bar, say


@click.command(
    cls=GroupedCommand,
    epilog=examples(
        "h5vidstack pack images/ out.h5",
        "h5vidstack pack images/ out.h5 --dry-run",
        "h5vidstack pack 'raw/*.tif' out.h5 --profile fast",
        "h5vidstack pack movie.mp4 out.h5 --gray --resume",
        "h5vidstack pack movie.mp4 out.h5 --gray --copy",
        "h5vidstack pack raw.h5::/entry/data out.h5::/entry/stack",
        "h5vidstack pack sim.npy out.h5 --max-error 1e-3r",
        "h5vidstack pack cells.tif out.h5 --max-error 0.5s",
        "h5vidstack pack --each runs/*.tif packed/ --jobs 4 --log packed.jsonl",
    ),
)
@click.argument("src", nargs=-1, required=True, callback=not_stdin)
@click.argument("dst", callback=not_stdout)
@grouped_option(
    "--each", is_flag=True, group=OptionGroup.MANY,
    help="Pack each SRC into a file of its own in the folder DST.",
)  # fmt: skip
@bulk_options
@command_options("pack")
@grouped_option(
    "--dry-run", is_flag=True, group=OptionGroup.OUTPUT,
    help="Write nothing; tell in seconds, from some frames, what it would give.",
)  # fmt: skip
@json_option
def pack(
    src: tuple[str, ...], dst: str, *, each: bool, dry_run: bool, scheduler: str | None,
    as_json: bool, **values: Any,
) -> None:  # fmt: skip
    """Pack images, a video or an array into a stack.

    SRC goes into DST (out.h5 or out.h5::/group), losslessly unless asked otherwise. With --each,
    DST is a folder. The exit code is 3 if some sources failed, and 1 if all did.
    """
    if each:
        with packing_options(values, scheduler) as options:
            run_many(
                functools.partial(pack_many, src, dst), "packing", values, options,
                as_json=as_json, dry_run=dry_run,
            )  # fmt: skip
        return
    refuse_bulk_options("--each")
    end_tidily()
    if dry_run:
        with packing_options(values, scheduler) as options:
            found = estimate(_source(src), dst, options=options)
        _say_estimated(found, as_json, options.explain, src)
        return
    with packing_options(values, scheduler) as options, progress_bar("packing") as progress:
        report = packer.pack(_source(src), dst, options=options, progress=progress)
    _say_packed(report, as_json, src)


@click.command(
    cls=GroupedCommand,
    epilog=examples(
        "h5vidstack append out.h5 more/",
        "h5vidstack append out.h5 today.npy --profile fast",
    ),
)
@click.argument("file", callback=not_stdin)
@click.argument("src", nargs=-1, required=True, callback=not_stdin)
@command_options("append")
@json_option
def append(
    file: str, src: tuple[str, ...], scheduler: str | None, as_json: bool, **values: Any
) -> None:
    """Add frames to a stack.

    The frames of SRC go to the end of the stack FILE, and what it holds is not coded again.
    Options that are not given are those of the stack; frames are packed losslessly, unless asked
    otherwise.
    """
    end_tidily()
    with (
        Stack(file) as stack,
        packing_options(values, scheduler) as options,
        progress_bar("adding") as progress,
    ):
        report = stack.append(_source(src), options=options, progress=progress)
    _say_packed(report, as_json, src)


@click.command(
    epilog=examples(
        "h5vidstack link part-1.h5 part-2.h5 -o all.h5",
        "h5vidstack link 'part-*.h5' -o all.h5      # quoted: part-2 before part-10",
    )
)
@click.argument("parts", nargs=-1, required=True, callback=not_stdin)
@click.option(
    "-o", "--output", required=True, metavar="OUT", callback=not_stdout,
    help="all.h5 or all.h5::/group.",
)  # fmt: skip
@overwrite_option
@json_option
def link(parts: tuple[str, ...], output: str, overwrite: bool, as_json: bool) -> None:
    """Make one stack of several, which stay in their files.

    OUT shows the frames of PARTS in this order. Nothing is copied: OUT finds the parts where they
    are, as seen from its folder.
    """
    end_tidily()
    made = linking.link(parts, output, overwrite=overwrite)
    if as_json:
        say(json_text(dataclasses.asdict(made)))
        return
    exact = "lossless" if made.lossless else text.loss(made.max_error, made.psnr)
    shape = shape_text(made.shape)
    many = f"{len(made.parts)} part{'s' * (len(made.parts) > 1)}"
    say(f"{output}: {many}, {shape} {made.dtype}, {exact}")
    if not made.searchable:
        say(
            f"{output} has no hashes, because some parts have none; add them with: "
            f"h5vidstack rehash {output}"
        )


def _source(src: tuple[str, ...]) -> str | list[str]:
    return src[0] if len(src) == 1 else list(src)


_SMALLER = {
    "a video": "--copy keeps the packets of an H.264 file as they are (with --gray, where it has "
    "colour); --codec x264 --crf 20 is "
    "small, but loses some of the pixels",
    "an image": "a stack keeps all pixels that a lossy image decodes to; --codec x264 --crf 20 is "
    "small, but loses some of them",
}
"""What makes a stack smaller, by the kind of its source."""


def _say_growth(found: packer.PackReport | Estimate, written: int, src: tuple[str, ...]) -> None:
    """Say what helps where a stack takes more bytes than its source."""
    if found.growth is None or round(found.growth, 1) <= 1:
        return
    kind = "an image" if os.path.isdir(src[0]) else kind_of_name(src[0])
    cure = _SMALLER.get(kind or "", "--profile small may take less")
    if found.stored_bytes <= (found.source_bytes or 0):  # so no other coding would help
        added = text.kilobytes(written - found.stored_bytes)
        cure = f"{added} are tables and what HDF5 needs beside the frames"
    click.echo(
        f"the stack takes {found.growth:.1f} times the bytes of its source: {cure}", err=True
    )


def _say_both(
    found: packer.PackReport | Estimate, written: int, as_json: bool, src: tuple[str, ...]
) -> None:
    """Say what packing and its estimate have in common: notes, growth, and all of it as JSON."""
    for note in found.notes:
        click.echo(printable(note), err=True)
    _say_growth(found, written, src)
    if as_json:
        more = {"ratio": found.ratio, "growth": found.growth}
        say(json_text(dataclasses.asdict(found) | more))


def _say_estimated(found: Estimate, as_json: bool, explain: bool, src: tuple[str, ...]) -> None:
    """Say what packing would give."""
    _say_both(found, found.file_bytes, as_json, src)
    if as_json:
        return
    for number, line in enumerate(listings.estimate_lines(found)):
        say(colours.facts(line) if number else colours.verdict(line))
    if explain and found.trials:
        say(f"\n{colours.table(listings.trial_table(found.trials))}")


def _say_packed(report: packer.PackReport, as_json: bool, src: tuple[str, ...]) -> None:
    _say_both(report, report.written_bytes, as_json, src)
    if as_json:
        return
    shape = shape_text((report.frames, *report.shape[1:]))
    checked = "each block decoded and compared" if report.verified else "not verified"
    done = "packed" if report.frames == report.shape[0] else "added"
    say(
        f"{done} {shape} {report.dtype}: {text.kilobytes(report.raw_bytes)} -> "
        f"{text.kilobytes(report.stored_bytes)} (ratio {report.ratio:.2f}) in "
        f"{report.seconds:.1f} s, {report.frames / report.seconds:.0f} frames/s, {checked}"
    )
    if report.frames != report.shape[0]:
        say(f"{report.path} holds {report.shape[0]} frames now")
    copies = f"; {text.repeats(report.copies)}" if report.copies else ""
    say(f"{report.order}{copies}")
    if report.conversion is not None:
        say(report.conversion)
    if report.source_bytes:
        say(text.growth(report.source_bytes, report.written_bytes))
    exact = "lossless" if report.lossless else text.loss(report.max_error, report.psnr)
    if report.codings:
        say(f"coded by {'; '.join(dict.fromkeys(report.codings))}: {colours.verdict(exact)}")
    if report.noise is not None:
        say(f"{report.noise}; {report.noise.model}")
    for number, trials in enumerate(report.trials):
        say(f"\npile {number}:\n{colours.table(listings.trial_table(trials))}")


@click.command(
    epilog=examples(
        "h5vidstack unpack out.h5 frames/",
        "h5vidstack unpack out.h5 some.npy --frames 10:20:2",
        "h5vidstack unpack out.h5 plain.h5::/data",
        "h5vidstack unpack out.h5 - --frames 17 --format png > frame.png",
    )
)
@click.argument("src", callback=not_stdin)
@click.argument("dst")
@click.option("--frames", type=Frames(), help="Which frames: 10:20:2, 17 or 1,5,9.")
@click.option(
    "--format", "image_format", type=click.Choice(unpacking.STREAM_FORMATS),
    help="Format of the images in a folder, png or tiff, or of what goes to -.  "
    "[default: as their names end, or png; to -: npy]",
)  # fmt: skip
@click.option(
    "--names/--no-names", default=None,
    help="Name the images in a folder as the source did, or by number.  "
    "[default: --names, if each frame has one]",
)  # fmt: skip
@overwrite_option
def unpack(
    src: str, dst: str, frames: Any, image_format: str | None, names: bool | None, overwrite: bool
) -> None:
    """Write frames to images, TIFF, .npy, HDF5 or a video.

    The frames of the stack SRC go to DST, a folder of images, x.tif (multi-page), x.ome.tif, x.npy,
    x.h5::/path (plain HDF5), or a video (x.mkv, x.mp4; see export); or -, standard output: .npy,
    one PNG, TIFF, or the bare pixels. What the source said of the frames is written, too, where the
    format has a place for it.
    """
    end_tidily()
    if dst == STDOUT:
        with Stack(src) as stack, binary_stdout() as out, progress_bar("unpacking") as progress:
            notes = unpacking.stream(
                stack, out, image_format or "npy", frames=frames, progress=progress
            )
        for note in notes:
            click.echo(printable(note), err=True)
        return
    if typed(["image_format"]) and not unpacking.is_folder(dst):
        raise click.UsageError(
            "--format goes with a folder of images or standard output (-); the name of a file says "
            "its format: x.npy, x.tif"
        )
    if names is not None and not unpacking.is_folder(dst):
        raise click.UsageError("--names and --no-names go with a folder of images")
    if image_format not in (None, *unpacking.IMAGE_FORMATS):
        raise click.UsageError(
            f"--format {image_format} goes with standard output (-) only; folders take png or tiff"
        )
    if Path(dst).suffix.lower() in CONTAINERS and frames is None:
        with progress_bar("exporting") as progress:
            _say_exported(export_video(src, dst, overwrite=overwrite, progress=progress), dst)
        return
    with progress_bar("unpacking") as progress:
        count = unpacking.unpack(
            src, dst, frames=frames, image_format=image_format, names=names,
            overwrite=overwrite, progress=progress,
        )  # fmt: skip
    for note in count.notes:
        click.echo(printable(note), err=True)
    say(f"unpacked {count} frames to {dst}")


@click.command(
    epilog=examples(
        "h5vidstack export out.h5 out.mkv",
        "h5vidstack export out.h5::/entry/stack out.mp4 --fps 10",
    )
)
@click.argument("file", callback=not_stdin)
@click.argument("out")
@click.option(
    "--fps", type=click.FloatRange(1 / MAX_FPS, MAX_FPS),
    help="Frames a second, instead of the times of the stack.  [default: these, else what the "
    "source stated, else 25]",
)  # fmt: skip
@overwrite_option
@json_option
def export(file: str, out: str, fps: float | None, overwrite: bool, as_json: bool) -> None:
    """Write a stack as a video file, bit for bit.

    The stack FILE becomes OUT (x.mkv or x.mp4; -: mkv). Packets are copied where the stack is one
    gray H.264 (or, to mkv, FFV1) video in order; other frames are coded again, losslessly. OUT is
    decoded and compared before it gets its name.
    """
    end_tidily()
    with contextlib.ExitStack() as cleanup:
        to_pipe = out == STDOUT
        if to_pipe and as_json:
            raise click.UsageError("--json and the video cannot both go to standard output")
        path = cleanup.enter_context(to_stdout(".mkv")) if to_pipe else out
        progress = cleanup.enter_context(progress_bar("exporting"))
        done = export_video(file, path, fps=fps, overwrite=overwrite, progress=progress)
    if as_json:
        say(json_text(dataclasses.asdict(done)))
    else:
        _say_exported(done, None if to_pipe else out)


def _say_exported(done: Exported, out: str | None) -> None:
    """Say what became of a stack as a video, which went to a pipe if `out` is None."""
    for note in done.notes:
        click.echo(printable(note), err=True)
    if out is None:
        return
    how = "packets copied" if done.copied else "coded again, losslessly"
    say(
        f"exported {done.frames} frame{'s' * (done.frames != 1)} to {out}: "
        f"{text.kilobytes(done.bytes)} of {done.codec}, {how}; decoded and equal"
    )


@click.command(epilog=examples("h5vidstack rehash out.h5"))
@click.argument("file", callback=not_stdin)
def rehash(file: str) -> None:
    """Make the hash tables that 'find' searches.

    They are added to the stack FILE, or made anew.
    """
    end_tidily()
    with progress_bar("hashing") as progress:
        count = rehashing.rehash(file, progress=progress)
    say(f"{file}: hashes of {count} frames stored")


@click.command(epilog=examples("h5vidstack remap week.h5::/monday"))
@click.argument("file", callback=not_stdin)
def remap(file: str) -> None:
    """Show frames in plain HDF5 again after a move.

    The dataset `frames` of the stack FILE is made anew, after the stack was moved or copied to
    another place. Then every HDF5 program sees its frames again. `h5vidstack` itself reads them
    without.
    """
    end_tidily()
    if remapping.remap(file):
        say(f"{file}: frames made anew")
    else:
        say(f"{file}: there is nothing to make anew")


@click.command(
    epilog=examples(
        "h5vidstack recover bad.h5 good.h5",
        "h5vidstack recover recording.h5 run.h5 --json",
    )
)
@click.argument("bad", callback=not_stdin)
@click.argument("good", callback=not_stdout)
@overwrite_option
@json_option
def recover(bad: str, good: str, overwrite: bool, as_json: bool) -> None:
    """Save the intact frames of a damaged stack.

    Every intact frame of BAD goes to GOOD, and the lost ones are listed. It also makes an ordinary
    stack of a recording that was not closed. BAD stays as it is. The exit code is 1 if frames were
    lost, or if that is not known.
    """
    end_tidily()
    with progress_bar("looking") as progress:
        found = salvage.recover(bad, good, overwrite=overwrite, progress=progress)
    if as_json:
        say(json_text(dataclasses.asdict(found)))
    else:
        for note in found.notes:
            say(note)
        say(f"saved {found.saved} frames to {good}")
        if found.lost is None:
            say(colours.bad("which frames are lost is not known"))
        elif found.lost:
            count = len(found.lost)
            lost = f"lost {count} frame{'s' * (count != 1)}"
            say(f"{colours.bad(lost)}: {text.runs(found.lost)}")
    sys.exit(0 if found.lost == () else 1)
