"""Compare ways to keep a stack: ours, and those that others use."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..choosing.quality import Bound
from ..codecs.av_engine import library_versions
from ..codecs.block import check_dtype
from ..errors import OutputError, SourceError, UnsupportedError
from ..layout.output import complete_or_absent
from ..pool import default_workers
from ..shapes import window_frames
from ..sources.array_source import ArraySource
from ..sources.openers import open_source
from ..sources.overlap import refuse_source
from ..sources.source import Source, SourceOptions
from .child import Job
from .page import write_page
from .results import Bench, Row
from .roster import ANY, choose, refuse_if_none, roster
from .rounds import Steps, run_rounds

__all__ = ["Bench", "Row", "compare"]

ROUNDS = 3
FEWEST_FRAMES = 8
FEWEST_BYTES = 1_000_000
FLOAT_BOUND = "1e-3r"
"""Of floats, where none is given: a thousandth of the range."""


def compare(
    source: Any,
    *,
    name: str | None = None,
    methods: Sequence[str] = (),
    peers: bool = False,
    rounds: int = ROUNDS,
    frames: int | None = None,
    max_error: float | str | None = None,
    gray: bool = False,
    page: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Steps | None = None,
) -> Bench:
    """Pack a stack in many ways, read it back, and measure sizes, speeds, memory and errors.

    Each is written and read in a process of its own, from the same file of raw pixels in the
    temporary folder (``TMPDIR``), in interleaved rounds.

    Parameters
    ----------
    source
        Anything that `pack` takes.
    name
        What to call it; None: as it calls itself.
    methods
        Names of rows, in full (``"video x264-slow"``) or by their first words; empty: every
        profile and method.
    peers
        Add all others, where they are installed: gzip, lzf, Blosc2, zstd, bitshuffle, SZ3,
        ZFP, h5ffmpeg, JPEG XL, JPEG 2000, JPEG-LS, x264, x265 and FFV1 video files.
    rounds
        How often each is measured; at least 1.
    frames
        Take only so many, the first.
    max_error
        As of `pack`: for the contestants that keep a bound. None: ``"1e-3r"`` for
        floats, and for others no such contestants.
    gray
        As of `pack`.
    page
        Write a web page here: one file, with a table, plots and pictures.
    overwrite
        Replace an existing page.
    progress
        Called with the number of measurements that are done, and of all, and what runs
        now: ``"round 2/3: auto small"``.

    Returns
    -------
    Bench

    Raises
    ------
    SourceError
        If the source cannot be read or is too small, or the temporary folder too small for it.
    UnsupportedError
        If no method that is wanted could be measured.
    OutputError
        If the page, or the temporary folder, cannot be written.
    Error
        If a method is unknown.
    """
    if rounds < 1 or (frames is not None and frames < 1):
        raise UnsupportedError(f"rounds {rounds} and frames {frames} must be at least 1")
    bound = None if max_error is None else Bound.parse(max_error)
    # Before what takes long:
    refuse_if_none((one.name, one.missing) for one in choose(roster(ANY), methods, peers))
    if page is not None:
        refuse_source(page, source)
    with _temporary_folder() as folder:
        with closing(open_source(source, SourceOptions(gray))) as opened:
            check_dtype(opened.dtype)
            raw = Path(folder) / "pixels"
            opened.name = name = name or opened.name
            pixels = _spool(opened, raw, frames)
        if bound is None and pixels.dtype.kind == "f":
            bound = Bound.parse(FLOAT_BOUND)
        limit = bound.of(ArraySource(pixels, name)) if bound is not None else 0.0
        bounded = limit if limit > 0 else None  # a constant stack has no range
        if page is None:
            return _measured(pixels, raw, name, bounded, methods, peers, rounds, None, progress)
        with complete_or_absent(Path(page), overwrite=overwrite) as temporary:
            return _measured(
                pixels, raw, name, bounded, methods, peers, rounds, temporary, progress
            )


def _measured(
    pixels: np.ndarray[Any, Any],
    raw: Path,
    name: str,
    bound: float | None,
    methods: Sequence[str],
    peers: bool,
    rounds: int,
    page: Path | None,
    progress: Steps | None,
) -> Bench:
    contestants = choose(roster(pixels, bound), methods, peers)
    template = Job("", str(raw), pixels.shape, pixels.dtype.str, bound, "", True, 0, name)
    rows, outputs = run_rounds(
        contestants, template, raw.parent, rounds,
        lambda one: page is not None and one.pictured, progress,
    )  # fmt: skip
    refuse_if_none((row.name, row.problem) for row in rows)
    found = Bench(
        name, pixels.shape, pixels.dtype.name, pixels.nbytes, bound, rounds, _machine(), tuple(rows)
    )
    if page is not None:
        write_page(found, page, outputs, pixels)
    return found


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """One in TMPDIR, if that is set; `tempfile` would take another where it cannot write."""
    folder = os.environ.get("TMPDIR") or None
    try:
        return tempfile.TemporaryDirectory(prefix="h5vidstack-bench-", dir=folder)
    except OSError as error:
        raise OutputError(f"cannot write to {folder} (TMPDIR): {error.strerror}") from error


def _spool(source: Source, path: Path, most: int | None) -> np.ndarray[Any, Any]:
    """Write raw pixels to a file, and map it into memory."""
    count, wanted = 0, most or (1 << 62)
    step = window_frames(source.frame, source.dtype.itemsize)
    with path.open("wb") as file:
        for batch in source.batches(step):
            batch = batch[: wanted - count]
            # Written frames, the same again as a file of one contestant, and room for others.
            needed, free = 3 * batch.nbytes, shutil.disk_usage(path.parent).free
            if needed + 2 * file.tell() > free:
                raise SourceError(
                    f"{source.name} does not fit three times into {path.parent.parent}, where "
                    f"{free / 1e6:,.0f} MB are free: take fewer frames (--frames), or let TMPDIR "
                    "name another folder"
                )
            file.write(np.ascontiguousarray(batch).data)
            count += len(batch)
            if count == wanted:
                break
    raw_bytes = path.stat().st_size
    if count < FEWEST_FRAMES or raw_bytes < FEWEST_BYTES:
        raise SourceError(
            f"{source.name} is too small to bench: {count} frame{'s' * (count != 1)}, "
            f"{raw_bytes / 1e6:.3g} MB; what would be measured is how long a file takes to open. "
            f"It takes at least {FEWEST_FRAMES} frames and {FEWEST_BYTES / 1e6:g} MB"
        )
    shape = (count, *source.frame)
    return np.asarray(np.memmap(path, source.dtype, "r", shape=shape))


def _machine() -> dict[str, str]:
    versions = library_versions()
    return {
        "h5vidstack": __version__,
        "Python": platform.python_version(),
        "PyAV": str(versions["PyAV"]),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(default_workers()),
    }
