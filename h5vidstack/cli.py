"""The command line: what it takes and what it prints; the work is done elsewhere."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from pathlib import Path
from typing import Any

import click

from . import bench as comparison
from . import demo as demonstration
from . import info as information
from . import packer, pictures, recovery, sheet, sinks, verification
from . import rehash as rehashing
from .bench import table
from .codecs import CODECS, PRESETS
from .hashing import HASHES
from .methods import METHODS
from .option_types import Bytes, Frames, Pair
from .output import complete_or_absent
from .profiles import PROFILES
from .reader import Stack
from .search import mismatch
from .sources import read_image
from .terminal import Commands, end_tidily, json_text, printable, progress_bar, say, show_version

_overwrite = click.option("--overwrite", is_flag=True, help="Replace an existing output.")
_json = click.option("--json", "as_json", is_flag=True, help="Print machine-readable JSON.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=show_version,
    help="Show the versions of h5vidstack, PyAV and FFmpeg.",
)
def main() -> None:
    """Keep large stacks of similar images in one exact, small HDF5 file.

    SRC is a folder or glob of images, a multi-page TIFF, .npy, a video file,
    file.h5::/dataset, or another stack. A stack is file.h5 or file.h5::/path.
    """


@main.command()
@click.argument("src", nargs=-1, required=True)
@click.argument("dst")
@click.option(
    "--method", type=click.Choice(list(METHODS)), default="auto", show_default=True,
    help="video: in their order; groupvideo: similar frames side by side; auto: what pays. "
    "Without video: hdf5*: as HDF5 keeps them; group: differences to the mean of a pile; "
    "pca: LOSSY without --exact.",
)  # fmt: skip
@click.option(
    "--profile", type=click.Choice(list(PROFILES)), default="balanced", show_default=True,
    help="What matters, when samples of each pile decide how it is coded.",
)  # fmt: skip
@click.option("--codec", type=click.Choice(list(CODECS)), help="Choose among this one's presets.")
@click.option(
    "--preset", type=click.Choice(list(PRESETS)), metavar="NAME",
    help="Exactly this coding, as x264-slow or ffv1; mp4 (MPEG-4) is LOSSY.",
)  # fmt: skip
@click.option(
    "--crf", type=float, metavar="Q",
    help="LOSSY x264 (or --codec x265) of this constant rate factor, 0 to 51.",
)  # fmt: skip
@click.option(
    "--max-error", metavar="E",
    help="LOSSY: let no pixel move by more than E; 1e-3r or 0.1%: of the range of all.",
)  # fmt: skip
@click.option("--components", type=click.IntRange(min=1), help="Of method pca.  [default: 20]")
@click.option("--target-psnr", type=float, metavar="DB", help="Of pca: as many as this needs.")
@click.option("--exact", is_flag=True, help="Of pca: keep what the components leave, too.")
@click.option("--explain", is_flag=True, help="Show what was tried: sizes and speeds.")
@click.option(
    "--chunk-frames", type=click.IntRange(min=1),
    help="Frames a block.  [default: 16; fast: fewer; small: 256]",
)  # fmt: skip
@click.option(
    "--tile", type=Pair(2, none=True),
    help="Height and width of tiles, or 'none'.  [default: for frames over 4 megapixels]",
)  # fmt: skip
@click.option("--gray", is_flag=True, help="Make gray of colour; of a video, keep its luma.")
@click.option("--no-hashes", is_flag=True, help="Store no hash tables; 'find' needs them.")
@click.option(
    "--spool-limit", "spool_bytes", type=Bytes(), default="16G", show_default=True,
    help="Disk for frames that wait to be reordered.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), help="Encoder threads.  [default: cores]")
@click.option("--no-verify", is_flag=True, help="Do not decode and compare each block.")
@_overwrite
@_json
def pack(
    src: tuple[str, ...],
    dst: str,
    no_verify: bool,
    no_hashes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Pack SRC into DST (out.h5 or out.h5::/group), losslessly unless asked otherwise."""
    end_tidily()
    source = src[0] if len(src) == 1 else list(src)
    with progress_bar("packing") as progress:
        report = packer.pack(
            source, dst, verify=not no_verify, hashes=not no_hashes, progress=progress, **options
        )
    if as_json:
        say(json_text(dataclasses.asdict(report) | {"ratio": report.ratio}))
        return
    shape = " x ".join(map(str, report.shape))
    checked = "each block decoded and compared" if report.verified else "not verified"
    say(
        f"packed {shape} {report.dtype}: {information.kilobytes(report.raw_bytes)} -> "
        f"{information.kilobytes(report.stored_bytes)} (ratio {report.ratio:.2f}) in "
        f"{report.seconds:.1f} s, {report.shape[0] / report.seconds:.0f} frames/s, {checked}"
    )
    copies = f"; {information.repeats(report.copies)}" if report.copies else ""
    say(f"{report.order}{copies}")
    exact = "lossless" if report.lossless else information.loss(report.max_error, report.psnr)
    say(f"coded by {'; '.join(dict.fromkeys(report.codings))}: {exact}")
    for number, trials in enumerate(report.trials):
        say(f"\npile {number}:\n{information.trials_table(trials)}")


@main.command()
@click.argument("src")
@click.argument("dst")
@click.option("--frames", type=Frames(), help="Which frames: 10:20:2, 17 or 1,5,9.")
@click.option(
    "--format", "image_format", type=click.Choice(sinks.IMAGE_FORMATS), default="png",
    show_default=True, help="Of the images in a folder.",
)  # fmt: skip
@_overwrite
def unpack(src: str, dst: str, **options: Any) -> None:
    """Write the frames of the stack SRC to DST.

    DST is a folder of images, x.tif (multi-page), x.npy, or x.h5::/path (plain HDF5).
    """
    end_tidily()
    with progress_bar("unpacking") as progress:
        count = sinks.unpack(src, dst, progress=progress, **options)
    say(f"unpacked {count} frames to {dst}")


@main.command()
@click.argument("file")
@click.option("--groups", is_flag=True, help="Show the piles of similar frames, too.")
@_json
def info(file: str, groups: bool, as_json: bool) -> None:
    """Show what is in the stack FILE."""
    facts = information.describe(file)
    if as_json:
        say(json_text(facts))
        return
    say(information.table(facts))
    if groups:
        say("\n" + information.groups_table(facts))


@main.command()
@click.argument("file")
@click.argument("query", required=False)
@click.option("--frame", type=int, help="Search for frames like this one of FILE.")
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many.")
@click.option(
    "--hash", "name", type=click.Choice(HASHES), default="phash", show_default=True,
    help="Which hash proposes frames.",
)  # fmt: skip
@click.option(
    "--max-distance", type=click.IntRange(0, 64), help="Only hashes that differ in so many bits."
)
@click.option("--no-rerank", is_flag=True, help="Do not compare pixels, only hashes.")
@_json
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
    say(f"{'frame':>10}  {'rms difference':>14}  {'hash bits apart':>15}")
    for match in matches:
        rmse = "-" if match.rmse is None else f"{match.rmse:.4g}"
        say(f"{match.frame:>10}  {rmse:>14}  {match.distance:>15}")


@main.command()
@click.argument("file")
def rehash(file: str) -> None:
    """Add hash tables to the stack FILE, or make them anew."""
    end_tidily()
    with progress_bar("hashing") as progress:
        count = rehashing.rehash(file, progress=progress)
    say(f"{file}: hashes of {count} frames stored")


@main.command("contact-sheet")
@click.argument("file")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--size", type=click.IntRange(16, 2048), default=192, show_default=True,
    help="Longest edge of a small picture, in pixels.",
)  # fmt: skip
@click.option(
    "--rows", type=click.IntRange(min=1), default=sheet.MAX_ROWS, show_default=True,
    help="Piles at most; the largest.",
)  # fmt: skip
@_overwrite
def contact_sheet(file: str, out: Path, size: int, rows: int, overwrite: bool) -> None:
    """Draw the piles of the stack FILE: first, typical and last frame of each."""
    end_tidily()
    with Stack(file) as stack:
        count = sheet.contact_sheet(stack, out, edge=size, max_rows=rows, overwrite=overwrite)
    say(f"drew {count} pile{'s' * (count != 1)} to {out}")


@main.command()
@click.argument("file")
@click.option(
    "--against", metavar="SRC", multiple=True,
    help="Compare every frame with this input, too; may be given once a file.",
)  # fmt: skip
@click.option("--gray", is_flag=True, help="SRC was packed with --gray.")
@_json
def verify(file: str, against: tuple[str, ...], gray: bool, as_json: bool) -> None:
    """Decode all of the stack FILE; check each CRC and the index. Exit code 1 if wrong."""
    with Stack(file, cache_bytes=0) as stack, progress_bar("verifying") as progress:
        source = against[0] if len(against) == 1 else list(against) or None
        problems = verification.verify(stack, against=source, gray=gray, progress=progress)
        frames, exact = len(stack), stack.attrs.get("lossless", True)
    if as_json:
        say(json_text({"frames": frames, "sound": not problems, "problems": problems}))
    elif problems:
        for problem in problems:
            say(problem)
        say(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in {file}")
    else:
        how = "equal to" if exact else "within its largest error of"
        compared = f", {how} {', '.join(against)}" if against else ""
        say(f"{file}: {frames} frames, every block, CRC and index sound{compared}")
    sys.exit(1 if problems else 0)


@main.command()
@click.argument("file")
@click.option(
    "--against", metavar="SRC", multiple=True,
    help="Measure the error of every frame to this input; may be given once a file.",
)  # fmt: skip
@click.option("--plots", type=click.Path(), metavar="DIR", help="Draw pictures there.")
@click.option("--gray", is_flag=True, help="SRC was packed with --gray.")
@_overwrite
@_json
def check(
    file: str,
    against: tuple[str, ...],
    plots: str | None,
    gray: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Say how exact the stack FILE is: its error, and the spectrum of a PCA.

    Exit code 1 if the error is larger than the stack says. Pictures: the components of a
    PCA; with --against also the worst and a typical frame beside their input.
    """
    source = against[0] if len(against) == 1 else list(against) or None
    with progress_bar("comparing") as progress:
        found = recovery.check(file, source, gray=gray, progress=progress)
    if as_json:
        facts = dataclasses.asdict(found) | {"keeps_its_word": found.keeps_its_word}
        say(json_text(facts))
    else:
        for line in recovery.lines(found):
            say(line)
    if plots is not None:
        for name in pictures.draw(file, plots, found, source, gray=gray, overwrite=overwrite):
            click.echo(f"drew {printable(name)}", err=as_json)
    sys.exit(0 if found.keeps_its_word else 1)


@main.command()
@click.argument("src")
@click.option(
    "--methods", "methods", metavar="A,B,...", default="",
    help="Only these: auto, 'video x264-slow', SZ3, ...  [default: all of ours]",
)  # fmt: skip
@click.option("--peers", is_flag=True, help="All others, too, where they are installed.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--frames", type=click.IntRange(min=1), help="Only the first so many.")
@click.option("--dtype", type=click.Choice(demonstration.DTYPES), help="Of demo.  [default: uint8]")
@click.option(
    "--max-error", metavar="E", help="For those that keep a bound.  [default of floats: 1e-3r]"
)
@click.option("--gray", is_flag=True, help="Make gray of colour.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write figures here.")
@click.option("--html", "page", type=click.Path(), help="Write a page with plots and pictures.")
@_overwrite
def bench(
    src: str,
    methods: str,
    dtype: str | None,
    json_path: Path | None,
    overwrite: bool,
    **options: Any,
) -> None:
    """Compare ways to keep SRC, or 'demo': sizes, speeds, memory, errors.

    Each writes and reads in a process of its own, from and to the temporary folder (TMPDIR).
    """
    end_tidily()
    if dtype is not None and src != "demo":
        raise click.UsageError("--dtype is of 'demo'; other frames have theirs")
    source = demonstration.generated(dtype or "uint8") if src == "demo" else src
    name = "generated stack" if src == "demo" else None
    names = [name.strip() for name in methods.split(",") if name.strip()]
    with contextlib.ExitStack() as outputs:
        if json_path is not None:
            temporary = outputs.enter_context(complete_or_absent(json_path, overwrite=overwrite))
        with progress_bar("benching") as progress:
            found = comparison.compare(
                source, name=name, methods=names, overwrite=overwrite, progress=progress, **options
            )
        if json_path is not None:
            temporary.write_text(json_text(dataclasses.asdict(found)) + "\n")
    for line in table.lines(found):
        say(line)


@main.command()
@click.option("--grid", type=Pair(3), default="20x10x10", show_default=True, help="Frames.")
@click.option("--size", type=Pair(2), default="200x300", show_default=True, help="Of a frame.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep the packed file here.")
def demo(grid: tuple[int, int, int], size: tuple[int, int], out: Path | None) -> None:
    """Pack a generated stack, read frames back, and compare sizes with gzip."""
    end_tidily()
    with progress_bar("packing") as progress:
        demonstration.demonstrate(grid, size, out, say, progress)
