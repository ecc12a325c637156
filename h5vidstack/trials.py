"""Which coding a pile gets: what its profile allows is tried on samples."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy.typing as npt

from . import block
from .block_format import seal
from .codecs import Coding
from .codecs.transforms import Colour, Predictor, Values, take_bits
from .errors import UnsupportedError
from .estimates import bits_a_value, projected
from .families import Family, codings, families, with_efforts
from .mapping import Mapping
from .profiles import Profile
from .recipe import Part, Recipe, too_deep
from .sampling import first_look

Pixels = npt.NDArray[Any]

CLOSE = 1.25
"""All of it is coded by what came so close to the smallest,"""
FEW = 4
"""but, unless size is all that matters, by no more than so many."""
SPLITS = 2
"""Then pictures are tried with no more ways to split values than so many."""
NOISE = 0.98
"""What seems to take so large a share of its bits, no codec of pictures shrinks."""
STUCK = 0.8
"""What stays so large a share of its bits is looked at again, if it moves:"""
MOVES, LEADING = 0.5, 2
"""if x264 makes a later frame so small. It sees so many bits above, too: they lead it."""


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
_Prepared = list[list[Values]]
"""The components of each sample."""
_Guesses = Sequence[float]
"""Bits that a value of each part will take; empty where nothing was guessed."""


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
    if min(chunk_frames, max(map(len, samples))) == 1:  # there is no frame before
        profile = replace(profile, predictors=profile.predictors_of_one)
    wanted = codings(profile, codec)
    small = [first_look(sample) for sample in samples[:: math.ceil(len(samples) / profile.looks)]]
    template = replace(template, colour=_better_colour(small, template))
    bits = max(block.to_values(sample, template)[0].bits for sample in samples)
    if not bits:
        return replace(template, top=wanted[-1]), []
    ways = partial(families, bits, wanted, profile, template, codec is not None)
    guess = bits > 8 and profile.tolerance > 0  # else there are few ways, or time is no object
    explore = partial(
        _explore, template=template, profile=profile, chunk_frames=chunk_frames, pool=pool
    )
    found = explore(small, list(ways()), guess)
    if not found:
        raise UnsupportedError(too_deep(wanted[0], bits))
    if guess and _moves(samples[len(samples) // 2], template, *found[0], wanted):
        found = explore(samples, list(ways(moving=True)), False)
    counted = {recipe: _counted(recipe.top, trial.stored_bytes, profile) for recipe, trial in found}
    limit = CLOSE * min(counted.values())
    close = [recipe for recipe, _ in found if counted[recipe] <= limit]
    if profile.tolerance:
        close = [one for recipe in close[:FEW] for one in with_efforts(recipe, wanted)]
    weighed = _weigh(close, samples, chunk_frames, pool, timed)
    sizes = [(recipe.top, trial.stored_bytes) for recipe, trial in zip(close, weighed, strict=True)]
    best = close[_fastest_of_smallest(sizes, profile)]
    trials = [
        replace(trial, chosen=recipe is best) for recipe, trial in zip(close, weighed, strict=True)
    ]
    if all(coding.codec == "raw" for _, _, coding in best.parts(bits)):
        best = replace(template, top=Coding("raw"))  # steps that gain nothing take time
    return best, trials + [trial for recipe, trial in found if recipe not in close]


def share(recipe: Recipe, samples: Sequence[Pixels], chunk_frames: int, pool: Executor) -> float:
    """Stored bytes of frames like some samples, as a share of their raw bytes."""
    (weighed,) = _weigh([recipe], samples, chunk_frames, pool, False)
    return weighed.stored_bytes / weighed.sample_bytes


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


def _explore(
    samples: Sequence[Pixels],
    ways: Sequence[Family],
    guess: bool,
    *,
    template: Recipe,
    profile: Profile,
    chunk_frames: int,
    pool: Executor,
) -> list[tuple[Recipe, Trial]]:
    """Code samples in many ways, or only in those that a guess finds good; the smallest first."""
    mapped = [block.to_values(sample, template) for sample in samples]
    recipes = list(dict.fromkeys(way.recipe for way in ways))
    prepared = dict(zip(recipes, pool.map(partial(_prepare, mapped), recipes), strict=True))

    @cache  # for ways share parts
    def guessed(recipe: Recipe, low: int, width: int) -> Future[float]:
        return pool.submit(_guess, prepared[recipe], low, width)

    @cache
    def measured(recipe: Recipe, part: Part) -> Future[_Result]:
        return pool.submit(_measure, prepared[recipe], part, recipe.predictor, chunk_frames)

    some = _promising(ways, guessed) if guess else [(way, ()) for way in ways]
    begun = [(way, _try(way, guesses, measured)) for way, guesses in some]
    size = sum(sample.nbytes for sample in samples)
    found = [one for pair in begun for one in _candidates(*pair, size, profile)]
    return sorted(found, key=lambda one: _counted(one[0].top, one[1].stored_bytes, profile))


def _prepare(mapped: Sequence[tuple[Mapping, Values]], recipe: Recipe) -> _Prepared:
    return [block.components(*values, recipe) for values in mapped]


def _guess(prepared: _Prepared, low: int, width: int) -> float:
    """Guess how many bits some of a value's take, as pictures."""
    guesses = [
        bits_a_value(take_bits(component, low, width), width)
        for component in prepared[len(prepared) // 2]
        if low < 8 * component.itemsize
    ]
    return sum(guesses) / max(1, len(guesses))


def _moves(
    sample: Pixels, template: Recipe, best: Recipe, trial: Trial, wanted: Sequence[Coding]
) -> bool:
    """Whether bits that seem to be noise are those of the frame before, elsewhere.

    Only x264 looks for motion, and it is not tried on all bits at first.
    """
    searching = [coding for coding in wanted if coding.codec == "x264"]
    found, values = block.to_values(sample, template)
    if best.top.codec == "x264":
        unseen = min(found.bits, sum(width for width, _ in best.low))
    else:
        share = trial.stored_bytes * 8 * sample.itemsize / (trial.sample_bytes * found.bits)
        unseen = found.bits if share > STUCK else 0
    if not (searching and unseen):
        return False
    depth = searching[-1].engine.depths[-1]
    top = min(found.bits, max(unseen + LEADING, depth))
    component, *_ = block.components(found, values, template)
    plane = take_bits(component, max(0, top - depth), depth)
    first, *later = map(len, searching[-1].encode(plane, depth)[0])
    return min(later, default=first) < MOVES * first


def _promising(
    ways: Sequence[Family], guessed: Callable[[Recipe, int, int], Future[float]]
) -> list[tuple[Family, _Guesses]]:
    """Pictures that seem to take the fewest bits; and bytes, for a guess sees no repetition."""
    begun = [
        (way, [guessed(way.recipe, part.low, part.width) for part in way.parts])
        for way in ways
        if way.pictures
    ]
    pictures = [(way, [task.result() for task in tasks]) for way, tasks in begun]
    pictures.sort(key=lambda pair: sum(pair[1]))
    return [*pictures[:SPLITS], *((way, ()) for way in ways if not way.pictures)]


def _try(
    way: Family, guesses: _Guesses, measured: Callable[[Recipe, Part], Future[_Result]]
) -> list[list[tuple[Coding, Future[_Result]]]]:
    """Begin to code every part in every way: for each part its codings and what comes of them."""
    parts = []
    for number, part in enumerate(way.parts):
        wanted: Sequence[Coding] = part.codings
        if guesses and guesses[number] > NOISE * part.width:
            wanted = [coding for coding in wanted if coding.engine.bytewise] or wanted[:1]
        parts.append(
            [(coding, measured(way.recipe, (part.low, part.width, coding))) for coding in wanted]
        )
    return parts


def _candidates(
    way: Family,
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
        recipe = way.coded([coding for coding, *_ in results])
        stored = sum(stored for _, stored, _ in results)
        seconds = sum(seconds for *_, seconds in results)
        yield recipe, Trial(str(recipe), size, stored, seconds, 0.0, False)


def _measure(prepared: _Prepared, part: Part, predictor: Predictor, chunk_frames: int) -> _Result:
    """Code some bits of samples."""
    size, started = 0, time.perf_counter()
    for components in prepared:
        for number, component in enumerate(components):
            if part[0] < 8 * component.itemsize:
                stream = block.encode_part(component, number, part)
                if stream is not None:
                    size += projected(stream, component.shape, chunk_frames, predictor)
    return size, time.perf_counter() - started


def _weigh(
    recipes: Sequence[Recipe],
    samples: Sequence[Pixels],
    chunk_frames: int,
    pool: Executor,
    timed: bool,
) -> list[Trial]:
    """Code samples as blocks, by each of some recipes."""
    code = partial(_code, chunk_frames=chunk_frames, timed=timed)
    begun = [[pool.submit(code, frames, recipe) for frames in samples] for recipe in recipes]
    size, trials = sum(sample.nbytes for sample in samples), []
    for recipe, tasks in zip(recipes, begun, strict=True):
        stored, encoding, decoding = map(sum, zip(*(task.result() for task in tasks), strict=True))
        trials.append(Trial(str(recipe), size, int(stored), encoding, decoding, False))
    return trials


def _code(
    frames: Pixels, recipe: Recipe, chunk_frames: int, timed: bool
) -> tuple[int, float, float]:
    """Code a sample as a block: bytes, and seconds to encode and decode it."""
    started = time.perf_counter()
    assembled, native = block.assemble(frames, recipe)
    data = seal(assembled, native.dtype)
    coded = time.perf_counter()
    stored = len(data) + sum(
        projected(stream, frames.shape, chunk_frames, recipe.predictor) - stream.nbytes
        for stream in assembled.streams
    )
    if timed:
        block.decode(data, block.whole_shape(frames), frames.dtype)
    seconds = time.perf_counter() - coded if timed else 0.0
    return stored, coded - started, seconds


def _fastest_of_smallest(sizes: Sequence[tuple[Any, ...]], profile: Profile) -> int:
    """Which of some codings, with their bytes and whatever else, a profile takes."""
    counted = [_counted(coding, size, profile) for coding, size, *_ in sizes]
    most = min(counted) * (1 + profile.tolerance)
    order = sorted(range(len(sizes)), key=lambda place: _slowness(sizes[place][0], profile))
    return next(place for place in order if counted[place] <= most)


def _counted(coding: Coding, size: int, profile: Profile) -> float:
    """Bytes as the profile counts them."""
    return size * (profile.handicap if coding.codec == "deflate" else 1.0)


def _slowness(coding: Coding, profile: Profile) -> int:
    """Rank of a coding: names stand in the order of their speed."""
    names = profile.presets
    return names.index(coding.preset) if coding.preset in names else len(names)
