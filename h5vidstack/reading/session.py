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
from ..shapes import Numbers, Pixels, Shape, frame_bytes, window_frames
from .block_cache import BlockCache
from .chunk_grid import Chunks
from .chunk_reads import ChunkRead, Cut, rows
from .selection import Selection, parse
from .stack_file import Blocks, StackFile

Result = TypeVar("Result")

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
    """Reads of one stack in one process.

    A thread that reads may be interrupted at any instruction, and reads of others go on. A thread
    that holds h5py's lock, because HDF5 has called it, waits for no other thread.
    """

    def __init__(self, file: StackFile, cache_bytes: int, workers: int) -> None:
        self.process = os.getpid()
        self.file = file
        self.cache = BlockCache(cache_bytes)
        self.block_bytes = file.block_bytes
        self._frame_bytes = file.block_bytes // int(file.steps.max())
        self._workers = workers
        self._threads = Threads(workers)

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
            wait=not library_lock.is_mine(),
        )
        job.put(pixels, plain)

    def stream(self, pile: Chunks, job: ChunkRead, plain: Pixels) -> None:
        """Decode what a job needs, in its place where that can be."""
        target = job.target(plain)
        pixels, _ = pile.load(job.chunk, job.frames, target, job.first)
        if pixels is not target:
            job.put(pixels, plain)

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

        def blocks(wanted: tuple[Chunks, ChunkRead]) -> Blocks:
            pile, job = wanted
            return [] if self.cache.holds((pile, job.chunk), job.frames) else [(pile, job.chunk)]

        for run in self.file.fetched(jobs, blocks):
            self._finish(self._begin(work, run, plain))

    def _begin(self, work: Work, jobs: Jobs, plain: Pixels) -> list[Pending[None]]:
        """Begin to read chunks; where each is little work, the thread that waits does it.

        Threads that do little work wait for each other at every call into Python.
        """

        def several(some: Jobs) -> None:
            for pile, job in some:
                work(pile, job, plain)

        frames = sum(job.frames - job.first for _, job in jobs)
        if frames * self._frame_bytes < LITTLE * len(jobs):
            return [Later(partial(several, jobs))]
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
        if self.block_bytes > self.cache.limit * KEPT_SHARE:
            ahead = 1
        running: deque[tuple[Pixels, list[Pending[None]], Prefetch | None]] = deque()
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

    def _windows(self) -> Iterator[slice]:
        """Yield the frames that an iteration reads at a time: few at first."""
        shape, itemsize = self.file.shape, self.file.dtype.itemsize
        step = size = int(self.file.steps[0])
        most = TOGETHER // frame_bytes(shape[1:], itemsize)
        if self.file.places is not None or self.file.remote:
            # Neighbours lie in many blocks, each of which is decoded once a window, or far away.
            most = window_frames(shape[1:], itemsize)
        most = max(step, most // step * step)
        ends = self._block_ends()
        start = 0
        while start < shape[0]:
            stop = start + size
            last = int(np.searchsorted(ends, stop, side="right")) - 1
            if last >= 0 and ends[last] > start:
                stop = int(ends[last])
            yield slice(start, stop)
            start = stop
            size = min(GROWTH * size, most)

    def _block_ends(self) -> Numbers:
        """Return where blocks of a reordered stack end: frames may follow one another in one.

        A window that ends within a block has it decoded twice.
        """
        if self.file.places is None:
            return np.empty(0, np.intp)
        pile, position = self.file.places
        row = position // self.file.steps[pile]
        changes = (np.diff(pile) != 0) | (np.diff(row) != 0)
        return np.append(np.flatnonzero(changes) + 1, self.file.shape[0])

    def close(self) -> None:
        """Close the file and stop the threads."""
        self._threads.close(wait=not library_lock.is_mine())
        self.file.close()
