"""Which coding a pile gets: what its profile allows is tried on samples."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy.typing as npt

from ..codecs import block
from ..codecs.block_format import Stream, seal
from ..codecs.recipe import TOP_BITS, Recipe, too_deep
from ..codecs.registry import PRESETS, Coding
from ..codecs.transforms import Colour, Predictor
from ..errors import UnsupportedError
from .profiles import Profile
from .sampling import first_look

Pixels = npt.NDArray[Any]

CLOSE = 1.5
"""All of a sample is coded by what came so close to the smallest on a part of it,"""
FEW = 4
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
    wanted = codings(profile, codec)
    small = [first_look(sample) for sample in samples[:: math.ceil(len(samples) / profile.looks)]]
    weigh = partial(_weigh, chunk_frames=chunk_frames, pool=pool)
    if samples[0].ndim > 3:
        by_colour = [replace(template, colour=colour, top=wanted[-1]) for colour in Colour]
        sizes = [trial.stored_bytes for trial in weigh(by_colour, small, timed=False)]
        template = replace(template, colour=list(Colour)[sizes.index(min(sizes))])
    bits = max(block.to_values(sample, template)[0].bits for sample in samples)
    if not bits:
        return replace(template, top=wanted[-1]), []
    alone = min(chunk_frames, max(map(len, samples))) == 1
    recipes = candidates(bits, wanted, template, profile, alone)
    if not recipes:
        raise UnsupportedError(too_deep(wanted[0], bits))
    looked = dict(zip(recipes, weigh(recipes, small, timed=False), strict=True))
    falling = sorted(recipes, key=lambda recipe: looked[recipe].stored_bytes)
    limit = CLOSE * looked[falling[0]].stored_bytes
    close = [recipe for recipe in falling if looked[recipe].stored_bytes <= limit]
    close = close[: FEW if profile.tolerance else None]
    weighed = dict(zip(close, weigh(close, samples, timed=timed), strict=True))
    most = (1 + profile.tolerance) * min(trial.stored_bytes for trial in weighed.values())
    # The candidates stand in the order of their speed.
    best = next(one for one in recipes if one in weighed and weighed[one].stored_bytes <= most)
    weighed[best] = replace(weighed[best], chosen=True)
    return best, [*weighed.values(), *(looked[one] for one in falling if one not in weighed)]


def share(recipe: Recipe, samples: Sequence[Pixels], chunk_frames: int, pool: Executor) -> float:
    """Stored bytes of frames like some samples, as a share of their raw bytes."""
    (weighed,) = _weigh([recipe], samples, chunk_frames, pool, False)
    return weighed.stored_bytes / weighed.sample_bytes


def codings(profile: Profile, codec: str | None) -> list[Coding]:
    """What a profile tries, or what there is of one codec; the fastest first."""
    if codec is None:
        return [Coding(name) for name in profile.presets]
    own = [row.name for row in PRESETS.values() if row.codec.name == codec]
    usual = [name for name in profile.presets if name in own]
    return [Coding(name) for name in usual or [Coding.of(codec).preset]]


def candidates(
    bits: int, wanted: Sequence[Coding], template: Recipe, profile: Profile, alone: bool
) -> list[Recipe]:
    """What to try for values of so many bits, the fastest first.

    Parameters
    ----------
    wanted
        The codings.
    template
        What is not to be chosen.
    alone
        No frame has one before it.
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
    """How many bytes so many frames of a whole block would have.

    The first frame of a block is often the largest, and a sample has few others.
    """
    first, *rest = map(len, stream.packets)
    if not rest:
        return stream.nbytes
    whole = max(frames, chunk_frames)
    later = (whole - 1) * sum(rest) / len(rest)
    return stream.nbytes - first - sum(rest) + round((first + later) * frames / whole)
