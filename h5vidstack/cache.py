"""Decoded blocks, kept while they fit: least recently used out first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any

import numpy.typing as npt

Block = npt.NDArray[Any]


class BlockCache:
    """A thread-safe cache of blocks, bounded in bytes.

    A block is held as far as it was decoded. A block asked for a second time, but
    further, is decoded whole: it is being read frame by frame. Threads that want the
    same block decode it once.

    Parameters
    ----------
    limit
        Bytes of decoded pixels to keep at most; 0 keeps none.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._bytes = 0
        self._blocks: OrderedDict[Hashable, Block] = OrderedDict()
        self._running: dict[Hashable, tuple[int, Future[Block]]] = {}
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of pixels held now."""
        return self._bytes

    def get(self, key: Hashable, frames: int, whole: int, decode: Callable[[int], Block]) -> Block:
        """Give a block, decoded to at least `frames` frames.

        Parameters
        ----------
        frames, whole
            Frames needed, and frames of the whole block.
        decode
            ``decode(n)`` gives the first n frames; it is called outside the lock.

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
                frames = whole
            wanted, running = self._running.get(key, (0, None))
            if running is None or wanted < frames:
                mine: Future[Block] = Future()
                self._running[key] = frames, mine
                running = None
        if running is not None:
            return running.result()
        try:
            block = decode(frames)
            block.flags.writeable = False
            self._keep(key, block)
            mine.set_result(block)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                if self._running.get(key, (0, None))[1] is mine:
                    del self._running[key]
        return block

    def _keep(self, key: Hashable, block: Block) -> None:
        with self._lock:
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
