"""How frames are arranged in piles: which order and direction a sample finds smallest."""

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
from ..similar import grouping
from ..similar.feature_store import FeatureStore
from ..similar.fingerprints import Hashes
from ..similar.ordering import by_hash, cut
from .sampling import Take, crop

WORTH = 0.99
"""Another order or direction is taken if it makes a sample smaller than this share."""
NEARER = 0.97
"""Samples are coded only if frames differ less from their neighbour in similarity order than from
the frame before, by this factor: a hundredth of 4 bits a pixel is 0.04 bits, a factor of 0.97."""
SHARE = 32
"""A sample has one pair of neighbours for so many frames."""
FEWEST_PAIRS, MOST_PAIRS = 8, 48
"""How few and how many pairs a sample has."""
RUN = 6
"""Frames of a run that is coded in both directions."""
RUN_SHARE = 64
"""A sample has one run for so many frames."""
FEWEST_RUNS, MOST_RUNS = 3, 10
"""How few and how many runs a sample has."""
MOST_TURNED = 16
"""Most piles that are coded in both directions."""
SAMPLE_PIXELS = 1 << 20
"""If frames have more pixels, a sample has only the middle of them."""
LEAST_PILE = 2 * CHUNK_FRAMES
"""Least number of frames in a pile, unless it is the only one."""
LEAST_HASHED = 16
"""The same for piles of one image hash: each of them also stores its mean."""

_QUICK = Coding("x264-fast")
_USUAL = Coding("x264-interm")


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """The piles that frames are put into.

    Attributes
    ----------
    piles
        For each pile the numbers of its frames in packed order.
    reordered
        Whether this order differs from the given one.
    gain
        Size of a sample in similarity order over its size in the given order; None if no
        sample was coded.
    """

    piles: list[Numbers]
    reordered: bool
    gain: float | None = None


def arrange(
    features: FeatureStore,
    take: Take,
    pool: Executor,
    always: bool,
) -> Arrangement:
    """Put similar frames side by side, if that pays.

    Parameters
    ----------
    features
        Those of frames 0 to n - 1.
    take
        Gives frames by their numbers.
    pool
        Codes the samples.
    always
        Reorder even if it does not pay.
    """
    n = len(features)
    given = np.arange(n)
    order = grouping.order(features)
    gain = None
    if not always:
        if n > 1:
            gain = _gain(order, take, pool)
        if gain is None or gain >= WORTH:
            return Arrangement(piles=[given], reordered=False, gain=gain)
    piles = cut(order, features, LEAST_PILE)
    piles = _turned(piles, take, pool)
    reordered = len(piles) > 1 or not np.array_equal(piles[0], given)
    return Arrangement(piles=piles, reordered=reordered, gain=gain)


def arrange_by_hash(hashes: Hashes) -> Arrangement:
    """Put frames of near image hashes, ``(n,)``, into piles, each in the given order."""
    piles = by_hash(hashes, LEAST_HASHED)
    return Arrangement(piles=piles, reordered=len(piles) > 1)


def _gain(order: Numbers, take: Take, pool: Executor) -> float:
    """Return the size of sampled frames in similarity order over their size in the given order.

    Each frame is coded after its neighbour in that order. The size in similarity order includes
    what the file needs to show the frames in the given order.
    """
    sampled = _evenly(len(order) - 1, len(order) // SHARE, FEWEST_PAIRS, MOST_PAIRS) + 1
    frames, neighbours = order[sampled], order[sampled - 1]
    kept = frames > 0
    frames, neighbours = frames[kept], neighbours[kept]
    if np.array_equal(neighbours, frames - 1):
        return 1.0
    triples = _samples(np.stack([neighbours, frames - 1, frames], axis=1), take)
    pairs = [[triple[[before, 2]] for triple in triples] for before in (0, 1)]
    if _difference(pairs[0]) > NEARER * _difference(pairs[1]):
        return 1.0
    chained, given = (_cost(some, pool) for some in pairs)
    mappings = len(virtual.runs(np.zeros(len(order), np.intp), np.argsort(order)))
    if mappings > virtual.MAX_MAPPINGS:  # then not all of them were counted
        mappings = len(order)
    per_frame = mappings * virtual.MAPPING_BYTES / len(order)
    return (chained + per_frame * len(frames)) / max(given, 1)


def _difference(pairs: Iterable[Pixels]) -> float:
    """Return how much the frames of pairs differ: the mean over pixels and pairs."""
    samples = (pair.astype(np.float64) for pair in pairs)
    with np.errstate(invalid="ignore", over="ignore"):  # of infinite and huge floats
        return float(np.mean([np.nan_to_num(np.abs(one - two)).mean() for one, two in samples]))


def _turned(piles: list[Numbers], take: Take, pool: Executor) -> list[Numbers]:
    """Turn piles round if runs of them become smaller when they are coded backwards.

    Recordings often have a better direction. Something that moves uncovers what no earlier frame
    shows, and a lossy video makes frames from earlier ones. Of many piles only some are tried, and
    the others follow these.
    """
    tried = _evenly(len(piles), 0, MOST_TURNED, MOST_TURNED)
    sizes = {number: _both_ways(piles[number], take, pool) for number in tried.tolist()}
    usual = np.sum(list(sizes.values()), axis=0)
    found = []
    for number, pile in enumerate(piles):
        forwards, backwards = sizes.get(number, usual)
        found.append(pile[::-1] if backwards < forwards * WORTH else pile)
    return found


def _both_ways(pile: Numbers, take: Take, pool: Executor) -> tuple[int, int]:
    """Return the bytes of runs of a pile, coded forwards and backwards.

    They are coded by a usual preset, because that may look back further than one frame.
    """
    if len(pile) < 2:
        return 0, 0
    starts = _evenly(max(1, len(pile) - RUN), len(pile) // RUN_SHARE, FEWEST_RUNS, MOST_RUNS)
    runs = _samples([pile[start : start + RUN] for start in starts], take)
    return _cost(runs, pool, _USUAL), _cost([run[::-1] for run in runs], pool, _USUAL)


def _evenly(n: int, wanted: int, fewest: int, most: int) -> Numbers:
    """Return evenly spaced numbers of 0 to n - 1."""
    count = min(n, most, max(fewest, wanted))
    return np.unique(np.linspace(0, n - 1, count).astype(np.intp))


def _samples(runs: Iterable[Numbers], take: Take) -> list[Pixels]:
    """Take runs of frames, and of large ones the middle."""
    return [crop(take(run), SAMPLE_PIXELS) for run in runs]


def _cost(runs: Iterable[Pixels], pool: Executor, coding: Coding = _QUICK) -> int:
    """Return the bytes of runs of frames, without the first frame of each."""
    return sum(pool.map(partial(_following_bytes, coding=coding), runs))


def _following_bytes(frames: Pixels, coding: Coding) -> int:
    """Return the bytes of all frames but the first, coded one after another at 8 bits."""
    scaled = value_map.map_to_depth(np.ascontiguousarray(frames), 8)
    if scaled is None:
        return 0
    _, values = scaled
    planes = values.astype(np.uint8).reshape(*frames.shape[:3], -1)
    return sum(
        sum(map(len, coding.encode(np.ascontiguousarray(planes[..., channel]), 8)[0][1:]))
        for channel in range(planes.shape[3])
    )
