"""What came of each of many files, and of all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..repacking.repacker import RepackReport
from ..writing.packer import PackReport

Status = Literal["done", "planned", "skipped", "failed", "stopped", "begun"]
STATUSES: tuple[Status, ...] = ("done", "planned", "skipped", "failed", "stopped")
"""In the order of a table: written; what a dry run would write; left alone; went wrong; ended by
the user, and as if it was not begun. Only a log says that a file was begun."""


@dataclass(frozen=True)
class FileState:
    """What changes when a file does, or a folder of files.

    Attributes
    ----------
    size
        In bytes, of all files together.
    mtime_ns
        When it was last written, in nanoseconds since 1970; of several files the newest.
    files
        How many files there are.
    """

    size: int
    mtime_ns: int
    files: int = 1


@dataclass(frozen=True, kw_only=True)
class FileTask:
    """One source and its output.

    Attributes
    ----------
    name
        What it is called in lines and reports.
    source
        An absolute path, perhaps with a place in the file, or a URL.
    target
        The absolute path of the output.
    state
        Of the source when it was found; None for what has none, as a URL.
    """

    name: str
    source: str
    target: str
    state: FileState | None


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What came of one file.

    Attributes
    ----------
    name, source, target
        See `repack_many`: the name below the folder, and both absolute paths. `target` is empty for
        what has no output.
    status
        ``"done"``, ``"planned"`` after a dry run, ``"skipped"``, ``"failed"``, or ``"stopped"``
        where the run was ended before the file was finished.
    before, after
        Bytes of the source and of the output; a dry run estimates `after`. None: not known.
    what
        What was done, why it was skipped, or what went wrong, in one line.
    error
        The name of the error's class, where it failed; ``"killed"`` if its process was.
    traceback
        Where an error came from that is a bug of this program.
    seconds
        How long it took.
    source_state, target_state
        What tells both files from what they are after a change.
    report
        What `repack` or `pack` reports.
    """

    name: str
    source: str
    target: str = ""
    status: Status
    before: int | None = None
    after: int | None = None
    what: str
    error: str | None = None
    traceback: str | None = field(default=None, repr=False)
    seconds: float = 0.0
    source_state: FileState | None = None
    target_state: FileState | None = None
    report: RepackReport | PackReport | None = field(default=None, repr=False)

    @property
    def ratio(self) -> float | None:
        """Bytes before over bytes after; None where either is not known."""
        return self.before / self.after if self.before is not None and self.after else None


@dataclass(frozen=True, kw_only=True)
class BulkReport:
    """What came of many files.

    Attributes
    ----------
    files
        Of each file what came of it, in the order in which they were found.
    seconds
        How long all took.
    """

    files: tuple[FileResult, ...]
    seconds: float

    def having(self, status: Status) -> tuple[FileResult, ...]:
        """Return the results of one status."""
        return tuple(one for one in self.files if one.status == status)

    @property
    def failed(self) -> tuple[FileResult, ...]:
        """The files that went wrong."""
        return self.having("failed")

    @property
    def written(self) -> tuple[FileResult, ...]:
        """The files that were written, or that a dry run would write."""
        return self.having("done") + self.having("planned")

    @property
    def held(self) -> tuple[FileResult, ...]:
        """The files whose output was there already."""
        return tuple(one for one in self.having("skipped") if one.target)

    @property
    def before(self) -> int:
        """Bytes of the sources of all that was written."""
        return sum(one.before or 0 for one in self.written)

    @property
    def after(self) -> int:
        """Bytes of all that was written."""
        return sum(one.after or 0 for one in self.written)

    def facts(self) -> dict[str, Any]:
        """Return the totals, for a table or JSON."""
        counts: dict[str, Any] = {status: len(self.having(status)) for status in STATUSES}
        return {**counts, "before": self.before, "after": self.after, "seconds": self.seconds}
