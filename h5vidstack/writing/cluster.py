"""The executor that a user gives: how many workers it has, and whether it still has any.

dask.distributed must be asked, because it waits for ever for workers that do not come.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, cast

from ..errors import WorkerError, extra

PATIENCE = 20.0
"""Seconds that a cluster may take to answer, and that it may be without workers."""

ANSWER = 2.0
"""Seconds that a scheduler usually needs at most to say how many workers there are."""

_LARGE = "distributed.admin.large-graph-warning-threshold"
_configuring = threading.Lock()


class GivenExecutor:
    """Any Executor of concurrent.futures, of whose workers little is known."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def slots(self) -> int | None:
        """The number of its workers; None if it does not say so, as Python's executors do."""
        found = getattr(self._executor, "_max_workers", None)
        return found if isinstance(found, int) else None

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Begin some work."""
        return self._executor.submit(work, *arguments)

    def check(self) -> None:
        """Raise WorkerError if no worker will ever do what was begun."""


class ClusterExecutor(GivenExecutor):
    """The executor of a `distributed.Client`."""

    def __init__(self, executor: Any) -> None:
        super().__init__(executor)
        self._client = executor._client
        self._well = time.monotonic()
        if self._client.scheduler is None:
            raise WorkerError(
                "the executor is of a distributed.Client that is closed; give one of an open Client"
            )
        self._where = f"the scheduler at {self._client.scheduler.address}"
        if self._client.asynchronous:
            raise WorkerError(
                "the executor is of an asynchronous distributed.Client; give that of another Client"
            )

    @property
    def slots(self) -> int | None:
        """The threads of all workers; None if there is no worker yet."""
        try:
            return self._threads(PATIENCE) or None
        except Exception as error:
            raise WorkerError(f"{self._where} does not answer: {error}") from error

    def _threads(self, seconds: float) -> int:
        """Return how many threads all workers have; wait so many seconds for the scheduler."""
        found = self._client.sync(self._client.scheduler.ncores, callback_timeout=seconds)
        return sum(found.values())

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Begin some work, without dask's warning that a block is large to send."""
        import dask  # optional

        with _configuring, dask.config.set({_LARGE: "1TiB"}):
            return super().submit(work, *arguments)

    def check(self) -> None:
        """See `GivenExecutor`."""
        if self._client.status != "running":  # it reconnects, but what was begun is lost
            raise WorkerError(f"{self._where} has gone")
        found = f"{self._where} has no worker; start some: dask worker ADDRESS"
        try:
            if self._threads(ANSWER):
                self._well = time.monotonic()
        except Exception as error:  # noqa: BLE001
            found = f"{self._where} does not answer: {error}"
        if time.monotonic() - self._well > PATIENCE:
            raise WorkerError(f"{found} (waited for {PATIENCE:.0f} s)")


def given_executor(executor: Executor) -> GivenExecutor:
    """Return an executor as one whose workers can be counted."""
    module = sys.modules.get("distributed.cfexecutor")
    if module is not None and isinstance(executor, module.ClientExecutor):
        return ClusterExecutor(executor)
    return GivenExecutor(executor)


@contextlib.contextmanager
def connect(address: str) -> Iterator[Executor]:
    """Give the executor of a dask.distributed cluster, for as long as the body runs.

    Parameters
    ----------
    address
        Address of its scheduler, as ``tcp://host:8786``.

    Raises
    ------
    WorkerError
        If no scheduler answers there.
    MissingError
        If distributed is not installed.
    """
    with extra("distributed"):
        import distributed.comm  # optional, and slow to import
    reach, begin = cast(Any, distributed.comm).connect, cast(Any, distributed).Client

    async def knock() -> None:
        # A Client that finds nobody prints tracebacks when Python ends.
        async with asyncio.timeout(PATIENCE):  # for a peer that says nothing
            comm = await reach(address, timeout=0.9 * PATIENCE)  # this can say why
            await comm.close()

    try:
        asyncio.run(knock())
        client = begin(address, timeout=PATIENCE, set_as_default=False)
    except Exception as error:  # something else than a scheduler may answer anything
        reason = str(error) or f"nothing came for {PATIENCE:.0f} s"
        raise WorkerError(
            f"no scheduler answers at {address!r}: {reason}; start one (dask scheduler), and give "
            "the address that it prints"
        ) from error
    # The client's log would only repeat our errors.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    with client:
        yield client.get_executor(pure=False)
