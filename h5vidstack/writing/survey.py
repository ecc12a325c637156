"""The survey: a first look at every frame, for its fingerprint and whether it came before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor

import numpy as np

from ..errors import SourceError
from ..pool import in_order
from ..shapes import Numbers, Pixels
from ..similar.fingerprints import Fingerprints, fingerprint, join

RECENT = 4
"""Frames kept to compare others with: a frozen camera repeats one, a flicker two."""


class Survey:
    """Fingerprints of frames as they come, and which of them are copies of earlier ones.

    Two frames are copies if their CRC-32 and then their pixels are equal.

    Parameters
    ----------
    pool
        Computes fingerprints.
    workers
        Batches that are under way at once.
    hashes
        Whether to compute image hashes, too.
    earlier
        ``earlier(u)`` gives the pixels of the u-th new frame again, ``(H, W[, C])``, and
        ``earlier(-1 - f)`` those of the stored frame f.
    stored
        Number and CRC-32 of each frame that is stored already.
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
        """The number of frames seen."""
        return len(self._numbers)

    def first(self, number: int) -> int:
        """Return the frame number of a new frame."""
        return self._firsts[number]

    @property
    def unique(self) -> int:
        """The number of new frames seen."""
        return len(self._firsts)

    def firsts(self) -> Numbers:
        """Return the frame number of each new frame, in order."""
        return np.array(self._firsts, np.intp)

    def numbers(self) -> Numbers:
        """Return which new frame each frame equals, ``(N,)``; ``-1 - f`` is the stored frame f."""
        return np.array(self._numbers, np.intp)

    def prints(self, name: str) -> Fingerprints:
        """Return the fingerprints of all frames; if there are none, the error names the source."""
        if not self._prints:
            raise SourceError(f"{name} holds no frames")
        return join(self._prints)

    def new_frames(self, batches: Iterable[Pixels]) -> Iterator[Pixels]:
        """Yield the new frames of each batch ``(n, H, W[, C])``, which may be none."""

        def look(batch: Pixels) -> tuple[Pixels, Fingerprints]:
            return batch, fingerprint(batch, hashes=self._hashes)

        for batch, prints in in_order(self._pool, look, batches, self._workers):
            new = np.array(
                [self._is_new(batch, place, crc) for place, crc in enumerate(prints.crc32.tolist())]
            )
            self._prints.append(prints)
            yield batch if new.all() else batch[new]

    def _is_new(self, batch: Pixels, place: int, crc: int) -> bool:
        """Note the next frame; return whether it is new."""
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
        """Return the pixels of an earlier frame, from memory if they were asked for just now."""
        if number not in self._recent:
            if len(self._recent) >= RECENT:
                del self._recent[next(iter(self._recent))]
            self._recent[number] = np.ascontiguousarray(self._earlier(number))
        return self._recent[number]
