"""What tells a file from what it is after a change: its size, its time, a server's ETag."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MARKS = ("ETag", "etag", "LastModified", "Last-Modified", "mtime", "modified", "created", "CRC")
"""What fsspec's file systems and HTTP say of a file that changes with it."""


@dataclass(frozen=True)
class Stamp:
    """What changes when a file does.

    Attributes
    ----------
    size
        In bytes; None if it is not known.
    marks
        Names and values of all else, sorted: a time, an ETag.
    time
        Of a file of this machine, in nanoseconds; it is among the marks, too.
    """

    size: int | None
    marks: tuple[tuple[str, str], ...] = ()
    time: int = 0

    def is_of(self, status: os.stat_result) -> bool:
        """Whether a file of this machine still has this stamp."""
        return self.time == status.st_mtime_ns and self.size == status.st_size

    def difference(self, now: Stamp) -> str | None:
        """Say in words in what a file differs now; None if in nothing that both stamps have."""
        if None not in (self.size, now.size) and self.size != now.size:
            return f"it had {self.size} bytes and has {now.size}"
        held = dict(now.marks)
        for name, value in self.marks:
            if held.get(name, value) != value:
                return f"its {name} was {value} and is {held[name]}"
        return None


def of_status(status: os.stat_result) -> Stamp:
    """Return the stamp of a file of this machine."""
    time = (("time of change", f"{status.st_mtime_ns} ns"),)
    return Stamp(status.st_size, time, status.st_mtime_ns)


def of_description(found: Mapping[str, Any], size: int | None) -> Stamp:
    """Return the stamp of a remote file.

    Parameters
    ----------
    found
        What fsspec says of it, or the headers of an answer.
    """
    marks = ((name, _opaque(name, found[name])) for name in _MARKS if found.get(name))
    return Stamp(size, tuple(sorted(marks)))


def _opaque(name: str, value: Any) -> str:
    """Return the text of a mark. A weak ETag is as good as a strong one (RFC 9110, 8.8.3.2)."""
    return str(value).removeprefix("W/") if name.lower() == "etag" else str(value)


def changed_words(name: str, change: str) -> str:
    """Say that a file is not the one that was opened."""
    return (
        f"{name} has changed since it was opened: {change}; open it again (or call Stack.refresh "
        "if frames were added)"
    )
