"""Find blocks in the bytes of a file whose HDF5 structure is destroyed."""

from __future__ import annotations

import contextlib
import math
import mmap
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..codecs import block
from ..codecs.block_format import find_blocks
from ..codecs.loss import Loss, stated
from ..errors import BlockError, FormatError
from ..hdf5.failures import damage_as_error
from ..hdf5.opening import open_hdf5
from ..layout.names import read_table, require_dataset
from ..pool import Progress, Step, default_workers, in_order
from ..shapes import MAX_COPIED_BYTES, Pixels

UNKNOWN = Loss(max_error=math.nan, mse=math.nan, psnr=math.nan, exact=False)


@dataclass(frozen=True)
class _Found:
    """A sound block: where, and the CRC-32 of each of its frames."""

    start: int
    length: int
    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    crc32: tuple[int, ...]


@dataclass
class Carving:
    """The frames of all sound blocks of one shape and dtype, the most frequent ones.

    Attributes
    ----------
    numbers
        Original number of each frame, if the table of CRCs could be read.
    lost
        Numbers that no block holds; None if that is not known.
    loss
        What the stack said of itself; not a number if it says nothing.
    """

    path: Path
    numbers: list[int] | None
    lost: list[int] | None
    loss: Loss
    _places: list[tuple[_Found, int]] = field(repr=False)

    def __len__(self) -> int:
        return len(self._places)

    def frames(self) -> Iterator[Pixels]:
        """Yield them: by number, if that is known, else as they lie in the file."""
        recent: dict[int, Pixels] = {}
        with self.path.open("rb") as file:
            for found, place in self._places:
                if found.start not in recent:
                    if len(recent) > 4:
                        del recent[next(iter(recent))]
                    file.seek(found.start)
                    data = file.read(found.length)
                    recent[found.start] = block.decode(data, found.shape, found.dtype)
                yield recent[found.start][place]


def carve(path: Path, stack: str, progress: Progress | None = None) -> Carving:
    """Look for the blocks of a stack.

    Raises
    ------
    FormatError
        If there are none.
    """
    blocks: list[_Found] = []
    done = 0
    if not path.stat().st_size:
        raise FormatError(f"{path} is empty")
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ThreadPoolExecutor(default_workers(), "h5vidstack-carve") as pool,
    ):

        def look(found: tuple[int, int, tuple[int, int, int, int], np.dtype[Any]]) -> _Found | None:
            start, length, shape, dtype = found
            if math.prod(shape) * dtype.itemsize > MAX_COPIED_BYTES:  # packing makes none
                return None
            try:
                frames = block.decode(data[start : start + length], shape, dtype)
            except BlockError:
                return None
            return _Found(*found, tuple(block.frame_crcs(frames).tolist()))

        for found in in_order(pool, look, find_blocks(data), 4):
            if found is not None:
                blocks.append(found)
                done += found.shape[0]
                if progress is not None:
                    progress(Step(done, None))
    if not blocks:
        raise FormatError(f"{path} holds no intact block of h5vidstack")
    kinds: Counter[tuple[tuple[int, ...], np.dtype[Any]]] = Counter()
    for held in blocks:
        kinds[held.shape[1:], held.dtype] += held.shape[0]
    kind = kinds.most_common(1)[0][0]
    blocks = _without_stale([held for held in blocks if (held.shape[1:], held.dtype) == kind])
    places = [(held, place) for held in blocks for place in range(held.shape[0])]
    table, loss = _table(path, stack)
    if table is None:
        return Carving(path, None, None, loss, places)
    by_crc = {held.crc32[place]: (held, place) for held, place in reversed(places)}
    numbers = [number for number, crc in enumerate(table) if crc in by_crc]
    if not numbers:  # blocks may be tiles, or differences to something that is damaged
        raise FormatError("no intact block is a whole frame of it")
    lost = [number for number, crc in enumerate(table) if crc not in by_crc]
    return Carving(path, numbers, lost, loss, [by_crc[table[number]] for number in numbers])


def _without_stale(blocks: list[_Found]) -> list[_Found]:
    """Leave out blocks that are the beginning of another: half-full ones that were filled later."""
    longer: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for held in blocks:
        longer[held.crc32[0]].append(held.crc32)
    return [
        held
        for held in blocks
        if not any(
            len(other) > len(held.crc32) and other[: len(held.crc32)] == held.crc32
            for other in longer[held.crc32[0]]
        )
    ]


def _table(path: Path, stack: str) -> tuple[list[int] | None, Loss]:
    """Return the CRC-32 of each frame, and the loss, as far as they can still be read."""
    table, loss = None, UNKNOWN
    with (
        contextlib.suppress(FormatError),
        damage_as_error(str(path)),
        open_hdf5(str(path)) as file,
    ):
        group = file[stack]
        length = require_dataset(group, "index/crc32").shape[0]
        table = read_table(group, "index/crc32", length).tolist() or None  # a recording's is empty
        loss = stated(group.attrs)
    return table, loss
