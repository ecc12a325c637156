"""The cache of decoded blocks: the least recently used are dropped first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, NamedTuple

import numpy.typing as npt

Block = npt.NDArray[Any]

PASSED = 4096
"""Most blocks of which the last request is remembered, though the frames were not kept."""


class BlockCache:
    """A thread-safe cache of blocks, bounded in bytes.

    The cache holds a block as far as it was decoded. If frames behind these are asked for, the
    whole block is decoded, because it is probably being read frame by frame. If several threads
    want the same block, one decodes it.

    In some blocks frames can be decoded alone. Then only those that were asked for are decoded,
    and they are not kept, because new memory costs as much as decoding. The whole block is
    decoded and kept once the same or the next frames are asked for, or half as many frames
    as it holds were decoded.

    Parameters
    ----------
    limit
        Bytes of decoded pixels to keep at most; 0 keeps none.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._bytes = 0
        self._blocks: OrderedDict[Hashable, Block] = OrderedDict()
        self._passed: OrderedDict[Hashable, _Passed] = OrderedDict()
        self._running: dict[Hashable, tuple[int, int, Future[Block]]] = {}
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of pixels held now."""
        return self._bytes

    def holds(self, key: Hashable, frames: int) -> bool:
        """Whether the first frames of a block are held."""
        with self._lock:
            return key in self._blocks and len(self._blocks[key]) >= frames

    def get(
        self,
        key: Hashable,
        first: int,
        frames: int,
        whole: int | None,
        decode: Callable[[int, int], tuple[Block, bool]],
    ) -> Block:
        """Give a block, decoded at least from frame `first` to ``frames - 1``.

        Parameters
        ----------
        whole
            Frames of the whole block; None if it is too large to be kept.
        decode
            ``decode(first, frames)`` gives the first frames, and whether they stand alone:
            then those before `first` are not decoded. It is called outside the lock.

        Returns
        -------
        ndarray
            Read-only; shared with other callers.
        """
        with self._lock:
            held = self._blocks.get(key)
            if held is not None:
                self._blocks.move_to_end(key)
                if len(held) >= frames:
                    return held
            passed = self._passed.get(key)
            if whole is not None and (
                held is not None or (passed is not None and passed.enough(first, frames, whole))
            ):
                first, frames = 0, whole
            running = self._running.get(key)
            if running is not None and (running[0] > first or running[1] < frames):
                running = None
            if running is None:
                mine: Future[Block] = Future()
                self._running[key] = first, frames, mine
        if running is not None:
            return running[2].result()
        try:
            block, alone = decode(first, frames)
            block.flags.writeable = False
            if alone and (first, frames) != (0, whole):
                self._pass(key, first, frames)
            else:
                self._keep(key, block)
            mine.set_result(block)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                if key in self._running and self._running[key][2] is mine:
                    del self._running[key]
        return block

    def _keep(self, key: Hashable, block: Block) -> None:
        with self._lock:
            self._passed.pop(key, None)
            held = self._blocks.get(key)
            if block.nbytes > self.limit or (held is not None and len(held) >= len(block)):
                return
            if held is not None:
                self._bytes -= held.nbytes
            self._blocks[key] = block
            self._blocks.move_to_end(key)
            self._bytes += block.nbytes
            while self._bytes > self.limit:
                _, oldest = self._blocks.popitem(last=False)
                self._bytes -= oldest.nbytes

    def _pass(self, key: Hashable, first: int, frames: int) -> None:
        with self._lock:
            before = self._passed.get(key)
            count = frames - first + (before.asked if before is not None else 0)
            self._passed[key] = _Passed(first, frames, count)
            self._passed.move_to_end(key)
            while len(self._passed) > PASSED:
                self._passed.popitem(last=False)


class _Passed(NamedTuple):
    """Frames of a block that were decoded and not kept: the last ones, and how many in all."""

    first: int
    frames: int
    asked: int

    def enough(self, first: int, frames: int, whole: int) -> bool:
        """Whether the whole block is worth decoding."""
        again = (first, frames) == (self.first, self.frames)
        return again or first == self.frames or 2 * self.asked >= whole
