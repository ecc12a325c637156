"""Which codings a profile tries, and which it takes: the choice for each pile."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from . import block
from .codecs import PRESETS, Coding
from .codecs.transforms import Colour, Predictor, Values
from .errors import UnsupportedError
from .geometry import CHUNK_FRAMES, frame_bytes
from .recipe import Recipe, too_deep

Pixels = npt.NDArray[Any]

FIRST_LOOK = 4
"""At first, so much less of a sample is coded in every way."""
LEAST_LOOK = 1 << 15
"""But so many bytes of each run."""
LEAST_ROWS = 48
"""Of a stripe: three of the macroblocks that video codecs deal in."""
CLOSE = 1.25
"""All of it is coded by what came so close to the smallest,"""
FEW = 5
"""but, unless size is all that matters, by no more than so many."""


@dataclass(frozen=True)
class Profile:
    """What matters, and how much.

    Attributes
    ----------
    tolerance
        A candidate is taken before smaller ones that are slower, if it is larger by no
        more than this share.
    presets
        Codings of streams, the fastest first.
    predictors
        With which they are tried.
    low_bits
        How many of more than 8 bits may be split off; 8, and all but 8, are always tried.
    sample_share, sample_least, sample_most
        Of a pile's bytes: how much is sampled.
    sample_frames
        Frames of a run of the sample at most.
    """

    name: str
    tolerance: float
    presets: tuple[str, ...]
    predictors: tuple[Predictor, ...]
    low_bits: tuple[int, ...]
    sample_share: float
    sample_least: int
    sample_most: int
    sample_frames: int

    @property
    def in_order(self) -> bool:
        """Whether method auto does without a second pass for similarity order."""
        return self.name == "fast"

    def chunk_frames(self, frame: tuple[int, ...], itemsize: int) -> int:
        """Frames a block."""
        if self.name == "small":
            return 256
        if self.name == "balanced":
            return CHUNK_FRAMES
        # To read one frame is to decode a block; a block has a cost of its own, too.
        return max(1, min(CHUNK_FRAMES, (128 << 10) // frame_bytes(frame, itemsize)))


_FAST = ("raw", "magicyuv-left", "magicyuv", "ffvhuff", "ffvhuff-median", "deflate-fast")
_BALANCED = ("raw", "deflate", "x264-fast", "ffv1", "ffv1-context", "x264-interm")
_SMALL = (*_BALANCED, "x264-slow", "lzma-slow")

PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "fast", 0.1, _FAST, (Predictor.NONE, Predictor.LEFT), (),
            1 / 64, 1 << 18, 1 << 22, 16,
        ),
        Profile(
            "balanced", 0.02, _BALANCED, (Predictor.NONE, Predictor.PREVIOUS, Predictor.LINEAR),
            (2, 4, 6), 1 / 32, 1 << 19, 1 << 22, 16,
        ),
        Profile(
            "small", 0.0, _SMALL, tuple(Predictor), tuple(range(1, 9)),
            1 / 4, 1 << 23, 1 << 26, 64,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """What came of a candidate on a sample.

    Attributes
    ----------
    recipe
        In words.
    sample_bytes, stored_bytes
        Of the sample's frames, and of their blocks.
    encode_seconds, decode_seconds
        Of one core.
    chosen
        Whether the pile is coded so.
    """

    recipe: str
    sample_bytes: int
    stored_bytes: int
    encode_seconds: float
    decode_seconds: float
    chosen: bool


_Result = tuple[int, float]
"""Bytes, and seconds to encode them."""


@dataclass(frozen=True)
class _Family:
    """Recipes that differ in nothing but how their parts are coded."""

    recipe: Recipe
    codings: tuple[Coding, ...]


def choose(
    samples: Sequence[Pixels],
    profile: Profile,
    codec: str | None,
    template: Recipe,
    pool: Executor,
    timed: bool,
) -> tuple[Recipe, list[Trial]]:
    """Choose how to code a pile by coding samples of it.

    Parameters
    ----------
    samples
        Runs of its frames, ``(n, H, W[, C])``.
    codec
        Only this one's codings; None: the profile's.
    template
        What is not to be chosen.
    timed
        Measure speeds, too, for people to see; the choice does not depend on them.

    Raises
    ------
    UnsupportedError
        If `codec` does not hold pixels of so many bits.
    """
    codings = _codings(profile, codec)
    small = [_first_look(sample) for sample in samples[:: max(1, len(samples) // 3)]]
    template = replace(template, colour=_better_colour(small, template))
    bits = max(block.prepare(sample, template)[0].bits for sample in samples)
    if not bits:
        return replace(template, top=codings[-1]), []
    families = _families(bits, codings, profile, template, codec is not None)
    if not families:
        raise UnsupportedError(too_deep(codings[0], bits))
    begun = [(family, _try(family, bits, small, profile, pool)) for family in families]
    size = sum(sample.nbytes for sample in small)
    found = [one for pair in begun for one in _candidates(*pair, size, profile)]
    found.sort(key=lambda candidate: candidate[1].stored_bytes)
    limit = CLOSE * found[0][1].stored_bytes
    count = sum(trial.stored_bytes <= limit for _, trial in found)
    if profile.tolerance:
        count = min(count, FEW)
    close = [recipe for recipe, _ in found[:count]]
    weighed = [(recipe, _weigh(recipe, samples, pool, timed)) for recipe in close]
    sizes = [(recipe.top, trial.stored_bytes) for recipe, trial in weighed]
    best, _ = weighed[_fastest_of_smallest(sizes, profile)]
    trials = [replace(trial, chosen=recipe is best) for recipe, trial in weighed]
    return best, trials + [trial for _, trial in found[count:]]


def _first_look(sample: Pixels) -> Pixels:
    """A small part of a run: two frames or, if they are tiny, more; of large ones the middle."""
    wanted = max(sample.nbytes / FIRST_LOOK, LEAST_LOOK)
    few = sample[: max(2, int(wanted / sample[0].nbytes))]
    return crop(few, math.prod(few.shape[1:3]) * wanted / few.nbytes)


def crop(frames: Pixels, pixels: float) -> Pixels:
    """The middle of frames that have more than so many pixels, as a copy."""
    height, width = frames.shape[1:3]
    scale = min(1.0, (pixels / (height * width)) ** 0.5)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (height - rows) // 2, (width - columns) // 2
    return frames[:, top : top + rows, left : left + columns].copy()


def stripe(frames: Pixels, pixels: float, where: float) -> Pixels:
    """A few rows of frames that have more than so many pixels, as a copy.

    Parameters
    ----------
    where
        0 for those at the top, 1 for the bottom.
    """
    height, width = frames.shape[1:3]
    rows = min(height, max(LEAST_ROWS, round(pixels / width)))
    columns = min(width, max(1, round(pixels / rows)))
    top, left = round((height - rows) * where), (width - columns) // 2
    return frames[:, top : top + rows, left : left + columns].copy()


def _codings(profile: Profile, codec: str | None) -> list[Coding]:
    if codec is None:
        return [Coding(preset=name) for name in profile.presets]
    rows = [row for row in PRESETS.values() if row.codec.name == codec]
    usual = [row.name for row in rows if row.name in profile.presets]
    return [Coding(preset=name) for name in usual or [Coding.of(codec).preset]]


def _better_colour(samples: Sequence[Pixels], template: Recipe) -> Colour:
    """How channels become components."""
    if samples[0].ndim == 3:
        return Colour.NONE
    quick = Coding(preset="ffvhuff")
    sizes = {}
    for colour in reversed(Colour):
        recipe = replace(template, colour=colour, top=quick)
        sizes[colour] = sum(len(block.encode(frames, recipe, verify=False)) for frames in samples)
    return min(sizes, key=sizes.__getitem__)


def _families(
    bits: int, codings: Sequence[Coding], profile: Profile, template: Recipe, named: bool
) -> list[_Family]:
    """What to try for values of so many bits."""
    bytewise = tuple(coding for coding in codings if coding.engine.bytewise)
    pictures = tuple(coding for coding in codings if not coding.engine.bytewise)
    found = []
    for predictor in profile.predictors:
        for fold in (False, True):
            if predictor == Predictor.NONE:
                allowed = () if fold else tuple(codings)
            elif fold:
                allowed = bytewise
            else:  # pictures of differences still have edges, as noise along a line has not
                allowed = tuple(
                    coding
                    for coding in pictures
                    if coding.codec == "ffv1" and predictor == Predictor.PREVIOUS
                )
            whole = named and not bytewise
            splits = _splits(bits, profile, predictor, whole) if allowed else []
            if bits > 8 and fold:
                splits = [widths for widths in splits if widths]  # only raw takes so many
            for widths in splits:
                recipe = replace(template, predictor=predictor, fold=fold)
                low = tuple((width, allowed[0]) for width in widths)
                family = _Family(replace(recipe, low=low), allowed)
                if all(_fitting(allowed, width) for width in _widths(widths, bits)):
                    found.append(family)
    return found


def _splits(
    bits: int, profile: Profile, predictor: Predictor, whole: bool
) -> list[tuple[int, ...]]:
    """Widths of the low parts into which values may be split."""
    if bits <= 8 or whole:
        return [()]
    if bits <= 16:
        low = profile.low_bits if predictor == Predictor.NONE else ()
        widths = {*(width for width in low if width < bits), 8, bits - 8}
        return [(), *((width,) for width in sorted(widths, reverse=True))]
    in_bytes = (8,) * (-(-bits // 8) - 1)
    return [in_bytes, in_bytes[:-1]]


def _widths(low: tuple[int, ...], bits: int) -> tuple[int, ...]:
    return (*low, bits - sum(low))


def _fitting(codings: Sequence[Coding], bits: int) -> list[Coding]:
    return [coding for coding in codings if coding.engine.depth_for(bits) is not None]


def _try(
    family: _Family,
    bits: int,
    samples: Sequence[Pixels],
    profile: Profile,
    pool: Executor,
) -> list[list[tuple[Coding, Future[_Result]]]]:
    """Begin to code every part in every way: for each part its codings and what comes of them."""
    prepared = [block.prepare(sample, family.recipe)[1] for sample in samples]
    low, parts = 0, []
    widths = _widths(tuple(width for width, _ in family.recipe.low), bits)
    for number, width in enumerate(widths):
        fitting = _fitting(family.codings, width)
        last = number == len(widths) - 1
        if last and len(fitting) > 1:  # it is what nothing else shrinks
            fitting = [coding for coding in fitting if coding.codec != "raw"]
        elif not last and profile.tolerance:  # these are nearly noise: nothing moves there
            fitting = [coding for coding in fitting if coding.codec != "x264"] or fitting
        parts.append(
            [(coding, pool.submit(_measure, prepared, low, width, coding)) for coding in fitting]
        )
        low += width
    return parts


def _candidates(
    family: _Family,
    parts: Sequence[Sequence[tuple[Coding, Future[_Result]]]],
    size: int,
    profile: Profile,
) -> Iterator[tuple[Recipe, Trial]]:
    """The best coding of each part together; or all, where there is one part."""
    done = [[(coding, *task.result()) for coding, task in part] for part in parts]
    if len(done) == 1:
        chosen = [[result] for result in done[0]]
    else:
        sizes = [[(coding, stored) for coding, stored, _ in part] for part in done]
        chosen = [
            [
                part[_fastest_of_smallest(sizes_of_part, profile)]
                for part, sizes_of_part in zip(done, sizes, strict=True)
            ]
        ]
    for results in chosen:
        low = tuple(
            (width, coding)
            for (width, _), (coding, *_) in zip(family.recipe.low, results[:-1], strict=True)
        )
        recipe = replace(family.recipe, low=low, top=results[-1][0])
        stored = sum(stored for _, stored, _ in results)
        seconds = sum(seconds for *_, seconds in results)
        yield recipe, Trial(str(recipe), size, stored, seconds, 0.0, False)


def _measure(prepared: Sequence[Sequence[Values]], low: int, width: int, coding: Coding) -> _Result:
    """Code some bits of samples."""
    size, started = 0, time.perf_counter()
    for components in prepared:
        for number, component in enumerate(components):
            if low < 8 * component.itemsize:
                stream = block.encode_part(component, number, (low, width, coding))
                size += stream.nbytes if stream is not None else 0
    return size, time.perf_counter() - started


def _weigh(recipe: Recipe, samples: Sequence[Pixels], pool: Executor, timed: bool) -> Trial:
    """Code samples as blocks."""

    def code(frames: Pixels) -> tuple[int, float, float]:
        started = time.perf_counter()
        data = block.encode(frames, recipe, verify=False)
        coded = time.perf_counter()
        if timed:
            block.decode(data, block.whole_shape(frames), frames.dtype)
        return len(data), coded - started, time.perf_counter() - coded if timed else 0.0

    results = list(pool.map(code, samples))
    stored, encoding, decoding = (sum(column) for column in zip(*results, strict=True))
    size = sum(sample.nbytes for sample in samples)
    return Trial(str(recipe), size, int(stored), encoding, decoding, False)


def _fastest_of_smallest(sizes: Sequence[tuple[Coding, int]], profile: Profile) -> int:
    """Which of some codings, with their bytes, a profile takes."""
    most = min(size for _, size in sizes) * (1 + profile.tolerance)
    order = sorted(range(len(sizes)), key=lambda place: _slowness(sizes[place][0], profile))
    return next(place for place in order if sizes[place][1] <= most)


def _slowness(coding: Coding, profile: Profile) -> int:
    """Rank of a coding: names stand in the order of their speed."""
    names = profile.presets
    return names.index(coding.preset) if coding.preset in names else len(names)
