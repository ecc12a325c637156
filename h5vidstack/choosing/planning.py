"""Decide by encoding samples: which order, which direction, which codec settings."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..codecs import value_map
from ..codecs.registry import Coding
from ..hdf5 import virtual
from ..shapes import CHUNK_FRAMES, Numbers, Pixels
from ..similar.fingerprints import Hashes
from ..similar.ordering import Features, by_hash, chain, cut
from .sampling import Take, crop

WORTH = 0.99
"""Reordering and slower presets are chosen where a sample becomes smaller than this share."""
NEARER = 0.97
"""Samples are coded only where neighbours in the chain differ by less than this share of what
frames differ from the one before: a hundredth of 4 bits a pixel is 0.04 bits, a factor of 0.97."""
SHARE = 32
"""A sample has a pair of neighbours for so many frames, within these bounds."""
FEWEST_PAIRS, MOST_PAIRS = 8, 48
RUN = 6
"""Frames of a run that is coded in both directions."""
RUN_SHARE = 64
"""A sample has a run for so many frames, within these bounds."""
FEWEST_RUNS, MOST_RUNS = 3, 10
SAMPLE_PIXELS = 1 << 20
"""Of larger frames a sample sees the middle."""
LEAST_PILE = 2 * CHUNK_FRAMES
"""A pile has at least so many frames, unless it is the only one."""
LEAST_HASHED = 16
"""The same of a pile of one image hash, which needs an image of its own: its mean."""

_QUICK = Coding("x264-fast")
_USUAL = Coding("x264-interm")


@dataclass(frozen=True)
class Plan:
    """How frames are to be packed.

    Attributes
    ----------
    piles
        For each pile the numbers of its frames in packed order.
    reordered
        Whether that is another order than the given one.
    gain
        Size of a sample in similarity order over that in the given order; None where
        none was taken.
    """

    piles: list[Numbers]
    reordered: bool
    gain: float | None


def plan(
    features: Features,
    take: Take,
    pool: Executor,
    always: bool,
) -> Plan:
    """Put similar frames side by side, if that pays.

    Parameters
    ----------
    features
        ``(n, d)``, of frames 0 to n - 1.
    always
        Reorder even if it does not pay.
    """
    n = len(features)
    given = np.arange(n)
    order = chain(features)
    gain = None
    if not always:
        if n > 1:
            gain = _gain(order, take, pool)
        if gain is None or gain >= WORTH:
            return Plan([given], False, gain)
    piles = cut(order, features, LEAST_PILE)
    piles = [_better_direction(pile, take, pool) for pile in piles]
    reordered = len(piles) > 1 or not np.array_equal(piles[0], given)
    return Plan(piles, reordered, gain)


def plan_by_hash(hashes: Hashes) -> Plan:
    """Put frames of near image hashes, ``(n,)``, into piles, each in the given order."""
    piles = by_hash(hashes, LEAST_HASHED)
    return Plan(piles, len(piles) > 1, None)


def typical(features: Features) -> int:
    """Which of ``(n, d)`` points lies nearest to their mean."""
    distance = np.linalg.norm(features - features.mean(axis=0), axis=1)
    return int(np.argmin(distance))


def _gain(order: Numbers, take: Take, pool: Executor) -> float:
    """Size of frames coded after their neighbour in the chain, over that after the one before.

    What the file needs to show them in the given order is counted in the former.
    """
    sampled = _sample(len(order) - 1, len(order) // SHARE, FEWEST_PAIRS, MOST_PAIRS) + 1
    frames, neighbours = order[sampled], order[sampled - 1]
    kept = frames > 0
    frames, neighbours = frames[kept], neighbours[kept]
    if np.array_equal(neighbours, frames - 1):
        return 1.0
    pairs = [np.stack([before, frames], axis=1) for before in (neighbours, frames - 1)]
    if _difference(pairs[0], take) > NEARER * _difference(pairs[1], take):
        return 1.0
    chained, given = (_cost(some, take, pool) for some in pairs)
    mappings = len(virtual.runs(np.zeros(len(order), np.intp), np.argsort(order)))
    per_frame = mappings * virtual.MAPPING_BYTES / len(order)
    return (chained + per_frame * len(frames)) / max(given, 1)


def _difference(pairs: Numbers, take: Take) -> float:
    """How much the frames of pairs differ: the mean over pixels and pairs."""
    samples = (crop(take(pair), SAMPLE_PIXELS).astype(np.float64) for pair in pairs)
    with np.errstate(invalid="ignore", over="ignore"):  # of infinite and huge floats
        return float(np.mean([np.nan_to_num(np.abs(one - two)).mean() for one, two in samples]))


def _better_direction(pile: Numbers, take: Take, pool: Executor) -> Numbers:
    """Turn a pile round if runs of it are coded better backwards.

    Recordings often differ: what moves uncovers what no earlier frame shows, and frames
    that come out of a lossy video were made from earlier ones. A sample shows that only
    with the coding itself, which may look back further than one frame.
    """
    if len(pile) < 2:
        return pile
    starts = _sample(max(1, len(pile) - RUN), len(pile) // RUN_SHARE, FEWEST_RUNS, MOST_RUNS)
    runs = [pile[start : start + RUN] for start in starts]
    forwards = _cost(runs, take, pool, _USUAL)
    backwards = _cost([run[::-1] for run in runs], take, pool, _USUAL)
    return pile[::-1] if backwards < forwards * WORTH else pile


def _sample(n: int, wanted: int, fewest: int, most: int) -> Numbers:
    """Some of the numbers 0 to n - 1, evenly."""
    count = min(n, most, max(fewest, wanted))
    return np.unique(np.linspace(0, n - 1, count).astype(np.intp))


def _cost(runs: Iterable[Numbers], take: Take, pool: Executor, coding: Coding = _QUICK) -> int:
    """Bytes of frames that are each coded after those before them in a run."""
    samples = [crop(take(run), SAMPLE_PIXELS) for run in runs]
    return sum(pool.map(partial(_following_bytes, coding=coding), samples))


def _following_bytes(frames: Pixels, coding: Coding) -> int:
    """How many bytes all but the first of some frames take, each after the others, at 8 bits."""
    scaled = value_map.map_to_depth(np.ascontiguousarray(frames), 8)
    if scaled is None:
        return 0
    _, values = scaled
    planes = values.astype(np.uint8).reshape(*frames.shape[:3], -1)
    return sum(
        sum(map(len, coding.encode(np.ascontiguousarray(planes[..., channel]), 8)[0][1:]))
        for channel in range(planes.shape[3])
    )
