"""Which ways to code values are tried: predictors, splits into parts, codings of each part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .codecs import PRESETS, Coding
from .codecs.transforms import MEAN_MOST, Predictor
from .profiles import Profile
from .recipe import Recipe

OF_NOISE = "deflate-runs", "deflate-huffman"
"""Presets for what neighbours say nothing of."""


@dataclass(frozen=True)
class Choices:
    """Some bits of each value, and how they may be coded: the lowest, how many, the codings."""

    low: int
    width: int
    codings: tuple[Coding, ...]


@dataclass(frozen=True)
class Family:
    """Recipes that differ in nothing but how their parts are coded; the lowest part first."""

    recipe: Recipe
    parts: tuple[Choices, ...]

    @property
    def pictures(self) -> bool:
        """Whether some are for pictures."""
        return not all(coding.engine.bytewise for part in self.parts for coding in part.codings)

    def coded(self, codings: Sequence[Coding]) -> Recipe:
        """The recipe that codes each part so."""
        low = tuple(
            (part.width, coding) for part, coding in zip(self.parts[:-1], codings[:-1], strict=True)
        )
        return replace(self.recipe, low=low, top=codings[-1])


def codings(profile: Profile, codec: str | None) -> list[Coding]:
    """What a profile tries, or what there is of one codec; the fastest first."""
    if codec is None:
        return [Coding(preset=name) for name in profile.presets]
    rows = [row for row in PRESETS.values() if row.codec.name == codec]
    usual = [row.name for row in rows if row.name in profile.presets]
    return [Coding(preset=name) for name in usual or [Coding.of(codec).preset]]


def families(
    bits: int,
    wanted: Sequence[Coding],
    profile: Profile,
    template: Recipe,
    named: bool,
    moving: bool = False,
) -> Iterator[Family]:
    """What to try for values of so many bits.

    Parameters
    ----------
    wanted
        The codings.
    template
        What is not to be chosen.
    named
        The user named their codec.
    moving
        Low bits may move as high ones do.
    """
    of_noise = [coding for coding in wanted if coding.preset in ("raw", *OF_NOISE)]
    if Predictor.MEAN in profile.predictors and not named:
        wanted = [coding for coding in wanted if coding.preset not in OF_NOISE]
    bytewise = [coding for coding in wanted if coding.engine.bytewise]
    # Folding makes high parts 0, and suits LZMA, which looks at the high bits of the byte before.
    folded = [coding for coding in bytewise if bits > 8 or coding.codec == "lzma"]
    straight = [coding for coding in bytewise if coding not in folded]
    # Pictures of differences still have edges, as noise along a line has not.
    of_edges = [coding for coding in wanted if coding.codec == "ffv1"]
    whole = named and not bytewise
    for predictor in profile.predictors:
        if predictor == Predictor.MEAN and bits > MEAN_MOST:
            continue
        recipe = replace(template, predictor=predictor)
        allowed = {False: list(wanted)}
        if predictor == Predictor.MEAN:  # what it leaves is noise: neighbours say nothing of it
            allowed = {True: of_noise}
        elif predictor == Predictor.PREVIOUS:
            allowed = {False: straight + of_edges, True: folded}
        elif predictor != Predictor.NONE:
            allowed = {False: straight, True: folded}
        for fold, some in allowed.items():
            for low in _splits(bits, profile, predictor, whole) if some else ():
                if bits > 8 and fold and not low:  # only raw takes so many
                    continue
                parts = _parts((*low, bits - sum(low)), some, profile, moving)
                if all(part.codings for part in parts):
                    yield Family(replace(recipe, fold=fold), parts)


def with_efforts(recipe: Recipe, wanted: Sequence[Coding]) -> list[Recipe]:
    """A recipe, and those with what else is wanted of its codec, if that only searches longer."""
    if not recipe.top.engine.efforts:
        return [recipe]
    others = [coding for coding in wanted if coding.codec == recipe.top.codec]
    return [recipe, *(replace(recipe, top=coding) for coding in others if coding != recipe.top)]


def _without_efforts(wanted: Sequence[Coding]) -> list[Coding]:
    """Leave out what only searches longer than another, the fastest being first."""
    kept: list[Coding] = []
    for coding in wanted:
        if not (coding.engine.efforts and any(other.codec == coding.codec for other in kept)):
            kept.append(coding)
    return kept


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


def _parts(
    widths: Sequence[int], wanted: Sequence[Coding], profile: Profile, moving: bool
) -> tuple[Choices, ...]:
    found, low = [], 0
    for width in widths:
        fitting = [coding for coding in wanted if coding.engine.depth_for(width) is not None]
        last = low + width == sum(widths)
        if last and len(fitting) > 1:  # it is what nothing else shrinks
            fitting = [coding for coding in fitting if coding.codec != "raw"]
        elif not (last or moving) and profile.tolerance:  # these are nearly noise
            fitting = [coding for coding in fitting if coding.codec != "x264"] or fitting
        if profile.tolerance:
            fitting = _without_efforts(fitting)
        found.append(Choices(low, width, tuple(fitting)))
        low += width
    return tuple(found)
