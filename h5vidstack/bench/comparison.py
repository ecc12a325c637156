"""The comparison of ways to keep a stack: this package's methods, and those that others use."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
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
from .measurement import BenchTask
from .page import write_page
from .results import Bench
from .roster import ANY, all_contestants, choose, refuse_if_none
from .rounds import BenchProgress, run_rounds

ROUNDS = 3
FEWEST_FRAMES = 8
FEWEST_BYTES = 1_000_000
FLOAT_BOUND = "1e-3r"
"""The bound for floats where none is given: a thousandth of their range."""


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """What is compared, and how.

    Attributes
    ----------
    name
        What to call the source; None means as it calls itself.
    methods
        Names of rows, in full (``"video x264-slow"``) or by their first words. Empty means every
        profile and method.
    peers
        Add all others that are installed: gzip, lzf, Blosc2, zstd, bitshuffle, SZ3, ZFP,
        h5ffmpeg, JPEG XL, JPEG 2000, JPEG-LS, and x264, x265 and FFV1 video files.
    rounds
        How often each is measured; at least 1.
    frames
        Take only so many frames, from the first on.
    max_error
        The bound of the contestants that keep one, as in `pack`. None means ``"1e-3r"`` for floats,
        and no such contestants for other frames.
    gray
        As in `pack`.
    """

    name: str | None = None
    methods: Sequence[str] = ()
    peers: bool = False
    rounds: int = ROUNDS
    frames: int | None = None
    max_error: float | str | None = None
    gray: bool = False

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise UnsupportedError(f"rounds is {self.rounds}; it must be at least 1")
        if self.frames is not None and self.frames < 1:
            raise UnsupportedError(f"frames is {self.frames}; it must be at least 1")


def compare(
    source: Any,
    *,
    page: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: BenchProgress | None = None,
    **options: Any,
) -> Bench:
    """Pack a stack in many ways, read it back, and measure sizes, speeds, memory and errors.

    Each contestant is written and read in a process of its own, from one file of raw pixels in the
    temporary folder (``TMPDIR``), in interleaved rounds.

    Parameters
    ----------
    source
        Anything that `pack` takes.
    page
        The web page to write: one file with a table, plots and pictures.
    overwrite
        Replace an existing page.
    progress
        Called with the number of measurements that are done, the number of all, and what runs
        now: ``"round 2/3: auto small"``.
    options
        The attributes of `BenchOptions`.

    Returns
    -------
    Bench

    Raises
    ------
    SourceError
        If the source cannot be read or is too small, or the temporary folder is too small for it.
    UnsupportedError
        If no method that is wanted could be measured.
    OutputError
        If the page or the temporary folder cannot be written.
    Error
        If a method is unknown.
    """
    wanted = BenchOptions(**options)
    bound = None if wanted.max_error is None else Bound.parse(wanted.max_error)
    # These checks come before everything that takes long.
    possible = choose(all_contestants(ANY), wanted.methods, wanted.peers)
    refuse_if_none((one.name, one.missing) for one in possible)
    if page is not None:
        refuse_source(page, source)
    with contextlib.ExitStack() as cleanup:
        raw = Path(cleanup.enter_context(_temporary_folder())) / "pixels"
        with contextlib.closing(open_source(source, SourceOptions(wanted.gray))) as opened:
            check_dtype(opened.dtype)
            opened.name = name = wanted.name or opened.name
            pixels = _spool(opened, raw, wanted.frames)
        if bound is None and pixels.dtype.kind == "f":
            bound = Bound.parse(FLOAT_BOUND)
        limit = bound.absolute(ArraySource(pixels, name)) if bound is not None else 0.0
        bounded = limit if limit > 0 else None  # a constant stack has no range
        temporary = None
        if page is not None:
            writing = complete_or_absent(Path(page), overwrite=overwrite)
            temporary = cleanup.enter_context(writing)
        task = BenchTask("", str(raw), pixels.shape, pixels.dtype.str, bounded, "", True, 0, name)
        return _measured(pixels, task, wanted, temporary, progress)


def _measured(
    pixels: np.ndarray[Any, Any],
    task: BenchTask,
    wanted: BenchOptions,
    page: Path | None,
    progress: BenchProgress | None,
) -> Bench:
    """Measure all contestants, and write the page.

    Parameters
    ----------
    task
        The task of every contestant, without what differs between them.
    """
    contestants = choose(all_contestants(pixels, task.bound), wanted.methods, wanted.peers)
    rows, outputs = run_rounds(
        contestants, task, Path(task.frames).parent, wanted.rounds,
        lambda one: page is not None and one.pictured, progress,
    )  # fmt: skip
    refuse_if_none((row.name, row.problem) for row in rows)
    found = Bench(
        source=task.source,
        shape=pixels.shape,
        dtype=pixels.dtype.name,
        raw_bytes=pixels.nbytes,
        bound=task.bound,
        rounds=wanted.rounds,
        machine=_machine(),
        rows=tuple(rows),
    )
    if page is not None:
        write_page(found, page, outputs, pixels)
    return found


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a folder in TMPDIR, if that is set.

    Where `tempfile` cannot write there, it would take another folder.
    """
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
            # There must be room for these frames, for the file of a contestant, and for others.
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
            f"{source.name} is too small to bench: it has {count} frame{'s' * (count != 1)} "
            f"and {raw_bytes / 1e6:.3g} MB, so opening the file would take most of the time. Take "
            f"at least {FEWEST_FRAMES} frames and {FEWEST_BYTES / 1e6:g} MB"
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
