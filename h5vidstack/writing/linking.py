"""`link`: one stack of several stacks that stay in their own files."""

from __future__ import annotations

import contextlib
import functools
import glob
import itertools
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..codecs.loss import Loss, stated, together
from ..errors import OutputError, SourceError
from ..layout.names import DEFAULT_STACK, split_target
from ..layout.output import open_hdf5_output
from ..layout.piles import Pile
from ..layout.writer import Order, Record, StackWriter
from ..metadata.description import Metadata
from ..shapes import Shape
from ..similar.fingerprints import HASHES, Fingerprints
from ..sources.file_names import match
from .appending import Earlier, joined_axes, joined_method

Target = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class Linked:
    """What `link` made.

    Attributes
    ----------
    path, stack
        The file, and the path of the stack in it.
    shape, dtype
        Of the stack.
    parts
        Each part in order, with the number of frames of the stack that are in it.
    searchable
        Whether the stack has image hashes, because all parts have some.
    lossless
        Whether all parts are lossless.
    max_error, psnr
        The difference of the whole stack to what was packed; see `loss.Loss`.
    notes
        Whole sentences: which attributes of parts are not kept.
    """

    path: str
    stack: str
    shape: Shape
    dtype: str
    parts: tuple[tuple[str, int], ...]
    searchable: bool
    lossless: bool
    max_error: float
    psnr: float
    notes: tuple[str, ...] = ()


def link(parts: Iterable[Target] | Target, path: Target, *, overwrite: bool = False) -> Linked:
    """Make one stack of several, without copying or coding a frame.

    The parts stay as they are and where they are. The new file has tables of its own, and links
    to the parts. The links work as long as file and parts stay where they are, relative to each
    other. Frames that are added to a part later are not seen until it is linked again. If a part is
    missing, or was changed in another way, reading raises FormatError.

    Parameters
    ----------
    parts
        Stacks of one frame shape and dtype, ``part.h5`` or ``part.h5::/path``, in the order
        of their frames. A name with ``*``, ``?`` or ``[`` that is no file stands for all files
        that match, sorted naturally (2 before 10). A part that is linked itself is
        replaced by its own parts.
    path
        ``all.h5`` or ``all.h5::/path``; not in the file of a part.
    overwrite
        Replace an existing output.

    Returns
    -------
    Linked

    Raises
    ------
    SourceError
        If there is no part, parts differ in frame shape or dtype, or one is given twice, also
        inside a part that is linked itself.
    FormatError
        If a part is missing, damaged, no stack, or being recorded.
    MetadataError
        If parts name their axes differently, or give a coordinate in different units.
    OutputError
        If `path` exists, cannot be written, or holds frames of a part.
    """
    given = _given([parts] if isinstance(parts, (str, os.PathLike)) else parts)
    target, inner = split_target(path)
    stack = inner or DEFAULT_STACK
    with contextlib.ExitStack() as cleanup:
        held = [cleanup.enter_context(contextlib.closing(Earlier(*part))) for part in given]
        _check(held, target)
        metadata, notes = _described(
            [(part.metadata, part.file.layout.leading_shape) for part in held]
        )
        order, prints, record = _joined(held, metadata)
        first = held[0].file
        file = cleanup.enter_context(open_hdf5_output(target, inner, overwrite))
        writer = StackWriter(
            file.require_group(stack), first.shape[1:], first.dtype, first.piles[0].chunks
        )
        for part in held:
            for number, pile in enumerate(part.file.layout.piles):
                where, name = _home(pile, part, number), part.file.layout.coding(number)
                writer.link_pile(pile, *where[1:], _relative(where[0], target), name or "")
        writer.finish(order, prints, record)
        return Linked(
            path=str(target),
            stack=stack,
            shape=(len(prints), *first.shape[1:]),
            dtype=first.dtype.name,
            parts=tuple((part.file.name, len(part)) for part in held),
            searchable=bool(prints.hashes),
            lossless=record.loss.exact,
            max_error=record.loss.max_error,
            psnr=record.loss.psnr,
            notes=tuple(notes),
        )


def _given(parts: Iterable[Target]) -> list[tuple[Path, str | None]]:
    """Return file and stack of each part."""
    found: list[tuple[Path, str | None]] = []
    for part in parts:
        file, inner = split_target(part)
        pattern = glob.has_magic(str(file)) and not file.exists()
        files = match(file) if pattern else [file]
        found += [(each, inner) for each in files]
    if not found:
        raise SourceError("there is nothing to link: name at least one part")
    return found


def _check(held: Sequence[Earlier], target: Path) -> None:
    """Check that parts go together, and that none is in the output."""
    first = held[0].file
    frame, dtype = first.shape[1:], first.dtype.newbyteorder("=")
    known: dict[tuple[Any, ...], str] = {}
    for part in held:
        part.check(first.name, frame, dtype)
        for number, pile in enumerate(part.file.layout.piles):
            if pile.pca is None and pile.data.ndim != len(frame) + 1:
                raise SourceError(
                    f"{part.file.name} is a dataset with several axes before those of a frame: "
                    "pack it into a stack to link it"
                )
            path, *place = _home(pile, part, number)
            file = os.stat(path)
            if target.exists() and os.path.samestat(file, target.stat()):
                raise OutputError(
                    f"{target} holds frames of {part.file.name}; give the output another name"
                )
            key = file.st_dev, file.st_ino, *place
            if key in known:
                raise SourceError(
                    f"{part.file.name} is given twice: its frames in {path} are those of "
                    f"{known[key]}, too"
                )
            known[key] = part.file.name


def _home(pile: Pile, part: Earlier, number: int) -> tuple[str, str, int]:
    """Return file, stack and number of the pile itself, which a part may only link to."""
    if pile.part is not None:
        return pile.part.path, pile.part.stack, pile.part.number
    layout = part.file.layout
    return layout.file.filename, "" if layout.group is None else layout.group.name, number


def _relative(file: str, target: Path) -> str:
    """Return the name of a file as seen from the folder of the output."""
    name = os.path.relpath(os.path.realpath(file), os.path.realpath(target.parent))
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SourceError(
            f"the name {os.fsencode(name)!r} is not UTF-8, which HDF5 needs; rename the file"
        ) from error
    return name


def _described(parts: Sequence[tuple[Metadata, Shape]]) -> tuple[Metadata, list[str]]:
    """Return what is known of the frames of all parts, and a sentence for what is left out.

    Neighbours are joined two by two, so that the work grows with the frames, not with the parts.

    Parameters
    ----------
    parts
        What is known of each, and the lengths of its axes that count frames.
    """
    notes: list[str] = []
    known, rest = Metadata(), []
    for metadata, leading in parts:
        kept, said = known.agreeing(metadata)
        known = replace(known, attrs={**known.attrs, **kept.attrs})
        notes += said
        rest.append((kept, leading))
    while len(rest) > 1:
        pairs = itertools.zip_longest(rest[::2], rest[1::2])
        rest = [one if other is None else _both(*one, *other) for one, other in pairs]
    return rest[0][0], list(dict.fromkeys(notes))


def _both(one: Metadata, leading: Shape, other: Metadata, added: Shape) -> tuple[Metadata, Shape]:
    """Return what is known of two parts together, and their axes that count frames."""
    axes = joined_axes(leading, added) or (math.prod(leading) + math.prod(added),)
    return one.join(other, leading, added), axes


def _joined(held: Sequence[Earlier], metadata: Metadata) -> tuple[Order, Fingerprints, Record]:
    """Return tables and record of all parts, one after another."""
    firsts = np.cumsum([0, *map(len, held)])[:-1].tolist()
    lowest = np.cumsum([0, *(len(part.members) for part in held)])[:-1].tolist()
    order = Order(
        np.concatenate([part.places[0] + low for part, low in zip(held, lowest, strict=True)]),
        np.concatenate([part.places[1] for part in held]),
        [pile + first for part, first in zip(held, firsts, strict=True) for pile in part.members],
        [
            part.file.layout.typical(number, pile) + first
            for part, first in zip(held, firsts, strict=True)
            for number, pile in enumerate(part.members)
        ],
    )
    layouts = [part.file.layout for part in held]
    tables: dict[str, Any] = dict.fromkeys(HASHES)
    if all(layout.group is not None and "hashes" in layout.group for layout in layouts):
        tables = {
            name: np.concatenate([part.file.hashes(name) for part in held]) for name in HASHES
        }
    crc32 = np.concatenate([part.crc32 for part in held])
    prints = Fingerprints(crc32, **tables)
    attrs = [layout.attrs for layout in layouts]
    settings = {
        "order": "part after part",
        "source": ", ".join(part.file.name for part in held[:3]) + ", ..." * (len(held) > 3),
    }
    axes = functools.reduce(joined_axes, (layout.leading_shape for layout in layouts))
    return (
        order,
        prints,
        Record(
            functools.reduce(joined_method, (own["method"] for own in attrs)),
            settings,
            axes if len(axes) > 1 else None,
            _loss(held),
            metadata=metadata,
        ),
    )


def _loss(held: Sequence[Earlier]) -> Loss:
    """Return what was lost of all frames."""
    lost, count = stated(held[0].file.layout.attrs), len(held[0])
    for part in held[1:]:
        lost = together(lost, count, stated(part.file.layout.attrs), len(part))
        count += len(part)
    return lost
