"""What a user asks of quality: exact, within a bound, or a lossy codec; see `pack`."""

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
    """A largest absolute error: of values, or as a share of the range of all of them."""

    value: float
    relative: bool

    @staticmethod
    def parse(given: float | str) -> Bound:
        """Read ``0.5``, ``"0.5"``, ``"1e-3r"`` or ``"0.1%"``, the last two of the range.

        Raises
        ------
        UnsupportedError
            If it is neither, or not above 0.
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
        """The absolute bound for the frames of a source that can be read again."""
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
                f"{source.name} has no finite range of values for a relative error; "
                "give an absolute one"
            )
        return self.value * span


@dataclass(frozen=True)
class Wish:
    """How a stack is to be coded, as far as the user says.

    Attributes
    ----------
    profile
        Chooses what is left open.
    fixed
        The coding, if it is given in full.
    codec
        Choose among this one's codings.
    bound
        None: no error is allowed, or a lossy codec decides.
    """

    profile: Profile
    fixed: Coding | None
    codec: str | None
    bound: Bound | None

    @staticmethod
    def read(
        profile: str,
        codec: str | None,
        preset: str | None,
        crf: float | None,
        max_error: float | str | None,
    ) -> Wish:
        """Check options of `pack` against each other.

        Raises
        ------
        UnsupportedError
            If there is no such thing, or they contradict each other.
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
        return Wish(PROFILES[profile], coding if whole else None, codec, bound)

    def template(self, bound: float, dtype: np.dtype[Any]) -> Recipe:
        """The recipe, but for what the profile chooses.

        Raises
        ------
        UnsupportedError
            If bits are to be lossy, or a codec is named that cannot hold the pixels.
        """
        lossy = bound > 0 or (self.fixed is not None and not self.fixed.lossless)
        if lossy and dtype.kind == "b":
            raise UnsupportedError("bool is true or false: it has no error to allow")
        if self.fixed is None:
            return Recipe(bound=bound)
        return Recipe(self.fixed, bound=bound, strict=self.fixed.lossless)


def needs_two_passes(wish: Wish, source: Source) -> bool:
    """Whether a source must be kept to be read a second time."""
    relative = wish.bound is not None and wish.bound.relative
    return relative and source.access < Access.RANDOM
