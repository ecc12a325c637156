"""Which files are done already, and which outputs are in the way."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py

from ..errors import OutputError
from ..hdf5.file_stamp import Stamp, of_status
from ..sources.file_names import some
from .discovery import state_of
from .outcomes import FileResult, FileState, FileTask
from .run_log import LogEntry


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a run treats what is there.

    Attributes
    ----------
    entries
        What the log says, by source and output.
    settings
        A digest of how files are to be coded.
    skip_existing, overwrite
        What is done where an output exists, of which the log knows nothing.
    """

    entries: Mapping[tuple[str, str], LogEntry]
    settings: str
    skip_existing: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class PlannedTask:
    """A task with what may be in its place.

    Attributes
    ----------
    task
        The source and the output.
    replaces
        The output that an earlier run wrote, if that is to be replaced.
    """

    task: FileTask
    replaces: Stamp | None = None


def decide(
    tasks: Sequence[FileTask], standing: Standing
) -> tuple[list[PlannedTask], list[FileResult]]:
    """Return what is to be done, and the results of what is not.

    Raises
    ------
    OutputError
        If outputs are in the way.
    """
    planned: list[PlannedTask] = []
    results: list[FileResult] = []
    blocked: list[str] = []
    for task in tasks:
        found = _decided(task, standing)
        if found is None:
            blocked.append(task.target)
        elif isinstance(found, PlannedTask):
            planned.append(found)
        else:
            results.append(found)
    if blocked:
        be = "exists" if len(blocked) == 1 else "exist"
        raise OutputError(
            f"{some(blocked)} {be} already, and nothing was done: use --skip-existing "
            "(skip_existing=True) to leave what exists, --log with the log of an earlier run to "
            "go on with that, or --overwrite (overwrite=True) to replace it"
        )
    return planned, results


def _decided(task: FileTask, standing: Standing) -> PlannedTask | FileResult | None:
    """Return what becomes of a file; None if its output is in the way."""
    if not os.path.lexists(task.target):
        return PlannedTask(task)
    now = state_of(task.target)
    if standing.skip_existing:
        return _kept(task, now)
    entry = standing.entries.get((task.source, task.target))
    if entry is not None and entry.result.status == "begun":  # killed before the log had its end
        return PlannedTask(task, of_status(os.stat(task.target)))
    written = entry is not None and entry.result.status == "done"
    if entry is None or not written or now is None or entry.result.target_state != now:
        if standing.overwrite:
            return PlannedTask(task)
        return _changed(task, now) if standing.entries else None
    if entry.result.source_state == task.state and entry.settings == standing.settings:
        return _skipped(task, now, "done before, as the log says")
    return PlannedTask(task, of_status(os.stat(task.target)))


def _changed(task: FileTask, now: FileState | None) -> FileResult:
    """Return the result of a file whose output an earlier run did not leave as it is now."""
    why = (
        "the output exists, and is not as the log says: --overwrite (overwrite=True) replaces it, "
        "--skip-existing (skip_existing=True) leaves it"
    )
    return replace(_skipped(task, now, why), status="failed", error="OutputError")


def _kept(task: FileTask, now: FileState | None) -> FileResult:
    """Return the result of a file whose output exists and is to be left as it is."""
    target = Path(task.target)
    if now is None or not target.is_file() or not _is_complete(target):
        result = _skipped(task, now, "the output exists, but is no complete HDF5 file: remove it")
        return replace(result, status="failed", error="OutputError")
    old = task.state is not None and now.mtime_ns < task.state.mtime_ns
    return _skipped(task, now, "the output exists" + (", and is older than its source" * old))


def _is_complete(path: Path) -> bool:
    """Return whether HDF5 opens a file; it refuses one that was cut."""
    try:
        h5py.File(path, "r").close()
    except OSError:
        return False
    return True


def _skipped(task: FileTask, now: FileState | None, why: str) -> FileResult:
    return FileResult(
        name=task.name, source=task.source, target=task.target, status="skipped", what=why,
        before=task.state.size if task.state else None, after=now.size if now else None,
        source_state=task.state, target_state=now,
    )  # fmt: skip
