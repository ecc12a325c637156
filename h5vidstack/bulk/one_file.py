"""The work on one file, wherever it is done: nothing that goes wrong leaves it but as a result."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ..errors import Error
from ..layout.names import split_target
from ..pool import Progress, Step
from ..repacking.repacker import RepackReport, RepackRequest, repack_as_asked
from ..text import loss, shape_text
from ..writing.estimation import estimate
from ..writing.pack_options import PackOptions
from ..writing.packer import pack
from .decisions import PlannedTask
from .discovery import state_of
from .outcomes import FileResult, FileTask, Status

Stopped = Callable[[], bool]
"""Tells whether the work is to end, without a result."""


LOOK_SECONDS = 1.0
"""How long a dry run looks at one of many files, about."""


class StopWork(BaseException):
    """The work is to end, because the user ended the run."""


class Work(Protocol):
    """What is done with each file; it can be pickled."""

    def __call__(self, planned: PlannedTask, progress: Progress) -> FileResult:
        """Do it, or raise any error."""


@dataclass(frozen=True, kw_only=True)
class RepackWork:
    """Repack each file; see `repack`."""

    request: RepackRequest

    def __call__(self, planned: PlannedTask, progress: Progress) -> FileResult:
        """See `Work`."""
        task, request = planned.task, replace(self.request, replaces=planned.replaces)
        if not request.dry_run:
            Path(task.target).parent.mkdir(parents=True, exist_ok=True)
        report = repack_as_asked(task.source, task.target, request, progress)
        return FileResult(
            name=task.name, source=task.source, target=task.target, report=report,
            status="planned" if request.dry_run else "done", before=report.before,
            after=report.after, what=_repacked_words(report, request.restore),
        )  # fmt: skip


def _repacked_words(report: RepackReport, restore: bool) -> str:
    count, left = len(report.replaced), len(report.left)
    done = "made plain" if restore else "coded"
    words = [f"{count} stack{'s' * (count != 1)} {done}"]
    if not all(one.lossless for one in report.replaced):
        worst = max(one.max_error or 0 for one in report.replaced)
        words[0] += ", LOSSY" + (f", max error {worst:g}" if worst else "")
    if left:
        words.append(
            f"{left} dataset{'s' * (left != 1)} left as {'they are' * (left != 1) or 'it is'}"
        )
    if report.lost_references:
        words.append(f"{report.lost_references} references led nowhere; they are null now")
    if report.elsewhere:
        words.append(f"names other files by relative paths: {', '.join(report.elsewhere)}")
    return "; ".join(words)


@dataclass(frozen=True, kw_only=True)
class PackWork:
    """Pack each source into a file of its own; see `pack`."""

    options: PackOptions
    dry_run: bool = False

    def __call__(self, planned: PlannedTask, progress: Progress) -> FileResult:
        """See `Work`."""
        task, options = planned.task, self.options
        if self.dry_run:
            return self._looked_at(task)
        if planned.replaces is not None:
            options = replace(options, overwrite=True)
        Path(task.target).parent.mkdir(parents=True, exist_ok=True)
        report = pack(task.source, task.target, options=options, progress=progress)
        shape = shape_text(report.shape)
        exact = "lossless" if report.lossless else loss(report.max_error, report.psnr)
        words = [f"{shape} {report.dtype}, {exact}", *report.notes]
        return FileResult(
            name=task.name, source=task.source, target=task.target, status="done", report=report,
            before=report.source_bytes, after=report.written_bytes, what="; ".join(words),
        )  # fmt: skip

    def _looked_at(self, task: FileTask) -> FileResult:
        """Return what packing would give, as far as a short look tells."""
        found = estimate(task.source, seconds=LOOK_SECONDS, options=self.options)
        shape = shape_text(found.shape)
        return FileResult(
            name=task.name, source=task.source, target=task.target, status="planned",
            before=found.source_bytes, after=found.file_bytes,
            what="; ".join([f"{shape} {found.dtype}", *found.notes]),
        )  # fmt: skip


def do(work: Work, planned: PlannedTask, stopped: Stopped) -> FileResult:
    """Do the work on one file, and return what came of it, also if that is an error."""
    task, started = planned.task, time.perf_counter()
    # If it changes while it is read, the next run finds it changed, and does it again.
    before = None if task.state is None else state_of(split_target(task.source)[0])

    def progress(_: Step) -> None:
        if stopped():
            raise StopWork

    try:
        if stopped():
            raise StopWork
        result = work(planned, progress)
        if result.status == "done":
            result = replace(result, target_state=state_of(task.target))
    except StopWork:
        result = without_result(task, "stopped", "ended before it was finished")
    except Exception as error:  # noqa: BLE001  # whatever it is, the other files go on
        result = failed(task, error)
    size = result.before if result.before is not None or before is None else before.size
    seconds = time.perf_counter() - started
    return replace(result, source_state=before, before=size, seconds=seconds)


def without_result(task: FileTask, status: Status, what: str) -> FileResult:
    """Return the result of a file of which nothing is written."""
    return FileResult(
        name=task.name, source=task.source, target=task.target, status=status, what=what,
        before=task.state.size if task.state else None, source_state=task.state,
    )  # fmt: skip


def failed(task: FileTask, error: Exception, kind: str | None = None) -> FileResult:
    """Return the result of a file on which something went wrong.

    Parameters
    ----------
    kind
        What `FileResult.error` says; None: the name of the error's class.
    """
    said = " ".join(str(error).split())
    ours = isinstance(error, (Error, OSError, MemoryError))
    if not ours or not said:
        said = f"{type(error).__name__}: {said}".rstrip(": ")
    trace = None if ours else "".join(traceback.format_exception(error))
    result = without_result(task, "failed", said)
    return replace(result, error=kind or type(error).__name__, traceback=trace)
