"""The log of a run: a line of JSON when a file is begun, and one when it is finished.

Each line is on the disk before work goes on.

A run that goes on with a log reads from it what earlier runs did. If a run was killed while it
wrote, the last line may be cut; then that file counts as not done.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError
from ..layout.output import errors_of_writing, lock
from ..text import json_text
from .outcomes import STATUSES, FileResult, FileState, FileTask


@dataclass(frozen=True)
class LogEntry:
    """What a log says of a file, the last time that it was worked on.

    Attributes
    ----------
    result
        What came of it.
    settings
        A digest of how it was asked to be coded.
    """

    result: FileResult
    settings: str


class RunLog:
    """A log that is open for more lines.

    Attributes
    ----------
    entries
        What earlier runs did, by source and output.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self.entries: dict[tuple[str, str], LogEntry] = {}
        whole = 0
        for number, line in enumerate(file.read().splitlines(keepends=True), 1):
            entry = _parsed(line)
            if entry is not None:
                self.entries[entry.result.source, entry.result.target] = entry
                whole += len(line)
            elif not _is_cut(line):
                raise OutputError(
                    f"line {number} of {path} is no line of such a log: give the log another name"
                )
        file.truncate(whole)

    def begin(self, task: FileTask, settings: str) -> None:
        """Note that an output is to be written: if it is there without another line, it is ours."""
        begun = FileResult(
            name=task.name, source=task.source, target=task.target, status="begun", what="",
            source_state=task.state,
        )  # fmt: skip
        self.add(begun, settings)

    def add(self, result: FileResult, settings: str) -> None:
        """Add what came of a file, and bring it to the disk."""
        facts = {name: getattr(result, name) for name in _NAMES}
        states = {name: asdict(facts[name]) for name in _STATES if facts[name] is not None}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = json_text({"time": now, **facts, **states, "settings": settings})
        with errors_of_writing(self._path):
            self._file.write(line.encode() + b"\n")  # opened to append, wherever it stands
            self._file.flush()
            os.fsync(self._file.fileno())


@contextlib.contextmanager
def opened_log(path: Path) -> Iterator[RunLog]:
    """Open a log, or begin one, and keep other runs from it.

    Raises
    ------
    OutputError
        If it is another file, another run has it, or it cannot be written.
    """
    with errors_of_writing(path), path.open("a+b") as file:
        lock(file, path)
        file.seek(0)
        yield RunLog(file, path)


def _parsed(line: bytes) -> LogEntry | None:
    """Return what a whole line says; None if it is cut, or something else."""
    if not line.endswith(b"\n"):
        return None
    try:
        facts = json.loads(line)
        states = {name: facts[name] and FileState(**facts[name]) for name in _STATES}
        result = FileResult(**{name: facts[name] for name in _NAMES} | states)
        entry = LogEntry(result, str(facts["settings"]))
    except (ValueError, TypeError, KeyError):
        return None
    return entry if result.status in (*STATUSES, "begun") else None


def _is_cut(line: bytes) -> bool:
    """Return whether a line may be the beginning of one of ours."""
    return not line.endswith(b"\n") and line[: len(_BEGINNING)] == _BEGINNING[: len(line)]


_BEGINNING = b'{"time": "'
_NAMES = tuple(each.name for each in fields(FileResult) if each.name != "report")
"""What a line holds of a result: not the report, which may be long."""
_STATES = ("source_state", "target_state")
