"""What a user asks of quality: exact pixels, a bound on errors, or a lossy codec."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..codecs.recipe import Recipe, check_bound
from ..codecs.registry import Coding
from ..errors import SourceError, UnsupportedError
from ..sources.source import Access, Source
from .profiles import PROFILES, Profile


@dataclass(frozen=True)
class Bound:
    """A largest absolute error: a value, or a share of the range of all finite values."""

    value: float
    relative: bool

    @staticmethod
    def parse(given: float | str) -> Bound:
        """Read ``0.5``, ``"0.5"``, or a share of the range: ``"1e-3r"`` or ``"0.1%"``.

        Raises
        ------
        UnsupportedError
            If it is none of these, or not above 0.
        """
        found = re.fullmatch(r"\s*([^\sr%_]+)\s*([r%]?)\s*", str(given))
        try:
            value = float(found[1]) if found else math.nan
        except ValueError:
            value = math.nan
        if math.isnan(value):
            raise UnsupportedError(
                f"a maximum error of {given!r} means nothing: write a number above 0, as 0.5, "
                "or a share of the range of all values, as 1e-3r or 0.1%"
            )
        check_bound(value)
        unit = found[2] if found else ""
        return Bound(value / 100 if unit == "%" else value, bool(unit))

    def of(self, source: Source) -> float:
        """Return the absolute bound for a source whose frames can be read again."""
        if not self.relative:
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
        bound = None if max_error is None else Bound.parse(max_error)
        if bound is not None and not coding.lossless:
            raise UnsupportedError(
                f"{coding} is lossy and promises no maximum error; "
                "a maximum error goes with lossless codecs, after rounding"
            )
        fixed = coding if whole else None
        return Wish(profile=PROFILES[profile], fixed=fixed, codec=codec, bound=bound)

    def template(self, bound: float, dtype: np.dtype[Any]) -> Recipe:
        """Return the recipe, except for what the profile chooses.

        Raises
        ------
        UnsupportedError
            If an error is allowed for bool pixels.
        """
        lossy = bound > 0 or (self.fixed is not None and not self.fixed.lossless)
        if lossy and dtype.kind == "b":
            raise UnsupportedError(
                "bool pixels are true or false: pack them losslessly, without max_error, crf or mp4"
            )
        if self.fixed is None:
            return Recipe(bound=bound)
        return Recipe(self.fixed, bound=bound, strict=self.fixed.lossless)


def needs_two_passes(wish: Wish, source: Source) -> bool:
    """Return whether a source must be kept, because the range of its values is asked for first."""
    relative = wish.bound is not None and wish.bound.relative
    return relative and source.access < Access.RANDOM
