"""What a `Stack` needs in one process: file handle, threads, decoded blocks."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from ..errors import ClosedError
from ..hdf5.remote import Prefetch
from ..shapes import Pixels, Shape, frame_bytes, window_frames
from .block_cache import BlockCache
from .chunk_grid import Chunks
from .chunk_reads import ChunkRead, Cut, rows
from .selection import Selection, parse
from .stack_file import Blocks, StackFile

KEPT_SHARE = 0.25
"""A read that decodes more than this share of the cache does not use the cache."""

LITTLE = 8 << 10
"""A read that needs fewer bytes of each block than this decodes them one after another."""

TOGETHER = 1 << 20
"""Decoded bytes of the blocks that are one task of the pool, where blocks are small."""

GROWTH = 8
"""An iteration reads few frames first, so that it begins at once, and so many times more next."""

Jobs = Sequence[tuple[Chunks, ChunkRead]]
Work = Callable[[Chunks, ChunkRead, Pixels], None]


class Session:
    """Reads of one stack in one process."""

    def __init__(self, file: StackFile, cache_bytes: int, workers: int) -> None:
        self.process = os.getpid()
        self.file = file
        self.cache = BlockCache(cache_bytes)
        self.block_bytes = file.block_bytes
        self._frame_bytes = file.block_bytes // int(file.steps.max())
        self._workers = workers
        self._closed = False
        self.pool = ThreadPoolExecutor(workers, "h5vidstack-decode")

    def chunk_reads(self, selection: Selection) -> Iterator[tuple[Chunks, ChunkRead]]:
        """Yield what to read for a selection: each chunk once."""
        cuts: dict[Shape, Cut] = {}
        for row in rows(selection, self.file.steps, self.file.places):
            pile = self.file.pile(row.pile)
            cut = cuts.get(pile.chunks)
            if cut is None:
                cut = cuts[pile.chunks] = Cut(selection, pile.chunks, pile.shape)
            for job in cut.reads(row):
                yield pile, job

    def fill(self, pile: Chunks, job: ChunkRead, plain: Pixels) -> None:
        """Decode what a job needs, or find it in the cache, and put it in its place."""
        extent = pile.extent(job.chunk)
        fits = math.prod(extent) * pile.dtype.itemsize <= self.cache.limit
        pixels = self.cache.get(
            (pile, job.chunk),
            job.first,
            job.frames,
            extent[0] if fits else None,
            lambda first, frames: pile.load(job.chunk, frames, first=first),
        )
        job.put(pixels, plain)

    def stream(self, pile: Chunks, job: ChunkRead, plain: Pixels) -> None:
        """Decode what a job needs, in its place where that can be."""
        target = job.target(plain)
        pixels, _ = pile.load(job.chunk, job.frames, target, job.first)
        if pixels is not target:
            job.put(pixels, plain)

    def read(self, selection: Selection, plain: Pixels) -> None:
        """Fill a plain result; one block is not worth a trip through the pool."""
        jobs = list(self.chunk_reads(selection))
        if len(jobs) == 1:
            self.fill(*jobs[0], plain)
            return
        # A large read would only push blocks out of the cache that are read again and again.
        large = len(jobs) * self.block_bytes > self.cache.limit * KEPT_SHARE
        work = self.stream if large else self.fill

        def blocks(wanted: tuple[Chunks, ChunkRead]) -> Blocks:
            pile, job = wanted
            return [] if self.cache.holds((pile, job.chunk), job.frames) else [(pile, job.chunk)]

        for run in self.file.fetched(jobs, blocks):
            wait(self._begin(work, run, plain))

    def _begin(self, work: Work, jobs: Jobs, plain: Pixels) -> list[Future[None]]:
        """Begin to read chunks: in the pool, or at once in this thread where each is little work.

        Threads that do little work wait for each other at every call into Python.
        """

        def several(some: Jobs) -> None:
            for pile, job in some:
                work(pile, job, plain)

        frames = sum(job.frames - job.first for _, job in jobs)
        if frames * self._frame_bytes < LITTLE * len(jobs):
            return [now(several, jobs)]
        # A trip through the pool costs as much as some blocks of tiny frames.
        together = min(TOGETHER // self.block_bytes, len(jobs) // (4 * self._workers)) or 1
        parts = (jobs[start : start + together] for start in range(0, len(jobs), together))
        return [self.submit(several, part) for part in parts]

    def frames(self) -> Iterator[Pixels]:
        """Yield the frames in order, decoding the next blocks meanwhile."""
        shape, dtype = self.file.shape, self.file.dtype
        ahead = -(-self._workers // len(self.file.piles[0].row(0))) + 1
        if self.file.places is not None or self.file.remote:
            ahead = 2
        running: deque[tuple[Pixels, list[Future[None]], Prefetch | None]] = deque()
        windows = self._windows()
        try:
            while True:
                if self.process != os.getpid():
                    raise ClosedError("an iteration cannot go on after a fork; begin a new one")
                while len(running) < ahead and (frames := next(windows, None)) is not None:
                    selection = parse(frames, shape)
                    window = np.empty(selection.plain_shape, dtype)
                    wanted = list(self.chunk_reads(selection))
                    prefetch = self.file.ahead((pile, job.chunk) for pile, job in wanted)
                    jobs = self._begin(self.stream, wanted, window)
                    running.append((window, jobs, prefetch))
                if not running:
                    return
                window, jobs, prefetch = running.popleft()
                try:
                    wait(jobs)
                finally:
                    if prefetch is not None:
                        prefetch.close()
                for pixels in window:
                    yield pixels.copy()  # so that keeping one frame does not keep the block
        finally:
            for _, jobs, prefetch in running:
                for job in jobs:
                    job.cancel()
                if prefetch is not None:
                    prefetch.close()

    def _windows(self) -> Iterator[slice]:
        """Yield the frames that an iteration reads at a time: few at first."""
        shape, itemsize = self.file.shape, self.file.dtype.itemsize
        step = size = int(self.file.steps[0])
        most = TOGETHER // frame_bytes(shape[1:], itemsize)
        if self.file.places is not None or self.file.remote:
            # Neighbours lie in many blocks, each of which is decoded once a window, or far away.
            most = window_frames(shape[1:], itemsize)
        most = max(step, most // step * step)
        start = 0
        while start < shape[0]:
            yield slice(start, start + size)
            start += size
            size = min(GROWTH * size, most)

    def submit(self, work: Callable[..., None], *arguments: Any) -> Future[None]:
        """Start some work in the pool."""
        try:
            return self.pool.submit(work, *arguments)
        except RuntimeError as error:  # the pool was shut down by another thread
            if self._closed:
                raise ClosedError("the stack was closed while it was read") from error
        # No pool takes anything once the main thread has ended, but other threads may read on.
        return now(work, *arguments)

    def close(self) -> None:
        """Close the file and stop the threads."""
        self._closed = True
        self.pool.shutdown(cancel_futures=True)
        self.file.close()


def now(work: Callable[..., None], *arguments: Any) -> Future[None]:
    """Do some work in this thread, and return its future, which is done."""
    done: Future[None] = Future()
    try:
        work(*arguments)
        done.set_result(None)
    except Exception as error:  # noqa: BLE001
        done.set_exception(error)
    return done


def wait(futures: list[Future[None]]) -> None:
    """Wait for all; if one fails, drop those that have not begun and raise its error."""
    try:
        for future in futures:
            future.result()
    except CancelledError as error:
        raise ClosedError("the stack was closed while it was read") from error
    finally:
        for future in futures:
            future.cancel()
