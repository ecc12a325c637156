"""`repack_many` and `pack_many`: many files, each in a process of its own, noted in a log."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import OutputError, SourceError, UnsupportedError
from ..pool import Progress, Step, default_workers
from ..repacking.repacker import RepackRequest
from ..text import json_text
from ..writing.option_signatures import collected, takes_options
from ..writing.pack_options import PackOptions
from .children import PATIENCE
from .decisions import PlannedTask, Standing, decide
from .discovery import Found, hdf5_files, sources_of_their_own
from .one_file import PackWork, RepackWork, Work
from .outcomes import BulkReport, FileResult
from .run_log import RunLog, opened_log
from .runners import Runner, running

Finished = Callable[[FileResult], None]
"""Called with what came of each file, as soon as that is known."""

_LOOK = 0.1
"""Seconds after which progress is told, also where no file was finished."""
_WITHOUT_EFFECT = ("mode", "workers", "executor", "overwrite", "resume", "explain", "spool_bytes")
"""Options that change nothing of what is in an output."""


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What both functions take alike; see `repack_many`."""

    executor: Executor | None
    jobs: int | None
    threads: bool
    skip_existing: bool
    log: str | os.PathLike[str] | None
    dry_run: bool
    progress: Progress | None
    finished: Finished | None

    def __post_init__(self) -> None:
        whole = isinstance(self.jobs, int) and not isinstance(self.jobs, bool)
        if self.jobs is not None and not (whole and self.jobs > 0):
            raise OutputError(f"jobs is {self.jobs!r}; it must be a whole number of at least 1")
        if self.threads and self.executor is not None:
            raise OutputError("threads and an executor (--scheduler) contradict each other")

    @property
    def log_path(self) -> Path | None:
        """The log."""
        return None if self.log is None else Path(os.fsdecode(self.log))

    def of(self, found: Found, work: Work, options: PackOptions, **more: Any) -> BulkReport:
        """Do some work on all files that were found.

        Parameters
        ----------
        more
            What says, besides the options, how files are coded.
        """
        started = time.perf_counter()
        settings = _digest(options, more)
        with contextlib.ExitStack() as cleanup:
            log = None
            if self.log_path is not None and not (self.dry_run and not self.log_path.exists()):
                log = cleanup.enter_context(opened_log(self.log_path))
            standing = Standing(
                entries=log.entries if log is not None else {},
                settings=settings,
                skip_existing=self.skip_existing,
                overwrite=options.overwrite,
            )
            planned, results = decide(found.tasks, standing)
            results += found.others
            for result in results:
                self._tell(result)
            if planned:
                jobs = self.jobs
                if self.executor is None:
                    jobs = min(jobs or default_workers(), len(planned))
                runner = cleanup.enter_context(running(self.executor, jobs, self.threads))
                note = log if not self.dry_run else None
                results += self._all(planned, work, runner, note, settings)
        sources = [*(one.source for one in found.tasks), *(one.source for one in found.others)]
        place = {source: number for number, source in enumerate(sources)}
        results.sort(key=lambda one: place[one.source])
        return BulkReport(files=tuple(results), seconds=time.perf_counter() - started)

    def _all(
        self, planned: Sequence[PlannedTask], work: Work, runner: Runner, log: RunLog | None,
        settings: str,
    ) -> list[FileResult]:  # fmt: skip
        """Have all files worked on; note each in the log as soon as it is finished."""
        results: list[FileResult] = []
        waiting, under_way = iter(planned), set[Future[FileResult]]()
        total = Step(0, len(planned))

        def take(done: Iterable[Future[FileResult]]) -> None:
            nonlocal total
            for future in done:
                under_way.discard(future)
                result = future.result()
                if log is not None and result.status in ("done", "failed"):
                    log.add(result, settings)
                results.append(result)
                total = _counted(total, result)
                self._tell(result)

        try:
            while True:
                for one in itertools.islice(waiting, runner.slots - len(under_way)):
                    if log is not None:
                        log.begin(one.task, settings)
                    under_way.add(runner.submit(work, one))
                if not under_way:
                    return results
                take(wait(under_way, _LOOK, FIRST_COMPLETED).done)
                if self.progress is not None:
                    self.progress(total)
        except BaseException:
            runner.stop()
            ended = wait(under_way, 2 * PATIENCE).done
            take(one for one in ended if not one.cancelled() and one.exception() is None)
            raise

    def _tell(self, result: FileResult) -> None:
        if self.finished is not None:
            self.finished(result)


def _counted(step: Step, result: FileResult) -> Step:
    """Return how far a run has come with one more file; bytes are of those that were written."""
    before, after = step.raw_bytes, step.stored_bytes
    if result.after is not None:
        before, after = before + (result.before or 0), after + result.after
    return replace(step, frames=step.frames + 1, raw_bytes=before, stored_bytes=after)


def _digest(options: PackOptions, more: dict[str, Any]) -> str:
    """Return a digest of all that says how files are coded, to see whether that was changed."""
    given = {name: getattr(options, name) for name in options.given()}
    kept = {name: value for name, value in given.items() if name not in _WITHOUT_EFFECT}
    return hashlib.sha256(json_text({**more, **kept}).encode()).hexdigest()[:16]


def _shared_out(options: PackOptions, run: _Run, files: int) -> PackOptions:
    """Return the options for each file: cores are shared out among the files at work."""
    if options.workers is not None or run.executor is not None:
        return replace(options, workers=options.workers or 1)
    jobs = min(run.jobs or default_workers(), max(1, files))
    return replace(options, workers=max(1, default_workers() // jobs))


@takes_options("repack")
def repack_many(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    select: Sequence[str] = (),
    restore: bool = False,
    dry_run: bool = False,
    jobs: int | None = None,
    threads: bool = False,
    executor: Executor | None = None,
    skip_existing: bool = False,
    log: str | os.PathLike[str] | None = None,
    options: PackOptions | None = None,
    progress: Progress | None = None,
    finished: Finished | None = None,
    **named: Any,
) -> BulkReport:
    """Repack all HDF5 files below a folder, each by a process of its own; see `repack`.

    Files are found by what is in them, not by their names. Each output has the path below `out`
    that its source has below `folder`, and gets its name only when it was compared with its source.
    What goes wrong with one file, even if its process is killed, harms no other.

    Parameters
    ----------
    folder
        Where the files are. Links are followed. What lies in `out`, and what has a name that begins
        with a dot, is left out.
    out
        A folder, which is made if it is not there.
    select, restore
        As `repack` takes them, for each file.
    dry_run
        Write nothing, and no log; report what would be made anew, and estimate what that saves.
    jobs
        How many files are worked on at once. Default: one a core, or as many as `executor` has
        workers.
    threads
        Work in threads of this process. They begin sooner, but HDF5 does one thing at a time in a
        process, and a crash ends all.
    executor
        Any Executor of concurrent.futures works on the files, as that of a cluster:
        ``distributed.Client.get_executor()``. Its workers reach the files by the same paths.
    skip_existing
        Leave each output that exists as it is.
    log
        A file that gets a line of JSON when work on a file begins, and one when it is finished. If
        it has lines of earlier runs, what these did is not done again, unless the source, the
        output or the options were changed since. What failed is tried again.
    options
        All options of coding at once, as a `PackOptions`.
    progress
        Called in this thread with a `Step`, which counts files instead of frames. An exception that
        it raises ends the run; files that are under way are given up, and nothing is left of them.
    finished
        Called in this thread with the `FileResult` of each file.
    <options of repack>

    Returns
    -------
    BulkReport

    Raises
    ------
    SourceError
        If there is no HDF5 file.
    OutputError
        If an output would replace a source, or is in the way, or the log cannot be written.
    WorkerError
        If there is nobody to do the work. What was finished before is in the log.
    """
    given = collected("repack", named, options)
    run = _Run(
        executor=executor, jobs=jobs, threads=threads, skip_existing=skip_existing, log=log,
        dry_run=dry_run, progress=progress, finished=finished,
    )  # fmt: skip
    here, there = (Path(os.fsdecode(name)) for name in (folder, out))
    found = hdf5_files(here, there, run.log_path)
    if not found.tasks and not any(one.status == "failed" for one in found.others):
        rest = f" ({len(found.others)} others were left out)" if found.others else ""
        raise SourceError(f"there is no HDF5 file below {here}{rest}")
    shared = _shared_out(given, run, len(found.tasks))
    request = RepackRequest(select=tuple(select), restore=restore, dry_run=dry_run, options=shared)
    return run.of(found, RepackWork(request=request), given, select=list(select), restore=restore)


@takes_options("pack")
def pack_many(
    sources: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    dry_run: bool = False,
    jobs: int | None = None,
    threads: bool = False,
    skip_existing: bool = False,
    log: str | os.PathLike[str] | None = None,
    options: PackOptions | None = None,
    progress: Progress | None = None,
    finished: Finished | None = None,
    **named: Any,
) -> BulkReport:
    """Pack each of many sources into a file of its own; see `pack` and `repack_many`.

    Parameters
    ----------
    sources
        Paths or URLs, as `pack` takes them. A pattern stands for all files that match it. The
        output of ``runs/a.tif`` is ``out/a.h5``; below `out` it has the path that the source has
        below the folder that all sources have in common.
    out
        A folder, which is made if it is not there.
    dry_run, jobs, threads, skip_existing, log, progress, finished
        See `repack_many`. A dry run estimates each file, in about a second.
    options
        All options of packing at once, as a `PackOptions`; an executor packs whole files.
    <options of pack>

    Returns
    -------
    BulkReport

    Raises
    ------
    SourceError
        If there is no source, or nothing has one of the names.
    OutputError, WorkerError
        See `repack_many`.
    """
    given = collected("pack", named, options)
    if given.mode != "w":
        raise UnsupportedError("mode 'a' adds to one stack; many sources get files of their own")
    executor, given = given.executor, replace(given, executor=None)
    run = _Run(
        executor=executor, jobs=jobs, threads=threads, skip_existing=skip_existing, log=log,
        dry_run=dry_run, progress=progress, finished=finished,
    )  # fmt: skip
    if not sources:
        raise SourceError("no source is given")
    found = sources_of_their_own([os.fsdecode(name) for name in sources], Path(os.fsdecode(out)))
    shared = _shared_out(given, run, len(found.tasks))
    return run.of(found, PackWork(options=shared, dry_run=dry_run), given)
