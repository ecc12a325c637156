"""The checks behind `verify`: does a stack still hold what was packed?"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .block import frame_crcs
from .chunks import ChunkReader, Pixels
from .errors import BlockError
from .workers import Progress, default_workers, in_order

if TYPE_CHECKING:  # sources open stacks, so they stand above this module
    from .sources import Source


def verify(
    reader: ChunkReader,
    pool: Executor,
    *,
    against: Source | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Decode every block; check its CRC, the CRC of every frame, and the index.

    Parameters
    ----------
    against
        The input, read once: every frame is compared with it bit for bit.

    Returns
    -------
    list of str
        What is wrong, a sentence each; empty if nothing is.
    """
    problems = list(reader.layout.problems())
    crc32 = reader.layout.crc32()
    originals: Iterator[Pixels] = iter(())
    if against is not None:
        if (against.frame, against.dtype) == (reader.shape[1:], reader.dtype):
            originals = against.batches(reader.chunks[0])
        else:
            problems.append(
                f"{against.name} has frames of {against.frame} {against.dtype}, "
                f"the stack of {reader.shape[1:]} {reader.dtype}"
            )
            against = None
    given = 0
    nothing = np.empty((0, *reader.shape[1:]), reader.dtype)
    step, count = reader.chunks[0], reader.shape[0]
    rows = in_order(pool, partial(_row, reader), range(-(-count // step)), default_workers())
    for number, (frames, damage) in enumerate(rows):
        start, stop = number * step, min((number + 1) * step, count)
        problems += damage
        original = next(originals, nothing)
        given += len(original)
        if frames is not None:
            if crc32 is not None:
                wrong = frame_crcs(frames) != crc32[start:stop]
                problems += _differing(wrong, start, "CRC-32 is wrong")
            common = min(len(original), len(frames))
            if common:
                differs = original[:common] != frames[:common]
                where = differs.reshape(common, -1).any(axis=1)
                problems += _differing(where, start, "pixels differ from the source")
        if progress is not None:
            progress(stop, count)
    given += sum(len(rest) for rest in originals)
    if against is not None and given != count:
        problems.append(f"{against.name} has {given} frames, the stack {count}")
    return problems


def _row(reader: ChunkReader, number: int) -> tuple[Pixels | None, list[str]]:
    """Decode all tiles of one run of frames: pixels (None if damaged), and what is damaged."""
    step = reader.chunks[0]
    frames = np.empty((min(step, reader.shape[0] - number * step), *reader.shape[1:]), reader.dtype)
    damage: list[str] = []
    for chunk in reader.row(number):
        offset, extent = reader.offset(chunk), reader.extent(chunk)
        place = tuple(slice(o, o + e) for o, e in zip(offset[1:], extent[1:], strict=True))
        try:
            frames[(slice(None), *place)] = reader.load(chunk, extent[0])
        except BlockError as error:
            damage.append(str(error))
    return (None if damage else frames), damage


def _differing(wrong: npt.NDArray[np.bool_], start: int, what: str) -> list[str]:
    """One sentence for the frames of a row of which something is true."""
    numbers = [str(start + int(i)) for i in np.flatnonzero(wrong)]
    if not numbers:
        return []
    return [f"frame{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}: {what}"]
