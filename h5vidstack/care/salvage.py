"""`recover`: save what is intact of a damaged stack, and say what is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FormatError, OutputError
from ..hdf5.opening import open_hdf5
from ..layout.names import DEFAULT_STACK, SEPARATOR, find_stacks, split_target
from ..layout.output import errors_of_writing, open_hdf5_output, scratch
from ..layout.replacing import check_name
from ..layout.writer import StackWriter
from ..pool import Progress
from ..reading.stack_file import StackFile
from ..sources.openers import open_source
from ..sources.overlap import refuse_source
from ..writing.packer import pack
from .carving import carve
from .rescue import Rescue

_SUPERBLOCK_BYTES = 48
_MASK = 0xFFFFFFFF
_UNDEFINED = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What `recover` saved.

    Attributes
    ----------
    path, stack
        Where it is now.
    saved
        Number of frames in it.
    lost
        Original numbers of the frames that are not; None if that is not known.
    carved
        Whether the file's structure was destroyed, and blocks were found by their marks: then
        `lost` is known only if the table of CRCs was found.
    notes
        What else there is to say, a sentence each.
    """

    path: str
    stack: str
    saved: int
    lost: tuple[int, ...] | None
    carved: bool
    notes: tuple[str, ...]


def recover(
    bad: str | os.PathLike[str],
    good: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Recovered:
    """Save every intact frame of a damaged stack, or of a recording that was not closed.

    Blocks that are sound are copied as they are. Of a damaged one, frames whose own CRC-32
    is right are saved, too. Where even the structure of the HDF5 file is destroyed, blocks
    are searched in its bytes.

    Parameters
    ----------
    bad
        ``file.h5`` or ``file.h5::/path``. It stays as it is.
    good
        The same, for what is saved: the intact frames in order. Their original numbers are in
        the table `original`, if some are lost.
    progress
        Called with a `Step` as it goes: frames looked at, and of all.

    Returns
    -------
    Recovered

    Raises
    ------
    FormatError
        If there is no stack, or nothing is intact.
    OutputError
        If `good` exists or cannot be written.
    """
    source, inner = split_target(bad)
    target, place = split_target(good)
    check_name(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise OutputError(f"{source} itself stays as it is; save to another file")
    refuse_source(good, bad)  # nor is a part of it overwritten
    stack, why = inner or DEFAULT_STACK, None
    try:
        with contextlib.closing(open_hdf5(str(source))) as opened:
            others = find_stacks(opened) if stack not in opened else []
    except FormatError as error:
        if not source.is_file():
            raise
        others, why = [], str(error)
    if inner is None and len(others) == 1:
        stack, others = others[0], []
    output = _Output(target, place or stack, place is not None, overwrite)
    if why is not None:
        return _mended(source, stack, why, output, progress)
    if others:
        raise FormatError(f"{source} has no stack at {stack}; stacks in it: {', '.join(others)}")
    return _saved(source, source, stack, (), output, progress)


@dataclass(frozen=True)
class _Output:
    """Where to save: in a file of its own, or at a path in one."""

    target: Path
    stack: str
    inside: bool
    overwrite: bool


def _mended(
    source: Path, stack: str, why: str, output: _Output, progress: Progress | None
) -> Recovered:
    """Save from a file that HDF5 does not open: perhaps it does with another superblock."""
    with scratch(output.target) as copy:
        with errors_of_writing(output.target):
            _with_new_superblock(source, copy)
        try:
            open_hdf5(str(copy)).close()
        except FormatError:
            return _carved(source, stack, why, output, progress)
        notes = (why, "its superblock was made anew for this")
        return _saved(copy, source, stack, notes, output, progress)


def _saved(
    readable: Path,
    source: Path,
    stack: str,
    notes: tuple[str, ...],
    output: _Output,
    progress: Progress | None,
) -> Recovered:
    """Save from a file that HDF5 opens; `source` is its name, and what is carved if need be."""
    try:
        file = StackFile(str(readable), stack)
    except FormatError as error:
        return _carved(source, stack, str(error), output, progress)
    with contextlib.closing(file):
        if file.layout.group is None:
            raise FormatError(f"{source}{SEPARATOR}{stack} is a bare dataset; recover takes stacks")
        rescue = Rescue(file, source.name, progress)
        if not rescue.look():
            why = "its tables do not say which frames it holds"
            if any(pile.chunks[1:3] != pile.shape[1:3] for pile in file.piles) or not all(
                pile.plain for pile in file.layout.piles
            ):
                raise FormatError(f"{source}: {why}, and its blocks are no whole frames")
            return _carved(source, stack, why, output, progress)
        inner = output.stack if output.inside else None
        with open_hdf5_output(output.target, inner, output.overwrite) as made:
            group = made.require_group(output.stack)
            chunk = file.piles[0].chunks
            rescue.write(StackWriter(group, file.shape[1:], file.dtype, chunk))
        lost = tuple(np.setdiff1d(np.arange(file.shape[0]), rescue.saved).tolist())
        said = tuple(note.replace(str(readable), str(source)) for note in rescue.notes)
        return Recovered(
            path=str(output.target),
            stack=output.stack,
            saved=len(rescue.saved),
            lost=lost,
            carved=False,
            notes=notes + said,
        )


def _carved(
    source: Path, stack: str, why: str, output: _Output, progress: Progress | None
) -> Recovered:
    """Save the frames of the blocks that are found without HDF5."""
    try:
        found = carve(source, stack, progress)
    except FormatError as error:
        raise FormatError(f"{why}; {error}") from error
    where = f"{output.target}{SEPARATOR}{output.stack}" if output.inside else output.target
    intact = open_source(found.frames())
    intact.numbers = found.numbers if found.lost else None
    intact.loss = found.loss
    pack(intact, where, method="video", overwrite=output.overwrite)
    notes = [why, "the file's structure is damaged: blocks were found by their marks"]
    if found.numbers is None:
        notes.append(
            "no table of CRCs is left: blocks are as they lay in the file, and whether they "
            "are whole frames, all frames, or of one stack is not known"
        )
    lost = tuple(found.lost) if found.lost is not None else None
    return Recovered(
        path=str(output.target),
        stack=output.stack,
        saved=len(found),
        lost=lost,
        carved=True,
        notes=tuple(notes),
    )


def _with_new_superblock(path: Path, copy: Path) -> None:
    """Copy a file and give it the superblock of one that this package wrote.

    Little is in a superblock, but no HDF5 file opens without. In files of this package the root
    group's header comes right behind it. Source: HDF5 File Format Specification, II.A
    (superblock, version 3).
    """
    shutil.copyfile(path, copy)
    with copy.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        fields = 3, 8, 8, 0, 0, _UNDEFINED, size, _SUPERBLOCK_BYTES
        head = b"\x89HDF\r\n\x1a\n" + struct.pack("<BBBBQQQQ", *fields)
        file.write(head + struct.pack("<I", _lookup3(head)))


def _lookup3(data: bytes) -> int:
    """Return the checksum of a superblock: Bob Jenkins, lookup3.c (2006, public domain).

    The number of bytes must be a multiple of 4, and no multiple of 12.
    """
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    words: tuple[int, ...] = struct.unpack(f"<{len(data) // 4}I", data)
    while len(words) > 3:
        a, b, c = (x + y & _MASK for x, y in zip((a, b, c), words[:3], strict=True))
        a, b, c = _mixed(a, b, c)
        words = words[3:]
    a, b, c = (x + y & _MASK for x, y in zip((a, b, c), (*words, 0, 0)[:3], strict=True))
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = (c ^ b) - _turned(b, turn) & _MASK
        a, b, c = b, c, a
    return b


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    for turn in (4, 6, 8, 16, 19, 4):
        a = (a - c & _MASK) ^ _turned(c, turn)
        c = c + b & _MASK
        a, b, c = b, c, a
    return a, b, c


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _MASK
