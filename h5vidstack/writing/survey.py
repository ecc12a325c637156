"""The first look at every frame: its fingerprint, and whether it came before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor

import numpy as np

from ..errors import SourceError
from ..pool import in_order
from ..shapes import Numbers, Pixels
from ..similar.fingerprints import Fingerprints, fingerprint, join

RECENT = 4
"""Frames kept for comparing: a frozen camera repeats one, a flicker two."""


class Survey:
    """Fingerprints of frames as they come, in a pool; copies of earlier frames are found.

    Two frames are copies if their CRC-32 is equal and then their pixels are.

    Parameters
    ----------
    pool
        Where fingerprints are computed.
    workers
        Batches that are under way at once.
    hashes
        Compute image hashes, too.
    earlier
        ``earlier(u)`` gives the u-th new frame's pixels again, ``(H, W[, C])``; of ``-1 - f``
        those of the stored frame f.
    stored
        Number and CRC-32 of frames that are stored already.
    """

    def __init__(
        self,
        pool: Executor,
        workers: int,
        hashes: bool,
        earlier: Callable[[int], Pixels],
        stored: Iterable[tuple[int, int]] = (),
    ) -> None:
        self._pool, self._workers, self._hashes, self._earlier = pool, workers, hashes, earlier
        self._prints: list[Fingerprints] = []
        self._by_crc: dict[int, list[int]] = {}
        for frame, crc in stored:
            self._by_crc.setdefault(crc, []).append(-1 - frame)
        self._numbers: list[int] = []
        self._firsts: list[int] = []
        self._recent: dict[int, Pixels] = {}

    @property
    def count(self) -> int:
        """Frames seen."""
        return len(self._numbers)

    def first(self, number: int) -> int:
        """The frame number of a new frame."""
        return self._firsts[number]

    @property
    def unique(self) -> int:
        """New frames seen."""
        return len(self._firsts)

    def firsts(self) -> Numbers:
        """The frame number of each new frame, in order."""
        return np.array(self._firsts, np.intp)

    def numbers(self) -> Numbers:
        """``(N,)``: which of the new frames each frame equals; ``-1 - f``: a stored one."""
        return np.array(self._numbers, np.intp)

    def prints(self, name: str) -> Fingerprints:
        """Fingerprints of all frames; `name` is the source's for the error if there are none."""
        if not self._prints:
            raise SourceError(f"{name} holds no frames")
        return join(self._prints)

    def new_frames(self, batches: Iterable[Pixels]) -> Iterator[Pixels]:
        """Yield what is new of each batch ``(n, H, W[, C])``; it may be empty."""

        def look(batch: Pixels) -> tuple[Pixels, Fingerprints]:
            return batch, fingerprint(batch, hashes=self._hashes)

        for batch, prints in in_order(self._pool, look, batches, self._workers):
            new = np.array(
                [self._is_new(batch, place, crc) for place, crc in enumerate(prints.crc32.tolist())]
            )
            self._prints.append(prints)
            yield batch if new.all() else batch[new]

    def _is_new(self, batch: Pixels, place: int, crc: int) -> bool:
        """Note the next frame, as new or as a copy."""
        start = self.count - place  # frame number of the batch's first frame
        candidates = self._by_crc.setdefault(crc, [])
        for number in candidates:
            here = number >= 0 and self._firsts[number] >= start
            pixels = batch[self._firsts[number] - start] if here else self._again(number)
            if np.array_equal(batch[place].view(np.uint8), pixels.view(np.uint8)):
                self._numbers.append(number)
                return False
        candidates.append(len(self._firsts))
        self._firsts.append(self.count)
        self._numbers.append(len(self._firsts) - 1)
        return True

    def _again(self, number: int) -> Pixels:
        """The pixels of a new frame, from the last few that were asked for, or from afar."""
        if number not in self._recent:
            if len(self._recent) >= RECENT:
                del self._recent[next(iter(self._recent))]
            self._recent[number] = np.ascontiguousarray(self._earlier(number))
        return self._recent[number]
