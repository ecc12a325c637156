"""Excerpts: runs of frames from all over a source, or all of it, read within some seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import SourceError
from ..shapes import Pixels, frame_bytes
from ..similar.fingerprints import frame_digests
from ..sources.source import Source

WHOLE_BYTES = 128 << 20
"""Sources of at most so many bytes are read whole, if the time suffices."""
MOST_BYTES = 192 << 20
"""No more is read of larger ones."""
MOST_RUNS = 64
FEWEST_RUNS = 6
"""So many runs are read of large frames, too, even if that takes longer."""
RUN_BYTES = 2 << 20
"""A run of frames has no more bytes, if it has at least `FEWEST_FRAMES`."""
FEWEST_FRAMES = 8


@dataclass(frozen=True)
class Excerpt:
    """Frames that stand for all of a source.

    Attributes
    ----------
    runs
        Frames that follow each other, ``(n, H, W[, C])`` each, without repeated ones. The first
        runs are from all over the source, and the later ones from between them.
    seen
        How many frames were read, also repeated ones.
    count
        How many frames the source has, as far as that is known before all are read.
    whole
        Whether that is all of them, in one run.
    seconds
        How long it took to read them.
    """

    runs: list[Pixels]
    seen: int
    count: int
    whole: bool
    seconds: float

    @property
    def unique(self) -> int:
        """How many frames were read, without repeated ones."""
        return sum(map(len, self.runs))


def spread_out() -> Iterator[float]:
    """Yield numbers from 0 to 1, each far from those before it (van der Corput's sequence)."""
    number = 1
    while True:
        share, place, left = 0.0, 0.5, number
        while left:
            share += place * (left & 1)
            place, left = place / 2, left >> 1
        yield share
        number += 1


def read_excerpt(source: Source, length: int, seconds: float) -> Excerpt:
    """Read frames of a source.

    Parameters
    ----------
    source
        It must be able to give some frames (`Source.sample_run`).
    length
        The frames of a block.
    seconds
        How long it may take, about: at least some frames are read.

    Raises
    ------
    SourceError
        If it is not known how many frames there are, or a frame is damaged or of another kind.
    """
    count, size = source.likely_count(), frame_bytes(source.frame, source.dtype.itemsize)
    if count is None:
        raise SourceError(
            f"nothing says how many frames {source.name} has, so that its size cannot be estimated"
        )
    started = time.perf_counter()
    if count * size <= WHOLE_BYTES:
        frames = _all(source, length, started + seconds)
        if frames is not None:
            taken = time.perf_counter() - started
            return Excerpt([_distinct(frames)], len(frames), len(frames), True, taken)
    length = min(length, count, max(FEWEST_FRAMES, RUN_BYTES // size))
    runs, seen = [], 0
    for share in spread_out():
        run = source.sample_run(share, length)
        if not len(run):
            break
        seen += len(run)
        runs.append(_distinct(run))
        late = time.perf_counter() - started > seconds or seen * size > MOST_BYTES
        if len(runs) >= MOST_RUNS or (late and len(runs) >= FEWEST_RUNS):
            break
    return Excerpt(runs, seen, count, False, time.perf_counter() - started)


def _all(source: Source, length: int, until: float) -> Pixels | None:
    """Return all frames; None if there was no time for all of them."""
    parts: list[Pixels] = []
    for batch in source.batches(length):
        if time.perf_counter() > until:
            return None
        parts.append(batch)
    return np.concatenate(parts)


def _distinct(frames: Pixels) -> Pixels:
    """Return frames without those that equal an earlier one bit for bit."""
    _, first = np.unique(frame_digests(frames), axis=0, return_index=True)
    return frames if len(first) == len(frames) else frames[np.sort(first)]
