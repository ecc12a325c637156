"""What a user asks of quality: exact pixels, a bound on errors, or a lossy codec."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import numpy as np

from ..codecs.noise import NoiseBound, NoiseModel
from ..codecs.recipe import Recipe, check_bound
from ..codecs.registry import Coding
from ..errors import SourceError, UnsupportedError
from ..sources.source import Access, Source
from .photon_transfer import estimate
from .profiles import PROFILES, Profile


class Unit(Enum):
    """What a largest error is a number of."""

    VALUES = auto()
    RANGE = auto()
    """The range of all finite values."""
    NOISE = auto()
    """The standard deviation of a pixel's own noise."""


_UNITS = {"": Unit.VALUES, "r": Unit.RANGE, "%": Unit.RANGE, "s": Unit.NOISE}


@dataclass(frozen=True)
class Bound:
    """A largest error that is allowed.

    Attributes
    ----------
    value, unit
        How much, of what.
    noise
        The noise of the camera, where the unit is that. None: it is to be estimated.
    """

    value: float
    unit: Unit
    noise: NoiseModel | None = None

    @staticmethod
    def parse(given: float | str, noise: NoiseModel | str | None = None) -> Bound:
        """Read a bound as users write it.

        Parameters
        ----------
        given
            ``0.5`` or ``"0.5"``, a share of the range as ``"1e-3r"`` or ``"0.1%"``, or a number of
            standard deviations of the noise as ``"0.5s"``.
        noise
            See `NoiseModel.read_from`.

        Raises
        ------
        UnsupportedError
            If it is none of these, or not above 0, or if the noise goes with another unit.
        """
        found = re.fullmatch(r"\s*([^\sr%s_]+)\s*([r%s]?)\s*", str(given))
        try:
            value = float(found[1]) if found else math.nan
        except ValueError:
            value = math.nan
        if math.isnan(value):
            raise UnsupportedError(
                f"a maximum error of {given!r} means nothing: write a number above 0, as 0.5, "
                "a share of the range of all values, as 1e-3r or 0.1%, or a number of standard "
                "deviations of the noise, as 0.5s"
            )
        check_bound(value)
        letter = found[2] if found else ""
        unit = _UNITS[letter]
        if noise is not None and unit != Unit.NOISE:
            raise UnsupportedError(
                f"noise goes with a maximum error in units of it, as 0.5s, and not with {given!r}"
            )
        model = None if noise is None else NoiseModel.read_from(noise)
        return Bound(value / 100 if letter == "%" else value, unit, model)

    @property
    def looks_first(self) -> bool:
        """Whether frames are read before they are packed, to find out what it means."""
        return self.unit == Unit.RANGE or (self.unit == Unit.NOISE and self.noise is None)

    def of(self, source: Source) -> float | NoiseBound:
        """Return the bound for a source whose frames can be read again, if it looks at them.

        Raises
        ------
        SourceError
            If the frames do not show what it means.
        UnsupportedError
            If it is one of noise, and pixels are not integers.
        """
        if self.unit != Unit.NOISE:
            return self.absolute(source)
        if source.dtype.kind not in "iu":
            raise UnsupportedError(
                f"a maximum error of {self.value:g}s is in units of a camera's noise, and pixels "
                f"of {source.dtype} are no counts of a camera: pack integers, or give a number or "
                "a share of the range, as 1e-3r"
            )
        return NoiseBound(self.noise or estimate(source), self.value)

    def absolute(self, source: Source) -> float:
        """Return the bound as `of` does, where it must be an absolute one.

        Raises
        ------
        UnsupportedError
            If it is in units of noise.
        """
        if self.unit == Unit.NOISE:
            raise UnsupportedError(
                f"{self.value:g}s is in units of noise, which others do not know: compare with a "
                "number, as 0.5, or a share of the range, as 1e-3r"
            )
        if self.unit == Unit.VALUES:
            return self.value
        low, high = math.inf, -math.inf
        for batch in source.batches(16):
            finite = batch[np.isfinite(batch)]
            if len(finite):
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        span = high - low
        if not math.isfinite(span):
            raise SourceError(
                f"the values of {source.name} have no finite range, so a share of it is no bound; "
                "give max_error as a number, as 0.5"
            )
        return self.value * span


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a stack is to be coded, as far as the user says.

    Attributes
    ----------
    profile
        Chooses what is left open.
    fixed
        The coding, if the user gave it in full.
    codec
        Only codings of this codec are tried, if there is one.
    bound
        The largest error that is allowed. None: no error is allowed, or a lossy codec decides.
    """

    profile: Profile
    fixed: Coding | None = None
    codec: str | None = None
    bound: Bound | None = None

    @staticmethod
    def read(
        profile: str,
        codec: str | None,
        preset: str | None,
        crf: float | None,
        max_error: float | str | None,
        noise: NoiseModel | str | None = None,
    ) -> Wish:
        """Read the options of `pack` that say how to code, and check them against each other.

        Raises
        ------
        UnsupportedError
            If an option names nothing that there is, or two of them contradict each other.
        """
        if profile not in PROFILES:
            raise UnsupportedError(f"no profile {profile!r}; there is {', '.join(PROFILES)}")
        coding = Coding.of(codec, preset, crf)
        whole = preset is not None or crf is not None or not coding.lossless
        if noise is not None and max_error is None:
            raise UnsupportedError(
                "noise goes with a maximum error in units of it: give max-error, too, as 0.5s"
            )
        bound = None if max_error is None else Bound.parse(max_error, noise)
        if bound is not None and not coding.lossless:
            raise UnsupportedError(
                f"{coding} is lossy and promises no maximum error; "
                "a maximum error goes with lossless codecs, after rounding"
            )
        fixed = coding if whole else None
        return Wish(profile=PROFILES[profile], fixed=fixed, codec=codec, bound=bound)

    def template(self, bound: float | NoiseBound, dtype: np.dtype[Any]) -> Recipe:
        """Return the recipe, except for what the profile chooses.

        Raises
        ------
        UnsupportedError
            If an error is allowed for bool pixels.
        """
        lossy = bool(bound) or (self.fixed is not None and not self.fixed.lossless)
        if lossy and dtype.kind == "b":
            raise UnsupportedError(
                "bool pixels are true or false: pack them losslessly, without max_error, crf or mp4"
            )
        if self.fixed is None:
            return Recipe(bound=bound)
        return Recipe(self.fixed, bound=bound, strict=self.fixed.lossless)


def needs_two_passes(wish: Wish, source: Source) -> bool:
    """Return whether a source must be kept, because a bound looks at its values first."""
    looks_first = wish.bound is not None and wish.bound.looks_first
    return looks_first and source.access < Access.RANDOM
