"""The copy of a whole HDF5 file with its image stacks as coded video, or as plain pixels again."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from ..errors import FormatError, OutputError, UnsupportedError
from ..hdf5.failures import damage_as_error
from ..hdf5.file_stamp import Stamp
from ..hdf5.opening import is_recording, open_hdf5, refuse_url
from ..layout.names import SEPARATOR
from ..layout.output import closed_tidily, complete_or_absent, like_hdf5_file
from ..layout.replacing import check_name, refuse_others
from ..pool import Progress
from ..writing.crew import Crew
from ..writing.option_signatures import collected, takes_options
from ..writing.pack_options import PackOptions
from .candidates import Left
from .conversion import Conversion, Repacked
from .file_comparison import FileComparison
from .file_copy import FileCopy, files_elsewhere
from .filtered import How
from .to_plain import ToPlain
from .to_video import ToVideo
from .tree import shown


@dataclass(frozen=True, kw_only=True)
class RepackReport:
    """What `repack` did, or would do.

    Attributes
    ----------
    path
        The new file, or None after a dry run.
    replaced
        The datasets that are made anew.
    left
        The datasets that are copied as they are, with the reasons.
    before, after
        The bytes of both files. A dry run estimates `after`.
    compared
        How many datasets of both files were compared.
    lost_references
        How many references led to nothing; they are null in the new file.
    elsewhere
        Files that links, virtual datasets or external storage name by relative paths. They are
        not found from another folder.
    seconds
        How long it took.
    """

    path: str | None
    replaced: tuple[Repacked, ...]
    left: tuple[Left, ...]
    before: int
    after: int
    compared: int
    lost_references: int
    elsewhere: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RepackRequest:
    """What is asked of `repack`, besides the names of the files.

    Attributes
    ----------
    select, restore, dry_run, options
        See `repack`.
    replaces
        The stamp of an output that is to be replaced, whatever is in it, if it still has that.
    """

    select: Sequence[str] = ()
    restore: bool = False
    dry_run: bool = False
    options: PackOptions
    replaces: Stamp | None = None


@takes_options("repack")
def repack(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None,
    *,
    select: Sequence[str] = (),
    restore: bool = False,
    dry_run: bool = False,
    options: PackOptions | None = None,
    progress: Progress | None = None,
    **named: Any,
) -> RepackReport:
    """Copy an HDF5 file, with its stacks of images as coded video at the same paths.

    They are coded losslessly, unless `max_error` allows a loss. Everything else stays as it was:
    groups, attributes, links, references, dimension scales, types, the order in which things were
    made, and the user block. A dataset that becomes no smaller is copied as it is. Any program that
    has the filter reads ``file["/entry/data"]`` as before; in Python, ``import h5vidstack`` brings
    the filter. The hashes and the index of ``/entry/data`` are in the group
    ``/h5vidstack/entry/data``, and `open` finds them by the dataset's own path. In the end every
    dataset, attribute and link of both files is compared, and with `max_error` every pixel against
    that.

    Parameters
    ----------
    source, target
        HDF5 files. `target` may be None with `dry_run`.
    select
        Patterns of paths, such as ``"/entry/*/data"``, where ``*`` also stands for ``/``. Without
        any, all datasets that look like stacks of images are taken: those of at least 16x16 pixels
        and 64 KiB.
    restore
        Go the other way: write pixels that any HDF5 reads, with the chunks and the filters that
        they had before, if those filters are HDF5's own.
    dry_run
        Write nothing; report what would be made anew, and estimate what that saves.
    options
        All options of coding at once, as a `PackOptions`.
    progress
        Called with a `Step` as the work goes on; each frame is counted when it was made, and again
        when it was compared.
    <options of repack>

    Returns
    -------
    RepackReport

    Raises
    ------
    FormatError
        If `source` is no HDF5 file, is being written, or is damaged.
    SourceError
        If a stack needs a filter that is not installed.
    OutputError
        If `target` cannot be written, or a pattern matches nothing.
    NotExactError
        If the files differ in the end.
    UnsupportedError
        If the file holds what cannot be copied. After any error `target` is as it was before.
    """
    request = RepackRequest(
        select=select, restore=restore, dry_run=dry_run,
        options=collected("repack", named, options),
    )  # fmt: skip
    return repack_as_asked(source, target, request, progress)


def repack_as_asked(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None,
    request: RepackRequest,
    progress: Progress | None = None,
) -> RepackReport:
    """Copy a file as `repack` does."""
    started = time.perf_counter()
    options, dry_run = request.options, request.dry_run
    given, path = _whole_files(source, target, dry_run)
    wish = options.wish
    if wish.fixed is not None and not wish.fixed.lossless:
        raise UnsupportedError(
            f"{wish.fixed} is lossy; repack keeps every pixel as it is, or near by max_error"
        )
    with contextlib.ExitStack() as cleanup:
        file = cleanup.enter_context(_opened(given))
        crew = cleanup.enter_context(Crew(options.workers))
        conversion: Conversion
        with damage_as_error(str(given)):
            if request.restore:
                conversion = ToPlain(file, request.select, progress)
            else:
                how = How(options=options, crew=crew)
                conversion = ToVideo(file, request.select, how, progress)
            others = files_elsewhere(file) if path is not None else []
        elsewhere = () if path is None else _elsewhere(others, given, path)
        before = given.stat().st_size
        written = None
        if path is not None and not dry_run:
            written = _write(conversion, given, path, request)
        saved = sum(one.before - one.after for one in conversion.replaced)
        return RepackReport(
            path=None if written is None else str(path),
            replaced=tuple(conversion.replaced),
            left=tuple(conversion.left),
            before=before,
            after=before - saved if written is None else written.file_bytes,
            compared=0 if written is None else written.compared,
            lost_references=0 if written is None else written.lost_references,
            elsewhere=() if written is None else elsewhere,
            seconds=time.perf_counter() - started,
        )


def _whole_files(
    source: str | os.PathLike[str], target: str | os.PathLike[str] | None, dry_run: bool
) -> tuple[Path, Path | None]:
    """Return the paths of both files, or raise an error if one cannot name a whole file."""
    if target is None and not dry_run:
        raise OutputError("give a file to write; only a dry run needs none")
    for name in (source, target):
        if name is None:
            continue
        refuse_url(name)
        if SEPARATOR in os.fsdecode(name):
            raise OutputError(
                f"{os.fsdecode(name)}: repack copies whole files; use --select for some datasets"
            )
    given = Path(os.fsdecode(source))
    if target is None:
        return given, None
    path = Path(os.fsdecode(target))
    check_name(path)
    return given, path


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    if path.is_file() and is_recording(str(path)):
        raise FormatError(f"{path} is being recorded; wait until it is closed, or recover it")
    with open_hdf5(str(path)) as file:
        yield file


@dataclass(frozen=True)
class _Written:
    """What was written and compared; see `RepackReport`."""

    file_bytes: int
    compared: int
    lost_references: int


def _write(conversion: Conversion, source: Path, path: Path, request: RepackRequest) -> _Written:
    """Write the copy, compare it with the source, and only then give it its name."""
    file = conversion.file
    overwrite = request.options.overwrite or request.replaces is not None
    check = _may_replace(source, path, request) if overwrite else _allow
    check()
    with complete_or_absent(path, overwrite=overwrite, like=source, check=check) as temporary:
        with closed_tidily(like_hdf5_file(temporary, file)) as new:
            copy = FileCopy(file, new, conversion.make, conversion.omitted)
            copy.run()
            conversion.finish(new)
        _copy_user_block(source, temporary, file.userblock_size)
        with open_hdf5(str(temporary)) as made:
            equal = conversion.comparisons(temporary)
            comparison = FileComparison(
                file, made, copy.paths, equal, conversion.changed, conversion.omitted
            )
            comparison.run()
        return _Written(temporary.stat().st_size, comparison.datasets, copy.lost_references)


def _may_replace(source: Path, path: Path, request: RepackRequest) -> Callable[[], None]:
    """Return what sees that what is at an output may be replaced."""
    stamp = request.replaces
    if stamp is not None:
        return functools.partial(_refuse_changed, path, stamp)
    if path.exists() and path.samefile(source):
        return _allow
    return functools.partial(refuse_others, path)


def _refuse_changed(path: Path, stamp: Stamp) -> None:
    """Raise OutputError if a file that is to be replaced is no longer what it was."""
    if path.exists() and not stamp.is_of(path.stat()):
        raise OutputError(f"{path} was changed by another program; remove it, if it may go")


def _allow() -> None:
    """Let the source itself be replaced, because everything in it is in the copy."""


def _elsewhere(others: list[bytes], source: Path, target: Path) -> tuple[str, ...]:
    """Return the files that are not found from the folder of the new file.

    Raises
    ------
    OutputError
        If the new file would replace one that the source links to, which it needs itself.
    """
    for name in map(os.fsdecode, others):
        # HDF5 looks for a file in these three places.
        for there in (source.parent / name, source.parent / Path(name).name, Path(name)):
            with contextlib.suppress(OSError):
                if target.samefile(there):
                    raise OutputError(
                        f"{target} holds data that {source} links to; give the output another name"
                    )
    if source.resolve().parent == target.resolve().parent:
        return ()
    return tuple(shown(name) for name in others if not name.startswith(b"/"))


def _copy_user_block(source: Path, target: Path, size: int) -> None:
    """Copy the bytes that stand before the HDF5 part of a file."""
    if size:
        with source.open("rb") as given, target.open("r+b") as made:
            made.write(given.read(size))
