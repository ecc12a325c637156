"""`verify`: decode a whole stack and see whether it still holds what was packed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codecs.block import frame_crcs
from ..codecs.loss import stated
from ..errors import BlockError, FormatError
from ..layout import consistency
from ..layout.stack_group import Layout
from ..pool import HERE, Pool, Progress, Step, default_workers, in_order
from ..reading.chunk_grid import Chunks
from ..reading.session import Session
from ..reading.stack_file import Blocks, StackFile
from ..reading.stack_reader import StackReader
from ..shapes import WINDOW_BYTES, Numbers, Pixels, frame_bytes, window_frames
from ..sources.openers import open_source
from ..sources.second_decoders import second_source
from ..sources.source import Source, SourceOptions


def verify(
    stack: StackReader | str | os.PathLike[str],
    *,
    against: Any = None,
    gray: bool = False,
    stream: int | None = None,
    accept_damaged: bool = False,
    progress: Progress | None = None,
    notes: list[str] | None = None,
) -> list[str]:
    """Decode a whole stack and check every block, CRC and index.

    Parameters
    ----------
    stack
        A `Stack`, or where it is: ``file.h5`` or ``file.h5::/path``.
    against
        Anything that `pack` takes: every frame is compared with it bit for bit. What it says
        besides its pixels, such as names and times, is not compared.
    gray, stream, accept_damaged
        How `against` was packed; see `pack`.
    progress
        Called with a `Step` as it goes: frames checked, and of all.
    notes
        A list to which sentences are added that say by what `against` was read. Images are read
        by decoders that `pack` does not use, where imagecodecs is installed.

    Returns
    -------
    list of str
        What is wrong, a sentence each; empty for a sound stack.

    Raises
    ------
    FormatError
        If there is no stack to check.
    SourceError
        If `against` cannot be read.
    """
    options = SourceOptions(gray, stream, accept_damaged)
    with contextlib.ExitStack() as cleanup:
        if not isinstance(stack, StackReader):
            stack = cleanup.enter_context(StackReader(stack, cache_bytes=0))
        session = stack.live()
        if against is None:
            problems = _problems(session, stack.read, None, progress)
            session.file.check()  # else it is no damage
            return problems
        source, said = second_source(open_source(against, options), options)
        cleanup.callback(source.close)
        problems = _problems(session, stack.read, source, progress)
        session.file.check()
        if notes is not None:
            notes += said()
        return problems


def _problems(
    session: Session,
    read: Callable[[Any], Pixels],
    against: Source | None,
    progress: Progress | None,
) -> list[str]:
    """Decode every block; check its CRC, the CRC of every frame, and the index.

    `against` is read once: every frame is compared with it bit for bit.
    """
    file = session.file
    problems = file.ask(lambda layout: list(consistency.problems(layout, file.raw)))
    dtype = file.dtype.newbyteorder("=")
    if against is not None and (against.frame, against.dtype) != (file.shape[1:], dtype):
        problems.append(
            f"{against.name} has frames of {against.frame} {against.dtype}, "
            f"the stack of {file.shape[1:]} {file.dtype}"
        )
        against = None
    try:
        reordered = file.places is not None
    except FormatError as error:  # then frames cannot be found, but blocks be decoded
        problems.append(str(error))
        reordered, against = True, None
    if against is None:
        return problems + _check_blocks(session, None, progress)
    if not reordered:
        batches = _Batches(against, file.piles[0].chunks[0])
        problems += _check_blocks(session, batches.take, progress)
        given = batches.count_all()
    elif against.can_take_any and against.count == file.shape[0]:
        problems += _check_blocks(session, against.take, progress)
        problems += _compare_copies(file, against, read)
        given = against.count
    else:
        problems += _check_blocks(session, None, progress)
        found, given = _compare_in_order(file, against, read, progress)
        problems += found
    if given != file.shape[0]:
        problems.append(f"{against.name} has {given} frames, the stack {file.shape[0]}")
    return problems


class _Batches:
    """The frames of a source in order, a run at a time; fewer, then none, when it ends."""

    def __init__(self, source: Source, size: int) -> None:
        self._batches = source.batches(size)
        self._nothing = np.empty((0, *source.frame), source.dtype)
        self._count = 0

    def take(self, numbers: Numbers) -> Pixels:
        batch = next(self._batches, self._nothing)
        self._count += len(batch)
        return batch

    def count_all(self) -> int:
        return self._count + sum(map(len, self._batches))


def _check_blocks(
    session: Session,
    originals: Callable[[Numbers], Pixels] | None,
    progress: Progress | None,
) -> list[str]:
    """Decode all blocks; compare with the CRCs, and with originals where there are any."""
    problems: list[str] = []
    file = session.file
    crc32 = file.ask(Layout.crc32)
    done, count = 0, int(file.lengths.sum())
    members, known = None, -1
    for number, row, frames in _rows(session):
        if number != known:
            members, known = _members(file, number), number
        step = int(file.steps[number])
        numbers = None if members is None else members[row * step : (row + 1) * step]
        original = None
        if originals is not None and numbers is not None:
            original = originals(numbers)
        if isinstance(frames, BlockError):
            problems += str(frames).split("\n")
            done += min(step, int(file.lengths[number]) - row * step)
        else:
            done += len(frames)
            if numbers is not None:
                problems += _compare(file, frames, numbers, crc32, original)
        if progress is not None:
            progress(Step(done, count))
    return problems


def _members(file: StackFile, number: int) -> Numbers | None:
    try:
        return file.ask(partial(Layout.members, number=number))
    except FormatError:  # the tables were checked before
        return None


def _rows(session: Session) -> Iterator[tuple[int, int, Pixels | BlockError]]:
    """Decode all; number of the pile, of the run of frames that has blocks of its own, frames."""
    file = session.file
    counts = -(-file.lengths // file.steps)
    wanted = [(number, row) for number, count in enumerate(counts.tolist()) for row in range(count)]

    def blocks(one: tuple[int, int]) -> Blocks:
        pile = file.piles[one[0]]
        return [(pile, chunk) for chunk in pile.row(one[1])]

    def decode(one: tuple[int, int], pool: Pool = HERE) -> Pixels | BlockError:
        try:
            return _row(file.piles[one[0]], one[1], pool)
        except FormatError as error:  # the pile cannot be opened
            return BlockError(str(error))

    ahead = default_workers()
    row_bytes = int(file.steps.max()) * frame_bytes(file.shape[1:], file.dtype.itemsize)
    one_by_one = row_bytes * ahead > WINDOW_BYTES  # then workers share out the tiles of a row
    for run in file.fetched(wanted, blocks):
        if one_by_one:
            yield from ((*one, decode(one, session)) for one in run)
            continue
        found = in_order(session, decode, run, ahead)
        yield from ((*one, frames) for one, frames in zip(run, found, strict=True))


def _row(pile: Chunks, number: int, pool: Pool) -> Pixels | BlockError:
    try:
        return pile.row_frames(number, pool)
    except BlockError as error:
        return error


def _compare(
    file: StackFile,
    frames: Pixels,
    numbers: Numbers,
    crc32: npt.NDArray[np.uint32] | None,
    original: Pixels | None,
) -> list[str]:
    """Say which frames have another CRC-32, or other pixels than the original."""
    problems = []
    attrs = file.attrs
    allowed = None if attrs.get("lossless", True) else stated(attrs)
    if crc32 is not None:
        wrong = frame_crcs(frames) != crc32[np.minimum(numbers, len(crc32) - 1)]
        problems += _differing(numbers[wrong], "CRC-32 is wrong")
    if original is not None:
        common = min(len(original), len(frames))
        frames = frames.astype(original.dtype, copy=False)  # of one byte order
        where = np.zeros(common, bool)
        for place in range(common):
            if allowed is None:  # bit for bit: NaN is NaN, and -0 is not 0
                where[place] = original[place].tobytes() != frames[place].tobytes()
            else:
                where[place] = not allowed.covers(original[place], frames[place])
        said = (
            ""
            if allowed is None
            else f" by more than the {allowed.promise} that the stack promises"
        )
        problems += _differing(numbers[:common][where], f"pixels differ from the source{said}")
    return problems


def _compare_in_order(
    file: StackFile,
    against: Source,
    read: Callable[[Any], Pixels],
    progress: Progress | None,
) -> tuple[list[str], int]:
    """Compare a reordered stack with a source that only runs forwards; count its frames."""
    problems: list[str] = []
    start, count = 0, file.shape[0]
    size = window_frames(against.frame, against.dtype.itemsize)
    for original in against.batches(size):
        numbers = np.arange(start, min(start + len(original), count))
        start += len(original)
        if not len(numbers):
            continue
        try:
            frames = read(slice(int(numbers[0]), int(numbers[-1]) + 1))
        except BlockError:  # told when the blocks were checked
            continue
        problems += _compare(file, frames, numbers, None, original)
        if progress is not None:
            progress(Step(int(numbers[-1]) + 1, count, "comparing"))
    return problems, start


def _compare_copies(file: StackFile, against: Source, read: Callable[[Any], Pixels]) -> list[str]:
    """Compare those frames that no pile names, since they share a place with an earlier one."""
    copies = np.ones(file.shape[0], bool)
    for number in range(len(file.piles)):
        try:
            members = file.ask(partial(Layout.members, number=number))
        except FormatError:  # the tables were checked before; then its frames are compared here
            continue
        copies[members[(members >= 0) & (members < len(copies))]] = False
    problems: list[str] = []
    size = window_frames(against.frame, against.dtype.itemsize)
    numbers = np.flatnonzero(copies)
    for start in range(0, len(numbers), size):
        part = numbers[start : start + size]
        try:
            problems += _compare(file, read(part), part, None, against.take(part))
        except BlockError:  # told when the blocks were checked
            continue
    return problems


def _differing(numbers: Numbers, what: str) -> list[str]:
    """Say of which frames something is true, in one sentence; nothing if of none."""
    if not len(numbers):
        return []
    return [f"frame{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}: {what}"]
