"""A stack in an open HDF5 file: its piles, tables and attributes, found and read."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from .._version import __version__
from ..codecs.loss import NOISE_ATTRIBUTES, stated_noise
from ..errors import FormatError, UnsupportedError
from ..hdf5.failures import DamageError, damage_as_error, hdf5_errors
from ..hdf5.filter import stored_coding
from ..shapes import Numbers, Shape, split_axes
from . import column_values, metadata_names, metadata_reading
from .names import (
    BESIDE,
    FORMAT,
    FORMAT_ATTRIBUTE,
    LINEAGE,
    ORDERED,
    SEPARATOR,
    STACK_ATTRIBUTES,
    UUID,
    find_stacks,
    is_stack,
    read_table,
    scalar,
    text,
)
from .pile_table import OpenedOnUse, PileFacts, PileTable, read_piles
from .piles import Parts, Pile, open_pile, open_video, written

_PIXELS = {
    f"{order}{kind}"
    for order in ("", "<", ">", "|")
    for kind in ("b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
}
"""Dtypes of pixels as text. Others are not given to `numpy.dtype`: "m8[s/0]" ends Python."""
_REQUIRED = (
    FORMAT_ATTRIBUTE, UUID, LINEAGE, "shape", "dtype", "method", "lossless", "max_error", "created",
    "creator",
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """What a reader needs of a stack in an open file.

    Attributes
    ----------
    piles
        What holds the frames.
    shape
        ``(N, H, W[, C])``. Where one dataset holds all frames in order it is that one's:
        frames that were appended to it through h5py are read, too.
    in_order
        Whether one dataset holds all frames in order; else `places` says where they are.
    attrs
        The stack's attributes; `settings` already parsed, empty if it cannot be.
    leading_shape
        The axes before the frame's as they were packed; usually ``(N,)``.
    group
        The stack's group; None for a bare dataset.
    live
        Whether it is being recorded, or its recording was never completed: it holds the frames
        before the first missing block, and its tables none of them.
    parts
        The other files in which its piles are.
    table
        What is known of its piles without opening them; None where all were opened.
    """

    piles: Sequence[Pile]
    shape: Shape
    in_order: bool
    attrs: Mapping[str, Any]
    leading_shape: Shape
    group: h5py.Group | None
    live: bool = False
    parts: Parts | None = None
    table: PileTable | None = None

    @property
    def lengths(self) -> Numbers:
        """Number of frames of each pile."""
        if self.table is not None:
            return self.table.lengths
        return np.array([pile.length for pile in self.piles], np.intp)

    @property
    def stored_bytes(self) -> int:
        """Bytes that the blocks of all piles take in the file."""
        if self.table is not None:
            return self.table.stored_bytes
        return sum(pile.stored_bytes for pile in self.piles)

    def places(self) -> tuple[Numbers, Numbers] | None:
        """Return pile and position of each frame; None where one pile has all in order.

        Raises
        ------
        FormatError
            If the index is damaged.
        """
        if self.in_order or self.group is None:
            return None
        n = self.shape[0]
        with damage_as_error(f"{self.group.file.filename}{SEPARATOR}{self.group.name}/index"):
            pile = read_table(self.group, "index/group", n).astype(np.intp)
            position = read_table(self.group, "index/position", n).astype(np.intp)
            lengths = self.lengths
            wrong = (pile < 0) | (pile >= len(lengths))
            wrong |= (position < 0) | (position >= lengths[np.where(wrong, 0, pile)])
            if wrong.any():
                raise DamageError(f"frame {np.argmax(wrong)} is in no pile")
        if len(self.piles) == 1 and np.array_equal(position, np.arange(n)):
            return None
        return pile, position

    @property
    def beside(self) -> str | None:
        """The path of the dataset that holds all frames, if that is not in the stack's group."""
        link = self.group.get("groups/000000/video", getlink=True) if self.group else None
        return link.path if isinstance(link, h5py.SoftLink) else None

    @property
    def linked(self) -> bool:
        """Whether some piles are in other files."""
        return self.table is None and any(pile.part is not None for pile in self.piles)

    @property
    def file(self) -> h5py.File:
        """The file that holds its tables."""
        return self.piles[0].data.file if self.group is None else self.group.file

    def close(self) -> None:
        """Close the other files."""
        if self.parts is not None:
            self.parts.close()

    def members(self, number: int) -> Numbers:
        """Return the original frame number of each position of a pile.

        Of frames that are stored once for several numbers it is the first.

        Raises
        ------
        FormatError
            If the table is damaged.
        """
        if self.in_order or self.group is None:
            return np.arange(self.piles[number].length)
        length = int(self.lengths[number])
        with damage_as_error(self._pile_name(number)):
            table = read_table(self.group, f"groups/{number:06d}/members", length)
            members: Numbers = table.astype(np.intp)
            if len(members) and not 0 <= members.min() <= members.max() < self.shape[0]:
                raise DamageError(f"a frame number is not in 0 to {self.shape[0] - 1}")
        return members

    def all_members(self) -> Sequence[Numbers]:
        """Return the members of each pile, from the index: thousands of tables take seconds.

        Where the index does not name each position of each pile, their own tables are read.

        Raises
        ------
        FormatError
            If a table is damaged.
        """
        places = self.places() if self.table is not None else None
        if places is None:
            return [self.members(number) for number in range(len(self.piles))]
        ends = np.cumsum(self.lengths)
        place = (ends - self.lengths)[places[0]] + places[1]
        first = np.full(ends[-1], -1)
        first[place[::-1]] = np.arange(len(place) - 1, -1, -1)  # the least frame of each is last
        if (first < 0).any():
            return [self.members(number) for number in range(len(self.piles))]
        return np.split(first, ends[:-1])

    def typical(self, number: int, members: Numbers) -> int:
        """Return the original number of the frame that stands for a pile of these members.

        Raises
        ------
        FormatError
            If what the file says is no number.
        """
        if self.table is not None:
            return self.table[number].typical
        middle = members[len(members) // 2] if len(members) else 0
        if self.group is None:
            return int(middle)
        with damage_as_error(self._pile_name(number)):
            typical = self.group[f"groups/{number:06d}"].attrs.get("typical", np.intp(middle))
            return int(scalar(typical, "iu"))

    def coding(self, number: int) -> str | None:
        """Return how a pile is coded, in words; None if the file does not say."""
        if self.table is not None:
            return self.table[number].coding
        if self.group is None:
            return None
        with damage_as_error(self._pile_name(number)):
            return text(self.group[f"groups/{number:06d}"].attrs.get("coding", b"")) or None

    def agrees(self, number: int, stated: PileFacts) -> bool:
        """Whether a pile is what a table says, but for its bytes, which other programs change.

        Raises
        ------
        FormatError
            If the pile is damaged.
        """
        with damage_as_error(self._pile_name(number)):
            pile = self.piles[number]
            attrs = pile.home.attrs
            typical, coding = attrs.get("typical"), attrs.get("coding")
            return (
                (pile.length, pile.data.chunks[:3]) == (stated.length, stated.chunk)
                and (typical is None or scalar(typical, "iu") == stated.typical)
                and (coding is None or text(coding) == (stated.coding or ""))
            )

    def stored(self, number: int) -> tuple[int, int]:
        """Return the bytes that a pile takes in the file, and the number of its blocks."""
        if self.table is None:
            pile = self.piles[number]
            return pile.stored_bytes, pile.data.id.get_num_chunks() if pile.data.chunks else 0
        facts = self.table[number]
        edges = zip((facts.length, *self.shape[1:3]), facts.chunk, strict=True)
        return facts.stored_bytes, math.prod(-(-edge // step) for edge, step in edges)

    def _pile_name(self, number: int) -> str:
        if self.group is None:
            return f"{self.file.filename}{SEPARATOR}{self.piles[number].data.name}"
        return f"{self.file.filename}{SEPARATOR}{self.group.name}/groups/{number:06d}"

    def hashes(self, name: str) -> npt.NDArray[np.uint64]:
        """Return the table of one image hash, ``(N,)``.

        Raises
        ------
        FormatError
            If the stack has none, or not one for each frame.
        """
        if self.group is None:
            raise FormatError("a bare dataset has no hash tables; pack it as a stack to search it")
        where = f"{self.group.file.filename}{SEPARATOR}{self.group.name}"
        cure = f"h5vidstack rehash {where}"
        try:
            with hdf5_errors(where):
                missing = f"hashes/{name}" not in self.group
            if missing:
                raise FormatError(f"{where} has no hashes; add them with: {cure}")
            table: npt.NDArray[np.uint64] = read_table(self.group, f"hashes/{name}", self.shape[0])
        except DamageError as error:
            raise FormatError(f"{error}; make them anew with: {cure}") from error
        return table

    def crc32(self) -> npt.NDArray[np.uint32] | None:
        """Return the CRC-32 of the raw bytes of each frame, ``(N,)``.

        None for a bare dataset, and for a table of which `problems` tells that it is bad.
        """
        if self.group is None:
            return None
        try:
            table: npt.NDArray[np.uint32] = read_table(self.group, "index/crc32", self.shape[0])
        except DamageError:
            return None
        return table


def open_layout(file: h5py.File, stack: str, *, linked: bool = True) -> Layout:
    """Find a stack, or a dataset that the filter codes, in an open file.

    Parameters
    ----------
    linked
        Piles may lie in other files, which are opened; `Layout.close` closes them.

    Raises
    ------
    FormatError
        If there is none at `stack`, or it is damaged or of another version of the format.
    """
    name = f"{file.filename}{SEPARATOR}{stack}"
    with damage_as_error(name), contextlib.ExitStack() as cleanup:
        try:
            node = file[os.fsencode(stack)]  # names in HDF5 are bytes
        except KeyError:
            node = None
        if isinstance(node, h5py.Dataset):
            if stored_coding(node) is None:
                raise FormatError(f"{name} is a dataset without h5vidstack's filter")
            beside = _beside(file, node)
            if beside is None:
                leading, frame = split_axes(node.shape)
                shape = (math.prod(leading), *frame)
                return Layout([Pile(node, shape, node.dtype)], shape, True, {}, leading, None)
            node = beside
        if not is_stack(node):
            stacks = ", ".join(find_stacks(file)) or "none"
            raise FormatError(
                f"{file.filename} has no h5vidstack stack at {stack}; stacks in it: {stacks}"
            )
        _check_version(text(node.attrs[FORMAT_ATTRIBUTE]), name)
        attrs = _read_attributes(node)
        dtype = np.dtype(attrs["dtype"])
        parts = Parts(file, functools.partial(open_layout, linked=False) if linked else None)
        cleanup.callback(parts.close)
        opener = _Opener(node, name, parts, attrs["shape"][1:], dtype)
        piles = opener.piles()
        in_order = len(piles) == 1 and _same_object(node, "frames", "groups/000000/video")
        # A disk that was full for a while leaves it closed, but not complete.
        live = in_order and (file.swmr_mode or not attrs["shape"][0])
        if live:
            piles = [replace(piles[0], shape=written(piles[0].data))]
        shape = piles[0].shape if in_order else attrs["shape"]
        if shape[0] < attrs["shape"][0]:
            raise DamageError(f"it holds {shape[0]} of {attrs['shape'][0]} frames: it was cut")
        leading = attrs.get("leading_shape", shape[:1])
        # After frames were appended the axes before have no meaning.
        leading = leading if math.prod(leading) == shape[0] else shape[:1]
        cleanup.pop_all()
        return Layout(piles, shape, in_order, attrs, leading, node, live, parts, opener.table)


class _Opener:
    """Open the piles of a stack: when they are used, where a table says enough of all of them.

    Parameters
    ----------
    node, name
        The stack's group, and what to call it in error messages.
    frame, dtype
        What the piles must hold.
    """

    def __init__(
        self, node: h5py.Group, name: str, parts: Parts, frame: Shape, dtype: np.dtype[Any]
    ) -> None:
        self._name, self._parts, self._frame, self._dtype = name, parts, frame, dtype
        groups = node.get("groups")
        self._count = len(groups) - (ORDERED in groups) if isinstance(groups, h5py.Group) else 0
        if not self._count:
            raise DamageError("it has no piles")
        self._groups = groups
        self._readonly = node.file.mode == "r" and not node.file.swmr_mode
        # All that the table says stands in the piles, too, so a damaged one is not needed, nor one
        # of piles that another program wrote anew. `consistency` tells of it.
        self.table: PileTable | None = None
        with contextlib.suppress(DamageError):
            self.table = read_piles(node, self._count)
        if self.table is not None and not self._is_as_stated(self._find(0), 0):
            self.table = None

    def piles(self) -> Sequence[Pile]:
        """Return the piles, of which there is at least one."""
        if self.table is not None:
            return OpenedOnUse(self._count, self._pile)
        return [self._open(number) for number in range(self._count)]

    def _pile(self, number: int) -> Pile:
        with damage_as_error(self._name):
            return self._open(number)

    def _open(self, number: int) -> Pile:
        pile = self._find(number)
        if pile.shape[1:] != self._frame or pile.dtype != self._dtype:
            raise DamageError(
                f"{pile.part or pile.data.name} has frames of {pile.shape[1:]} {pile.dtype}, "
                f"the attributes say {self._frame} {self._dtype}"
            )
        if not self._is_as_stated(pile, number):
            raise DamageError(f"{pile.home.name} is not what index/piles says")
        return pile

    def _is_as_stated(self, pile: Pile, number: int) -> bool:
        if self.table is None:
            return True
        stated = self.table[number]
        found = (pile.length, pile.data.chunks[:3])
        return pile.part is None and found == (stated.length, stated.chunk)

    def _find(self, number: int) -> Pile:
        plain = open_video(self._groups, f"{number:06d}", self._readonly)
        if plain is not None:
            return plain
        group = self._groups.get(f"{number:06d}")
        if not isinstance(group, h5py.Group):
            raise DamageError("its piles are not numbered from 0 on")
        return self._parts.pile(group) or open_pile(group, self._dtype)


def _same_object(group: h5py.Group, one: str, other: str) -> bool:
    """Whether two names lead to one object, by hard links or one soft one; neither is opened."""
    found = [_address(group, path.encode()) for path in (one, other)]
    return found[0] is not None and found[0] == found[1]


def _address(group: h5py.Group, path: bytes) -> int | None:
    links = group.id.links
    info = links.get_info(path) if links.exists(path) else None
    if info is not None and info.type == h5py.h5l.TYPE_SOFT:
        path = links.get_val(path)
        info = links.get_info(path) if links.exists(path) else None
    return int(info.u) if info is not None and info.type == h5py.h5l.TYPE_HARD else None


def _beside(file: h5py.File, data: h5py.Dataset) -> h5py.Group | None:
    """Return the stack whose only pile is a dataset that has a path of its own."""
    if isinstance(file.get(BESIDE), h5py.Group):
        for stack in find_stacks(file[BESIDE]):
            group = file[os.fsencode(BESIDE + stack)]
            if group.get("groups/000000/video") == data:
                return group
    return None


def _check_version(version: str, name: str) -> None:
    if version != FORMAT:
        raise FormatError(
            f"{name} is of format {version!r}; this h5vidstack {__version__} reads format {FORMAT}"
        )


def _check_noise(attrs: dict[str, Any]) -> None:
    """Raise DamageError if attributes state a loss in units of noise, but not as it must be."""
    found = [name for name in NOISE_ATTRIBUTES if name in attrs]
    missing = [name for name in NOISE_ATTRIBUTES if name not in attrs]
    if not found:
        return
    if missing:
        raise DamageError(f"it has an attribute {found[0]}, but no {missing[0]}")
    try:
        stated = stated_noise(attrs)
    except UnsupportedError as error:
        raise DamageError(f"its attributes of noise are damaged: {error}") from error
    if stated is None or not (math.isfinite(stated.bound) and stated.bound > 0):
        raise DamageError(f"its attribute {found[0]} is {attrs[found[0]]}, which is no bound")


def _read_attributes(group: h5py.Group) -> dict[str, Any]:
    """Return the attributes as plain Python values of the types that the format prescribes."""
    attrs = dict(group.attrs)
    missing = [name for name in _REQUIRED if name not in attrs]
    if missing:
        raise DamageError(f"it has no attribute {missing[0]}")
    for name in {"shape", "leading_shape"} & attrs.keys():
        edges = np.asarray(attrs[name])
        if edges.dtype.kind not in "iu" or edges.ndim != 1 or not len(edges):
            raise DamageError(f"its attribute {name} is {attrs[name]!r}, which is no shape")
        attrs[name] = tuple(edges.tolist())
    attrs["lossless"] = bool(scalar(attrs["lossless"]))
    for name in {"max_error", "mse", "psnr", *NOISE_ATTRIBUTES} & attrs.keys():
        attrs[name] = float(scalar(attrs[name]))
    _check_noise(attrs)
    for name in (FORMAT_ATTRIBUTE, UUID, LINEAGE, "dtype", "method", "created", "creator"):
        attrs[name] = text(attrs[name])
    if attrs["dtype"] not in _PIXELS:
        raise DamageError(f"no pixels are of dtype {attrs['dtype']!r}")
    for name in (metadata_names.DIMS, metadata_names.COORDS, metadata_names.ATTRIBUTES):
        if name in attrs:
            attrs[name] = metadata_reading.read_texts(group, name)
    for name in attrs.keys() - set(STACK_ATTRIBUTES):
        attrs[name] = column_values.plain_attribute(attrs[name])
    try:  # people read the settings, but no program needs them
        attrs["settings"] = dict(json.loads(text(attrs.get("settings", b"{}"))))
    except (DamageError, TypeError, ValueError, RecursionError):
        attrs["settings"] = {}
    return attrs
