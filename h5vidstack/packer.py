"""The writing pipeline: source -> survey -> order -> a pool of encoders -> one HDF5 file."""

from __future__ import annotations

import contextlib
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from . import block, loss, planning, profiles
from .chunks import Pixels
from .codecs import library_versions
from .encoder import PileEncoder
from .errors import OutputError
from .geometry import Numbers, Shape, choose_chunk, frame_bytes
from .hashing import Fingerprints
from .layout import DEFAULT_STACK, split_target
from .layout_writer import Order, StackWriter
from .output import open_hdf5_output
from .profiles import Trial
from .quality import Wish, needs_two_passes
from .recipe import Recipe
from .sources import Access, Source, open_source
from .sources.spool import Replay, Spool
from .survey import Survey
from .workers import Progress, default_workers

METHODS = ("auto", "video", "groupvideo")
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
        Sizes of the frames as an array, and of the blocks.
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
    order: str
    codings: tuple[str, ...]
    lossless: bool
    max_error: float
    mse: float
    psnr: float
    trials: tuple[tuple[Trial, ...], ...]

    @property
    def ratio(self) -> float:
        """Raw bytes over stored bytes."""
        return self.raw_bytes / self.stored_bytes


def pack(
    source: Any,
    path: str | os.PathLike[str],
    *,
    method: str = "auto",
    profile: str = "balanced",
    codec: str | None = None,
    preset: str | None = None,
    crf: float | None = None,
    max_error: float | str | None = None,
    explain: bool = False,
    chunk_frames: int | None = None,
    tile: tuple[int, int] | None = None,
    gray: bool = False,
    hashes: bool = True,
    spool_bytes: int = SPOOL_BYTES,
    workers: int | None = None,
    verify: bool = True,
    overwrite: bool = False,
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
    method
        ``"video"``: frames in their order. ``"groupvideo"``: similar frames side by side,
        in piles. ``"auto"``: that where a sample shows that it saves over 1 %.
        With all of them a frame that came before, bit for bit, is stored once.
    profile
        ``"fast"``, ``"balanced"`` or ``"small"``: chooses a coding for each pile by
        coding samples of it. The smallest one; but fast has only fast ones and takes a
        faster one that is no more than 10 % larger, balanced one no more than 2 %.
    codec
        Only codings of this one: x264, x265, ffv1, magicyuv, ffvhuff, deflate, lzma, raw.
    preset
        Exactly this coding (`codecs.PRESETS`). ``"mp4"``, MPEG-4, is lossy.
    crf
        Lossy: constant rate factor of codec x264 (the default) or x265, 0 to 51.
        What a lossy codec does not hold is scaled to 8, 10 or 12 bits first.
    max_error
        No pixel moves by more than this: a number, or a share of the range of all finite
        values, as ``"1e-3r"`` or ``"0.1%"``. What is not finite is kept as it is.
    explain
        Report what was tried, with speeds.
    chunk_frames
        Frames a block; None: 16, with small 256, with fast as many as make 128 KiB; fewer
        where a raw block would be over 64 MiB.
    tile
        Height and width of tiles; None: frames over 4 megapixels get tiles of about
        a megapixel; ``(0, 0)``: no tiles.
    gray
        Make gray of colour: the luma plane of a video as it is stored, else
        ITU-R BT.601 luma as Pillow's ``convert("L")``.
    hashes
        Store the tables that `Stack.find` searches.
    spool_bytes
        To be reordered, frames of a source that runs only once (a video, an iterable),
        or that is slow to read again (images, compressed HDF5), are kept in a temporary
        file beside `path`, of at most so many bytes and half of the free disk. Where that
        does not do, the latter are read again, and the former stay in their order.
    workers
        Encoder threads; None: one a core.
    verify
        Decode each block and compare it with its input before it is written. What is
        lossy is always decoded and measured.
    overwrite
        Replace an existing output.
    progress
        Called with the number of frames done and of all, or None, as it goes. Methods
        that may reorder go through the frames twice: looking, then writing.

    Returns
    -------
    PackReport

    Raises
    ------
    SourceError, UnsupportedError, OutputError, NotExactError
        `path` is then as it was before.
    """
    if method not in METHODS:
        raise OutputError(f"no method {method!r}; there is {', '.join(METHODS)}")
    if workers is not None and workers < 1:
        raise OutputError(f"workers is {workers}; it must be at least 1")
    if spool_bytes < 0:
        raise OutputError(f"spool_bytes is {spool_bytes}; it must be at least 0")
    started = time.perf_counter()
    wish = Wish.read(profile, codec, preset, crf, max_error)
    with contextlib.ExitStack() as cleanup:
        opened = cleanup.enter_context(contextlib.closing(open_source(source, gray=gray)))
        block.check_dtype(opened.dtype)
        usual = wish.profile.chunk_frames(opened.frame, opened.dtype.itemsize)
        chunk = choose_chunk(opened.frame, opened.dtype.itemsize, chunk_frames, tile, usual)
        target, inner = split_target(path)
        file = cleanup.enter_context(open_hdf5_output(target, inner, overwrite))
        stack = inner or DEFAULT_STACK
        writer = StackWriter(file, stack, opened.frame, opened.dtype, chunk, verify)
        store: Source = opened
        if needs_two_passes(wish, opened):
            spool = Spool(opened, target.resolve().parent, spool_bytes)
            store = Replay(cleanup.enter_context(contextlib.closing(spool)))
        bound = wish.bound.of(store) if wish.bound is not None else 0.0
        template = wish.template(bound, opened.dtype)
        if store is opened and method != "video" and opened.access < Access.CHEAP:
            spool = Spool(opened, target.resolve().parent, spool_bytes)
            store = cleanup.enter_context(contextlib.closing(spool))
        packing = _Packing(
            store,
            writer,
            method,
            wish,
            template,
            explain,
            chunk,
            verify,
            workers or default_workers(),
            progress,
        )
        order, prints, sentence = packing.run(hashes)
        done = "video" if packing.in_given_order else "groupvideo"
        settings = {
            "method": method,
            "order": sentence,
            "profile": profile,
            "codings": packing.codings,
            "max_error": max_error,
            "chunk": chunk,
            "verified": verify,
            "source": opened.name,
            "libraries": library_versions(),
        }
        lost = packing.loss(order)
        if wish.lossy:
            prints = replace(prints, crc32=packing.crc32(order))
        writer.finish(order, prints, done, settings, opened.leading_shape, lost)
        n = len(prints)
        return PackReport(
            str(target),
            stack,
            (n, *opened.frame),
            opened.dtype.name,
            n * frame_bytes(opened.frame, opened.dtype.itemsize),
            writer.stored_bytes,
            time.perf_counter() - started,
            verify,
            done,
            len(order.members),
            n - sum(map(len, order.members)),
            sentence,
            tuple(packing.codings),
            lost.max_error == 0,
            lost.max_error,
            lost.mse,
            lost.psnr,
            tuple(map(tuple, packing.trials)),
        )


@dataclass
class _Packing:
    """Frames of one source on their way into one stack; see `pack`.

    Attributes
    ----------
    store
        The source, or a spool of it.
    wish, template
        How to code, as far as that is given.
    in_given_order
        Afterwards: whether frames were not reordered.
    """

    store: Source
    writer: StackWriter
    method: str
    wish: Wish
    template: Recipe
    explain: bool
    chunk: Shape
    verify: bool
    workers: int
    progress: Progress | None
    in_given_order: bool = True
    codings: list[str] = field(default_factory=list)
    trials: list[list[Trial]] = field(default_factory=list)
    _encoders: list[PileEncoder] = field(default_factory=list)

    def run(self, hashes: bool) -> tuple[Order, Fingerprints, str]:
        """Pack everything; say where frames are, what they are, and why in that order."""
        self._written, self._count = 0, self.store.count
        self._encoder: PileEncoder | None = None  # of frames in their order
        self._pool = ThreadPoolExecutor(self.workers, "h5vidstack-encode")
        try:
            self._survey = Survey(self._pool, self.workers, hashes, self._earlier)
            for new in self._survey.new_frames(self.store.batches(self.chunk[0])):
                self._take_in(new)
            prints = self._survey.prints(self.store.name)
            self._firsts = self._survey.firsts()
            self._features = prints.feature[self._firsts]
            if self._encoder is not None:
                self._encoder.finish()
                piles = [np.arange(len(self._firsts))]
                sentence = "time order"
                if self.method != "video":
                    sentence += (
                        ": the source runs only once and is too large to be spooled "
                        "(see --spool-limit)"
                    )
            else:
                piles, sentence = self._reorder()
            if self.progress is not None and len(prints) != self._written:
                self.progress(len(prints), len(prints))
            return self._order(piles), prints, sentence
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _take_in(self, new: Pixels) -> None:
        """Encode new frames at once, if they cannot be had again; else wait for the rest."""
        in_order = self.method == "video" or self.store.access == Access.ONCE
        if self._encoder is None and in_order and len(new):
            waiting = self._survey.firsts()[: self._survey.unique - len(new)]
            runs = [waiting[i : i + self.chunk[0]] for i in range(0, len(waiting), self.chunk[0])]
            first = self.store.take(runs[0]) if runs else new
            self._encoder = self._begin(np.arange(len(first)), lambda numbers: first[numbers])
            for run in runs:
                self._encoder.add(self.store.take(run))
        if self._encoder is not None:
            self._encoder.add(new)
        elif self.progress is not None:
            self.progress(self._survey.count, self._count)

    def _earlier(self, number: int) -> Pixels:
        """The pixels of a new frame that has been passed."""
        if self._encoder is not None:
            return self._encoder.frame(number)
        frame: Pixels = self.store.take(np.array([self._survey.first(number)]))[0]
        return frame

    def _reorder(self) -> tuple[list[Numbers], str]:
        """Encode pile after pile, from frames that can be read again."""

        def take(numbers: Numbers) -> Pixels:
            return self.store.take(self._firsts[numbers])

        always, step = self.method == "groupvideo", self.chunk[0]
        plan = planning.plan(self._features, take, self._pool, always)
        self.in_given_order = not plan.reordered
        self._count = len(self._firsts)
        for pile in plan.piles:
            encoder = self._begin(pile, take)
            for start in range(0, len(pile), step):
                encoder.add(take(pile[start : start + step]))
            encoder.finish()
        return plan.piles, self._sentence(plan)

    def _sentence(self, plan: planning.Plan) -> str:
        if not plan.reordered:
            if plan.gain is None:
                return "time order, which is similarity order"
            return "time order: similarity order is not 1 % smaller in a sample"
        saved = f", {1 - plan.gain:.0%} smaller in a sample" if plan.gain is not None else ""
        spooled = isinstance(self.store, Spool) and self.store.complete
        how = "spooled to disk" if spooled else "read again in that order"
        piles = f"{len(plan.piles)} pile{'s' * (len(plan.piles) > 1)}"
        return f"similarity order, {piles}{saved}; frames were {how}"

    def _begin(self, pile: Numbers, take: planning.Take) -> PileEncoder:
        """Begin a pile; its coding is chosen from some of its frames."""
        recipe = self.template
        trials: list[Trial] = []
        if self.wish.fixed is None:
            profile = self.wish.profile
            size = frame_bytes(self.store.frame, self.store.dtype.itemsize)
            runs, wanted = planning.sample_runs(pile, self.chunk[0], size, profile)
            pixels = wanted / (size / math.prod(self.store.frame[:2]))
            samples = [profiles.crop(take(run), pixels) for run in runs]
            recipe, trials = profiles.choose(
                samples, profile, self.wish.codec, recipe, self._pool, self.explain
            )
        self.codings.append(str(recipe))
        self.trials.append(trials if self.explain else [])
        encoder = PileEncoder(
            self._pool,
            self.workers,
            self.writer.add_pile(recipe),
            recipe,
            self.verify,
            self.chunk,
            self._note_written,
        )
        self._encoders.append(encoder)
        return encoder

    def loss(self, order: Order) -> loss.Loss:
        """How far the stack is from its input."""
        if not self.wish.lossy:
            return loss.NO_LOSS
        piles = [loss.join(encoder.losses) for encoder in self._encoders]
        return loss.total(piles, order.pile, order.position, self.store.dtype)

    def crc32(self, order: Order) -> npt.NDArray[np.uint32]:
        """CRC-32 of each frame as a reader gets it."""
        found = np.empty(len(order.pile), np.uint32)
        for number, encoder in enumerate(self._encoders):
            here = order.pile == number
            found[here] = np.concatenate(encoder.crc32)[order.position[here]]
        return found

    def _note_written(self, frames: int) -> None:
        self._written += frames
        if self.progress is not None:
            self.progress(self._written, self._count)

    def _order(self, piles: list[Numbers]) -> Order:
        """Where each frame is, copies where their first is."""
        numbers = self._survey.numbers()
        pile, position = np.empty((2, len(self._firsts)), np.intp)
        for number, held in enumerate(piles):
            pile[held], position[held] = number, np.arange(len(held))
        members = [self._firsts[held] for held in piles]
        typical = [
            int(frames[planning.typical(self._features[held])])
            for frames, held in zip(members, piles, strict=True)
        ]
        return Order(pile[numbers], position[numbers], members, typical)
