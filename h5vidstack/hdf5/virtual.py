"""The dataset `frames` of a reordered stack: an HDF5 virtual dataset over its videos.

h5py's VirtualLayout takes half a minute for 100,000 mappings; this takes a few seconds:
frames are merged into runs first, and the property list is filled directly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from ..shapes import Shape

Numbers = npt.NDArray[np.integer[Any]]

Source = tuple[str, h5py.Dataset]
"""A video, after the name of its file as seen from that of the virtual dataset: ``.``: the same."""

MAPPING_BYTES = 122
"""What a mapping takes in a file."""

MAX_MAPPINGS = 100_000
"""With more, no virtual dataset is made: HDF5 takes 26 KB of memory a mapping to write,
7 KB in every program that opens it."""


class Run(NamedTuple):
    """Positions ``position, position + 1, ...`` of a pile hold frames ``first, first + step, ...``.

    A virtual dataset says this in one mapping.
    """

    group: int
    position: int
    length: int
    first: int
    step: int


def runs(group: Numbers, position: Numbers) -> list[Run]:
    """Merge frames into runs, as long as may be from the first on.

    Parameters
    ----------
    group, position
        ``(N,)``: where each frame is; frames may share a place.
    """
    n = len(group)
    frames = np.lexsort((position, group))
    places = np.stack([group[frames], position[frames]], axis=1).astype(np.int64)
    # The first frames of all places, then the second ones, and so on: what repeats as a
    # whole, as a loop does, makes one run each time.
    begins = np.ones(n, bool)
    begins[1:] = (places[1:] != places[:-1]).any(axis=1)
    turn = np.arange(n) - np.maximum.accumulate(np.where(begins, np.arange(n), 0))
    order = np.argsort(turn, kind="stable")
    return list(_merge(places[order].tolist(), frames[order].tolist()))


def _merge(places: list[list[int]], frames: list[int]) -> Iterator[Run]:
    start, n = 0, len(frames)
    while start < n:
        group, position = places[start]
        step = frames[start + 1] - frames[start] if start + 1 < n else 0
        stop = start + 1
        while (
            step > 0
            and stop < n
            and places[stop] == [group, position + stop - start]
            and frames[stop] - frames[stop - 1] == step
        ):
            stop += 1
        yield Run(group, position, stop - start, frames[start], step if stop - start > 1 else 1)
        start = stop


def create(
    parent: h5py.Group,
    name: str,
    shape: Shape,
    dtype: np.dtype[Any],
    mappings: Sequence[Run],
    videos: Sequence[Source],
) -> None:
    """Make the virtual dataset of ``(N, H, W[, C])`` over videos, in its file or in others."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    frame = shape[1:]
    corner, one = (0,) * len(frame), (1,) * len(frame)
    target = h5py.h5s.create_simple(shape)
    sources = [h5py.h5s.create_simple(video.shape) for _, video in videos]
    paths = [tuple(name.encode() for name in _named(video)) for video in videos]
    for run in mappings:
        target.select_hyperslab(
            (run.first, *corner), (run.length, *one), (run.step, *frame), (1, *frame)
        )
        source = sources[run.group]
        source.select_hyperslab((run.position, *corner), (1, *one), None, (run.length, *frame))
        plist.set_virtual(target, *paths[run.group], source)
    target.select_all()
    h5py.h5d.create(parent.id, name.encode(), h5py.h5t.py_create(dtype), target, plist)


def places(dataset: h5py.Dataset, videos: Sequence[Source]) -> tuple[Numbers, Numbers] | None:
    """Where a virtual dataset looks for each frame: group and position, -1 where nowhere.

    Of videos that are the same the last one counts. None if it is no virtual dataset, or maps
    other things than whole frames of `videos`.
    """
    if not dataset.is_virtual:
        return None
    numbers = {_named(video): number for number, video in enumerate(videos)}
    group, position = np.full((2, dataset.shape[0]), -1)
    plist = dataset.id.get_create_plist()
    for mapping in range(plist.get_virtual_count()):
        source = plist.get_virtual_filename(mapping), plist.get_virtual_dsetname(mapping)
        number = numbers.get(source)
        frames = _whole_frames(plist.get_virtual_vspace(mapping), dataset.shape)
        found = _whole_frames(plist.get_virtual_srcspace(mapping), dataset.shape)
        if number is None or frames is None or found is None or len(frames) != len(found):
            return None
        if len(frames) and frames.max() >= len(group):
            return None
        group[frames], position[frames] = number, found
    return group, position


def _named(video: Source) -> tuple[str, str]:
    """Names of file and dataset; HDF5 takes them for formats, in which ``%b`` is a number."""
    return video[0].replace("%", "%%"), str(video[1].name).replace("%", "%%")


def _whole_frames(space: h5py.h5s.SpaceID, shape: Shape) -> Numbers | None:
    """Return the numbers of the frames that a selection takes whole, in order.

    None if it takes other things, or more than the ``(N, H, W[, C])`` of the virtual dataset.
    """
    most, *frame = shape
    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return np.arange(space.shape[0]) if space.shape[0] <= most else None
    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        return None
    start, stride, count, block = space.get_regular_hyperslab()
    gaps = any(c > 1 and s != b for c, s, b in zip(count[1:], stride[1:], block[1:], strict=True))
    covered = tuple(c * b for c, b in zip(count[1:], block[1:], strict=True))
    if gaps or any(start[1:]) or covered != tuple(frame) or count[0] * block[0] > most:
        return None
    first = start[0] + np.arange(count[0]) * stride[0]
    numbers: Numbers = (first[:, np.newaxis] + np.arange(block[0])).ravel()
    return numbers
