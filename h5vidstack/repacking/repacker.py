"""`repack`: a whole HDF5 file again, with its image stacks as coded video, or as plain pixels."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FormatError, OutputError, UnsupportedError
from ..hdf5.failures import damage_as_error
from ..hdf5.opening import is_recording, open_hdf5, refuse_url
from ..layout.names import SEPARATOR
from ..layout.output import closed_tidily, complete_or_absent, like_hdf5_file
from ..layout.replacing import check_name, refuse_others
from ..pool import Progress
from ..writing.crew import Crew
from ..writing.pack_options import PackOptions, collected, takes_options
from .candidates import Left
from .file_copy import FileCopy, files_elsewhere
from .filtered import How
from .job import Job, Repacked
from .proof import Proof
from .to_plain import ToPlain
from .to_video import ToVideo
from .tree import shown


@dataclass(frozen=True)
class RepackReport:
    """What `repack` did, or would do.

    Attributes
    ----------
    path
        The new file; None: it was a dry run.
    replaced
        Datasets that are made anew.
    left
        Datasets that are copied as they are, and why.
    before, after
        Bytes of both files; of a dry run the latter is estimated.
    compared
        How many datasets of both files were compared.
    lost_references
        References to what was not there any more; they are null in the new file.
    elsewhere
        Files that links, virtual datasets or external storage name by relative paths: from
        another folder they are not found.
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
    """Copy an HDF5 file, with its stacks of images as losslessly coded video at the same paths.

    All else is as it was: groups, attributes, links, references, dimension scales, types, the
    order in which things were made, the user block. A dataset that becomes no smaller is
    copied, too. What is read by ``file["/entry/data"]`` before is read so after, by any program
    that has the filter (in Python: ``import h5vidstack``). Hashes and index of ``/entry/data`` are
    in the group ``/h5vidstack/entry/data``: `open` finds them by the dataset's own path. In the
    end every dataset, attribute and link of both files is compared.

    Parameters
    ----------
    source, target
        HDF5 files. `target` may be None with `dry_run`.
    select
        Patterns of paths, as ``"/entry/*/data"``; ``*`` stands for ``/``, too. Without any: all
        datasets that look like stacks of images, of at least 16x16 pixels and 64 KiB.
    restore
        The other way: pixels that any HDF5 reads, in the chunks and by the filters
        (of HDF5's own) that they had before.
    dry_run
        Write nothing; say what would be made anew, and estimate what that saves.
    options
        All options of coding at once, as a `PackOptions`.
    progress
        Called with a `Step` as it goes: frames done, and of all; each is made, then compared.
    <options of repack>

    Returns
    -------
    RepackReport

    Raises
    ------
    FormatError
        If `source` is no HDF5 file, is being written, or is damaged.
    SourceError
        If a stack needs a filter that is not there.
    OutputError
        If `target` cannot be written, or a pattern matches nothing.
    NotExactError
        If the files differ in the end.
    UnsupportedError
        If the file holds what cannot be copied. `target` is always as it was before.
    """
    started = time.perf_counter()
    options = collected("repack", named, options)
    if target is None and not dry_run:
        raise OutputError("give a file to write; only a dry run needs none")
    given = Path(os.fsdecode(source))
    for name in (source, target):
        if name is None:
            continue
        refuse_url(name)
        if SEPARATOR in os.fsdecode(name):
            raise OutputError(
                f"{os.fsdecode(name)}: repack copies whole files; use --select for some datasets"
            )
    if target is not None:
        check_name(Path(os.fsdecode(target)))
    wish = options.wish
    if wish.fixed is not None and not wish.fixed.lossless:
        raise UnsupportedError(f"{wish.fixed} is lossy; repack keeps every pixel as it is")
    with contextlib.ExitStack() as cleanup:
        if given.is_file() and is_recording(str(given)):
            raise FormatError(f"{given} is being recorded; wait until it is closed, or recover it")
        file = cleanup.enter_context(open_hdf5(str(given)))
        crew = cleanup.enter_context(Crew(options.workers))
        job: Job
        with damage_as_error(str(given)):
            if restore:
                job = ToPlain(file, select, progress)
            else:
                how = How(options=options, crew=crew)
                job = ToVideo(file, select, how, progress)
            others = files_elsewhere(file) if target is not None else []
        elsewhere: tuple[str, ...] = ()
        if target is not None:
            elsewhere = _elsewhere(others, given, Path(os.fsdecode(target)))
        before = given.stat().st_size
        if dry_run or target is None:
            saved = sum(one.before - one.after for one in job.replaced)
            return RepackReport(
                None, tuple(job.replaced), tuple(job.left), before, before - saved, 0, 0, (),
                time.perf_counter() - started,
            )  # fmt: skip
        path = Path(os.fsdecode(target))
        in_place = path.exists() and path.samefile(given)
        check = (
            functools.partial(refuse_others, path) if options.overwrite and not in_place else _allow
        )
        check()
        with complete_or_absent(
            path, overwrite=options.overwrite, like=given, check=check
        ) as temporary:
            with closed_tidily(like_hdf5_file(temporary, file)) as new:
                copy = FileCopy(file, new, job.make, job.omitted)
                copy.run()
                job.finish(new)
            _copy_user_block(given, temporary, file.userblock_size)
            with open_hdf5(str(temporary)) as made:
                equal = job.comparisons(temporary)
                proof = Proof(file, made, copy.paths, equal, job.changed, job.omitted)
                proof.run()
            after = temporary.stat().st_size
        return RepackReport(
            str(path), tuple(job.replaced), tuple(job.left), before, after, proof.datasets,
            copy.lost_references, elsewhere, time.perf_counter() - started,
        )  # fmt: skip


def _allow() -> None:
    """A file in whose place all of it is put again may be replaced."""


def _elsewhere(others: list[bytes], source: Path, target: Path) -> tuple[str, ...]:
    """Files that are not found from the folder of the new file.

    Raises
    ------
    OutputError
        If the new file would replace one of those that the source, and so itself, needs.
    """
    for name in map(os.fsdecode, others):  # where HDF5 looks for them
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
    """Copy what stands before the HDF5 part of a file."""
    if size:
        with source.open("rb") as given, target.open("r+b") as made:
            made.write(given.read(size))
