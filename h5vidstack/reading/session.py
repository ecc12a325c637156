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
from ..shapes import Pixels, window_frames
from .block_cache import BlockCache
from .chunk_grid import Chunks
from .selection import ChunkRead, PileFrames, Selection, parse
from .stack_file import Blocks, StackFile

KEPT_SHARE = 0.25
"""A read that decodes more than this share of the cache does not use the cache."""

TOGETHER = 1 << 20
"""Decoded bytes of the blocks that are one task of the pool, where blocks are small."""


class Session:
    """Reads of one stack in one process."""

    def __init__(self, file: StackFile, cache_bytes: int, workers: int) -> None:
        self.process = os.getpid()
        self.file = file
        self.cache = BlockCache(cache_bytes)
        self.block_bytes = max(
            math.prod(pile.chunks) * pile.dtype.itemsize for pile in self.file.piles
        )
        self._workers = workers
        self._closed = False
        self.pool = ThreadPoolExecutor(workers, "h5vidstack-decode")

    def chunk_reads(self, selection: Selection) -> Iterator[tuple[Chunks, ChunkRead]]:
        """Yield what to read for a selection: each chunk once."""
        places = self.file.places
        if places is None:
            pile = self.file.pile(0)
            yield from ((pile, job) for job in selection.chunk_reads(pile.chunks))
            return
        numbers, positions = (table[selection.frames] for table in places)
        by_pile = np.argsort(numbers, kind="stable")
        cuts = np.flatnonzero(np.diff(numbers[by_pile])) + 1
        for entries in np.split(by_pile, cuts) if len(by_pile) else ():
            pile = self.file.pile(int(numbers[entries[0]]))
            part = PileFrames(entries, positions[entries])
            yield from ((pile, job) for job in selection.chunk_reads(pile.chunks, part))

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
        plain[job.target] = pixels.transpose(job.axes)[job.source]

    def stream(self, pile: Chunks, job: ChunkRead, plain: Pixels) -> None:
        """Decode what a job needs, in its place where that can be."""
        target = plain[job.target] if job.fits else None
        pixels, _ = pile.load(job.chunk, job.frames, target, job.first)
        if pixels is not target:
            plain[job.target] = pixels.transpose(job.axes)[job.source]

    def read(self, selection: Selection, plain: Pixels) -> None:
        """Fill a plain result; one block is not worth a trip through the pool."""
        jobs = list(self.chunk_reads(selection))
        if len(jobs) == 1:
            self.fill(*jobs[0], plain)
            return
        # A large read would only push blocks out of the cache that are read again and again.
        large = len(jobs) * self.block_bytes > self.cache.limit * KEPT_SHARE
        work = self.stream if large else self.fill
        # A trip through the pool costs as much as some blocks of tiny frames.
        together = min(TOGETHER // self.block_bytes, len(jobs) // (4 * self._workers)) or 1

        def several(some: Sequence[tuple[Chunks, ChunkRead]]) -> None:
            for pile, job in some:
                work(pile, job, plain)

        def blocks(wanted: tuple[Chunks, ChunkRead]) -> Blocks:
            pile, job = wanted
            return [] if self.cache.holds((pile, job.chunk), job.frames) else [(pile, job.chunk)]

        for run in self.file.fetched(jobs, blocks):
            parts = (run[start : start + together] for start in range(0, len(run), together))
            wait([self.submit(several, part) for part in parts])

    def frames(self) -> Iterator[Pixels]:
        """Yield the frames in order, decoding the next blocks meanwhile."""
        shape, dtype, pile = self.file.shape, self.file.dtype, self.file.piles[0]
        ahead = -(-self._workers // len(pile.row(0))) + 1
        if self.file.places is not None or self.file.remote:
            ahead = 2
        if self.block_bytes > self.cache.limit * KEPT_SHARE:
            ahead = 1
        running: deque[tuple[Pixels, list[Future[None]], Prefetch | None]] = deque()
        windows = iter(self._windows())
        try:
            while True:
                if self.process != os.getpid():
                    raise ClosedError("an iteration cannot go on after a fork; begin a new one")
                while len(running) < ahead and (frames := next(windows, None)) is not None:
                    selection = parse(frames, shape)
                    window = np.empty(selection.plain_shape, dtype)
                    wanted = list(self.chunk_reads(selection))
                    prefetch = self.file.ahead((pile, job.chunk) for pile, job in wanted)
                    jobs = [self.submit(self.stream, *job, window) for job in wanted]
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
        """Yield runs of frames that are best decoded together."""
        (count, *frame), size = self.file.shape, self.file.dtype.itemsize
        step, places = self.file.piles[0].chunks[0], self.file.places
        if places is not None or self.file.remote:
            # Neighbours lie in many blocks, each of which is decoded once a window, or far away.
            step = max(1, window_frames(tuple(frame), size) // step) * step
        if places is None:
            yield from (slice(start, start + step) for start in range(0, count, step))
            return
        # Blocks may follow one another all the same, so no window ends within one.
        lengths = np.array([pile.chunks[0] for pile in self.file.piles])
        blocks = np.stack([places[0], places[1] // lengths[places[0]]])
        ends = np.append(np.flatnonzero((np.diff(blocks) != 0).any(axis=0)) + 1, count)
        start = 0
        while start < count:
            last = np.searchsorted(ends, start + step, side="right") - 1
            end = int(ends[last]) if last >= 0 and ends[last] > start else start + step
            yield slice(start, end)
            start = end

    def submit(self, work: Callable[..., None], *arguments: Any) -> Future[None]:
        """Start some work in the pool."""
        try:
            return self.pool.submit(work, *arguments)
        except RuntimeError as error:  # the pool was shut down by another thread
            if self._closed:
                raise ClosedError("the stack was closed while it was read") from error
        # No pool takes anything once the main thread has ended, but other threads may read on.
        done: Future[None] = Future()
        try:
            work(*arguments)
            done.set_result(None)
        except Exception as error:  # noqa: BLE001
            done.set_exception(error)
        return done

    def close(self) -> None:
        """Close the file and stop the threads."""
        self._closed = True
        self.pool.shutdown(cancel_futures=True)
        self.file.close()


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
