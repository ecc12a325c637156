"""The survey: a first look at every frame, for its fingerprint and whether it came before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..pool import in_order
from ..shapes import Numbers, Pixels
from ..similar.feature_store import Features
from ..similar.fingerprints import (
    Digests,
    Fingerprints,
    block_means,
    fingerprint,
    frame_digests,
)
from .columns import Column, FingerprintColumns
from .known import UNKNOWN, KnownFrames

MOST_DIGESTS = 1 << 12
"""Stored frames whose digests are kept when they were compared."""


@dataclass(frozen=True)
class NewFrames:
    """The new frames of a batch, and the features of these, if they are wanted."""

    pixels: Pixels
    features: Features | None


@dataclass(frozen=True)
class _Look:
    """A batch, and what was found of each of its frames."""

    batch: Pixels
    prints: Fingerprints
    digests: Digests
    features: Features | None


class StoredFrames:
    """The frames of a stack to which others are added.

    Parameters
    ----------
    numbers, crc32
        Of each frame that is stored, ``(n,)``.
    frame
        Gives the pixels of one of them.
    """

    def __init__(
        self,
        numbers: Numbers,
        crc32: npt.NDArray[np.uint32],
        frame: Callable[[int], Pixels],
    ) -> None:
        rising = np.argsort(crc32, kind="stable")
        self._numbers, self._crc32, self._frame = numbers[rising], crc32[rising], frame
        self._digests: OrderedDict[int, Digests] = OrderedDict()

    def find(self, digests: Digests, crc32: npt.NDArray[np.uint32]) -> Numbers:
        """Return the number of the stored frame that each frame equals, or `UNKNOWN`."""
        found = np.full(len(digests), UNKNOWN)
        first = np.searchsorted(self._crc32, crc32, "left")
        last = np.searchsorted(self._crc32, crc32, "right")
        for place in np.flatnonzero(first < last).tolist():
            for number in self._numbers[first[place] : last[place]].tolist():
                if np.array_equal(self._digest(number), digests[place]):
                    found[place] = number
                    break
        return found

    def _digest(self, number: int) -> Digests:
        """Return the digest of a stored frame."""
        if number not in self._digests:
            if len(self._digests) >= MOST_DIGESTS:
                self._digests.popitem(last=False)
            self._digests[number] = frame_digests(self._frame(number)[np.newaxis])[0]
        self._digests.move_to_end(number)
        return self._digests[number]


class Survey:
    """Fingerprints of frames as they come, and which of them are copies of earlier ones.

    Two frames are copies if their bytes have the same SHA-256, of which 128 bits are compared. So
    no earlier frame is read again for that.

    Parameters
    ----------
    pool
        Looks at batches.
    ahead
        Batches that are under way at once, besides the one that is waited for.
    hashes
        Whether to compute image hashes, too.
    stored
        Frames that are stored already.

    Attributes
    ----------
    features
        Whether the features of new frames are wanted. It may be changed at any time.
    """

    def __init__(
        self, pool: Executor, ahead: int, hashes: bool, stored: StoredFrames | None = None
    ) -> None:
        self._pool, self._ahead, self._hashes, self._stored = pool, ahead, hashes, stored
        self.features = False
        self._known = KnownFrames()
        self._prints = FingerprintColumns(hashes)
        self._copies, self._copied = Column(np.intp), Column(np.intp)

    @property
    def count(self) -> int:
        """The number of frames seen."""
        return len(self._prints)

    @property
    def unique(self) -> int:
        """The number of new frames seen."""
        return len(self._known)

    def firsts(self) -> Numbers:
        """Return the frame number of each new frame, in order."""
        return np.delete(np.arange(self.count), self._copies.values)

    def numbers(self) -> Numbers:
        """Return which new frame each frame equals, ``(N,)``; ``-1 - f`` is the stored frame f."""
        new = np.ones(self.count, bool)
        new[self._copies.values] = False
        numbers = np.cumsum(new) - 1
        numbers[self._copies.values] = self._copied.values
        return numbers

    def prints(self, name: str) -> Fingerprints:
        """Return the fingerprints of all frames; if there are none, the error names the source."""
        return self._prints.joined(name)

    def new_frames(self, batches: Iterable[Pixels]) -> Iterator[NewFrames]:
        """Yield the new frames of each batch ``(n, H, W[, C])``, which may be none."""
        for look in in_order(self._pool, self._look, batches, self._ahead):
            new = self._note(look)
            features = look.features
            if new.all():
                yield NewFrames(look.batch, features)
            else:
                some = None if features is None else features[new]
                yield NewFrames(look.batch[new], some)

    def _look(self, batch: Pixels) -> _Look:
        """Look at a batch; this runs in the pool."""
        return _Look(
            batch,
            fingerprint(batch, hashes=self._hashes),
            frame_digests(batch),
            block_means(batch) if self.features else None,
        )

    def _note(self, look: _Look) -> npt.NDArray[np.bool_]:
        """Note what was found of a batch; return which of its frames are new."""
        digests, start = look.digests, self.count
        numbers = self._known.find(digests)
        unknown = numbers == UNKNOWN
        if self._stored is not None and unknown.any():
            places = np.flatnonzero(unknown)
            stored = self._stored.find(digests[unknown], look.prints.crc32[unknown])
            numbers[places] = -1 - stored
            unknown[places] = stored == UNKNOWN
        first, kind = _kinds(digests[unknown])
        numbers[unknown] = self.unique + kind
        new = np.zeros(len(digests), bool)
        new[np.flatnonzero(unknown)[first]] = True
        self._known.add(digests[new])
        self._copies.extend(start + np.flatnonzero(~new))
        self._copied.extend(numbers[~new])
        self._prints.extend(look.prints)
        return new


def _kinds(digests: Digests) -> tuple[Numbers, Numbers]:
    """Return the first frame of each digest, in order, and which digest each frame has."""
    if len(np.unique(digests[:, 0])) == len(digests):  # as nearly always
        return np.arange(len(digests)), np.arange(len(digests))
    _, first, kind = np.unique(digests, axis=0, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.sort(first), rank[kind.reshape(-1)]
