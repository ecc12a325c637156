"""The cache of decoded blocks: the least recently used are dropped first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import numpy.typing as npt

Block = npt.NDArray[Any]

PASSED = 4096
"""Most blocks of which the last request is remembered, though the frames were not kept."""


LOOK = 0.5
"""Seconds after which a waiting thread looks again: an interrupt may leave a lock locked."""


class BlockCache:
    """A thread-safe cache of blocks, bounded in bytes.

    The cache holds a block as far as it was decoded. If frames behind these are asked for, the
    whole block is decoded, because it is probably being read frame by frame. If several threads
    want the same block, one decodes it.

    In some blocks frames can be decoded alone. Then only those that were asked for are decoded,
    and they are not kept, because new memory costs as much as decoding. The whole block is
    decoded and kept once the same or the next frames are asked for, or half as many frames
    as it holds were decoded.

    A thread may be interrupted at any instruction. Then it leaves no lock behind, and a cache that
    is as it was, or empty.

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
        self._running: dict[Hashable, _Decoding] = {}
        self._lock = threading.Lock()
        self._torn = False  # while something is changed

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
        *,
        wait: bool = True,
    ) -> Block:
        """Give a block, decoded at least from frame `first` to ``frames - 1``.

        Parameters
        ----------
        whole
            Frames of the whole block; None if it is too large to be kept.
        decode
            ``decode(first, frames)`` gives the first frames, and whether they stand alone:
            then those before `first` are not decoded. It is called outside the lock.
        wait
            For another thread that decodes the same block; else it is decoded here, too.

        Returns
        -------
        ndarray
            Read-only; shared with other callers.
        """
        while True:
            with self._lock:
                held = self._blocks.get(key)
                if held is not None:
                    self._blocks.move_to_end(key)
                    if len(held) >= frames:
                        return held
                passed = self._passed.get(key)
            again = passed is not None and whole is not None and passed.enough(first, frames, whole)
            if whole is not None and (held is not None or again):
                first, frames = 0, whole
            mine = _Decoding(first, frames)
            with mine.lock:
                other = self._running.setdefault(key, mine)
                if other is mine:
                    try:
                        mine.block = self._decode(key, first, frames, whole, decode)
                        return mine.block
                    finally:
                        mine.ended = True
                        self._forget(key, mine)
            if not wait or other.first > first or other.frames < frames:
                return self._decode(key, first, frames, whole, decode)
            other.wait()
            if other.block is not None:
                return other.block
            self._forget(key, other)  # its thread failed, or was interrupted

    def _decode(
        self,
        key: Hashable,
        first: int,
        frames: int,
        whole: int | None,
        decode: Callable[[int, int], tuple[Block, bool]],
    ) -> Block:
        block, alone = decode(first, frames)
        block.flags.writeable = False
        if alone and (first, frames) != (0, whole):
            self._change(self._pass, key, first, frames)
        else:
            self._change(self._keep, key, block)
        return block

    def _forget(self, key: Hashable, decoding: _Decoding) -> None:
        with self._lock:
            if self._running.get(key) is decoding:
                del self._running[key]

    def _change(self, how: Callable[..., None], *arguments: Any) -> None:
        with self._lock:
            if self._torn:  # the last change was interrupted
                self._blocks.clear()
                self._passed.clear()
                self._bytes = 0
            self._torn = True
            how(*arguments)
            self._torn = False

    def _keep(self, key: Hashable, block: Block) -> None:
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
        before = self._passed.get(key)
        count = frames - first + (before.asked if before is not None else 0)
        self._passed[key] = _Passed(first, frames, count)
        self._passed.move_to_end(key)
        while len(self._passed) > PASSED:
            self._passed.popitem(last=False)


class _Decoding:
    """A block that a thread decodes; the thread holds the lock meanwhile."""

    def __init__(self, first: int, frames: int) -> None:
        self.first, self.frames = first, frames
        self.lock = threading.Lock()
        self.block: Block | None = None
        self.ended = False

    def wait(self) -> None:
        """Wait until the thread has the block, or failed, or was interrupted."""
        while not self.ended:
            if self.lock.acquire(timeout=LOOK):
                self.lock.release()
                return


class _Passed(NamedTuple):
    """Frames of a block that were decoded and not kept: the last ones, and how many in all."""

    first: int
    frames: int
    asked: int

    def enough(self, first: int, frames: int, whole: int) -> bool:
        """Whether the whole block is worth decoding."""
        again = (first, frames) == (self.first, self.frames)
        return again or first == self.frames or 2 * self.asked >= whole
