"""What everything that works for long shares: how many threads, and how to tell progress."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Step:
    """How far something long has come, as a `progress` function is told.

    Attributes
    ----------
    frames
        Frames that are done. It begins again where frames are gone through again.
    total
        Frames in all, or None where only reading tells.
    doing
        What is being done with them, if it is not yet, or no more, what was asked for.
    raw_bytes, stored_bytes
        Where frames are encoded: sizes of those that are written, as an array and as blocks.
    """

    frames: int
    total: int | None
    doing: str = ""
    raw_bytes: int = 0
    stored_bytes: int = 0


Progress = Callable[[Step], None]
"""Called with a `Step` as something goes on."""


def default_workers() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Yield ``work(item)`` of each item in order, with at most `ahead` more under way."""
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
