"""The order of frames: a chain in which similar frames are neighbours, cut into piles.

The chain is the *greedy edge* heuristic for the travelling salesman's path: the closest
pair of path ends anywhere is joined, again and again (Bentley, "Fast algorithms for
geometric traveling salesman problems", ORSA Journal on Computing 4, 1992, section 5).
Near pairs come from a forest of random projection trees (Dasgupta and Freund, "Random
projection trees and low dimensional manifolds", STOC 2008), so that nothing is N x N.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..shapes import Numbers
from .feature_store import Features, FeatureStore

TREES = 6
LEAF = 192
"""The most points of a leaf. All distances between the points of a leaf are measured."""
LEAVES = 32
"""Leaves that are searched at a time, which bounds memory."""
NEIGHBOURS = 8
"""Near points that each point keeps from each of its leaves."""
SAMPLE = 1 << 14
"""Most points from which the spread of all is computed."""
BATCH = 1 << 12
"""Steps of a chain that are measured at a time."""
JUMP = 8
JUMP_SHARE = 0.02
"""See `cut`."""


def chain(features: Features) -> Numbers:
    """Order points so that each lies next to similar ones.

    Parameters
    ----------
    features
        ``(n, d)`` float32, finite, n at least 1. Points that are neighbours in the
        array are candidates for neighbours in the chain, and break ties.

    Returns
    -------
    ndarray
        ``(n,)``, a permutation: point numbers along the chain, in the direction that
        agrees better with the order of the array.
    """
    n = len(features)
    points: Features = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
    points /= max(-points.min(), points.max()) or 1.0  # so that no square is infinite
    random = np.random.default_rng(0)
    paths = _Paths(n)
    while paths.joins < n - 1:
        ends = np.flatnonzero(paths.degree < 2)
        first, second = _near_pairs(points[ends], ends, paths.other[ends], random)
        if not paths.joins:
            first, second = np.append(first, ends[:-1]), np.append(second, ends[1:])
        paths.join(first, second, _distances(points, first, second))
    order = paths.walk()
    return order if np.sum(np.sign(np.diff(order))) >= 0 else order[::-1]


def cut(order: Numbers, features: FeatureStore, least: int) -> list[Numbers]:
    """Cut a chain into piles where it jumps from one scene to another.

    A jump is a step of more than `JUMP` times the median step and more than
    `JUMP_SHARE` of the root mean square distance of two points. Piles of fewer than
    `least` points are then put together with the nearer one of their neighbours.
    """
    step = _steps(features, order)
    if not len(step):
        return [order]
    sample = features.evenly(SAMPLE)
    spread = math.sqrt(2 * float(sample.var(axis=0, dtype=np.float64).sum()))
    least_jump = max(JUMP * float(np.median(step)), JUMP_SHARE * spread)
    cuts = np.flatnonzero(step > least_jump) + 1
    while len(cuts):
        tiny = np.flatnonzero(np.diff([0, *cuts, len(order)]) < least)
        if not len(tiny):
            break
        # Each tiny pile loses the weaker one of the cuts beside it.
        strength = np.array([np.inf, *step[cuts - 1], np.inf])
        cuts = np.delete(cuts, np.where(strength[tiny] <= strength[tiny + 1], tiny - 1, tiny))
    return np.split(order, cuts)


def by_hash(hashes: npt.NDArray[np.uint64], least: int) -> list[Numbers]:
    """Put frames of equal or near image hashes into piles.

    Parameters
    ----------
    hashes
        ``(n,)``, n at least 1.
    least
        The fewest frames of a pile, if there are so many. Hashes of fewer frames share a pile
        with near hashes, by Hamming distance along a chain.

    Returns
    -------
    list of ndarray
        Frame numbers, ascending in each pile.
    """
    kinds, kind, count = np.unique(hashes, return_inverse=True, return_counts=True)
    bits = np.unpackbits(kinds.view(np.uint8).reshape(-1, 8), axis=1).astype(np.float32)
    along = chain(bits)
    step = np.bitwise_count(kinds[along[1:]] ^ kinds[along[:-1]])
    ends = list(range(len(kinds)))  # the other end of each run, by either end
    held = count[along].tolist()  # the frames of each run, by either end
    split = np.ones(len(step), bool)
    # The nearest runs join first. Of equally near runs, two small ones join before others.
    for distance, small in itertools.product(np.unique(step), (all, any)):
        for left in np.flatnonzero(step == distance).tolist():
            right = left + 1
            if split[left] and small((held[left] < least, held[right] < least)):
                split[left] = False
                first, last = ends[left], ends[right]
                ends[first], ends[last] = last, first
                held[first] = held[last] = held[left] + held[right]
    pile = np.empty(len(kinds), np.intp)
    pile[along] = np.cumsum([0, *split])
    order = np.argsort(pile[kind], kind="stable")
    return np.split(order, np.flatnonzero(np.diff(pile[kind][order])) + 1)


def _steps(features: FeatureStore, order: Numbers) -> npt.NDArray[np.float32]:
    """Return the distance of each point to the next one in an order."""
    steps = np.empty(len(order) - 1, np.float32)
    for start in range(0, len(steps), BATCH):
        points = features.take(order[start : start + BATCH + 1]).astype(np.float64)
        steps[start : start + BATCH] = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return steps


def _distances(points: Features, first: Numbers, second: Numbers) -> npt.NDArray[np.float32]:
    """Return the distance of each pair of points."""
    found = np.empty(len(first), np.float32)
    for start in range(0, len(first), BATCH):
        some = slice(start, start + BATCH)
        found[some] = np.linalg.norm(points[first[some]] - points[second[some]], axis=1)
    return found


class _Paths:
    """Disjoint paths over points 0..n-1, joined at their ends until there is one.

    Attributes
    ----------
    degree
        How many neighbours each point has: 0 to 2.
    other
        The other end of the path of each end; a lone point is both ends. The values of points
        inside a path are stale.
    """

    def __init__(self, n: int) -> None:
        self.degree = np.zeros(n, np.int8)
        self.other = np.arange(n)
        self.joins = 0
        self._neighbours = np.full((n, 2), -1)

    def join(self, a: Numbers, b: Numbers, distance: npt.NDArray[np.float32]) -> None:
        """Join the closest pairs first, and skip pairs that would close a ring or branch."""
        degree, other = self.degree.tolist(), self.other.tolist()
        neighbours = self._neighbours
        closest = np.lexsort((np.abs(a - b), distance))
        for left, right in zip(a[closest].tolist(), b[closest].tolist(), strict=True):
            if degree[left] == 2 or degree[right] == 2 or other[left] == right:
                continue
            neighbours[left, degree[left]] = right
            neighbours[right, degree[right]] = left
            degree[left] += 1
            degree[right] += 1
            far_left, far_right = other[left], other[right]
            other[far_left], other[far_right] = far_right, far_left
            self.joins += 1
        self.degree[:], self.other[:] = degree, other

    def walk(self) -> Numbers:
        """Points along the one path."""
        neighbours = self._neighbours.tolist()
        order = [int(np.argmin(self.degree))]
        before = -1
        for _ in range(len(neighbours) - 1):
            here = order[-1]
            one, two = neighbours[here]
            order.append(two if one == before else one)
            before = here
        return np.array(order, np.intp)


def _near_pairs(
    points: Features, names: Numbers, other: Numbers, random: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """Return the names of pairs of near points that are not the two ends of one path.

    Parameters
    ----------
    other
        The name of the other end of each point's path.
    """
    n = len(points)
    pairs = [np.empty(0, np.int64)]
    for leaves in _forest(points, random):
        held = points[leaves]
        held -= held.mean(axis=1, keepdims=True)  # small numbers have small rounding errors
        squares = np.einsum("lpd,lpd->lp", held, held)
        distance = squares[:, :, np.newaxis] + squares[:, np.newaxis]
        distance -= 2 * held @ held.transpose(0, 2, 1)
        own = (other[leaves], names[leaves])
        distance[own[0][:, :, np.newaxis] == own[1][:, np.newaxis]] = np.inf
        distance[leaves[:, :, np.newaxis] == leaves[:, np.newaxis]] = np.inf
        count = min(NEIGHBOURS, leaves.shape[1] - 1)
        near = np.argpartition(distance, count - 1, axis=2)[:, :, :count]
        allowed = np.isfinite(np.take_along_axis(distance, near, axis=2))
        one = np.broadcast_to(leaves[:, :, np.newaxis], near.shape)[allowed]
        two = leaves[np.arange(len(leaves))[:, np.newaxis, np.newaxis], near][allowed]
        pairs.append(np.minimum(one, two) * np.int64(n) + np.maximum(one, two))
    one, two = np.divmod(np.unique(np.concatenate(pairs)), n)
    return names[one], names[two]


def _forest(points: Features, random: np.random.Generator) -> Iterator[Numbers]:
    """Yield point numbers ``(leaves, leaf size)``; near points share a leaf of some tree."""
    n = len(points)
    depth = max(0, math.ceil(math.log2(n / LEAF)))
    size = math.ceil(n / 2**depth)
    for _ in range(TREES if depth else 1):
        # All leaves have one size. So some points, drawn at random, are in two leaves.
        filling = random.integers(0, n, size * 2**depth - n)
        order = np.concatenate([random.permutation(n), filling])
        for level in range(depth):
            nodes = order.reshape(2**level, -1)
            chosen = points[nodes[:, random.integers(0, nodes.shape[1], 2)]]
            axes = chosen[:, 0] - chosen[:, 1]
            along = np.stack([points[node] @ axis for node, axis in zip(nodes, axes, strict=True)])
            order = np.take_along_axis(nodes, np.argsort(along, axis=1), axis=1).ravel()
        yield from np.split(order.reshape(-1, size), range(LEAVES, 2**depth, LEAVES))
