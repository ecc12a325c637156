"""Find contradictions between the tables of a stack (spec/format.md, "Layout")."""

from __future__ import annotations

import io
import math
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..hdf5 import virtual
from ..hdf5.failures import DamageError, hdf5_errors
from ..similar.fingerprints import HASHES
from . import view
from .metadata_checks import sound_metadata
from .names import read_table, require_dataset
from .pile_table import read_piles
from .piles import Checks
from .stack_group import Layout

Table = npt.NDArray[Any]


def problems(layout: Layout, raw: io.RawIOBase | None = None) -> Iterator[str]:
    """Yield a sentence for each contradiction; `raw` are the bytes of a remote file."""
    if layout.group is None:
        return
    n = layout.shape[0]
    if layout.live:
        yield (
            f"it is being recorded, or its recording was not closed: no table has its {n} frames; "
            "h5vidstack recover makes a complete stack of what was not closed"
        )
        return
    if tuple(layout.attrs["shape"]) != layout.shape:
        yield f"the video has shape {layout.shape}, the attribute {layout.attrs['shape']}"
    if math.prod(layout.attrs.get("leading_shape", (n,))) != n:
        yield f"the product of leading_shape {layout.attrs['leading_shape']} is not {n}"
    yield from dict.fromkeys(_part_problems(layout))
    wrong_piles = list(_piles_problems(layout))
    yield from wrong_piles
    crc32 = yield from _read(layout, "index/crc32", n)
    pile = yield from _read(layout, "index/group", n)
    position = yield from _read(layout, "index/position", n)
    members = []
    for number, length in enumerate(layout.lengths.tolist()):
        found = yield from _read(layout, f"groups/{number:06d}/members", length)
        members.append(found)
        known = layout.members(number) if layout.in_order else found
        if known is not None:
            yield from _typical_problems(layout, number, known)
    yield from _original_problems(layout, n)
    yield from sound_metadata(layout)[1]
    if _has_hashes(layout.group):
        for name in HASHES:
            yield from _read(layout, f"hashes/{name}", n)
    if layout.in_order:
        if pile is not None:
            yield from _wrong("index/group", pile != 0)
        counts = {"index/position": position, "groups/000000/members": members[0]}
        for name, table in counts.items():
            if table is not None:
                yield from _wrong(name, table != np.arange(n))
    elif pile is not None and position is not None:
        yield from _index_problems(pile, position, members, crc32)
        if layout.table is not None and wrong_piles:
            return  # not all piles can be opened
        yield from _frames_problems(layout, pile, position, crc32, raw)


def _piles_problems(layout: Layout) -> Iterator[str]:
    """Say if the table of piles is damaged, or the piles say something else."""
    count = len(layout.piles)
    if layout.group is None or layout.linked:
        return
    try:
        table = read_piles(layout.group, count)
    except DamageError as error:
        yield str(error)
        return
    for number in range(count if table is not None else 0):
        try:
            if table is not None and not layout.agrees(number, table[number]):
                yield f"index/piles is wrong, first at pile {number}"
                return
        except FormatError as error:
            yield str(error)


def _part_problems(layout: Layout) -> Iterator[str]:
    """Say where what lies in other files is not what was linked."""
    if not layout.linked:
        return
    checks = Checks(layout)
    for number, pile in enumerate(layout.piles):
        try:
            checks.check(number)
        except FormatError as error:
            yield str(error)
        if pile.part is not None and len(pile.data) > pile.length:
            yield (
                f"{pile.part} has {len(pile.data) - pile.length} more frames than when it was "
                "linked; link the parts again to see them"
            )


def _original_problems(layout: Layout, n: int) -> Iterator[str]:
    """Say if the numbers that frames had in a damaged stack cannot be read."""
    group = layout.group
    try:
        with hdf5_errors("original"):
            if group is None or not group.id.links.exists(b"original"):
                return
            length = require_dataset(group, "original").shape[0]
    except DamageError as error:
        yield f"original cannot be read: {error}"
        return
    yield from _read(layout, "original", min(length, n))


def _has_hashes(group: h5py.Group) -> bool:
    try:
        with hdf5_errors("hashes"):
            return "hashes" in group
    except DamageError:  # they are there but damaged, and reading them tells how
        return True


def _read(layout: Layout, name: str, length: int) -> Generator[str, None, Table | None]:
    """Give a table, or say why there is none."""
    try:
        table: Table = read_table(layout.group, name, length)
    except DamageError as error:
        yield str(error)
    else:
        return table
    return None


def _typical_problems(layout: Layout, number: int, members: Table) -> Iterator[str]:
    """Say if the frame that stands for a pile is not in it."""
    try:
        typical = layout.typical(number, members)
    except FormatError as error:
        yield str(error)
    else:
        if typical not in members:
            yield f"groups/{number:06d}: typical is {typical}, which is not in the pile"


def _index_problems(
    pile: Table, position: Table, members: Sequence[Table | None], crc32: Table | None
) -> Iterator[str]:
    """Compare the index with the members of the piles, which say the same."""
    n = len(pile)
    held = np.concatenate([np.empty(0, np.uint64) if one is None else one for one in members])
    lengths = np.array([0 if one is None else len(one) for one in members])
    ends = np.cumsum(lengths)
    yield from _members_problems(pile, position, held, ends)
    if any(one is None for one in members):
        return
    known = pile < len(lengths)
    number = np.where(known, pile, 0).astype(np.intp)
    known &= position < lengths[number]
    # The frame that gave its pixels to each frame's place:
    place = np.where(known, (ends - lengths)[number] + position.astype(np.intp), len(held))
    owner = np.append(held.astype(np.intp), n)[place]
    lost = owner > np.arange(n)
    if crc32 is not None:
        lost |= crc32 != crc32[np.where(lost, 0, owner)]
    yield from _wrong("the index", lost)


def _members_problems(pile: Table, position: Table, held: Table, ends: Table) -> Iterator[str]:
    """Say which members of piles, which end so in `held`, the index does not name."""
    starts = np.concatenate([[0], ends[:-1]])
    frames = np.where(held < len(pile), held, 0).astype(np.intp)
    number = np.repeat(np.arange(len(ends)), ends - starts)
    wrong = (held >= len(pile)) | (pile[frames] != number)
    wrong |= position[frames] != np.arange(len(held)) - starts[number]
    for one in np.unique(number[wrong]):
        yield from _wrong(f"groups/{one:06d}/members", wrong[starts[one] : ends[one]])


def _frames_problems(
    layout: Layout, pile: Table, position: Table, crc32: Table | None, raw: io.RawIOBase | None
) -> Iterator[str]:
    """Compare `frames` with the index."""
    group, videos = layout.group, [held.source for held in layout.piles]
    try:
        with hdf5_errors("frames"):
            if group is not None and group.id.links.exists(b"frames"):
                places = pile, position
                yield from view.problems(group, layout.shape, places, videos, crc32, raw)
                return
    except DamageError as error:
        yield f"frames cannot be read: {error}"
        return
    plain = all(held.plain for held in layout.piles)
    if plain and len(virtual.runs(pile, position)) <= virtual.MAX_MAPPINGS:
        yield "frames is missing"


def _wrong(name: str, wrong: npt.NDArray[np.bool_]) -> Iterator[str]:
    if wrong.any():
        first = np.argmax(wrong)
        yield f"{name} is wrong at {wrong.sum()} of {len(wrong)} frames, first at {first}"
