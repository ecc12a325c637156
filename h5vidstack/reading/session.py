"""What a `Stack` needs in one process: file handle, threads, decoded blocks."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from functools import partial
from typing import Any, TypeVar

import numpy as np

from ..errors import ClosedError, Error
from ..hdf5 import library_lock
from ..hdf5.remote import Prefetch
from ..pool import Later, Pending, Threads
from ..shapes import Pixels, window_frames
from .block_cache import BlockCache
from .chunk_grid import Chunks
from .selection import ChunkRead, PileFrames, Selection, parse
from .stack_file import Blocks, StackFile

Result = TypeVar("Result")

KEPT_SHARE = 0.25
"""A read that decodes more than this share of the cache does not use the cache."""

TOGETHER = 1 << 20
"""Decoded bytes of the blocks that are one task of the pool, where blocks are small."""


class Session:
    """Reads of one stack in one process.

    A thread that reads may be interrupted at any instruction, and reads of others go on. A thread
    that holds h5py's lock, because HDF5 has called it, waits for no other thread.
    """

    def __init__(self, file: StackFile, cache_bytes: int, workers: int) -> None:
        self.process = os.getpid()
        self.file = file
        self.cache = BlockCache(cache_bytes)
        self.block_bytes = max(
            math.prod(pile.chunks) * pile.dtype.itemsize for pile in self.file.piles
        )
        self._workers = workers
        self._threads = Threads(workers)

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
            wait=not library_lock.is_mine(),
        )
        plain[job.target] = pixels.transpose(job.axes)[job.source]

    def stream(self, pile: Chunks, job: ChunkRead, plain: Pixels) -> None:
        """Decode what a job needs, in its place where that can be."""
        target = plain[job.target] if job.fits else None
        pixels, _ = pile.load(job.chunk, job.frames, target, job.first)
        if pixels is not target:
            plain[job.target] = pixels.transpose(job.axes)[job.source]

    def read(self, selection: Selection, plain: Pixels) -> None:
        """Fill a plain result."""
        self._watched(self._read, selection, plain)

    def _watched(self, work: Callable[..., None], *arguments: Any) -> None:
        """Read, and see that the file has not changed, which may also explain an error."""
        try:
            work(*arguments)
        except Error:
            self.file.check()
            raise
        self.file.check()

    def _read(self, selection: Selection, plain: Pixels) -> None:
        """Read; one block is not worth a trip through the threads."""
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
            self._finish([self.submit(several, part) for part in parts])

    def frames(self) -> Iterator[Pixels]:
        """Yield the frames in order, decoding the next blocks meanwhile."""
        shape, dtype, pile = self.file.shape, self.file.dtype, self.file.piles[0]
        step, ahead = pile.chunks[0], -(-self._workers // len(pile.row(0))) + 1
        if self.file.places is not None or self.file.remote:
            # Neighbours lie in many blocks, each of which is decoded once a window, or far away.
            many = window_frames(shape[1:], dtype.itemsize)
            step, ahead = max(1, many // step) * step, 2
        running: deque[tuple[Pixels, list[Pending[None]], Prefetch | None]] = deque()
        starts = iter(range(0, shape[0], step))
        try:
            while True:
                if self.process != os.getpid():
                    raise ClosedError("an iteration cannot go on after a fork; begin a new one")
                while len(running) < ahead and (start := next(starts, None)) is not None:
                    selection = parse(slice(start, start + step), shape)
                    window = np.empty(selection.plain_shape, dtype)
                    wanted = list(self.chunk_reads(selection))
                    prefetch = self.file.ahead((pile, job.chunk) for pile, job in wanted)
                    jobs = [self.submit(self.stream, *job, window) for job in wanted]
                    running.append((window, jobs, prefetch))
                if not running:
                    return
                window, jobs, prefetch = running.popleft()
                try:
                    self._watched(self._finish, jobs)
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

    def submit(self, work: Callable[..., Result], *arguments: Any) -> Pending[Result]:
        """Have some work done by a thread, or by this one when it waits for it."""
        if library_lock.is_mine():
            return Later(partial(work, *arguments))
        try:
            return self._threads.submit(partial(work, *arguments))
        except CancelledError as error:
            raise ClosedError("the stack was closed while it was read") from error

    @staticmethod
    def _finish(tasks: Sequence[Pending[None]]) -> None:
        """Wait for all; if one fails, drop those that have not begun and raise its error."""
        try:
            for task in tasks:
                task.result()
        except CancelledError as error:
            raise ClosedError("the stack was closed while it was read") from error
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                task.drop()

    def close(self) -> None:
        """Close the file and stop the threads."""
        self._threads.close(wait=not library_lock.is_mine())
        self.file.close()
