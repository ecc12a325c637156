"""Packing pile after pile: as video blocks, as plain HDF5 chunks, or as differences to a mean."""

from __future__ import annotations

import contextlib
import functools
from abc import abstractmethod
from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..choosing.arrangement import Arrangement, arrange, arrange_by_hash
from ..choosing.methods import Method, Ordering
from ..choosing.quality import Wish
from ..choosing.sampling import Take
from ..choosing.settling import SettlingChooser
from ..choosing.trials import Chooser, Trial
from ..codecs import loss
from ..layout.writer import Order, PileWriter
from ..shapes import Numbers, Pixels, frame_bytes, window_frames
from ..similar.feature_store import FeatureStore
from ..similar.fingerprints import Fingerprints
from ..similar.typical import MOST as MOST_COMPARED
from ..similar.typical import TypicalFrame, nearest_to_mean
from ..sources.source import Access
from ..sources.spool import Spool
from .coders import BlockCoder, Coder, DifferenceCoder, PlainCoder, mean_frame
from .journal import ResumingCoder
from .packing import Packed, Packing, Setup, as_read
from .pile_encoder import PileEncoder
from .survey import NewFrames, StoredFrames, Survey

BATCH_FRAMES, BATCH_BYTES = 256, 16 << 20
"""Frames are surveyed together up to so many, and so many bytes."""
AHEAD_BYTES = 48 << 20
"""Batches are under way up to so many bytes, or two of them."""


def stays_in_order(method: Method, wish: Wish) -> bool:
    """Return whether frames are not reordered, whatever they are."""
    keeps = method.ordering == Ordering.AUTO and wish.profile.in_order
    return method.ordering == Ordering.GIVEN or keeps


class PilePacking(Packing):
    """Survey frames, put them into piles, and encode these; how, the subclasses say."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._by_hash = setup.method.ordering == Ordering.HASHED
        before, size = setup.before, self._batch_frames() * self._frame_bytes
        self._survey = Survey(
            setup.crew.here,
            min(setup.crew.lookers, max(1, AHEAD_BYTES // size)),
            setup.options.hashes or self._by_hash,
            StoredFrames(*before.firsts(), before.frame) if before is not None else None,
        )
        self._typical = TypicalFrame()  # of frames in their order
        self._features = FeatureStore(Path(setup.writer.group.file.filename).resolve().parent)
        self._codings: list[str] = []
        self._trials: list[list[Trial]] = []
        self._encoders: list[PileEncoder] = []
        self._in_order: PileEncoder | None = None  # of frames in their order
        self._written = 0

    @abstractmethod
    def _begin_pile(self, pile: Numbers, take: Take) -> tuple[Coder, PileWriter]:
        """Begin a pile of frames; say how it is coded, and what takes its blocks."""

    def run(self) -> Packed:
        """Pack everything."""
        with contextlib.closing(self._features):
            self._survey.features = not self._stays
            for new in self._survey.new_frames(self.setup.source.batches(self._batch_frames())):
                self._take_in(new)
            prints = self._survey.prints(self.setup.source.name)
            firsts = self._survey.firsts()
            if self._in_order is not None:
                self._in_order.finish()
                arrangement = Arrangement(piles=[np.arange(len(firsts))], reordered=False)
                sentence = self._why_in_order()
            elif not len(firsts):
                arrangement = Arrangement(piles=[], reordered=False)
                sentence = "each frame equals an earlier one"
            else:
                arrangement = self._reorder(prints, firsts)
                sentence = self._sentence(arrangement)
            if len(prints) != self._written:
                self._count = len(prints)
                self._tell(len(prints))
            order = self._order(arrangement.piles, firsts)
        if not self.setup.options.hashes:
            prints = replace(prints, phash=None, ahash=None, dhash=None)
        lost = self._loss(order)
        if not lost.exact:
            prints, lost = as_read(prints, lost, self._crc32(order, prints))
        return Packed(
            order=order, prints=prints, loss=lost, sentence=sentence, codings=self._codings,
            trials=self._trials, reordered=arrangement.reordered,
        )  # fmt: skip

    @property
    def _stays(self) -> bool:
        """Whether frames are encoded as they come."""
        once = self.setup.source.access == Access.ONCE
        return once or stays_in_order(self.setup.method, self.setup.wish)

    @property
    def _frame_bytes(self) -> int:
        source = self.setup.source
        return frame_bytes(source.frame, source.dtype.itemsize)

    def _batch_frames(self) -> int:
        """Return how many frames to survey at once: whole blocks, unless these are too large.

        Looking at one frame alone takes as long as looking at several small ones.
        """
        block = self.setup.chunk[0]
        wanted = max(1, min(BATCH_FRAMES, BATCH_BYTES // self._frame_bytes))
        return wanted // block * block or wanted

    def _take_in(self, new: NewFrames) -> None:
        """Encode new frames at once if they stay in order; else wait for the rest."""
        frames = new.pixels
        if self._in_order is None and self._stays and len(frames):
            self._in_order = self._begin_in_order(frames)
        if self._in_order is not None:
            self._typical.add(frames)
            self._in_order.add(frames)
        else:
            if new.features is not None:
                self._features.extend(new.features)
            self._tell(self._survey.count, "looking")

    def _begin_in_order(self, new: Pixels) -> PileEncoder:
        """Begin the pile of frames in their order; begin it with those that wait."""
        source, block = self.setup.source, self.setup.chunk[0]
        self._survey.features = False
        waiting = self._survey.firsts()[: self._survey.unique - len(new)]
        runs = [waiting[i : i + block] for i in range(0, len(waiting), block)]
        first = source.take(runs[0]) if runs else new
        if source.access >= Access.RANDOM and source.count is not None:
            # All of the source says more of it than how it begins.
            encoder = self._begin(np.arange(source.count), source.take)
        else:
            encoder = self._begin(np.arange(len(first)), lambda numbers: first[numbers])
        for run in runs:
            frames = source.take(run)
            self._typical.add(frames)
            encoder.add(frames)
        return encoder

    def _reorder(self, prints: Fingerprints, firsts: Numbers) -> Arrangement:
        """Encode pile after pile, from frames that can be read again."""
        source, step = self.setup.source, self.setup.chunk[0]

        def take(numbers: Numbers) -> Pixels:
            return source.take(firsts[numbers])

        self._tell(0, "choosing an order")
        if self._by_hash and prints.dhash is not None:
            found = arrange_by_hash(prints.dhash[firsts])
        else:
            always = self.setup.method.ordering == Ordering.SIMILAR
            found = arrange(self._features, take, self.setup.crew.coding, always)
        self._count = len(firsts)
        under_way = deque[PileEncoder]()  # small piles are encoded at the same time
        for pile in found.piles:
            encoder = self._begin(pile, take)
            for start in range(0, len(pile), step):
                encoder.add(take(pile[start : start + step]))
            encoder.submit_rest()
            under_way.append(encoder)
            if len(under_way) > self.setup.crew.size:
                under_way.popleft().finish()
        for encoder in under_way:
            encoder.finish()
        return found

    def _why_in_order(self) -> str:
        """Say why frames were not reordered, if not because the method keeps their order."""
        ordering, profile = self.setup.method.ordering, self.setup.wish.profile
        if ordering == Ordering.GIVEN:
            return "time order"
        if profile.in_order and ordering == Ordering.AUTO:
            return f"time order, as profile {profile.name} keeps it"
        return (
            "time order: the source runs only once and is too large to be spooled "
            "(see --spool-limit)"
        )

    def _sentence(self, arrangement: Arrangement) -> str:
        """Say in which order frames were put."""
        gain = arrangement.gain
        if not arrangement.reordered:
            if gain is None:
                return "time order, which is similarity order"
            return "time order: similarity order is not 1 % smaller in a sample"
        saved = f", {1 - gain:.0%} smaller in a sample" if gain is not None else ""
        source = self.setup.source
        spooled = isinstance(source, Spool) and source.complete
        how = "spooled to disk" if spooled else "read again in that order"
        piles = f"{len(arrangement.piles)} pile{'s' * (len(arrangement.piles) > 1)}"
        order = "similarity order, "
        if self._by_hash:
            order, piles = "", f"{piles} of near image hashes (dhash)"
        return f"{order}{piles}{saved}; frames were {how}"

    def _begin(self, pile: Numbers, take: Take) -> PileEncoder:
        """Begin a pile."""
        if not self._codings:
            self._tell(0, "choosing how to code")
        coder, writer = self._begin_pile(pile, take)
        if not self._codings:
            self._tell(0)
        self._codings.append(str(coder))
        before = self.setup.before
        tail = before.tail() if before is not None and before.extends else ()
        shift = writer.shape[0]  # frames that are there already
        encoder = self.setup.crew.encoder(
            writer, coder, self.setup.chunk, start=shift - len(tail), block=self._note_written,
            noise=self.setup.template.noise,
        )  # fmt: skip
        if len(tail):  # the block that is not full is coded again, with what goes on
            encoder.add(np.asarray(tail))
            self._written -= len(tail)
        if not self.setup.template.lossless:
            self._encoders.append(encoder)
        return encoder

    def _writer(self, coder: Coder, mean: Pixels | None = None) -> PileWriter:
        """Return what takes the blocks of a pile: a new one, or the one that goes on."""
        if self.setup.before is not None and self.setup.before.extends:
            return self.setup.writer.go_on(str(coder))
        return self.setup.writer.add_pile(str(coder), coder.options(), mean)

    def _note_written(self, frames: int) -> None:
        self._written += frames
        self._tell(max(0, self._written))

    def _loss(self, order: Order) -> loss.Loss:
        """Return how far the stack is from its input."""
        new = order.pile >= 0
        if self.setup.template.lossless or not new.any():
            return loss.NO_LOSS
        piles = [loss.join(encoder.losses) for encoder in self._encoders]
        dtype = self.setup.source.dtype
        lost = loss.total(
            piles, order.pile[new], order.position[new], dtype, self.setup.template.noise
        )
        return loss.together(lost, int(new.sum()), loss.NO_LOSS, int((~new).sum()))

    def _crc32(self, order: Order, prints: Fingerprints) -> npt.NDArray[np.uint32]:
        """Return the CRC-32 of each frame as a reader gets it."""
        found = prints.crc32.copy()
        for number, encoder in enumerate(self._encoders):
            here = order.pile == number
            found[here] = np.concatenate(encoder.crc32)[order.position[here]]
        return found

    def _order(self, piles: list[Numbers], firsts: Numbers) -> Order:
        """Return where each frame is; a copy is where the first of its kind is."""
        typical = [int(firsts[self._typical_of(held)]) for held in piles]
        # The last place is for frames that are stored already.
        pile, position = np.full((2, len(firsts) + 1), -1)
        for number, held in enumerate(piles):
            pile[held], position[held] = number, np.arange(len(held))
        if len(firsts) == self._survey.count:  # none is a copy
            return Order(pile[:-1], position[:-1], piles, typical)
        members = [firsts[held] for held in piles]
        numbers = self._survey.numbers()
        old = numbers < 0
        place = np.where(old, -1, numbers)
        found = np.where(old, -1 - numbers, position[place])
        return Order(pile[place], found, members, typical)

    def _typical_of(self, pile: Numbers) -> int:
        """Return which new frame stands for a pile."""
        if self._in_order is not None:
            return self._typical.number
        some = pile[:: -(-len(pile) // MOST_COMPARED)]
        return int(some[nearest_to_mean(self._features.take(some))])


class VideoPacking(PilePacking):
    """Piles as blocks of this package's filter, whose coding is chosen from a sample of each."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._chooser = SettlingChooser(
            Chooser(
                wish=setup.wish, template=setup.template, chunk=setup.chunk,
                pool=setup.crew.coding, timed=setup.options.explain, memory=setup.journal,
                tell=functools.partial(self._tell, 0, "choosing how to code"),
            )
        )  # fmt: skip

    def _begin_pile(self, pile: Numbers, take: Take) -> tuple[Coder, PileWriter]:
        setup = self.setup
        choice = self._chooser.choose(pile, take)
        if setup.options.explain:
            self._trials.append(list(choice.trials))
        coder = BlockCoder(choice.recipe, setup.options.verify)
        maker = setup.crew.coder(coder)
        if setup.journal is not None:
            maker = ResumingCoder(coder, maker, setup.journal)
        return maker, self._writer(maker)


class PlainPacking(PilePacking):
    """Piles of pixels in chunks that any HDF5 reads."""

    def _begin_pile(self, pile: Numbers, take: Take) -> tuple[Coder, PileWriter]:
        coder = self._plain()
        return coder, self._writer(coder)

    def _plain(self) -> Coder:
        """Return the coder of chunks, to be run by workers if there is more to do than sums."""
        setup, method = self.setup, self.setup.method
        coder = PlainCoder(setup.chunk, method.level, method.shuffle, setup.options.verify)
        return coder if method.level is None else setup.crew.coder(coder)


class DifferencePacking(PlainPacking):
    """Piles as their mean, and the difference of each frame to it in plain chunks."""

    def _begin_pile(self, pile: Numbers, take: Take) -> tuple[Coder, PileWriter]:
        mean = self._mean(pile, take)
        coder = DifferenceCoder(mean, self._plain())
        return coder, self._writer(coder, mean)

    def _mean(self, pile: Numbers, take: Take) -> Pixels:
        """Return the mean of a pile's frames."""
        source = self.setup.source
        total = np.zeros(source.frame)
        size = window_frames(source.frame, source.dtype.itemsize)
        with np.errstate(all="ignore"):  # of values too large to add; any image will do as the mean
            for start in range(0, len(pile), size):
                frames = take(pile[start : start + size]).astype(np.float64)
                total += np.nan_to_num(frames, nan=0, posinf=0, neginf=0).sum(axis=0)
            return mean_frame(np.nan_to_num(total), len(pile), source.dtype)
