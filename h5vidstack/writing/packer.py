"""The writing pipeline: source -> survey -> order -> a pool of encoders -> one HDF5 file."""

from __future__ import annotations

import contextlib
import math
import os
import time
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..choosing.methods import Kept, find_method
from ..choosing.quality import Wish, needs_two_passes
from ..choosing.trials import Trial
from ..codecs import block
from ..codecs.av_engine import library_versions
from ..errors import OutputError, UnsupportedError
from ..layout.names import DEFAULT_STACK, split_target
from ..layout.output import edit_hdf5, open_hdf5_output
from ..layout.replacing import check_name
from ..layout.stack_group import open_layout
from ..layout.writer import Record, StackWriter, write_table
from ..pool import Progress
from ..shapes import Shape, choose_chunk, frame_bytes, structure_bytes
from ..sources.openers import open_source
from ..sources.overlap import refuse_source
from ..sources.source import Access, Source, SourceOptions
from ..sources.spool import Replay, Spool
from ..sources.video.packets import find_packets
from .appending import find_earlier
from .copying import Copying, check_copy
from .crew import Crew
from .journal import resumable
from .packing import Packing, stays_in_order
from .pca_packing import PcaPacking, Wanted, check_pca

SPOOL_BYTES = 16 << 30
"""Disk that frames of a source that runs only once may take while they are reordered."""


@dataclass(frozen=True)
class PackReport:
    """What `pack` wrote.

    Attributes
    ----------
    path, stack
        Where.
    shape, dtype
        Of the stack.
    raw_bytes, stored_bytes
        Sizes of these frames as an array, and of the blocks written.
    seconds
        How long it took.
    verified
        Whether each block was decoded and compared.
    method
        ``"video"`` or ``"groupvideo"``: what was done; `pack` may have been asked
        for ``"auto"``.
    piles
        Number of groups of similar frames.
    copies
        Frames that equal an earlier one, and are stored once with it.
    frames
        How many were packed now; `shape` counts those that were there before, too.
    order
        A sentence: in which order frames are stored, and why.
    codings
        For each pile, in words: how it is coded.
    lossless
        Whether every pixel is as it was.
    max_error, mse, psnr
        If not: the measured largest and mean squared difference; see `loss.Loss`.
    trials
        For each pile the codings that were tried on a sample of it, if asked for.
    notes
        What the user must know of how the source was read, whole sentences.
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
    seconds: float
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
    trials: tuple[tuple[Trial, ...], ...]
    notes: tuple[str, ...]
    conversion: str | None
    doubtful: tuple[int, ...]
    source_bytes: int | None
    written_bytes: int = 0

    @property
    def ratio(self) -> float:
        """Raw bytes over stored bytes."""
        return self.raw_bytes / self.stored_bytes if self.stored_bytes else math.inf

    @property
    def growth(self) -> float | None:
        """Written bytes over those of the source's file or files; None where there are none."""
        return self.written_bytes / self.source_bytes if self.source_bytes else None


def pack(
    source: Any,
    path: str | os.PathLike[str],
    *,
    mode: Literal["w", "a"] = "w",
    method: str | None = None,
    profile: str | None = None,
    codec: str | None = None,
    preset: str | None = None,
    crf: float | None = None,
    max_error: float | str | None = None,
    components: int | None = None,
    target_psnr: float | None = None,
    exact: bool = False,
    explain: bool = False,
    chunk_frames: int | None = None,
    tile: tuple[int, int] | None = None,
    gray: bool = False,
    stream: int | None = None,
    accept_damaged: bool = False,
    hashes: bool = True,
    spool_bytes: int = SPOOL_BYTES,
    copy: bool = False,
    workers: int | None = None,
    executor: Executor | None = None,
    verify: bool = True,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> PackReport:
    """Pack a stack of images into an HDF5 file, losslessly unless asked otherwise.

    Parameters
    ----------
    source
        An array-like of shape ``(N, H, W)`` or ``(N, H, W, 3|4)`` (anything with
        shape, dtype and ``__getitem__``; further leading axes are flattened and
        remembered), an iterable of frames, or a path: a folder or glob of images, a
        multi-page TIFF, ``.npy``, a video file, ``file.h5::/dataset``, another
        stack. Several paths of images may be given as a list.
    path
        ``out.h5`` or ``out.h5::/group``; the latter adds to an existing file.
    mode
        ``"a"``: add to the stack at `path`, if there is one, without coding again what it
        holds. Frames in order of a stack that is in order go on in its pile, whose last block
        is filled first (`method` "video", or one of "hdf5..." if the stack is of that one, all
        lossless); other frames get piles of their own. A frame that the stack has is not
        stored again. What they lose, if `max_error`, `crf` or `preset` ask for it, is said of
        the whole stack. The file is replaced by a complete new one.
    method
        None: auto; adding, that of the stack, but auto for pca.
        ``"video"``: frames in their order. ``"groupvideo"``: similar frames side by side,
        in piles. ``"auto"``: that where a sample shows that it saves over 1 %
        (profile fast does not look). ``"hdf5"``, ``"hdf5gz"``, ``"hdf5gzshuffle"``: pixels as
        HDF5 alone keeps them, in order, with gzip 9 or without. ``"group"``: piles of near
        image hashes, each as its mean and the differences to it, by HDF5's shuffle and gzip.
        ``"pca"``: principal components and coefficients; lossy without `exact`.
        With all but pca a frame that came before, bit for bit, is stored once.
    profile
        None: balanced; adding, that of the stack.
        ``"fast"``, ``"balanced"`` or ``"small"``: chooses a coding for each pile by
        coding samples of it. The smallest one; but fast has only fast ones and takes a
        faster one that is no more than 10 % larger, balanced one no more than 2 %.
    codec
        Only codings of this one: lpc, x264, ffv1, deflate, lzma, raw.
    preset
        Exactly this coding (`codecs.PRESETS`). ``"mp4"``, MPEG-4, is lossy.
    crf
        Lossy: constant rate factor of x264, 0 to 51.
        What a lossy codec does not hold is scaled to 8, 10 or 12 bits first.
    max_error
        No pixel moves by more than this: a number, or a share of the range of all finite
        values, as ``"1e-3r"`` or ``"0.1%"``. What is not finite is kept as it is.
    components
        Of method pca: how many; None: 20, or as many as `max_error` and `target_psnr` need.
    target_psnr
        Of method pca: take no more components than the PSNR of all pixels needs, in dB.
    exact
        Of method pca: keep what the components leave, losslessly.
    explain
        Report what was tried, with speeds.
    chunk_frames
        Frames a block; None: 16, with small 256, more where many tiny frames make 256 KiB; fewer
        where a raw block would be over 64 MiB.
    tile
        Height and width of tiles; None: frames over 4 megapixels get tiles of about
        a megapixel, in profile fast those over 192 KiB strips; ``(0, 0)``: no tiles.
    gray
        Make gray of colour: the luma plane of a video as it is stored, else
        ITU-R BT.601 luma as Pillow's ``convert("L")``.
    stream
        Number of the video stream to read, among all streams of the file, as FFmpeg counts them;
        None: the one that a player would show.
    accept_damaged
        Pack what the decoder makes of damaged video, and record which frames are doubtful.
    hashes
        Store the tables that `Stack.find` searches.
    spool_bytes
        To be reordered, frames of a source that runs only once (a video, an iterable),
        or that is slow to read again (images, compressed HDF5), are kept in a temporary
        file beside `path`, of at most so many bytes and half of the free disk. Where that
        does not do, the latter are read again, and the former stay in their order.
    copy
        Keep the packets of an H.264 file (mp4, mkv, raw) as they are, instead of coding its frames:
        nothing is lost, and the stack is as small as the file. For files whose GOPs are closed and
        begin at every multiple of some number of frames, which becomes `chunk_frames`; of
        colour (4:2:0) with `gray` only. Each block is decoded and compared with the file's frames.
    workers
        Rows of blocks (one block, or the tiles of some frames) that are being encoded at once;
        None: one a core, or as many as `executor` has workers, at most 32.
    executor
        Any Executor of concurrent.futures, as a pool of processes, or that of a cluster
        (``distributed.Client.get_executor()``): its workers encode and check the blocks and
        samples, all else is done here. They need the same versions of h5vidstack and FFmpeg. The
        file is the same, but for its `settings`. It is not shut down.
    verify
        Decode each block and compare it with its input before it is written. What is
        lossy is always decoded and measured.
    overwrite
        Replace an existing output.
    resume
        Keep each encoded block in a hidden file beside `path` until all is done; after an
        interruption, the same call with `resume` takes the blocks that it finds there
        (each is decoded and compared with its frames) and encodes only what is missing.
    progress
        Called with a `Step` as it goes: how many frames are encoded and written, their bytes as
        an array and as blocks. Methods that may reorder go through the frames before, looking.

    Returns
    -------
    PackReport

    Raises
    ------
    SourceError, UnsupportedError, OutputError, NotExactError, WorkerError
        `path` is then as it was before.
    """
    if mode not in ("w", "a"):
        raise OutputError(f"mode is {mode!r}; there is 'w', write a new stack, and 'a', add to one")
    if mode == "a" and overwrite:
        raise OutputError("adding to a stack overwrites nothing: leave overwrite out, or mode='a'")
    if workers is not None and workers < 1:
        raise OutputError(f"workers is {workers}; it must be at least 1")
    if spool_bytes < 0:
        raise OutputError(f"spool_bytes is {spool_bytes}; it must be at least 0")
    if copy:
        check_copy(
            method=method, profile=profile, codec=codec, preset=preset, crf=crf, tile=tile,
            max_error=max_error, components=components, target_psnr=target_psnr, exact=exact,
            explain=explain, resume=resume, no_verify=not verify, executor=executor,
        )  # fmt: skip
        method = "video"
    in_place = mode == "w" and refuse_source(path, source, repack=True)
    options = SourceOptions(gray, stream, accept_damaged)
    started = time.perf_counter()
    target, inner = split_target(path)
    check_name(target)
    stack = inner or DEFAULT_STACK
    kept = stack if in_place and overwrite else None
    with contextlib.ExitStack() as cleanup:
        before = find_earlier(target, stack) if mode == "a" else None
        if before is not None:
            cleanup.enter_context(contextlib.closing(before))
            method = method or before.usual_method
            profile = profile or before.usual_profile
        method, profile = method or "auto", profile or "balanced"
        way = find_method(method)
        way.check(
            codec=codec, preset=preset, crf=crf, max_error=max_error, components=components,
            target_psnr=target_psnr, exact=exact, resume=resume,
        )  # fmt: skip
        check_pca(components, target_psnr, exact, max_error)
        wish = Wish.read(profile, codec, preset, crf, max_error)
        opened = cleanup.enter_context(contextlib.closing(open_source(source, options)))
        block.check_dtype(opened.dtype)
        crew = Crew(workers, executor)
        journal = cleanup.enter_context(resumable(target.resolve(), stack)) if resume else None
        packets = find_packets(opened, chunk_frames) if copy else None
        if packets is not None:
            chunk_frames, tile = packets.run, (0, 0)
        shape = opened.frame, opened.dtype.itemsize, chunk_frames, tile
        plain = way.kept in (Kept.PLAIN, Kept.DIFFERENCE)
        chunk = choose_chunk(*shape, 1) if plain else wish.profile.chunk(*shape, opened.count)
        reorders = not stays_in_order(way, wish)
        structure = structure_bytes(
            opened.count, opened.frame, opened.dtype.itemsize, chunk, reorders
        )
        if before is not None:
            before.check(opened.name, opened.frame, opened.dtype)
            if way.kept == Kept.PCA:
                raise UnsupportedError("a PCA is of the frames it was made of; add by method auto")
            held_bytes = target.stat().st_size
            file = cleanup.enter_context(edit_hdf5(target, structure))
            held = open_layout(file, stack).piles
            writer = StackWriter(file[stack], opened.frame, opened.dtype, chunk, held)
        else:
            inner = stack if mode == "a" and target.exists() else inner
            held_bytes = 0 if inner is None or not target.exists() else target.stat().st_size
            output = open_hdf5_output(target, inner, overwrite, structure, kept=kept)
            file = cleanup.enter_context(output)
            writer = StackWriter(file.require_group(stack), opened.frame, opened.dtype, chunk)
        store: Source = opened
        if needs_two_passes(wish, opened) or (
            way.kept == Kept.PCA and opened.access < Access.RANDOM
        ):
            spool = Spool(opened, target.resolve().parent, spool_bytes)
            store = Replay(cleanup.enter_context(contextlib.closing(spool)))
        bound = wish.bound.of(store) if wish.bound is not None else 0.0
        template = wish.template(bound, opened.dtype)
        if before is not None and packets is None and template.lossless and not reorders:
            chunk = before.go_on(way, chunk, chunk_frames, tile)
        if store is opened and reorders and opened.access < Access.CHEAP:
            spool = Spool(opened, target.resolve().parent, spool_bytes)
            store = cleanup.enter_context(contextlib.closing(spool))
        packing: Packing | PcaPacking | Copying
        if packets is not None:
            packing = Copying(opened, writer, packets, crew.size, progress)
        elif way.kept == Kept.PCA:
            # Of a constant stack a share of the range is nothing: no error is allowed.
            exact = exact or (wish.bound is not None and not bound)
            wanted = Wanted(components, bound, target_psnr, exact)
            packing = PcaPacking(store, writer, wanted, wish.profile, chunk, crew, progress)
        else:
            packing = Packing(
                store, writer, way, wish, template, explain, chunk, verify, crew, progress,
                before, journal,
            )  # fmt: skip
        order, prints, sentence = packing.run(hashes)
        done = method
        if way.kept == Kept.VIDEO:
            done = "video" if packing.in_given_order else "groupvideo"
        settings = {
            "method": method,
            "order": sentence,
            "profile": None if copy else profile,
            "codings": packing.codings,
            "max_error": None if max_error is None else str(max_error),
            "chunk": chunk,
            "verified": verify,
            "source": opened.name,
            "conversion": opened.conversion,
            "notes": opened.notes,
            "doubtful": opened.doubtful,
            "libraries": library_versions(),
        }
        lost = opened.loss or packing.loss(order)
        if not lost.exact and opened.loss is None:  # a reader may get the same all the same
            given, crc32 = prints.crc32, packing.crc32(order, prints.crc32)
            prints = replace(prints, crc32=crc32)
            lost = replace(lost, exact=lost.max_error == 0 and np.array_equal(crc32, given))
        n, added = len(prints), order
        record = Record(done, settings, opened.leading_shape, lost)
        if before is not None:
            order, prints, record = before.join(order, prints, record)
        writer.finish(order, prints, record)
        if opened.numbers is not None:
            write_table(file[stack], "original", np.array(opened.numbers, np.uint64))
        report = PackReport(
            str(target),
            stack,
            (len(prints), *opened.frame),
            opened.dtype.name,
            n * frame_bytes(opened.frame, opened.dtype.itemsize),
            writer.stored_bytes,
            time.perf_counter() - started,
            verify,
            done,
            len(order.members),
            n - sum(map(len, added.members)),
            n,
            sentence,
            tuple(packing.codings),
            lost.exact,
            lost.max_error,
            lost.mse,
            lost.psnr,
            tuple(map(tuple, packing.trials)) if explain else (),
            tuple(opened.notes),
            opened.conversion,
            tuple(opened.doubtful),
            opened.file_bytes,
        )
    # What a stack in its place was replaced with may take the room of what was there.
    added_bytes = max(target.stat().st_size - held_bytes, report.stored_bytes)
    return replace(report, written_bytes=added_bytes)
