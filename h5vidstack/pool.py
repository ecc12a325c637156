"""Work that takes long: threads, their number, results in order, and reports of progress."""

from __future__ import annotations

import _thread
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Given = TypeVar("Given", covariant=True)


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


class Promise(Protocol[Given]):
    """What a pool gives for some work: a Future, or a `Pending`."""

    def result(self) -> Given:
        """Return what the work returns, or raise what it raises."""

    def cancel(self) -> object:
        """Do not begin the work any more."""


class Pool(Protocol):
    """What does work: an Executor, or a session of reading."""

    def submit(self, work: Callable[..., Result], /, *arguments: Any) -> Promise[Result]:
        """Begin to do some work."""


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


HERE = Inline()
"""Does work in the thread that submits it."""


def in_order(
    pool: Pool, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Generator[Result, None, None]:
    """Yield ``work(item)`` for each item in order.

    Parameters
    ----------
    ahead
        How many items after the next one may be under way.
    """
    pending: deque[Promise[Result]] = deque()
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


class Pending(Promise[Given], Protocol[Given]):
    """Some work whose result is waited for."""

    def drop(self) -> None:
        """Do not begin the work any more, and wait for its end if it was begun."""


class Later(Generic[Result]):
    """Work that is done by the thread that waits for it, when it does."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._results: list[Result] = []

    def result(self) -> Result:
        """See `Pending`."""
        if not self._results:
            self._results = [self._work()]
        return self._results[0]

    def cancel(self) -> None:
        """See `Pending`."""

    def drop(self) -> None:
        """See `Pending`."""


_LOOK = 0.5
"""Seconds after which a waiting thread looks again, for the case described in `Task`."""


class Task(Generic[Result]):
    """Work that one of several `Threads` does.

    A thread that waits may be interrupted at any instruction. `concurrent.futures` is not made for
    that: after a Ctrl-C at the wrong moment a `threading.Condition` stays locked, and all who use
    the same pool wait for ever. Here a lock that stays locked after the end of the work hinders
    nobody, since all look first whether the work has ended.
    """

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work: Callable[[], Result] | None = work
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._begun = self._dropped = self._done = False
        self._ended = threading.Lock()
        self._ended.acquire()  # until the work is done

    def run(self, *, dropped: bool) -> None:
        """Do the work if it is not dropped, and keep its result or its error.

        Only one thread may call this, and once.
        """
        self._begun = True
        try:
            if dropped or self._dropped or self._work is None:
                raise CancelledError
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001  # it is raised where the result is wanted
            self._error = error
        finally:
            self._work = None
            self._done = True
            self._ended.release()

    def _wait(self) -> None:
        while not self._done:
            if self._ended.acquire(timeout=_LOOK):
                self._ended.release()

    def result(self) -> Result:
        """See `Pending`; raise CancelledError if the work was dropped."""
        self._wait()
        if self._error is not None:
            raise self._error
        return self._results[0]

    def cancel(self) -> None:
        """See `Pending`."""
        self._dropped = True

    def drop(self) -> None:
        """See `Pending`."""
        self._dropped = True
        if self._begun:
            self._wait()


class Threads:
    """Threads that do one task after another, until they are closed or forgotten.

    Whoever submits tasks and waits for them may be interrupted at any instruction, see `Task`. No
    thread is lost then, and none too many stays. The threads do not keep Python from ending.

    Parameters
    ----------
    count
        The number of threads. They are started with the first task.
    """

    def __init__(self, count: int) -> None:
        self._count, self._started = count, False
        self._shared = _Shared()

    def submit(self, work: Callable[[], Result]) -> Pending[Result]:
        """Have some work done by one of the threads; raise CancelledError if they were closed."""
        if not self._start():
            return Later(work)
        task = Task(work)
        self._shared.tasks.put(task)
        if self._shared.closed:  # perhaps too late for a thread to take it
            raise CancelledError
        return task

    def _start(self) -> bool:
        """Start the threads, and say whether there is one.

        An interrupt may come before all are noted as started. Then more are started the next time,
        and those that find themselves one too many end.
        """
        if not self._started:
            try:
                for _ in range(self._count - len(self._shared.alive)):
                    # Not threading.Thread, whose `start` waits for a Condition.
                    _thread.start_new_thread(_serve, (self._shared, self._count))
            except RuntimeError:  # the system allows no more, or Python is ending
                return bool(self._shared.alive)
            self._started = True
        return True

    def close(self, *, wait: bool) -> None:
        """End the threads, and drop the tasks that have not begun.

        Parameters
        ----------
        wait
            Until the threads have ended, and with them the tasks that had begun.
        """
        self._shared.closed = True
        self._shared.tasks.put(None)
        while wait and self._shared.alive:
            time.sleep(0.0005)

    def __del__(self) -> None:
        if shared := getattr(self, "_shared", None):
            shared.tasks.put(None)


class _Shared:
    """What threads share with who started them, but not with who is forgotten."""

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[Task[Any] | None] = queue.SimpleQueue()
        self.alive: dict[int, None] = {}
        self.closed = False


def _serve(shared: _Shared, count: int) -> None:
    """Run tasks, until one is None."""
    me = threading.get_ident()
    shared.alive[me] = None
    try:
        while me in list(shared.alive)[:count]:
            task = shared.tasks.get()
            if task is None:
                shared.tasks.put(None)  # for the next thread
                return
            task.run(dropped=shared.closed)
            del task  # while the next is waited for, nothing is kept of it
    finally:
        shared.alive.pop(me, None)
