"""The dataset `frames` of a reordered stack: an HDF5 virtual dataset over its videos.

h5py's VirtualLayout takes half a minute for 100,000 mappings. This module takes a few seconds:
it merges frames into runs first, and fills the property list directly.

The mappings lie in a global heap, of which HDF5 keeps no checksum, and it crashes on damaged
ones. So a stack keeps a checksum of their bytes (spec/format.md, "Layout"), which are found here
without HDF5. Source: HDF5 File Format Specification, III.E (global heap), IV.A.1.b (object
headers), IV.A.2.i (layout message).
"""

from __future__ import annotations

import io
import itertools
import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np

from ..shapes import Numbers, Shape
from .failures import DamageError, check_system

MAPPING_BYTES = 122
"""What a mapping takes in a file."""

MAX_MAPPINGS = 10_000
"""With more, no virtual dataset is made: HDF5 takes 26 KB of memory a mapping to write,
7 KB in every program that opens it."""


Read = Callable[[int, int], bytes]
"""Gives some bytes of the file: start, length."""

_LAYOUT, _CONTINUATION = 0x08, 0x10
_VIRTUAL = 3
_OLDEST = b"\x01"


class MappedDataset(NamedTuple):
    """A dataset that a virtual one shows.

    Attributes
    ----------
    file
        The name of its file as seen from that of the virtual dataset; ``.`` is the same one.
    path
        From the root of that file: HDF5 knows no other paths.
    shape
        ``(n, H, W[, C])``.
    """

    file: str
    path: str
    shape: Shape

    @property
    def names(self) -> tuple[str, str]:
        """File and path as HDF5 wants them: it takes them for formats with ``%b`` as a number."""
        return self.file.replace("%", "%%"), self.path.replace("%", "%%")


class FrameRun(NamedTuple):
    """Positions ``position, position + 1, ...`` of a pile hold frames ``first, first + step, ...``.

    A virtual dataset says this in one mapping.
    """

    group: int
    position: int
    length: int
    first: int
    step: int


def runs(group: Numbers, position: Numbers) -> list[FrameRun]:
    """Merge frames into runs, as long as may be from the first on.

    Parameters
    ----------
    group, position
        ``(N,)``: where each frame is; frames may share a place.

    Returns
    -------
    list of FrameRun
        No more than ``MAX_MAPPINGS + 1``, because more are of no use.
    """
    n = len(group)
    frames = np.lexsort((position, group))
    group, position = group[frames], position[frames]
    begins = np.ones(n, bool)
    begins[1:] = (group[1:] != group[:-1]) | (position[1:] != position[:-1])
    if not begins.all():
        # The first frames of all places, then the second ones, and so on: what repeats as a
        # whole, as a loop does, makes one run each time.
        turn = np.arange(n) - np.maximum.accumulate(np.where(begins, np.arange(n), 0))
        order = np.argsort(turn, kind="stable")
        group, position, frames = group[order], position[order], frames[order]
    return list(itertools.islice(_merge(group, position, frames), MAX_MAPPINGS + 1))


def _merge(group: Numbers, position: Numbers, frames: Numbers) -> Iterator[FrameRun]:
    """Yield the runs of frames that are sorted by their places."""
    step = np.diff(frames)
    step[(np.diff(group) != 0) | (np.diff(position) != 1) | (step < 0)] = 0
    ends = np.append(np.flatnonzero(np.diff(step)), len(step) - 1)  # of stretches of equal steps
    start, stretch = 0, 0
    while start < len(frames):
        length, apart = 1, 1
        if start < len(step) and step[start]:
            while ends[stretch] < start:
                stretch += 1
            length, apart = int(ends[stretch]) - start + 2, int(step[start])
        yield FrameRun(int(group[start]), int(position[start]), length, int(frames[start]), apart)
        start += length


def create(
    parent: h5py.Group,
    name: str,
    shape: Shape,
    dtype: np.dtype[Any],
    mappings: Sequence[FrameRun],
    videos: Sequence[MappedDataset],
) -> None:
    """Make the virtual dataset of ``(N, H, W[, C])`` over videos, in its file or in others."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    frame = shape[1:]
    corner, one = (0,) * len(frame), (1,) * len(frame)
    target = h5py.h5s.create_simple(shape)
    sources = [h5py.h5s.create_simple(video.shape) for video in videos]
    paths = [tuple(name.encode() for name in video.names) for video in videos]
    for run in mappings:
        target.select_hyperslab(
            (run.first, *corner), (run.length, *one), (run.step, *frame), (1, *frame)
        )
        source = sources[run.group]
        source.select_hyperslab((run.position, *corner), (1, *one), None, (run.length, *frame))
        plist.set_virtual(target, *paths[run.group], source)
    target.select_all()
    h5py.h5d.create(parent.id, name.encode(), h5py.h5t.py_create(dtype), target, plist)


def create_window(
    parent: h5py.Group, name: str, source: MappedDataset, dtype: np.dtype[Any]
) -> None:
    """Make a virtual dataset that shows all of another, or has no frames if that is not there.

    HDF5 shows fill values for a source that it does not find. But the length of a mapping without
    an end is that of its source, so that this dataset is then 0 long, or (from HDF5 2.0 on) an
    error.
    """
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_virtual(
        _endless(source.shape), *(n.encode() for n in source.names), _endless(source.shape)
    )
    space = h5py.h5s.create_simple(source.shape)
    h5py.h5d.create(parent.id, name.encode(), h5py.h5t.py_create(dtype), space, plist)


def create_all_axes(
    parent: h5py.Group, name: str, leading: Shape, source: MappedDataset, dtype: np.dtype[Any]
) -> None:
    """Make a virtual dataset that shows ``(N, H, W[, C])`` with several axes that count frames.

    As that of `create_window` it is an error, or empty, if its source is not there. A mapping
    without an end shows frames that follow one another along the first axis, so there is one for
    each place on the others.

    Parameters
    ----------
    leading
        The lengths of the axes that count frames; their product is N.
    """
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    frame, inner = source.shape[1:], leading[1:]
    step, ones = math.prod(inner), (1,) * len(frame)
    target = h5py.h5s.create_simple((*leading, *frame))
    shown = h5py.h5s.create_simple(source.shape)
    names = [name.encode() for name in source.names]
    corner, endless = (0,) * len(frame), h5py.h5s.UNLIMITED
    for number, place in enumerate(itertools.product(*map(range, inner))):
        block = (*(1 for _ in leading), *frame)
        target.select_hyperslab(
            (0, *place, *corner), (endless, *(1 for _ in inner), *ones), (1, *inner, *frame), block
        )
        shown.select_hyperslab((number, *corner), (endless, *ones), (step, *frame), (1, *frame))
        plist.set_virtual(target, names[0], names[1], shown)
    space = h5py.h5s.create_simple((*leading, *frame))
    h5py.h5d.create(parent.id, name.encode(), h5py.h5t.py_create(dtype), space, plist)


def _endless(shape: Shape) -> h5py.h5s.SpaceID:
    """Select whole frames of ``(N, H, W[, C])`` from the first to wherever the end is."""
    space = h5py.h5s.create_simple(shape)
    _, *frame = shape
    count = (h5py.h5s.UNLIMITED, *(1 for _ in frame))
    space.select_hyperslab((0,) * len(shape), count, (1, *frame), (1, *frame))
    return space


def window_source(dataset: h5py.Dataset, frame: Shape) -> tuple[str, str] | None:
    """Return file and path that a dataset of `create_window` shows, or None if it is no such one.

    They are as HDF5 wants them. The source need not be there.
    """
    plist = dataset.id.get_create_plist()
    if not dataset.is_virtual or plist.get_virtual_count() != 1:
        return None
    spaces = plist.get_virtual_vspace(0), plist.get_virtual_srcspace(0)
    if not all(_is_endless(space, frame) for space in spaces):
        return None
    return plist.get_virtual_filename(0), plist.get_virtual_dsetname(0)


def _is_endless(space: h5py.h5s.SpaceID, frame: Shape) -> bool:
    """Whether a selection is one of `_endless`."""
    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        return False
    start, stride, count, block = space.get_regular_hyperslab()
    endless = (count[0], block[0]) == (h5py.h5s.UNLIMITED, 1) and stride[0] == 1
    return endless and not any(start) and block[1:] == frame


def places(
    dataset: h5py.Dataset, videos: Sequence[MappedDataset]
) -> tuple[Numbers, Numbers] | None:
    """Return where a virtual dataset looks for each frame: group and position, or -1.

    Of videos that are the same the last one counts. None if it is no virtual dataset, or maps
    other things than whole frames of `videos`.
    """
    if not dataset.is_virtual:
        return None
    numbers = {video.names: number for number, video in enumerate(videos)}
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


def _whole_frames(space: h5py.h5s.SpaceID, shape: Shape) -> Numbers | None:
    """Return the numbers of the frames that a selection takes whole, in order.

    None if it takes other things, or more than the ``(N, H, W[, C])`` of the virtual dataset.
    """
    most, *frame = shape
    if space.get_select_type() == h5py.h5s.SEL_ALL:
        # HDF5 may not know the shape of a dataset in another file; then that is ().
        fits = space.shape[1:] == tuple(frame) and space.shape[0] <= most
        return np.arange(space.shape[0]) if fits else None
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


def mappings_crc32(
    group: h5py.Group, names: Sequence[str], raw: io.RawIOBase | None = None
) -> int | None:
    """Return the CRC-32 of the mappings of virtual datasets, one behind the other.

    The file must be flushed. The datasets are not opened. None if a header is of HDF5's oldest
    form, as some programs copy datasets: that has no checksum of its own either.

    Parameters
    ----------
    raw
        The bytes of the file, if it is a remote one.

    Raises
    ------
    DamageError
        If one has none, or its header is damaged, or of a form unknown here.
    """
    file, crc32 = group.file, 0
    addresses = [group.id.links.get_info(name.encode()).u for name in names]
    with raw or _opened_again(file.filename) as data:
        base, size = file.userblock_size, data.seek(0, os.SEEK_END)

        def read(start: int, length: int) -> bytes:
            if not 0 <= start <= start + length <= size - base:
                raise DamageError(f"{length} bytes at {start} are not in the file")
            data.seek(base + start)
            return data.read(length) or b""

        try:
            for address in addresses:
                if read(address, 1) == _OLDEST:
                    return None
                crc32 = zlib.crc32(_mappings(read, address), crc32)
        except (struct.error, IndexError) as error:
            raise DamageError(f"its header is damaged: {error}") from error
    return crc32


def _mappings(read: Read, address: int) -> bytes:
    """Return the stored mappings of the dataset whose header is at an address."""
    for kind, message in _messages(read, address):
        if kind == _LAYOUT and message[1] == _VIRTUAL:
            heap, index = struct.unpack_from("<QI", message, 2)
            return _heap_object(read, heap, index)
    raise DamageError("it is no virtual dataset")


def _opened_again(path: str) -> io.RawIOBase:
    """Open the file whose mappings are read beside HDF5."""
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        check_system(error, path)
        raise DamageError(f"its file cannot be opened again: {error}") from error


def _messages(read: Read, address: int) -> Iterator[tuple[int, bytes]]:
    """Yield type and bytes of each message of an object header of version 2."""
    head = read(address, 6)
    if head[:5] != b"OHDR\x02":
        raise DamageError("its header is damaged")
    flags = head[5]
    start = address + 6 + 16 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
    width = 1 << (flags & 3)
    parts = [(start + width, int.from_bytes(read(start, width), "little"))]
    extra = 2 * bool(flags & 4)  # the order in which messages were made
    for at, length in parts:  # continuations are added on the way
        data = read(at, length)
        place = 0
        while place + 4 + extra <= length:
            kind, size = struct.unpack_from("<BH", data, place)
            message = data[place + 4 + extra :][:size]
            place += 4 + extra + size
            if kind == _CONTINUATION and len(parts) < 100:
                block, whole = struct.unpack("<QQ", message)
                if read(block, 4) != b"OCHK":
                    raise DamageError("its header is damaged")
                parts.append((block + 4, whole - 8))  # without signature and checksum
            yield kind, message


def _heap_object(read: Read, heap: int, index: int) -> bytes:
    """Return an object of a global heap; if that is damaged anywhere, HDF5 may hang."""
    head = read(heap, 16)
    if head[:5] != b"GCOL\x01":
        raise DamageError("its global heap is damaged")
    data, place, found = read(heap, int.from_bytes(head[8:], "little")), 16, None
    while place + 16 <= len(data):
        number, size = struct.unpack_from("<H6xQ", data, place)
        step = 16 + (size + 7) // 8 * 8 if number else size  # 0 is what is free
        if not 16 <= step <= len(data) - place:
            raise DamageError("its global heap is damaged")
        if number == index:
            found = data[place + 16 : place + 16 + size]
        place += step
    if found is None:
        raise DamageError("its global heap is damaged: the mappings are not in it")
    return found
