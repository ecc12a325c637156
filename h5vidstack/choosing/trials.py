"""Which coding a pile gets: a `Chooser` tries on samples what the profile allows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Protocol

from ..codecs import block
from ..codecs.block_format import Stream, seal
from ..codecs.recipe import TOP_BITS, Recipe, too_deep
from ..codecs.registry import PRESETS, Coding
from ..codecs.transforms import Colour, Predictor
from ..errors import UnsupportedError
from ..pool import in_order
from ..shapes import Numbers, Pixels
from .profiles import Profile
from .quality import Wish
from .sampling import Take, first_look, sample

LONG_SHOT = 2.5
"""Thorough codecs of bytes are tried if a faster one came this close to the smallest size: on real
stacks LZMA took 0.47 (noise-free) to 0.97 of what deflate took."""
LIKELY = 2
"""So many predictors are tried with thorough codecs, those that suit a faster one best."""
FEW = 4
"""Most candidates that code all of a sample, unless size is all that matters."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of a candidate on a sample.

    Attributes
    ----------
    recipe
        The candidate, in words.
    sample_bytes, stored_bytes
        Bytes of the sample's frames, and of their share of whole blocks like the sample.
    encode_seconds, decode_seconds
        Seconds on one core.
    chosen
        Whether the pile is coded by this candidate.
    """

    recipe: str
    sample_bytes: int
    stored_bytes: int
    encode_seconds: float
    decode_seconds: float
    chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class ChosenRecipe:
    """How a pile is coded, and what was tried to find that out; nothing, if it was given."""

    recipe: Recipe
    trials: Sequence[Trial] = ()


class ChoiceStore(Protocol):
    """Keeps choices, so that a resumed run need not make them again."""

    def choice(
        self,
        samples: Sequence[Pixels],
        wish: str,
        template: Recipe,
        choose: Callable[[], ChosenRecipe],
    ) -> ChosenRecipe:
        """Return what was chosen for such samples before, or choose now."""


@dataclass(frozen=True, kw_only=True)
class Chooser:
    """Chooses how piles are coded, by coding samples of them.

    Attributes
    ----------
    wish
        What the user asks for.
    template
        The recipe, except for what is chosen.
    chunk
        Shape of a whole block, ``(G, h, w[, C])``.
    pool
        Codes the samples.
    timed
        Measure speeds, too, for people to see. The choice does not depend on them.
    memory
        Keeps the choices of an interrupted run.
    tell
        Called each time a sample was coded. What it raises ends the choice.
    """

    wish: Wish
    template: Recipe
    chunk: Sequence[int]
    pool: Executor
    timed: bool = False
    memory: ChoiceStore | None = None
    tell: Callable[[], None] = lambda: None

    def choose(self, pile: Numbers, take: Take) -> ChosenRecipe:
        """Choose how a pile is coded, whose frames `take` gives by their numbers.

        Raises
        ------
        UnsupportedError
            If the codec that was asked for does not hold pixels of so many bits.
        """
        fixed = self.wish.fixed is not None
        return self.choose_by([] if fixed else self.samples(pile, take))

    def samples(self, pile: Numbers, take: Take) -> list[Pixels]:
        """Take the sample of a pile: parts of runs of its frames."""
        return sample(pile, self.chunk[0], self.wish.profile, take)

    def choose_by(self, samples: Sequence[Pixels]) -> ChosenRecipe:
        """Choose how a pile with such samples is coded; see `choose`."""
        if self.wish.fixed is not None:
            return ChosenRecipe(recipe=self.template)
        if self.memory is None:
            return self._tried(samples)
        wish = f"{self.wish.profile.name} {self.wish.codec} {self.chunk}"
        return self.memory.choice(samples, wish, self.template, lambda: self._tried(samples))

    def share(self, recipe: Recipe, samples: Sequence[Pixels]) -> float:
        """Return the stored bytes of frames like some samples, as a share of their raw bytes."""
        (weighed,) = self.weigh([recipe], samples)
        return weighed.stored_bytes / weighed.sample_bytes

    def _tried(self, samples: Sequence[Pixels]) -> ChosenRecipe:
        """Choose by trying all that is allowed on a part of the samples, then the best on all."""
        profile = self.wish.profile
        wanted = codings(profile, self.wish.codec)
        step = math.ceil(len(samples) / profile.looks)
        small = [first_look(sample) for sample in samples[::step]]
        template = self._with_colour(wanted[-1], samples, small)
        bits = max(block.to_values(sample, template)[0].bits for sample in samples)
        if not bits:
            return ChosenRecipe(recipe=replace(template, top=wanted[-1]))
        alone = min(self.chunk[0], max(map(len, samples))) == 1
        recipes = candidates(bits, wanted, template, profile, alone)
        if not recipes:
            raise UnsupportedError(too_deep(wanted[0], bits))
        looked = self._looked(recipes, small)
        recipes = [recipe for recipe in recipes if recipe in looked]
        falling = sorted(recipes, key=lambda recipe: looked[recipe].stored_bytes)
        limit = profile.close * looked[falling[0]].stored_bytes
        close = [recipe for recipe in falling if looked[recipe].stored_bytes <= limit]
        close = close[: FEW if profile.tolerance else None]
        weighed = dict(zip(close, self.weigh(close, samples, self.timed), strict=True))
        most = (1 + profile.tolerance) * min(trial.stored_bytes for trial in weighed.values())
        # The candidates stand in the order of their speed.
        best = next(one for one in recipes if one in weighed and weighed[one].stored_bytes <= most)
        weighed[best] = replace(weighed[best], chosen=True)
        rest = (looked[one] for one in falling if one not in weighed)
        return ChosenRecipe(recipe=best, trials=[*weighed.values(), *rest])

    def _looked(self, recipes: Sequence[Recipe], small: Sequence[Pixels]) -> dict[Recipe, Trial]:
        """Weigh recipes on small samples, and of thorough codecs only those that may win."""
        quick = [recipe for recipe in recipes if not recipe.top.codec.thorough]
        looked = dict(zip(quick, self.weigh(quick, small), strict=True))
        sizes = {
            recipe.predictor: trial.stored_bytes
            for recipe, trial in looked.items()
            if recipe.top.codec.predicted
        }
        likely = sorted(sizes, key=lambda predictor: sizes[predictor])[:LIKELY]
        smallest = min((trial.stored_bytes for trial in looked.values()), default=0)
        if likely and sizes[likely[0]] > LONG_SHOT * smallest:
            return looked
        rest = [one for one in recipes if one.top.codec.thorough]
        rest = [one for one in rest if not likely or one.predictor in likely]
        return looked | dict(zip(rest, self.weigh(rest, small), strict=True))

    def _with_colour(
        self, top: Coding, samples: Sequence[Pixels], small: Sequence[Pixels]
    ) -> Recipe:
        """Return the template with the transform of channels that suits colour frames best."""
        if samples[0].ndim <= 3:
            return self.template
        recipes = [replace(self.template, colour=colour, top=top) for colour in Colour]
        sizes = [trial.stored_bytes for trial in self.weigh(recipes, small)]
        return replace(self.template, colour=recipes[sizes.index(min(sizes))].colour)

    def weigh(
        self, recipes: Sequence[Recipe], samples: Sequence[Pixels], timed: bool = False
    ) -> list[Trial]:
        """Code samples as blocks, by each of some recipes; measure speeds if `timed`."""
        code = partial(_code, chunk_frames=self.chunk[0], timed=timed)
        jobs = [(frames, recipe) for recipe in recipes for frames in samples]
        size, trials = sum(sample.nbytes for sample in samples), []
        with closing(in_order(self.pool, code, jobs, len(jobs))) as coded:
            for recipe in recipes:
                results = map(self._told, islice(coded, len(samples)))
                stored, encoding, decoding = map(sum, zip(*results, strict=True))
                trials.append(
                    Trial(
                        recipe=str(recipe), sample_bytes=size, stored_bytes=int(stored),
                        encode_seconds=encoding, decode_seconds=decoding,
                    )
                )  # fmt: skip
        return trials

    def _told(self, result: tuple[int, float, float]) -> tuple[int, float, float]:
        self.tell()
        return result


def codings(profile: Profile, codec: str | None) -> list[Coding]:
    """Return what a profile tries, or what one codec has; the fastest first."""
    if codec is None:
        return [Coding(name) for name in profile.presets]
    own = [row.name for row in PRESETS.values() if row.codec.name == codec]
    usual = [name for name in profile.presets if name in own]
    return [Coding(name) for name in usual or [Coding.of(codec).preset]]


def candidates(
    bits: int, wanted: Sequence[Coding], template: Recipe, profile: Profile, alone: bool
) -> list[Recipe]:
    """Return what to try for values of so many bits, the fastest first.

    Parameters
    ----------
    bits
        Of the values.
    wanted
        The codings.
    template
        The recipe, except for what is chosen.
    profile
        Says which predictors are tried.
    alone
        Whether no frame has another one before it in its block.
    """
    found = []
    lows = [coding for coding in wanted if coding.codec.bytewise] or [template.low]
    for coding in wanted:
        recipe, deepest = replace(template, top=coding), coding.codec.depths[-1]
        if bits <= deepest:
            predictors = profile.predictors if coding.codec.predicted else (Predictor.NONE,)
            found += [
                replace(recipe, predictor=predictor)
                for predictor in predictors
                if not (alone and predictor == Predictor.PREVIOUS)
            ]
        elif deepest >= TOP_BITS:
            found += [replace(recipe, low=low) for low in lows]
    return found


def _code(job: tuple[Pixels, Recipe], chunk_frames: int, timed: bool) -> tuple[int, float, float]:
    """Code a sample as a block; return its bytes, and the seconds to encode and decode it."""
    frames, recipe = job
    started = time.perf_counter()
    assembled, native = block.assemble(frames, recipe)
    data = seal(assembled, native.dtype)
    coded = time.perf_counter()
    projected = sum(
        stream.codec.of_sample * _projected(stream, len(frames), chunk_frames) - stream.nbytes
        for stream in assembled.streams
    )
    stored = len(data) + round(projected)
    if timed:
        block.decode(data, block.whole_shape(frames), frames.dtype)
    seconds = time.perf_counter() - coded if timed else 0.0
    return stored, coded - started, seconds


def _projected(stream: Stream, frames: int, chunk_frames: int) -> int:
    """Return how many bytes a stream's frames would take as their share of a whole block.

    The first frame of a block is often the largest, and a sample has few others.
    """
    first, *rest = map(len, stream.packets)
    if not rest:
        return stream.nbytes
    whole = max(frames, chunk_frames)
    later = (whole - 1) * sum(rest) / len(rest)
    return stream.nbytes - first - sum(rest) + round((first + later) * frames / whole)
