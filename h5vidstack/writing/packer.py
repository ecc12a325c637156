"""`pack`: open a source, choose a chunk, open an output, pack, record, report."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..choosing.methods import Kept
from ..choosing.quality import needs_two_passes
from ..choosing.trials import Trial
from ..codecs import block
from ..codecs.noise import NoiseLoss
from ..errors import UnsupportedError
from ..layout.names import DEFAULT_STACK, split_target
from ..layout.output import edit_hdf5, open_hdf5_output
from ..layout.replacing import check_name
from ..layout.stack_group import open_layout
from ..layout.writer import Order, Record, StackWriter, write_table
from ..metadata import given
from ..metadata.description import Metadata
from ..pool import Progress
from ..shapes import Shape, choose_chunk, frame_bytes, structure_bytes
from ..similar.fingerprints import Fingerprints
from ..sources.openers import open_source
from ..sources.overlap import refuse_source
from ..sources.source import Access, Source
from ..sources.spool import Replay, Spool
from ..sources.video.packets import find_packets
from . import provenance
from .appending import Earlier, find_earlier
from .crew import Crew
from .journal import resumable
from .option_signatures import collected, takes_options
from .pack_options import PackOptions
from .packet_packing import PacketPacking
from .packing import Packed, Packing, Setup
from .pca_packing import PcaPacking
from .pile_packing import DifferencePacking, PlainPacking, VideoPacking, stays_in_order

PACKINGS: dict[Kept, Callable[[Setup], Packing]] = {
    Kept.VIDEO: VideoPacking,
    Kept.PLAIN: PlainPacking,
    Kept.DIFFERENCE: DifferencePacking,
    Kept.PCA: PcaPacking,
}
"""The kinds of packing, by what a method keeps; `PacketPacking` stands beside them."""


@dataclass(frozen=True, kw_only=True)
class PackReport:
    """What `pack` wrote.

    Attributes
    ----------
    path, stack
        The file, and the path of the stack in it.
    shape, dtype
        Of the stack.
    raw_bytes, stored_bytes
        Bytes of the frames packed now, as an array, and of the blocks that were written.
    seconds
        How long it took.
    verified
        Whether each block was decoded and compared.
    method
        What was done: ``"video"`` or ``"groupvideo"`` where `pack` was asked for ``"auto"``.
    piles
        Number of piles of similar frames.
    copies
        Number of frames that equal an earlier one, and are stored once with it.
    frames
        Number of frames packed now; `shape` counts those that were there before, too.
    order
        A sentence: in which order frames are stored, and why.
    codings
        How each pile is coded, in words.
    lossless
        Whether every pixel is as it was.
    max_error, mse, psnr
        The measured largest and mean squared difference, and what follows; see `loss.Loss`.
    noise
        The loss in units of each pixel's noise, where `max_error` was given so.
    trials
        The codings that were tried on a sample of each pile, if they were asked for.
    notes
        Whole sentences that the user must know of how the source was read.
    conversion
        What made the samples, where they are not as the source stores them, else None.
    doubtful
        Numbers, in the source, of frames that were decoded from damaged data.
    source_bytes
        Size of the source's file or files; None where there are none.
    written_bytes
        Size of the file, if it is new, else what was added to it: blocks, tables and what HDF5
        itself needs.
    """

    path: str
    stack: str
    shape: Shape
    dtype: str
    raw_bytes: int
    stored_bytes: int
    verified: bool
    method: str
    piles: int
    copies: int
    frames: int
    order: str
    codings: tuple[str, ...]
    lossless: bool
    max_error: float
    mse: float
    psnr: float
    noise: NoiseLoss | None
    trials: tuple[tuple[Trial, ...], ...]
    notes: tuple[str, ...]
    conversion: str | None
    doubtful: tuple[int, ...]
    source_bytes: int | None
    seconds: float = 0.0
    written_bytes: int = 0

    @property
    def ratio(self) -> float:
        """Raw bytes over stored bytes."""
        return self.raw_bytes / self.stored_bytes if self.stored_bytes else math.inf

    @property
    def growth(self) -> float | None:
        """Written bytes over bytes of the source's file or files; None where there are none."""
        return self.written_bytes / self.source_bytes if self.source_bytes else None


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where a stack goes.

    Attributes
    ----------
    target
        The file.
    inner
        The path of the stack in it, as the user named it; None: the file is to hold nothing else.
    stack
        The path of the stack.
    kept
        The stack that is packed into its own place, if it is: members of others stay in it.
    """

    target: Path
    inner: str | None
    stack: str
    kept: str | None

    @staticmethod
    def of(path: str | os.PathLike[str], source: Any, options: PackOptions) -> Destination:
        """Read the path of an output, and see that writing it destroys nothing."""
        in_place = options.mode == "w" and refuse_source(path, source, repack=True)
        target, inner = split_target(path)
        check_name(target)
        stack = inner or DEFAULT_STACK
        if options.mode == "a" and target.exists():
            inner = stack
        kept = stack if in_place and options.overwrite else None
        return Destination(target=target, inner=inner, stack=stack, kept=kept)

    @property
    def held_bytes(self) -> int:
        """Bytes of the file that stay when the stack is written."""
        stays = self.inner is not None and self.target.exists()
        return self.target.stat().st_size if stays else 0


@takes_options("pack")
def pack(
    source: Any,
    path: str | os.PathLike[str],
    *,
    options: PackOptions | None = None,
    progress: Progress | None = None,
    **named: Any,
) -> PackReport:
    """Pack a stack of images into an HDF5 file, losslessly unless asked otherwise.

    Parameters
    ----------
    source
        An array-like of shape ``(N, H, W)`` or ``(N, H, W, 3|4)``: anything with shape, dtype and
        ``__getitem__``, whose further leading axes are flattened and remembered. Or an iterable of
        frames, or a path: a folder or glob of images, a multi-page TIFF, ``.npy``, a video file,
        ``file.h5::/dataset``, another stack. Several paths of images may be given as a list.
    path
        ``out.h5`` or ``out.h5::/group``; the latter adds to an existing file.
    options
        All options at once, as a `PackOptions`. Those that are given by name come before them.
    progress
        Called with a `Step` as packing goes on: how many frames are encoded and written, their
        bytes as an array and as blocks. Methods that may reorder look at all frames before.
    <options of pack>

    Returns
    -------
    PackReport

    Raises
    ------
    SourceError, UnsupportedError, OutputError, NotExactError, WorkerError
        `path` is then as it was before.
    """
    chosen = collected("pack", named, options)
    started = time.perf_counter()
    place = Destination.of(path, source, chosen)
    with contextlib.ExitStack() as cleanup:
        before = find_earlier(place.target, place.stack) if chosen.mode == "a" else None
        if before is not None:
            cleanup.enter_context(contextlib.closing(before))
            chosen = chosen.completed(before.usual_method, before.usual_profile, before.noise)
        chosen = chosen.completed()
        opened = cleanup.enter_context(contextlib.closing(open_source(source, chosen.reading)))
        block.check_dtype(opened.dtype)
        digests = provenance.Digests(opened, chosen.digest, place.target)
        cleanup.callback(digests.close)
        check_metadata(opened, chosen, before)
        held_bytes = place.held_bytes
        setup, make = _set_up(cleanup, place, opened, chosen, before, progress)
        with setup.crew:
            packed = make(setup).run()
        metadata = described(opened, chosen, len(packed.prints), before)
        record = _record(opened, setup, packed, digests.added(metadata))
        tables = packed.order, packed.prints, record
        if before is not None:
            tables = before.join(*tables)
        setup.writer.finish(*tables)
        if opened.numbers is not None:
            numbers = np.array(opened.numbers, np.uint64)
            write_table(setup.writer.group, "original", numbers)
        report = _report(place, opened, setup, packed, record, tables)
        seconds = time.perf_counter() - started
    # A stack that replaces another may take the room of what was there.
    added_bytes = max(place.target.stat().st_size - held_bytes, report.stored_bytes)
    return replace(report, seconds=seconds, written_bytes=added_bytes)


def check_metadata(opened: Source, options: PackOptions, before: Earlier | None) -> None:
    """See that what the source and the user say fits, as far as it is known before reading.

    Raises
    ------
    MetadataError
        If names or lengths do not fit the frames, or contradict the stack they are added to.
    """
    leading = opened.leading_shape or (1 if opened.count is None else opened.count,)
    if opened.count is None:  # then no column can be checked
        options = replace(options, coords=None)
        opened_says = replace(opened.metadata, coords={}, words={}, files=None)
    else:
        opened_says = opened.metadata
    metadata, _ = _described(opened_says, opened.frame, leading, options, before)
    if before is not None:
        before.joined_metadata(metadata, leading)


def described(
    opened: Source, options: PackOptions, count: int, before: Earlier | None = None
) -> Metadata:
    """Return what the source and the user say of its frames, of which there are `count`.

    The source gets a note for each of its attributes that is not kept, because the stack that
    frames are added to has another.

    Parameters
    ----------
    before
        The stack that frames are added to. It names axes that nobody names otherwise.

    Raises
    ------
    MetadataError
        If names or lengths do not fit the frames.
    """
    leading = opened.leading_shape or (count,)
    metadata, notes = _described(opened.metadata, opened.frame, leading, options, before)
    opened.notes += notes
    return metadata


def _described(
    metadata: Metadata, frame: Shape, leading: Shape, options: PackOptions, before: Earlier | None
) -> tuple[Metadata, list[str]]:
    notes: list[str] = []
    if before is not None:
        metadata, notes = before.metadata.agreeing(metadata)
        held = before.metadata.dims
        unnamed = options.dims is None and not metadata.dims
        if unnamed and len(held) == len(leading) + len(frame):
            metadata = replace(metadata, dims=held)
    given_metadata = given.completed(
        metadata, leading, frame, dims=options.dims, coords=options.coords, attrs=options.attrs,
        scale=options.scale,
    )  # fmt: skip
    return given_metadata, notes


def _set_up(
    cleanup: contextlib.ExitStack,
    place: Destination,
    opened: Source,
    options: PackOptions,
    before: Earlier | None,
    progress: Progress | None,
) -> tuple[Setup, Callable[[Setup], Packing]]:
    """Choose a chunk, open the output and what else is needed; return also the kind of packing."""
    method, wish = options.row, options.wish
    crew = Crew(options.workers, options.executor)
    journal = None
    if options.resume:
        journal = cleanup.enter_context(resumable(place.target.resolve(), place.stack))
    make, cut = PACKINGS[method.kept], (options.chunk_frames, options.tile)
    if options.copy:
        packets = find_packets(opened, options.chunk_frames)
        make = functools.partial(PacketPacking, packets=packets)
        chunk = (packets.longest, *opened.frame)
    else:
        chunk = chunk_of(opened, options)
    reorders = not stays_in_order(method, wish)
    known = opened.metadata
    columns = len(known.coords) + len(options.coords or ()) + 3 * len(known.words)
    structure = structure_bytes(
        opened.count, opened.frame, opened.dtype.itemsize, chunk, reorders, columns
    )
    writer = _open_output(cleanup, place, opened, options, before, chunk, structure)
    source = _kept_for_again(cleanup, place, opened, options, reorders)
    bound = wish.bound.of(source) if wish.bound is not None else 0.0
    if before is not None:
        before.check_bound(bound)
    template = wish.template(bound, opened.dtype)
    if before is not None and not options.copy and template.lossless and not reorders:
        chunk = before.go_on(method, chunk, *cut)
    return (
        Setup(
            source=source, writer=writer, options=options, method=method, wish=wish,
            template=template, chunk=chunk, crew=crew, before=before, journal=journal,
            progress=progress,
        ),
        make,
    )  # fmt: skip


def chunk_of(opened: Source, options: PackOptions) -> Shape:
    """Choose the chunk: for plain HDF5 a frame, else what the profile wants."""
    frame, itemsize = opened.frame, opened.dtype.itemsize
    cut = options.chunk_frames, options.tile
    if options.row.kept in (Kept.PLAIN, Kept.DIFFERENCE):
        return choose_chunk(frame, itemsize, *cut, 1)
    return options.wish.profile.chunk(frame, itemsize, *cut, opened.count)


def _open_output(
    cleanup: contextlib.ExitStack,
    place: Destination,
    opened: Source,
    options: PackOptions,
    before: Earlier | None,
    chunk: Shape,
    structure: int,
) -> StackWriter:
    """Open the output for a new stack, or to add to one."""
    frame, dtype = opened.frame, opened.dtype
    if before is None:
        output = open_hdf5_output(
            place.target, place.inner, options.overwrite, structure, kept=place.kept
        )
        file = cleanup.enter_context(output)
        return StackWriter(file.require_group(place.stack), frame, dtype, chunk)
    before.check(opened.name, frame, dtype)
    if options.row.kept == Kept.PCA:
        raise UnsupportedError("a PCA is of the frames it was made of; add by method auto")
    file = cleanup.enter_context(edit_hdf5(place.target, structure))
    held = open_layout(file, place.stack).piles
    return StackWriter(file[place.stack], frame, dtype, chunk, held)


def _kept_for_again(
    cleanup: contextlib.ExitStack,
    place: Destination,
    opened: Source,
    options: PackOptions,
    reorders: bool,
) -> Source:
    """Return the source, or a spool of it where frames are read again that it gives only once."""
    fitted = options.row.kept == Kept.PCA and opened.access < Access.RANDOM
    replayed = fitted or needs_two_passes(options.wish, opened)
    if not replayed and not (reorders and opened.access < Access.CHEAP):
        return opened
    spool = Spool(opened, place.target.resolve().parent, options.spool_bytes)
    cleanup.enter_context(contextlib.closing(spool))
    return Replay(spool) if replayed else spool


def _record(opened: Source, setup: Setup, packed: Packed, metadata: Metadata) -> Record:
    """Return what the stack's attributes say of how it was made."""
    options, method = setup.options, setup.method.name
    done = method
    if setup.method.kept == Kept.VIDEO:
        done = "groupvideo" if packed.reordered else "video"
    settings = provenance.settings(
        method=method,
        order=packed.sentence,
        codings=tuple(dict.fromkeys(packed.codings)),  # of thousands of piles, few
        chunk=setup.chunk,
        verified=options.verify,
        profile=options.profile,
        max_error=None if options.max_error is None else str(options.max_error),
        source=opened.name,
        reading=asdict(options.reading),
        conversion=opened.conversion,
        notes=opened.notes,
        doubtful=opened.doubtful,
    )
    return Record(
        done, settings, opened.leading_shape, opened.loss or packed.loss, metadata=metadata
    )


def _report(
    place: Destination,
    opened: Source,
    setup: Setup,
    packed: Packed,
    record: Record,
    tables: tuple[Order, Fingerprints, Record],
) -> PackReport:
    """Report what was packed, and how many frames and piles the tables of the whole stack have."""
    order, prints, _ = tables
    count, lost = len(packed.prints), record.loss
    return PackReport(
        path=str(place.target),
        stack=place.stack,
        shape=(len(prints), *opened.frame),
        dtype=opened.dtype.name,
        raw_bytes=count * frame_bytes(opened.frame, opened.dtype.itemsize),
        stored_bytes=setup.writer.stored_bytes,
        verified=setup.options.verify,
        method=record.method,
        piles=len(order.members),
        copies=count - sum(map(len, packed.order.members)),
        frames=count,
        order=packed.sentence,
        codings=tuple(packed.codings),
        lossless=lost.exact,
        max_error=lost.max_error,
        mse=lost.mse,
        psnr=lost.psnr,
        noise=None if lost.exact else lost.noise,
        trials=tuple(map(tuple, packed.trials)) if setup.options.explain else (),
        notes=tuple(opened.notes),
        conversion=opened.conversion,
        doubtful=tuple(opened.doubtful),
        source_bytes=opened.file_bytes,
    )
