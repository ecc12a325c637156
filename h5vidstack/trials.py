"""Which coding a pile gets: what its profile allows is tried on samples."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy.typing as npt

from . import block
from .block_format import Stream, seal
from .codecs import PRESETS, Coding
from .codecs.transforms import Colour, Predictor, Values
from .errors import UnsupportedError
from .profiles import Profile
from .recipe import Part, Recipe, too_deep
from .sampling import RUNS, first_look

Pixels = npt.NDArray[Any]

CLOSE = 1.25
"""All of it is coded by what came so close to the smallest,"""
FEW = 5
"""but, unless size is all that matters, by no more than so many."""


@dataclass(frozen=True)
class Trial:
    """What came of a candidate on a sample.

    Attributes
    ----------
    recipe
        In words.
    sample_bytes, stored_bytes
        Of the sample's frames, and of their share of whole blocks like the sample.
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
    chunk_frames: int,
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
    chunk_frames
        Frames of a whole block.
    timed
        Measure speeds, too, for people to see; the choice does not depend on them.

    Raises
    ------
    UnsupportedError
        If `codec` does not hold pixels of so many bits.
    """
    codings = _codings(profile, codec)
    small = [first_look(sample) for sample in samples[:: max(1, len(samples) // RUNS)]]
    template = replace(template, colour=_better_colour(small, template))
    bits = max(block.prepare(sample, template)[0].bits for sample in samples)
    if not bits:
        return replace(template, top=codings[-1]), []
    families = _families(bits, codings, profile, template, codec is not None)
    if not families:
        raise UnsupportedError(too_deep(codings[0], bits))
    begun = [
        (family, _try(family, bits, small, profile, chunk_frames, pool)) for family in families
    ]
    size = sum(sample.nbytes for sample in small)
    found = [one for pair in begun for one in _candidates(*pair, size, profile)]
    found.sort(key=lambda candidate: candidate[1].stored_bytes)
    limit = CLOSE * found[0][1].stored_bytes
    count = sum(trial.stored_bytes <= limit for _, trial in found)
    if profile.tolerance:
        count = min(count, FEW)
    close = [recipe for recipe, _ in found[:count]]
    weighed = [(recipe, _weigh(recipe, samples, chunk_frames, pool, timed)) for recipe in close]
    sizes = [(recipe.top, trial.stored_bytes) for recipe, trial in weighed]
    best, _ = weighed[_fastest_of_smallest(sizes, profile)]
    trials = [replace(trial, chosen=recipe is best) for recipe, trial in weighed]
    if all(coding.codec == "raw" for _, _, coding in best.parts(bits)):
        best = replace(template, top=Coding("raw"))  # steps that gain nothing take time
    return best, trials + [trial for _, trial in found[count:]]


def share(recipe: Recipe, samples: Sequence[Pixels], chunk_frames: int, pool: Executor) -> float:
    """Stored bytes of frames like some samples, as a share of their raw bytes."""
    weighed = _weigh(recipe, samples, chunk_frames, pool, False)
    return weighed.stored_bytes / weighed.sample_bytes


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
    chunk_frames: int,
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
            [
                (coding, pool.submit(_measure, prepared, (low, width, coding), chunk_frames))
                for coding in fitting
            ]
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
        chosen = [[part[_fastest_of_smallest(part, profile)] for part in done]]
    for results in chosen:
        low = tuple(
            (width, coding)
            for (width, _), (coding, *_) in zip(family.recipe.low, results[:-1], strict=True)
        )
        recipe = replace(family.recipe, low=low, top=results[-1][0])
        stored = sum(stored for _, stored, _ in results)
        seconds = sum(seconds for *_, seconds in results)
        yield recipe, Trial(str(recipe), size, stored, seconds, 0.0, False)


def _measure(prepared: Sequence[Sequence[Values]], part: Part, chunk_frames: int) -> _Result:
    """Code some bits of samples."""
    size, started = 0, time.perf_counter()
    for components in prepared:
        for number, component in enumerate(components):
            if part[0] < 8 * component.itemsize:
                stream = block.encode_part(component, number, part)
                size += _share(stream, len(component), chunk_frames) if stream is not None else 0
    return size, time.perf_counter() - started


def _share(stream: Stream, frames: int, chunk_frames: int) -> int:
    """How many bytes so many frames would have of a whole block.

    The first frame of a block is often the largest, and a sample has few others.
    """
    first, *rest = map(len, stream.packets)
    if not rest:
        return stream.nbytes
    whole = first + (max(frames, chunk_frames) - 1) * sum(rest) / len(rest)
    return stream.nbytes - first - sum(rest) + round(whole * frames / max(frames, chunk_frames))


def _weigh(
    recipe: Recipe, samples: Sequence[Pixels], chunk_frames: int, pool: Executor, timed: bool
) -> Trial:
    """Code samples as blocks."""
    code = partial(_code, recipe=recipe, chunk_frames=chunk_frames, timed=timed)
    results = list(pool.map(code, samples))
    stored, encoding, decoding = (sum(column) for column in zip(*results, strict=True))
    size = sum(sample.nbytes for sample in samples)
    return Trial(str(recipe), size, int(stored), encoding, decoding, False)


def _code(
    frames: Pixels, recipe: Recipe, chunk_frames: int, timed: bool
) -> tuple[int, float, float]:
    """Code a sample as a block: bytes, and seconds to encode and decode it."""
    started = time.perf_counter()
    assembled, native = block.assemble(frames, recipe)
    data = seal(assembled, native.dtype)
    coded = time.perf_counter()
    stored = len(data) + sum(
        _share(stream, len(frames), chunk_frames) - stream.nbytes for stream in assembled.streams
    )
    if timed:
        block.decode(data, block.whole_shape(frames), frames.dtype)
    seconds = time.perf_counter() - coded if timed else 0.0
    return stored, coded - started, seconds


def _fastest_of_smallest(sizes: Sequence[tuple[Any, ...]], profile: Profile) -> int:
    """Which of some codings, with their bytes and whatever else, a profile takes."""
    most = min(size for _, size, *_ in sizes) * (1 + profile.tolerance)
    order = sorted(range(len(sizes)), key=lambda place: _slowness(sizes[place][0], profile))
    return next(place for place in order if sizes[place][1] <= most)


def _slowness(coding: Coding, profile: Profile) -> int:
    """Rank of a coding: names stand in the order of their speed."""
    names = profile.presets
    return names.index(coding.preset) if coding.preset in names else len(names)
