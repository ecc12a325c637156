"""The frames of a source on their way: survey, order, choice of codings, encoders."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ..choosing import planning, trials
from ..choosing.methods import Kept, Method, Ordering
from ..choosing.quality import Wish
from ..choosing.sampling import Take, sample
from ..choosing.trials import Trial
from ..codecs import loss
from ..codecs.recipe import Recipe
from ..layout.writer import Order, StackWriter
from ..pool import Progress, Step
from ..shapes import CHUNK_FRAMES, Numbers, Pixels, Shape, frame_bytes, window_frames
from ..similar.fingerprints import Fingerprints
from ..sources.source import Access, Source
from ..sources.spool import Spool
from .appending import Earlier
from .coders import BlockCoder, Coder, DifferenceCoder, PlainCoder, mean_frame
from .crew import Crew
from .encoder import PileEncoder
from .journal import Journal, ResumingCoder
from .survey import Survey

BATCH_BYTES = 16 << 20
"""Small blocks are surveyed together up to so many bytes."""


def stays_in_order(method: Method, wish: Wish) -> bool:
    """Whether frames are not to be reordered, whatever they are."""
    keeps = method.ordering == Ordering.AUTO and wish.profile.in_order
    return method.ordering == Ordering.GIVEN or keeps


@dataclass
class Packing:
    """Frames of one source on their way into one stack; see `pack`.

    Attributes
    ----------
    store
        The source, or a spool of it.
    wish, template
        How to code, as far as that is given.
    before
        The stack that frames are added to.
    journal
        Blocks of an interrupted run.
    in_given_order
        Afterwards: whether frames were not reordered.
    """

    store: Source
    writer: StackWriter
    method: Method
    wish: Wish
    template: Recipe
    explain: bool
    chunk: Shape
    verify: bool
    crew: Crew
    progress: Progress | None
    before: Earlier | None = None
    journal: Journal | None = None
    in_given_order: bool = True
    codings: list[str] = field(default_factory=list)
    trials: list[list[Trial]] = field(default_factory=list)
    _encoders: list[PileEncoder] = field(default_factory=list)

    def run(self, hashes: bool) -> tuple[Order, Fingerprints, str]:
        """Pack everything; say where frames are, what they are, and why in that order."""
        self._written, self._count = 0, self.store.count
        self._encoder: PileEncoder | None = None  # of frames in their order
        with self.crew:
            by_hash = self.method.ordering == Ordering.HASHED
            stored = self.before.firsts() if self.before is not None else ()
            self._survey = Survey(
                self.crew.here,
                self.crew.lookers,
                hashes or by_hash,
                self._earlier,
                zip(*(table.tolist() for table in stored), strict=True),
            )
            for new in self._survey.new_frames(self.store.batches(self._batch_frames())):
                self._take_in(new)
            prints = self._survey.prints(self.store.name)
            self._firsts = self._survey.firsts()
            self._features = prints.feature[self._firsts]
            if self._encoder is not None:
                self._encoder.finish()
                piles = [np.arange(len(self._firsts))]
                sentence = "time order"
                if self.wish.profile.in_order and self.method.ordering == Ordering.AUTO:
                    sentence += f", as profile {self.wish.profile.name} keeps it"
                elif self.method.ordering != Ordering.GIVEN:
                    sentence += (
                        ": the source runs only once and is too large to be spooled "
                        "(see --spool-limit)"
                    )
            elif not len(self._firsts):
                piles, sentence = list[Numbers](), "each frame equals an earlier one"
            else:
                piles, sentence = self._reorder(prints)
            if len(prints) != self._written:
                self._count = len(prints)
                self._tell(len(prints))
            if not hashes:
                prints = replace(prints, phash=None, ahash=None, dhash=None)
            return self._order(piles), prints, sentence

    def _batch_frames(self) -> int:
        """Whole blocks of about 16 frames: hashing one frame takes as long as hashing four."""
        size = frame_bytes(self.store.frame, self.store.dtype.itemsize)
        wanted = min(CHUNK_FRAMES, BATCH_BYTES // size)
        return self.chunk[0] * max(1, wanted // self.chunk[0])

    def _take_in(self, new: Pixels) -> None:
        """Encode new frames at once, if they cannot be had again; else wait for the rest."""
        in_order = stays_in_order(self.method, self.wish) or self.store.access == Access.ONCE
        if self._encoder is None and in_order and len(new):
            waiting = self._survey.firsts()[: self._survey.unique - len(new)]
            runs = [waiting[i : i + self.chunk[0]] for i in range(0, len(waiting), self.chunk[0])]
            first = self.store.take(runs[0]) if runs else new
            if self.store.access >= Access.RANDOM and self.store.count is not None:
                all_of_it = np.arange(self.store.count)  # says more than how it begins
                self._encoder = self._begin(all_of_it, self.store.take)
            else:
                self._encoder = self._begin(np.arange(len(first)), lambda numbers: first[numbers])
            for run in runs:
                self._encoder.add(self.store.take(run))
        if self._encoder is not None:
            self._encoder.add(new)
        else:
            self._tell(self._survey.count, "looking")

    def _earlier(self, number: int) -> Pixels:
        """The pixels of a new frame that has been passed, or of a stored one (see `Survey`)."""
        if number < 0 and self.before is not None:
            return self.before.frame(-1 - number)
        if self._encoder is not None and self.store.access == Access.ONCE:
            return self._encoder.frame(self._shift + number)
        frame: Pixels = self.store.take(np.array([self._survey.first(number)]))[0]
        return frame

    def _reorder(self, prints: Fingerprints) -> tuple[list[Numbers], str]:
        """Encode pile after pile, from frames that can be read again."""

        def take(numbers: Numbers) -> Pixels:
            return self.store.take(self._firsts[numbers])

        self._tell(0, "choosing an order")
        if self.method.ordering == Ordering.HASHED and prints.dhash is not None:
            plan = planning.plan_by_hash(prints.dhash[self._firsts])
        else:
            always = self.method.ordering == Ordering.SIMILAR
            plan = planning.plan(self._features, take, self.crew.coding, always)
        step = self.chunk[0]
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
        order = "similarity order, "
        if self.method.ordering == Ordering.HASHED:
            order, piles = "", f"{piles} of near image hashes (dhash)"
        return f"{order}{piles}{saved}; frames were {how}"

    def _begin(self, pile: Numbers, take: Take) -> PileEncoder:
        """Begin a pile."""
        if not self._encoders:
            self._tell(0, "choosing how to code")
        coder, tried, mean = self._coder(pile, take)
        if not self._encoders:
            self._tell(0)
        self.codings.append(str(coder))
        self.trials.append(tried)
        tail: Pixels | tuple[()] = ()
        if self.before is not None and self.before.extends:
            writer, tail = self.writer.go_on(str(coder)), self.before.tail()
        else:
            writer = self.writer.add_pile(str(coder), coder.options(), mean)
        self._shift = len(writer.data)  # positions that earlier frames have
        encoder = PileEncoder(
            self.crew.encoders,
            self.crew.size,
            writer,
            coder,
            self.chunk,
            start=self._shift - len(tail),
            block=self._note_written,
        )
        if len(tail):  # the block that is not full is coded again, with what goes on
            encoder.add(np.asarray(tail))
            self._written -= len(tail)
        self._encoders.append(encoder)
        return encoder

    def _coder(self, pile: Numbers, take: Take) -> tuple[Coder, list[Trial], Pixels | None]:
        """How a pile is coded: as the method says, or chosen from some of its frames."""
        recipe = self.template
        tried: list[Trial] = []
        if self.method.kept != Kept.VIDEO:
            how = (self.chunk, self.method.level, self.method.shuffle, self.verify)
            plain: Coder = PlainCoder(*how)
            if self.method.level is not None:  # else there is nothing to do but sums
                plain = self.crew.coder(plain)
            if self.method.kept == Kept.PLAIN:
                return plain, tried, None
            mean = self._mean(pile, take)
            return DifferenceCoder(mean, plain), tried, mean
        if self.wish.fixed is None:
            profile = self.wish.profile
            samples = sample(pile, self.chunk[0], profile, take)

            def choose() -> Recipe:
                chosen, tried[:] = trials.choose(
                    samples, profile, self.wish.codec, self.template, self.chunk[0],
                    self.crew.coding, self.explain,
                )  # fmt: skip
                return chosen

            if self.journal is None:
                recipe = choose()
            else:
                wanted = f"{profile.name} {self.wish.codec} {self.chunk}"
                recipe = self.journal.choice(samples, recipe, wanted, choose)
        coder = BlockCoder(recipe, self.verify)
        maker = self.crew.coder(coder)
        if self.journal is not None:
            maker = ResumingCoder(coder, maker, self.journal)
        return maker, tried, None

    def _mean(self, pile: Numbers, take: Take) -> Pixels:
        """The mean of a pile's frames."""
        total = np.zeros(self.store.frame)
        size = window_frames(self.store.frame, self.store.dtype.itemsize)
        with np.errstate(all="ignore"):  # any image does, if this one cannot be had
            for start in range(0, len(pile), size):
                frames = take(pile[start : start + size]).astype(np.float64)
                total += np.nan_to_num(frames, nan=0, posinf=0, neginf=0).sum(axis=0)
            return mean_frame(np.nan_to_num(total), len(pile), self.store.dtype)

    def loss(self, order: Order) -> loss.Loss:
        """How far the stack is from its input."""
        new = order.pile >= 0
        if self.template.lossless or not new.any():
            return loss.NO_LOSS
        piles = [loss.join(encoder.losses) for encoder in self._encoders]
        lost = loss.total(piles, order.pile[new], order.position[new], self.store.dtype)
        return loss.together(lost, int(new.sum()), loss.NO_LOSS, int((~new).sum()))

    def crc32(self, order: Order, given: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """CRC-32 of each frame as a reader gets it."""
        found = given.copy()
        for number, encoder in enumerate(self._encoders):
            here = order.pile == number
            found[here] = np.concatenate(encoder.crc32)[order.position[here]]
        return found

    def _note_written(self, frames: int) -> None:
        self._written += frames
        self._tell(max(0, self._written))

    def _tell(self, frames: int, doing: str = "") -> None:
        """Say how far it has come."""
        if self.progress is None:
            return
        raw = 0 if doing else frames * frame_bytes(self.store.frame, self.store.dtype.itemsize)
        self.progress(Step(frames, self._count, doing, raw, self.writer.stored_bytes))

    def _order(self, piles: list[Numbers]) -> Order:
        """Where each frame is, copies where their first is."""
        numbers = self._survey.numbers()
        old = numbers < 0
        pile, position = np.full((2, len(self._firsts) + 1), -1)  # the last one of old frames
        for number, held in enumerate(piles):
            pile[held], position[held] = number, np.arange(len(held))
        members = [self._firsts[held] for held in piles]
        typical = [
            int(frames[planning.typical(self._features[held])])
            for frames, held in zip(members, piles, strict=True)
        ]
        place = np.where(old, -1, numbers)
        return Order(pile[place], np.where(old, -1 - numbers, position[place]), members, typical)
