"""Who codes the blocks: threads of this process, or the workers of an executor that was given.

A worker gets functions of this package and pixels. Files, journals and locks stay here.
"""

from __future__ import annotations

import math
import os
import socket
import zlib
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures import ThreadPoolExecutor as Threads
from typing import Any, TypeVar

import numpy as np

from .._version import __version__
from ..codecs.av_engine import library_versions
from ..errors import Error, WorkerError
from ..layout.writer import PileWriter
from ..pool import Inline, default_workers
from ..shapes import Pixels, Shape
from .cluster import GivenExecutor, given_executor
from .coders import Coder
from .pile_encoder import PileEncoder

Result = TypeVar("Result")

MOST = 32
"""Most rows of blocks that are on their way to workers at once, unless the user says how many."""
SMALL_BLOCK = 1 << 15
"""Blocks of fewer bytes of pixels are coded by the thread that writes them."""
PAUSE = 2.0
"""Seconds of waiting for a worker, after which we ask whether there is one."""


def identity() -> dict[str, str]:
    """Return the versions, in this process, of what the bytes of a block depend on."""
    return {"h5vidstack": __version__, **library_versions(), "zlib": zlib.ZLIB_RUNTIME_VERSION}


def perform(wanted: dict[str, str], work: Callable[..., Result], *arguments: Any) -> Result:
    """Do some work in a worker, if its versions are those that are wanted."""
    here = identity()
    other = [name for name in wanted if here.get(name) != wanted[name]]
    if other:
        said = ", ".join(f"{name} {here.get(name)} instead of {wanted[name]}" for name in other)
        raise WorkerError(
            f"a worker (process {os.getpid()} on {socket.gethostname()}) has {said}; the same "
            "bytes need the same versions: install them there"
        )
    return work(*arguments)


class Workers(Executor):
    """An executor that was given, as an executor of our own.

    No more than `size` tasks are on their way at once. What fails raises WorkerError. The given
    executor is not shut down.

    Raises
    ------
    WorkerError
        If no worker does a first task, or its versions differ from ours.
    """

    def __init__(self, given: GivenExecutor, size: int) -> None:
        self._given, self._identity = given, identity()
        self._stop: Future[None] = Future()
        # `submit` starts one of these threads for each task that is waited for. The first task
        # comes from this thread: processes are best forked while there are no other threads.
        self.threads = Threads(size, "h5vidstack-wait")
        self.call(identity)

    def submit(  # type: ignore[override]
        self, work: Callable[..., Result], /, *arguments: Any
    ) -> Future[Result]:
        """Have a worker do work that can be pickled."""
        return self.threads.submit(self.call, work, *arguments)

    def call(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Have a worker do some work, and wait for it.

        Raises
        ------
        WorkerError
            If the worker dies, or there is none.
        """
        try:
            task = self._given.submit(perform, self._identity, work, *arguments)
            while not wait([task, self._stop], PAUSE, FIRST_COMPLETED).done:
                self._given.check()
            if not task.done():
                task.cancel()
                raise CancelledError("packing has ended")
            result: Result = task.result()
            return result
        except Error:
            raise
        except Exception as error:
            raise WorkerError(f"a worker failed: {_reason(error)}") from error

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop waiting for what the given executor does."""
        if not self._stop.done():
            self._stop.set_result(None)
        self.threads.shutdown(wait, cancel_futures=cancel_futures)


def _reason(error: Exception) -> str:
    """Return what an executor says, in a line."""
    said = " ".join(str(error).split())
    if isinstance(error, CancelledError):
        said = said or "its worker, the scheduler or the executor has ended"
    elif isinstance(error, (ImportError, AttributeError)):
        said += f" (the workers need h5vidstack {__version__}, too)"
    return f"{type(error).__name__}: {said}"


class SentCoder:
    """A coder whose blocks are made by workers."""

    def __init__(self, coder: Coder, workers: Workers) -> None:
        self._coder, self._workers = coder, workers

    def __str__(self) -> str:
        return str(self._coder)

    @property
    def lossless(self) -> bool:
        """See `Coder`."""
        return self._coder.lossless

    def options(self) -> dict[str, Any]:
        """See `Coder`."""
        return self._coder.options()

    def encode(self, tile: Pixels, corner: tuple[int, int]) -> tuple[bytes, Pixels | None]:
        """See `Coder`."""
        # Only the tile is sent: no view of the whole frames, no mapped file.
        return self._workers.call(self._coder.encode, np.ascontiguousarray(tile), corner)


class Crew:
    """Everything that works while a stack is packed; a context, which ends it.

    Parameters
    ----------
    size
        Rows of blocks that are under way at once. None: one a core, or as many as `executor`
        has workers.
    executor
        Codes blocks and samples. None: threads of this process do.

    Attributes
    ----------
    size
        Rows of blocks that are under way at once.
    here, lookers
        Threads that look at frames, and how many.
    coding
        Codes samples; what it does must be able to be pickled.
    encoders
        Threads that run the coders that `coder` gives.

    Raises
    ------
    WorkerError
        If `executor` is not an executor, or does not work.
    """

    def __init__(self, size: int | None, executor: Executor | None = None) -> None:
        self._workers: Workers | None = None
        self.coding: Executor
        self.encoders: Executor
        if executor is None:
            self.size = size or default_workers()
            self.lookers = self.size
            self.here = Threads(self.size, "h5vidstack-encode")
            self.coding = self.encoders = self.here
            return
        if not isinstance(executor, Executor):
            raise WorkerError(
                f"executor is a {type(executor).__name__}; it must be an Executor of "
                "concurrent.futures, as a distributed.Client's get_executor() gives"
            )
        given = given_executor(executor)
        self.size = size or max(1, min(MOST, given.slots or default_workers()))
        self.lookers = default_workers()
        self.here = Threads(self.lookers, "h5vidstack-look")
        self._workers = Workers(given, self.size + 1)
        self.coding, self.encoders = self._workers, self._workers.threads

    def coder(self, coder: Coder) -> Coder:
        """Return the same coder, to be run in `encoders`."""
        return coder if self._workers is None else SentCoder(coder, self._workers)

    def encoder(self, writer: PileWriter, coder: Coder, chunk: Shape, **more: Any) -> PileEncoder:
        """Return an encoder of a pile whose blocks this crew codes; `more`: see `PileEncoder`."""
        small = math.prod(chunk) * writer.data.dtype.itemsize < SMALL_BLOCK
        pool = Inline() if small and self._workers is None else self.encoders
        return PileEncoder(pool, self.size, writer, coder, chunk, **more)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._workers is not None:
            self._workers.shutdown(cancel_futures=True)
        self.here.shutdown(cancel_futures=True)
