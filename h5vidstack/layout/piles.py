"""Piles of a stack are the datasets that hold its frames, here or in other files.

HDF5 would follow links to other files itself (spec/format.md, "Parts"), but it would take a file
of that name from the working folder, too, wait at a pipe, or give zeros for a missing file.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..hdf5.failures import DamageError
from ..hdf5.opening import is_url, open_hdf5
from ..shapes import Numbers, Shape, split_axes
from .names import require_dataset

_DATA = ("video", "difference", "pca")
"""One of them is in each pile."""
_NO_CACHE = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
"""Without HDF5's cache of chunks, as blocks are decoded here: it takes 64 KB for each dataset."""
_NO_CACHE.set_chunk_cache(1, 0, 0)
_TARGET = re.compile(r"(/.+)/groups/(\d{6,})/(?:video|difference|pca)", re.S)


class Tables(Protocol):
    """What parts need of a stack that is open; see `stack_group.Layout`."""

    @property
    def piles(self) -> Sequence[Pile]:
        """What holds its frames."""

    @property
    def live(self) -> bool:
        """Whether it is being recorded."""

    @property
    def file(self) -> h5py.File:
        """The file that holds its tables."""

    def members(self, number: int) -> Numbers:
        """Return the original frame number of each position of a pile."""

    def crc32(self) -> npt.NDArray[np.uint32] | None:
        """Return the CRC-32 of each frame."""


class VideoName(NamedTuple):
    """The name of a dataset in its file, and its shape, ``(n, H, W[, C])``."""

    name: str
    shape: Shape


@dataclass(frozen=True)
class Pile:
    """The datasets that hold the frames of one pile.

    Attributes
    ----------
    data
        One entry of its first axis for each frame: pixels, or what is added to others.
    shape, dtype
        Of the pixels: ``(n, H, W[, C])``.
    mean
        ``(H, W[, C])``: `data` are differences to it.
    pca
        The group of a PCA: `data` are its coefficients, or differences to what it makes.
    part
        The stack in another file that holds it; None: it is in the file of its own stack.
    """

    data: h5py.Dataset
    shape: Shape
    dtype: np.dtype[Any]
    mean: h5py.Dataset | None = None
    pca: h5py.Group | None = None
    part: Part | None = None

    @property
    def length(self) -> int:
        """Number of frames."""
        return int(self.shape[0])

    @property
    def plain(self) -> bool:
        """Whether `data` are the pixels."""
        return self.mean is None and self.pca is None

    @property
    def source(self) -> tuple[str, VideoName]:
        """Of a virtual dataset: the file, as its stack's file names it, and what is in it."""
        video = VideoName(
            str(self.data.name), self.data.shape
        )  # not the dataset, which takes memory
        return self.part.name if self.part is not None else ".", video

    @property
    def home(self) -> h5py.Group:
        """The group that holds all of it."""
        return (self.data if self.pca is None else self.pca).parent

    @property
    def stored_bytes(self) -> int:
        """Bytes that it takes in the file."""
        # Not `values()`: that gives None for what cannot be opened.
        parts = [self.pca[name] for name in self.pca] if self.pca is not None else []
        parts += [self.data, self.mean]
        tables = [part for part in parts if isinstance(part, h5py.Dataset)]
        return sum({table.id: table.id.get_storage_size() for table in tables}.values())


def open_pile(group: h5py.Group, dtype: np.dtype[Any]) -> Pile:
    """Find the datasets of a pile of pixels of a dtype; DamageError if they are not there."""
    if "pca" in group:
        pca = group["pca"]
        mean = require_dataset(pca, "mean")
        place, name = (group, "residual") if "residual" in group else (pca, "coefficients")
        data = require_dataset(place, name)
        return Pile(data, (data.shape[0], *mean.shape), dtype, pca=pca)
    mean = require_dataset(group, "mean") if "mean" in group else None
    return _pile_of(require_dataset(group, "video" if mean is None else "difference"), mean)


def open_video(groups: h5py.Group, name: str, readonly: bool) -> Pile | None:
    """Open a pile of pixels that is in this file, which is quick; None if it is another kind.

    Parameters
    ----------
    readonly
        Whether nobody changes the file, so that h5py may remember what it has asked for.
    """
    path = f"{name}/video".encode()
    links = groups.id.links
    if not links.exists(name.encode()) or not links.exists(path):
        return None
    if links.get_info(path).type != h5py.h5l.TYPE_HARD:
        return None
    try:
        found = h5py.h5d.open(groups.id, path, _NO_CACHE)
    except (KeyError, ValueError):  # it is no dataset, which the slow way tells better
        return None
    return _pile_of(h5py.Dataset(found, readonly=readonly), None)


def _pile_of(data: h5py.Dataset, mean: h5py.Dataset | None) -> Pile:
    shape = data.shape
    if data.is_virtual or data.chunks is None:
        raise DamageError(f"{data.name} is not chunked")
    if len(shape) < 3:
        raise DamageError(f"{data.name} of shape {shape} holds no frames")
    leading, frame = split_axes(shape)
    shape = (math.prod(leading), *frame)
    return Pile(data, shape, (data if mean is None else mean).dtype, mean)


def written(data: h5py.Dataset) -> Shape:
    """Return the shape up to the last run of frames whose blocks are all there.

    A writer makes room for a run before it writes it.
    """
    n, step = data.shape[0], data.chunks[0]
    counts = [
        range(0, edge, tile) for edge, tile in zip(data.shape[1:], data.chunks[1:], strict=True)
    ]
    while n:
        first = (n - 1) // step * step
        blocks = ((first, *corner) for corner in itertools.product(*counts))
        if all(data.id.get_chunk_info_by_coord(at).byte_offset is not None for at in blocks):
            break
        n = first
    return (n, *data.shape[1:])


@dataclass(frozen=True)
class Part:
    """A pile of a stack in another file.

    Attributes
    ----------
    name, path
        Of the file: relative to the folder of the file that links it, and absolute.
    stack, number
        The stack in it, and which of its piles.
    layout
        That stack, open.
    """

    name: str
    path: str
    stack: str
    number: int
    layout: Tables

    def __str__(self) -> str:
        return f"{self.path}::{self.stack}"


class Parts:
    """The files in which a stack's piles lie, each opened once.

    Parameters
    ----------
    file
        The file that links them.
    open_layout
        Opens a stack in one of them; None: there may be none, as in a part.
    """

    def __init__(
        self, file: h5py.File, open_layout: Callable[[h5py.File, str], Tables] | None
    ) -> None:
        self._name, self._open_layout = file.filename, open_layout
        self._files: dict[str, h5py.File] = {}
        self._layouts: dict[tuple[str, str], Tables] = {}

    def pile(self, group: h5py.Group) -> Pile | None:
        """Return the pile that a group links; None if the group holds it itself.

        Raises
        ------
        FormatError
            If the file is missing, or no longer holds it.
        """
        links = (group.get(name, getclass=True, getlink=True) for name in _DATA)
        found = next((n for n, kind in zip(_DATA, links, strict=True) if kind), None)
        link = group.get(found, getlink=True) if found is not None else None
        if not isinstance(link, h5py.ExternalLink):
            return None
        if is_url(self._name):
            raise FormatError(
                f"{self._name} links parts in other files, which are not read at URLs: copy all of "
                "them here"
            )
        if self._open_layout is None:
            raise FormatError(f"{self._name} itself links other files: link the parts anew")
        target = _TARGET.fullmatch(link.path)
        if target is None:
            raise DamageError(f"{group.name} links {link.path}, which is in no pile of a stack")
        stack, number = target[1], int(target[2])
        layout = self._layout(link.filename, stack, self._open_layout)
        path = self._files[link.filename].filename
        part = Part(link.filename, path, stack, number, layout)
        length = require_dataset(group, "members").shape[0]
        if number >= len(layout.piles) or layout.piles[number].length < length:
            raise FormatError(changed(part, self._name))
        pile = layout.piles[number]
        # More may have been added to it since.
        return replace(pile, shape=(length, *pile.shape[1:]), part=part)

    def _layout(
        self, name: str, stack: str, open_layout: Callable[[h5py.File, str], Tables]
    ) -> Tables:
        if (name, stack) not in self._layouts:
            try:
                if name not in self._files:
                    folder = os.path.dirname(os.path.realpath(self._name))
                    self._files[name] = open_hdf5(os.path.normpath(os.path.join(folder, name)))
                layout = open_layout(self._files[name], stack)
            except FormatError as error:
                raise FormatError(
                    f"{self._name} needs its part {name}: {error}; parts are to stay where they "
                    "were, as seen from the file that links them"
                ) from error
            if layout.live:
                raise FormatError(f"{self._name} needs its part {name}, which is being recorded")
            self._layouts[name, stack] = layout
        return self._layouts[name, stack]

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


def changed(part: Part, name: str) -> str:
    """Say what is wrong with a part, and what to do; `name` is of the file that links it."""
    return (
        f"{part} was changed after {name} was made of it; link the parts again, or bring the "
        "old file back"
    )


class Checks:
    """Whether the piles in other files hold the frames that they held when they were linked.

    Parameters
    ----------
    layout
        The stack that is made of them.
    """

    def __init__(self, layout: Tables) -> None:
        self._layout = layout
        self._sound: set[int] = set()
        self._crc32: dict[str, npt.NDArray[np.uint32] | None] = {}

    def check(self, number: int) -> None:
        """Raise FormatError if a pile holds other frames."""
        pile = self._layout.piles[number]
        if pile.part is None or number in self._sound:
            return
        part = pile.part
        wanted, held = self._table("", self._layout), self._table(str(part), part.layout)
        mine, theirs = self._layout.members(number), part.layout.members(part.number)
        if wanted is None:
            raise FormatError(f"{self._layout.file.filename}: index/crc32 is damaged")
        known = held is not None and theirs.max(initial=0) < len(held)
        if held is None or not known or not np.array_equal(held[theirs[: len(mine)]], wanted[mine]):
            raise FormatError(changed(part, self._layout.file.filename))
        self._sound.add(number)

    def _table(self, name: str, layout: Tables) -> npt.NDArray[np.uint32] | None:
        """Return the CRC-32 of each frame of a stack, which is read once."""
        if name not in self._crc32:
            self._crc32[name] = layout.crc32()
        return self._crc32[name]
