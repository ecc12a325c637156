"""Work that takes long: the number of threads, results in order, and reports of progress."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Step:
    """How far a long task has come.

    Functions with a `progress` parameter call it with a `Step` from time to time, always in the
    thread that called them. An exception that `progress` raises ends the task.

    Attributes
    ----------
    frames
        The number of frames that are done. It starts again from 0 when the frames are read again,
        for example to compare them.
    total
        The number of all frames, or None if it is known only in the end.
    doing
        What is being done with the frames, where this differs from what was asked for: for example
        ``"comparing"`` after the frames were written.
    raw_bytes, stored_bytes
        The sizes of the frames that were encoded so far, as an array and as blocks; 0 where
        nothing is encoded.
    """

    frames: int
    total: int | None
    doing: str = ""
    raw_bytes: int = 0
    stored_bytes: int = 0


Progress = Callable[[Step], None]
"""A function that is called with a `Step` as a task goes on."""


def default_workers() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Inline(Executor):
    """An executor that does its work at once, in the thread that submits it.

    Work of some microseconds is done sooner so than by another thread, to which Python's lock has
    to pass and back.
    """

    def submit(  # type: ignore[override]
        self, work: Callable[..., Result], /, *arguments: Any
    ) -> Future[Result]:
        """Do some work."""
        done: Future[Result] = Future()
        try:
            done.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001
            done.set_exception(error)
        return done


def in_order(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Generator[Result, None, None]:
    """Yield ``work(item)`` for each item in order.

    Parameters
    ----------
    ahead
        How many items after the next one may be under way.
    """
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
