"""Find frames by content: Hamming distance over hash tables, then real pixels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..codecs.loss import differences
from ..errors import QueryError
from ..shapes import Numbers, Shape, window_frames
from ..similar.fingerprints import HASHES, Hashes, query_hashes

CANDIDATES = 64
"""Frames at least whose pixels are compared with the query's."""
BLOCK = 1 << 18
"""Hashes compared at a time: what fits a core's cache."""
MOST_PIECES = 9
"""With more pieces than this, looking pieces up is no faster than comparing all."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """A frame like the query.

    Attributes
    ----------
    frame
        Its number.
    distance
        Hamming distance of the hashes, 0 to 64.
    rmse
        Root mean square difference of the pixels, in the dtype's units; None where
        pixels were not compared.
    """

    frame: int
    distance: int
    rmse: float | None


def hamming(table: Hashes, query: int) -> npt.NDArray[np.uint8]:
    """Return the Hamming distance of each hash of ``(n,)`` uint64 to a query, as uint8."""
    distances = np.empty(len(table), np.uint8)
    for start in range(0, len(table), BLOCK):
        piece = slice(start, start + BLOCK)
        np.bitwise_count(table[piece] ^ np.uint64(query), out=distances[piece])
    return distances


class Searchable(Protocol):
    """What a search needs of a stack; see `StackReader`."""

    @property
    def shape(self) -> Shape:
        """``(N, H, W[, C])``."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the pixels."""

    def hashes(self, name: str) -> Hashes:
        """Return the table of one image hash."""

    def read(self, key: Numbers) -> npt.NDArray[Any]:
        """Return the pixels of frames."""


def find(
    stack: Searchable, image: Any, k: int, name: str, max_distance: int | None, rerank: bool
) -> list[Match]:
    """Search a stack; see `Stack.find`, whose `hash` is `name` here."""
    frame, dtype = stack.shape[1:], stack.dtype
    check_hash(name)
    check_count("k", k, 1)
    if max_distance is not None:
        check_count("max_distance", max_distance, 0)
    query = check_query(image)
    hashes = query_hashes(query)
    distances = hamming(stack.hashes(name), hashes[name])
    pixels = rerank and mismatch(query, frame, dtype) is None
    count = max(4 * k, CANDIDATES) if pixels else k
    others = [(stack.hashes(other), hashes[other]) for other in HASHES if other != name]
    nearest = _nearest(distances, count, max_distance, others)
    if not pixels:
        return [_match(number, distances, None) for number in nearest]
    step = window_frames(frame, dtype.itemsize)
    matches = []
    for start in range(0, len(nearest), step):
        numbers = nearest[start : start + step]
        for number, found in zip(numbers, stack.read(numbers), strict=True):
            matches.append(_match(number, distances, _rmse(found, query)))
    matches.sort(key=lambda match: (match.rmse, match.distance, match.frame))
    return matches[:k]


def _match(number: np.intp, distances: npt.NDArray[np.uint8], rmse: float | None) -> Match:
    return Match(frame=int(number), distance=int(distances[number]), rmse=rmse)


def check_hash(name: str) -> None:
    """Raise QueryError unless there is such a hash."""
    if name not in HASHES:
        raise QueryError(f"no hash {name!r}; there are {', '.join(HASHES)}")


def check_count(name: str, value: Any, least: int) -> None:
    """Raise QueryError unless `value` is a whole number of at least `least`."""
    if not isinstance(value, (int, np.integer)) or value < least:
        raise QueryError(f"{name} is {value!r}; it must be a whole number of at least {least}")


def check_query(image: Any) -> npt.NDArray[Any]:
    """Give an image as an array, or raise QueryError."""
    query = np.asarray(image)
    if query.ndim not in (2, 3) or query.shape[2:] not in ((), (3,), (4,)) or not query.size:
        raise QueryError(f"the query has shape {query.shape}; an image is (H, W) or (H, W, 3|4)")
    if query.dtype.kind not in "buif":
        raise QueryError(f"the query has dtype {query.dtype}; pixels are numbers")
    return query


def mismatch(query: npt.NDArray[Any], frame: Shape, dtype: np.dtype[Any]) -> str | None:
    """Say why a query's pixels cannot be compared with a stack's; None if they can."""
    same = query.dtype.newbyteorder("=") == dtype.newbyteorder("=")
    if query.shape == frame and same:
        return None
    one, other = ("x".join(map(str, shape)) for shape in (query.shape, frame))
    return (
        f"the query is {one} {query.dtype}, frames are {other} {dtype}: it was resized for "
        "hashing, pixels were not compared"
    )


def _nearest(
    distances: npt.NDArray[np.uint8],
    count: int,
    max_distance: int | None,
    others: Sequence[tuple[Hashes, int]],
) -> Numbers:
    """Return the nearest frames, nearest first; other hashes decide between equals."""
    reach = int(np.searchsorted(np.cumsum(np.bincount(distances, minlength=65)), count))
    if max_distance is not None:
        reach = min(reach, max_distance)
    near = np.flatnonzero(distances <= reach)
    apart = np.zeros(len(near), np.uint16)
    for table, query in others:
        apart += hamming(table[near], query)
    return near[np.lexsort((near, apart, distances[near]))][:count]


@np.errstate(all="ignore")
def _rmse(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    one, other = one.astype(np.float64), other.astype(np.float64)
    return float(np.sqrt(np.mean(np.square(differences(one, other)))))


def near_duplicates(table: Hashes, max_distance: int) -> Iterator[Numbers]:
    """Group frames whose hashes are at most `max_distance` from the group's first one.

    The first frame in no group yet takes all others near it, and so on. Two hashes that
    differ in at most d of 64 bits agree in one of d + 1 pieces: only hashes that share a
    piece are compared (Norouzi, Punjani and Fleet, "Fast exact search in Hamming space
    with multi-index hashing", IEEE PAMI 36, 2014).

    Yields
    ------
    ndarray
        Frame numbers of a group of at least two, in order.
    """
    check_count("max_distance", max_distance, 0)
    # Frames by hash, those of one hash in order; a hash is where its frames begin among them.
    frames = np.argsort(table, kind="stable")
    ordered = table[frames]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(table)])
    values, starts = ordered[starts], np.append(starts, len(table))
    del ordered
    free = np.ones(len(values), bool)
    candidates = _candidates(values, max_distance)
    for number in np.argsort(frames[starts[:-1]]).data:
        if not free[number]:
            continue
        near = candidates(number)
        near = near[np.bitwise_count(values[near] ^ values[number]) <= max_distance]
        near = np.unique(near[free[near]])
        free[near] = False
        group = np.sort(np.concatenate([frames[starts[n] : starts[n + 1]] for n in near]))
        if len(group) > 1:
            yield group


def _candidates(values: Hashes, max_distance: int) -> Callable[[int], Numbers]:
    """Give a function that names what may be near one of `values`, some twice."""
    pieces = max_distance + 1
    if pieces > MOST_PIECES:
        return lambda number: np.flatnonzero(hamming(values, int(values[number])) <= max_distance)
    borders = np.linspace(0, 64, pieces + 1).astype(int)
    indexes = []
    short = np.uint32 if len(values) < 1 << 32 else np.intp
    for low, high in itertools.pairwise(borders):
        keys = (values >> np.uint64(low)) & np.uint64(2 ** int(high - low) - 1)
        order = np.argsort(keys, kind="stable").astype(short)
        ordered = keys[order]
        begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        starts = np.append(np.flatnonzero(begins), len(values)).astype(short)
        piece = np.empty(len(values), short)  # which of the different pieces each hash has
        piece[order] = np.cumsum(begins) - 1
        indexes.append((order, starts.data, piece.data))

    def near(number: int) -> Numbers:
        found = [
            order[starts[piece[number]] : starts[piece[number] + 1]]
            for order, starts, piece in indexes
        ]
        return np.concatenate(found)

    return near
