"""The order of very many frames: groups of similar ones, each of which is ordered by itself.

The features of one group at a time are in memory. The groups are the leaves of a tree whose nodes
cut across the direction in which a sample of their frames differs most (McNames, "A fast
nearest-neighbor algorithm based on a principal axis search tree", IEEE PAMI 23, 2001). So similar
frames are nearly always in one group, whenever they came.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..shapes import Numbers
from .feature_store import MOST_HELD, Features, FeatureStore
from .ordering import chain

SAMPLE = 1 << 14
"""Most frames from which the tree is made."""
BATCH = 1 << 12
"""Frames that are put into groups at a time."""
TURNS = 8
"""Steps of the power iteration that finds a direction."""

Node = tuple[Features, float]
"""A direction, and where along it the left half ends."""


def order(features: FeatureStore) -> Numbers:
    """Order frames so that each lies next to similar ones, as `ordering.chain` does.

    Returns
    -------
    ndarray
        ``(n,)``, a permutation: frame numbers in their new order.
    """
    if len(features) <= MOST_HELD:
        return chain(features.take(np.arange(len(features))))
    found, filled, turnable = np.empty(len(features), np.intp), 0, False
    for group in _groups(features):
        points = features.take(group)
        along = chain(points)
        if filled:  # go on at the nearer end; the first group may be turned for that, too
            last = features.take(found[[0, filled - 1] if turnable else [filled - 1]])
            apart = np.linalg.norm(last[:, np.newaxis] - points[along[[0, -1]]], axis=2)
            before, after = np.unravel_index(np.argmin(apart), apart.shape)
            if turnable and not before:
                found[:filled] = found[:filled][::-1].copy()
            along = along[::-1] if after else along
        turnable = not filled
        found[filled : filled + len(group)] = group[along]
        filled += len(group)
    return found if np.sum(np.sign(np.diff(found))) >= 0 else found[::-1]


def _groups(features: FeatureStore) -> Iterator[Numbers]:
    """Yield the numbers of the frames of each group, rising."""
    n = len(features)
    levels = _tree(features.evenly(SAMPLE), math.ceil(math.log2(n / MOST_HELD)))
    leaf = np.empty(n, np.uint16)
    for start in range(0, n, BATCH):
        stop = min(start + BATCH, n)
        leaf[start:stop] = _leaves(features.take(np.arange(start, stop)), levels)
    members = np.argsort(leaf, kind="stable")
    ends = np.cumsum(np.bincount(leaf, minlength=1 << len(levels)))
    for group in np.split(members, ends[:-1]):
        # Frames that are all the same to the tree are cut by time.
        for part in np.array_split(group, max(1, math.ceil(len(group) / (2 * MOST_HELD)))):
            if len(part):
                yield part


def _tree(sample: Features, depth: int) -> list[list[Node]]:
    """Return the nodes of each level of a tree that halves a sample so many times."""
    levels: list[list[Node]] = []
    held = [sample]
    for _ in range(depth):
        level: list[Node] = []
        halves = []
        for points in held:
            axis = _direction(points)
            along = points @ axis
            middle = float(np.median(along)) if len(along) else 0.0
            level.append((axis, middle))
            halves += [points[along <= middle], points[along > middle]]
        levels.append(level)
        held = halves
    return levels


def _direction(points: Features) -> Features:
    """Return about the direction in which points differ most; zeros if they do not."""
    if not len(points):
        return np.zeros(points.shape[1], np.float32)
    centred = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred /= max(-centred.min(), centred.max()) or 1.0  # so that no square is infinite
    axis = centred[np.argmax(np.einsum("nd,nd->n", centred, centred))]
    for _ in range(TURNS):
        turned = centred.T @ (centred @ axis)
        length = float(np.linalg.norm(turned))
        if not length:
            break
        axis = turned / np.float32(length)
    direction: Features = axis
    return direction


def _leaves(points: Features, levels: list[list[Node]]) -> Numbers:
    """Return the leaf of the tree in which each point lies."""
    node = np.zeros(len(points), np.intp)
    for level in levels:
        axes = np.stack([axis for axis, _ in level])
        middles = np.array([middle for _, middle in level], np.float32)
        along = np.einsum("nd,nd->n", points, axes[node])
        node = 2 * node + (along > middles[node])
    return node
