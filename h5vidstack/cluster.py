"""What a given executor is: how many workers it has, and whether it still has any.

Of dask.distributed that can be asked; it waits for ever for workers that do not come.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

from .errors import WorkerError
from .optional import extra

PATIENCE = 20.0
"""Seconds that a cluster may take to answer, and may be without workers."""

_LARGE = "distributed.admin.large-graph-warning-threshold"
_configuring = threading.Lock()


class Backing:
    """Any Executor of concurrent.futures; nothing is known of its workers."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def slots(self) -> int | None:
        """Number of its workers, if it says so, as those of Python do."""
        found = getattr(self._executor, "_max_workers", None)
        return found if isinstance(found, int) else None

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Begin some work."""
        return self._executor.submit(work, *arguments)

    def check(self) -> None:
        """Raise WorkerError if nobody will ever do what was begun."""


class Cluster(Backing):
    """The executor of a `distributed.Client`."""

    def __init__(self, executor: Any) -> None:
        super().__init__(executor)
        self._client = executor._client
        self._well = time.monotonic()
        if self._client.asynchronous:
            raise WorkerError(
                "the executor is of an asynchronous distributed.Client; give that of another Client"
            )

    @property
    def slots(self) -> int | None:
        """Threads of all workers; None where there is none yet."""
        return sum(self._threads().values()) or None

    def _threads(self) -> dict[str, int]:
        """Number of threads of each worker."""
        try:
            found: dict[str, int] = self._client.sync(
                self._client.scheduler.ncores, callback_timeout=PATIENCE
            )
        except Exception as error:
            raise WorkerError(f"the scheduler does not answer: {error}") from error
        return found

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Begin some work; that a block is a large thing to send is no news."""
        import dask

        with _configuring, dask.config.set({_LARGE: "1TiB"}):
            return super().submit(work, *arguments)

    def check(self) -> None:
        """See `Backing`."""
        if self._threads():
            self._well = time.monotonic()
        elif time.monotonic() - self._well > PATIENCE:
            raise WorkerError(
                f"the cluster at {self._client.scheduler.address} has had no worker for "
                f"{PATIENCE:.0f} s; start some: dask worker {self._client.scheduler.address}"
            )


def backing(executor: Executor) -> Backing:
    """What is known of an executor."""
    module = sys.modules.get("distributed.cfexecutor")
    if module is not None and isinstance(executor, module.ClientExecutor):
        return Cluster(executor)
    return Backing(executor)


@contextlib.contextmanager
def connect(address: str) -> Iterator[Executor]:
    """The executor of a dask.distributed cluster, for as long as the body runs.

    Parameters
    ----------
    address
        Of its scheduler: ``tcp://host:8786``.

    Raises
    ------
    WorkerError
        If no scheduler answers there.
    MissingError
        If distributed is not installed.
    """
    with extra("distributed"):
        import distributed
    try:
        client: Any = distributed.Client(address, timeout=PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, ImportError, RuntimeError, TypeError) as error:
        raise WorkerError(
            f"no scheduler answers at {address}: {error}; start one (dask scheduler), and give the "
            "address that it prints"
        ) from error
    with client:
        yield client.get_executor(pure=False)
