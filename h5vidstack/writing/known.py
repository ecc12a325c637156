"""Which frames came before: a hash table over their digests, in arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..shapes import Numbers
from ..similar.fingerprints import Digests
from .columns import Column

UNKNOWN = -1
"""Stands for a digest that is not in the table."""
LEAST = 1 << 12
"""Slots of a new table."""
AT_ONCE = 1 << 16
"""Digests that are put into a larger table at a time."""


class KnownFrames:
    """The digests of frames, each with its number: 0, 1, ... in the order in which they come.

    This is open addressing with linear probing, in which a batch is looked up together. A frame
    takes 22 to 28 bytes.
    """

    def __init__(self) -> None:
        self._digests = Column(np.uint64, (2,))
        self._slots: npt.NDArray[np.signedinteger] = np.full(LEAST, UNKNOWN, np.int32)

    def __len__(self) -> int:
        return len(self._digests)

    def find(self, digests: Digests) -> Numbers:
        """Return the number of the frame of each digest, or `UNKNOWN`."""
        held, mask = self._digests.values, len(self._slots) - 1
        found, left = np.full(len(digests), UNKNOWN), np.arange(len(digests))
        slot = self._first_slot(digests)
        while len(left):
            number = self._slots[slot]
            taken = number != UNKNOWN
            same = taken.copy()
            same[taken] = (held[number[taken]] == digests[left[taken]]).all(axis=1)
            found[left[same]] = number[same]
            on = taken & ~same
            left, slot = left[on], (slot[on] + 1) & mask
        return found

    def add(self, digests: Digests) -> None:
        """Add digests, all different and none of them known, as those of the next frames."""
        if not len(digests):
            return
        first = len(self)
        self._digests.extend(digests)
        if 3 * len(self) > 2 * len(self._slots):
            self._grow()
        else:
            self._put(np.arange(first, len(self)))

    def _first_slot(self, digests: Digests) -> Numbers:
        """Return where the search for each digest begins; any part of a digest is random."""
        return (digests[:, 0] & np.uint64(len(self._slots) - 1)).astype(np.intp)

    def _put(self, numbers: Numbers) -> None:
        """Give each of some frames a slot."""
        mask = len(self._slots) - 1
        slot = self._first_slot(self._digests.values[numbers[0] : numbers[-1] + 1])
        while len(numbers):
            free = self._slots[slot] == UNKNOWN
            self._slots[slot[free]] = numbers[free]  # of several in one slot, one stays
            left = self._slots[slot] != numbers
            numbers, slot = numbers[left], (slot[left] + 1) & mask

    def _grow(self) -> None:
        size = len(self._slots)
        while 3 * len(self) > size:  # so that it lasts for a while
            size *= 2
        self._slots = np.full(size, UNKNOWN, np.int32 if size < 1 << 31 else np.int64)
        for start in range(0, len(self), AT_ONCE):
            self._put(np.arange(start, min(start + AT_ONCE, len(self))))
