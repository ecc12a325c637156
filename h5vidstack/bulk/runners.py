"""Who works on the files: processes, threads of this process, or an executor that was given.

HDF5 does one thing at a time in a process, because it has one lock for all files; so has h5py. Only
the coding of blocks goes on beside it. Processes have a lock each, and one that crashes takes
nothing with it.
"""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path

from ..errors import WorkerError
from ..layout.output import remove_leftovers
from ..pool import default_workers
from ..writing.cluster import given_executor
from ..writing.crew import MOST, Workers
from .children import Children
from .decisions import PlannedTask
from .one_file import Work, do, failed
from .outcomes import FileResult


class Runner(ABC):
    """Does work on files; a context, which ends it.

    Parameters
    ----------
    slots
        How many files are worked on at once.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._threads = ThreadPoolExecutor(slots, "h5vidstack-file")

    def submit(self, work: Work, planned: PlannedTask) -> Future[FileResult]:
        """Begin to work on a file."""
        return self._threads.submit(self._call, work, planned)

    @abstractmethod
    def _call(self, work: Work, planned: PlannedTask) -> FileResult:
        """Have a file worked on, and wait for it."""

    @abstractmethod
    def stop(self) -> None:
        """End what is under way, as if it had not begun."""

    def close(self) -> None:
        """Wait for what is under way, and release what works."""
        self._threads.shutdown(cancel_futures=True)


class ThreadRunner(Runner):
    """Threads of this process. A crash inside HDF5 or a codec ends the whole program."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self._stop = threading.Event()

    def _call(self, work: Work, planned: PlannedTask) -> FileResult:
        return do(work, planned, self._stop.is_set)

    def stop(self) -> None:
        """See `Runner`."""
        self._stop.set()


class ProcessRunner(Runner):
    """Processes of this machine, each of which works on one file at a time."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self._children = Children()

    def _call(self, work: Work, planned: PlannedTask) -> FileResult:
        return self._children.call(work, planned)

    def stop(self) -> None:
        """See `Runner`."""
        self._children.stop()

    def close(self) -> None:
        """See `Runner`."""
        super().close()
        self._children.close()


class ExecutorRunner(Runner):
    """An executor that was given, as of a cluster, whose workers reach the files by their paths.

    What has begun there goes on when the run is stopped: its files are complete, or absent.

    Raises
    ------
    WorkerError
        If it does not work, or has other versions.
    """

    def __init__(self, executor: Executor, slots: int | None) -> None:
        self._given = given_executor(executor)
        super().__init__(slots or max(1, min(MOST, self._given.slots or default_workers())))
        self._workers = Workers(self._given, 1)

    def _call(self, work: Work, planned: PlannedTask) -> FileResult:
        try:
            return self._workers.call(do, work, planned, _never)
        except WorkerError as error:
            if isinstance(error.__cause__, BrokenExecutor):
                raise
            # A worker of this machine that was killed may have left something.
            remove_leftovers(Path(planned.task.target).resolve())
            self._given.check()  # without workers no other file would fare better
            return failed(planned.task, error, "killed")

    def stop(self) -> None:
        """See `Runner`."""
        self._workers.shutdown(cancel_futures=True, wait=False)

    def close(self) -> None:
        """See `Runner`."""
        self._workers.shutdown(cancel_futures=True)
        super().close()


def _never() -> bool:
    return False


@contextlib.contextmanager
def running(executor: Executor | None, jobs: int | None, threads: bool) -> Iterator[Runner]:
    """Give who works on the files, as long as the body runs."""
    runner: Runner
    if executor is not None:
        runner = ExecutorRunner(executor, jobs)
    else:
        runner = (ThreadRunner if threads else ProcessRunner)(jobs or default_workers())
    try:
        yield runner
    finally:
        runner.close()
