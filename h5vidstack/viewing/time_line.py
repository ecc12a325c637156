"""What lies along the frames of a stack: their piles, and frames with the same pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..reading.search import hamming
from ..reading.stack_reader import StackReader
from ..shapes import Numbers

FARTHEST = 64
"""The largest distance of two hashes of 64 bits."""


@dataclass(frozen=True, eq=False)
class TimeLine:
    """The piles and duplicates of a stack.

    Attributes
    ----------
    pile
        ``(N,)``: the pile of each frame.
    first
        ``(N,)``: the first frame that has the same pixels, because both are stored once.
    """

    pile: Numbers
    first: Numbers

    @property
    def piles(self) -> int:
        """Number of piles that hold frames."""
        return len(np.unique(self.pile))

    @property
    def copies(self) -> npt.NDArray[np.bool_]:
        """Whether each frame is a copy of an earlier one, ``(N,)``."""
        copied: npt.NDArray[np.bool_] = self.first != np.arange(len(self.first))
        return copied

    def same_as(self, frame: int) -> Numbers:
        """Return the other frames that have the same pixels as one, in order."""
        same = self.first == self.first[frame]
        same[frame] = False
        return np.flatnonzero(same)


def read_time_line(stack: StackReader) -> TimeLine:
    """Return the time line of a stack.

    Raises
    ------
    FormatError
        If the index is damaged.
    """
    places = stack.live().file.places
    numbers = np.arange(stack.shape[0])
    if places is None:
        return TimeLine(np.zeros_like(numbers), numbers)
    pile, position = places
    order = np.lexsort((numbers, position, pile))
    new = (np.diff(pile[order], prepend=-1) != 0) | (np.diff(position[order], prepend=-1) != 0)
    first = np.empty_like(numbers)
    first[order] = order[np.maximum.accumulate(np.where(new, numbers, 0))]
    return TimeLine(pile, first)


def bin_starts(frames: int, most: int) -> Numbers:
    """Cut frames into at most so many bins of about one size; return the first frame of each."""
    bins = min(frames, most)
    return np.arange(bins) * frames // bins


def strip(line: TimeLine, most: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
    """Return what a strip of at most so many bins shows.

    Returns
    -------
    tuple
        The pile of the frame in the middle of each bin, and whether a bin holds copies of earlier
        frames.
    """
    starts = bin_starts(len(line.pile), most)
    ends = np.append(starts[1:], len(line.pile))
    copies = np.logical_or.reduceat(line.copies, starts)
    return line.pile[(starts + ends) // 2].astype(np.uint32), copies.astype(np.uint8)


def likeness(stack: StackReader, frame: int, most: int) -> npt.NDArray[np.uint8]:
    """Return how far the hashes of frames are from that of one: the least of each bin, 0 to 64.

    Raises
    ------
    FormatError
        If the stack has no hashes.
    """
    table = stack.live().file.hashes("phash")
    distances = hamming(table, int(table[frame]))
    return np.minimum.reduceat(distances, bin_starts(len(table), most))
