"""`frames` of a stack, by which every HDF5 program sees the frames in their order.

Where one pile holds them so, it is that pile. Otherwise it is a virtual dataset. HDF5 looks for
the sources of one by paths from the root of the file, where another stack may lie after this one
was moved or copied. So the paths contain a name that only this stack has, and `frames` never
shows the frames of another (spec/format.md, "Order").
"""

from __future__ import annotations

import contextlib
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import h5py
import numpy as np
import numpy.typing as npt

from ..hdf5 import virtual
from ..hdf5.failures import DamageError
from ..shapes import Numbers, Shape, split_axes
from .explanations import explain_frames
from .names import MAPPINGS_CRC, ND, ORDERED, SEPARATOR, aliases, new_alias, scalar


class MappedFrames(Protocol):
    """A dataset, or what is known of one."""

    @property
    def name(self) -> str:
        """Its path in its file."""

    @property
    def shape(self) -> Shape:
        """``(n, H, W[, C])``."""


PileFrames = tuple[str, MappedFrames]
"""The name of a file as seen from that of the stack (``.``: the same), and a pile's video in it."""

_ORDERED = f"groups/{ORDERED}"
_VIEW = ("frames", _ORDERED)
"""The two virtual datasets: the first shows the second, which shows the piles."""


def remove(group: h5py.Group) -> None:
    """Remove what `write` made, or another `frames`."""
    for name in (*filter(group.__contains__, (*_VIEW, ND)), *aliases(group)):
        del group[name]
    if MAPPINGS_CRC in group.attrs:
        del group.attrs[MAPPINGS_CRC]


def write(
    group: h5py.Group,
    shape: Shape,
    dtype: np.dtype[Any],
    places: tuple[Numbers, Numbers],
    videos: Sequence[PileFrames],
    *,
    coded: bool,
) -> None:
    """Make `frames`, ``(N, H, W[, C])``, where the stack is now.

    There is none afterwards if it takes too many mappings.

    Parameters
    ----------
    places
        ``(N,)`` twice: pile and position of each frame.
    coded
        Whether the videos are coded by the filter.
    """
    remove(group)
    if _in_order(places, videos):
        data = group["frames"] = group.file[videos[0][1].name]
        # Otherwise it is a dataset of users, beside which the stack is.
        if data.parent == group.get("groups/000000"):
            explain_frames(group, coded)
        return
    mappings = virtual.runs(*places)
    if len(mappings) > virtual.MAX_MAPPINGS:
        return
    alias = new_alias()
    group[alias] = h5py.SoftLink("groups")  # relative, so it leads to the piles of its own stack
    here = _alias_path(group, alias)
    virtual.create(group, _ORDERED, shape, dtype, mappings, _sources(here, videos))
    source = virtual.MappedDataset(".", f"{here}/{ORDERED}", shape)
    virtual.create_window(group, "frames", source, dtype)
    explain_frames(group, coded)
    group.file.flush()
    with contextlib.suppress(DamageError):  # of an HDF5 that keeps them otherwise
        crc32 = virtual.mappings_crc32(group, _VIEW)
        if crc32 is not None:
            group.attrs[MAPPINGS_CRC] = np.uint32(crc32)


def write_all_axes(group: h5py.Group, leading: Shape, frame: Shape, dtype: np.dtype[Any]) -> bool:
    """Make `nd`, which shows `frames` with all axes, where several count frames; say whether.

    Parameters
    ----------
    leading, frame
        The lengths of the axes that count frames, and ``(H, W[, C])``.
    """
    if ND in group:
        del group[ND]
    if len(leading) < 2 or not 0 < math.prod(leading[1:]) <= virtual.MAX_MAPPINGS:
        return False
    alias = next(iter(aliases(group)), None)
    if alias is None:
        alias = new_alias()
        group[alias] = h5py.SoftLink("groups")
    name = ORDERED if _ORDERED in group else "000000/video"
    path = f"{_alias_path(group, alias)}/{name}"
    source = virtual.MappedDataset(".", path, (math.prod(leading), *frame))
    virtual.create_all_axes(group, ND, leading, source, dtype)
    return True


def _in_order(places: tuple[Numbers, Numbers], videos: Sequence[PileFrames]) -> bool:
    """Whether one pile of this file holds all frames in order, and no others."""
    (file, data), (_, position) = videos[0], places
    here = len(videos) == 1 and file == "."
    frames = math.prod(split_axes(data.shape)[0])
    return here and frames == len(position) and np.array_equal(position, np.arange(frames))


def problems(
    group: h5py.Group,
    shape: Shape,
    places: tuple[Numbers, Numbers],
    videos: Sequence[PileFrames],
    crc32: npt.NDArray[Any] | None,
    raw: io.RawIOBase | None,
) -> Iterator[str]:
    """Yield a sentence if `frames`, which is there, does not show each frame from its place.

    Parameters
    ----------
    crc32
        ``(N,)``, of each frame; None if that is not known.
    raw
        The bytes of the file, if it is a remote one.

    Raises
    ------
    DamageError
        If it cannot be read.
    """
    # HDF5 may crash on damaged mappings, so it opens only those whose CRC is right.
    if _damaged(group, raw):
        yield "frames is damaged: the CRC-32 of its mappings is wrong"
        return
    frames = group.get("frames")
    window = virtual.window_source(frames, shape[1:]) if isinstance(frames, h5py.Dataset) else None
    if window is None and isinstance(frames, h5py.Dataset) and not frames.is_virtual:
        yield from _other_pixels(frames, shape, crc32)
        return
    if window is None:
        yield "frames is neither a hard link to the only video nor a map of the videos"
        return
    here = [_alias_path(group, alias) for alias in aliases(group)]
    names = {virtual.MappedDataset(".", f"{path}/{ORDERED}", shape).names: path for path in here}
    if window not in names:
        yield (
            f"frames looks for its pixels at {window[1].replace('%%', '%')}, but the stack is at "
            f"{group.name}: HDF5 shows none or those of a copy; make frames anew with: "
            f"h5vidstack remap {group.file.filename}{SEPARATOR}{group.name}"
        )
        return
    sources = _sources(names[window], videos)
    ordered = group.get(_ORDERED)
    found = None
    if isinstance(ordered, h5py.Dataset) and ordered.shape == frames.shape == shape:
        found = virtual.places(ordered, sources)
    if found is None or group.get(names[window]) != group["groups"]:
        yield "frames is neither a hard link to the only video nor a map of the videos"
        return
    yield from _misplaced(found, places, sources)


def _damaged(group: h5py.Group, raw: io.RawIOBase | None) -> bool:
    """Whether the mappings of both virtual datasets have another CRC-32 than the stack says."""
    stated, links = group.attrs.get(MAPPINGS_CRC), group.id.links
    if stated is None or not all(links.exists(name.encode()) for name in _VIEW):
        return False
    found = virtual.mappings_crc32(group, _VIEW, raw)
    return found is not None and found != scalar(stated)


def _other_pixels(
    frames: h5py.Dataset, shape: Shape, crc32: npt.NDArray[Any] | None
) -> Iterator[str]:
    """Say if a `frames` that holds pixels of its own, as some programs copy it, has others."""
    if frames.shape != shape:
        yield f"frames has shape {frames.shape}, not {shape}"
    elif crc32 is not None:
        found = (zlib.crc32(frames[number].tobytes()) for number in range(len(frames)))
        yield from _wrong(np.fromiter(found, np.uint32, len(crc32)) != crc32)


def _wrong(wrong: npt.NDArray[np.bool_]) -> Iterator[str]:
    if wrong.any():
        first = np.argmax(wrong)
        yield f"frames is wrong at {wrong.sum()} of {len(wrong)} frames, first at {first}"


def _misplaced(
    found: tuple[Numbers, Numbers],
    places: tuple[Numbers, Numbers],
    sources: Sequence[virtual.MappedDataset],
) -> Iterator[str]:
    """Say if frames are shown from other places than theirs."""
    last = {source: number for number, source in enumerate(sources)}  # of those that are the same
    same = np.array([last[source] for source in sources])
    known = places[0] < len(same)
    expected = same[np.where(known, places[0], 0).astype(np.intp)]
    yield from _wrong(~known | (found[0] != expected) | (found[1] != places[1]))


def _alias_path(group: h5py.Group, alias: str) -> str:
    return f"{str(group.name).rstrip('/')}/{alias}"


def _sources(here: str, videos: Sequence[PileFrames]) -> list[virtual.MappedDataset]:
    """Return where the videos are found; `here` is the path of the stack's group of piles."""
    return [
        virtual.MappedDataset(
            file, f"{here}/{number:06d}/video" if file == "." else str(data.name), data.shape
        )
        for number, (file, data) in enumerate(videos)
    ]
