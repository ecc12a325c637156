"""Time stamps: whole numbers of a unit of time, and the seconds that they mean.

Seconds are floats, and each is the one next to its true value. So the whole numbers can be had
back from them, as long as all stay below 2**53.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Ticks = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.float64]

TIME_BASE = "time_base"
"""The attribute of a coordinate that has the unit of its time stamps, as ``"1/12800"`` seconds."""
MISSING = -(2**63)
"""Stands for a frame without a time stamp, whose time is NaN."""
_EXACT = 2**53
"""Floats hold all whole numbers up to this."""


def to_seconds(ticks: Ticks, base: Fraction) -> Seconds:
    """Return the seconds of time stamps; NaN where one is `MISSING`.

    Parameters
    ----------
    ticks
        In units of `base` seconds.
    """
    seconds = ticks.astype(np.float64) * base.numerator / base.denominator
    seconds[ticks == MISSING] = np.nan
    return seconds


def to_ticks(seconds: npt.NDArray[Any], base: Fraction) -> Ticks | None:
    """Return the time stamps of seconds, or None if these are no whole numbers of `base`."""
    if seconds.dtype != np.float64 or math.isinf(float(base.denominator)):
        return None
    with np.errstate(all="ignore"):
        near = np.rint(seconds * base.denominator / base.numerator)
        known = np.isfinite(seconds)
        if (np.abs(near[known]) * base.numerator >= _EXACT).any():
            return None
        ticks = np.where(known, near, 0).astype(np.int64)
    ticks[~known] = MISSING
    same = np.ascontiguousarray(to_seconds(ticks, base)).view(np.uint64)
    equal = (same == np.ascontiguousarray(seconds).view(np.uint64)) | np.isnan(seconds)
    return ticks if equal.all() else None


def time_base(attrs: Mapping[str, Any]) -> Fraction | None:
    """Return the unit of the time stamps of a coordinate; None if it has none, or no sound one."""
    said = attrs.get(TIME_BASE)
    try:
        base = Fraction(said) if isinstance(said, str) else Fraction(0)
    except (ValueError, ZeroDivisionError):
        return None
    return base if base > 0 and max(base.as_integer_ratio()) < _EXACT else None


def common_base(one: Mapping[str, Any], two: Mapping[str, Any]) -> Fraction | None:
    """Return a unit in which the time stamps of both coordinates are whole numbers."""
    first, second = time_base(one), time_base(two)
    if first is None or second is None:
        return None
    (a, b), (c, d) = first.as_integer_ratio(), second.as_integer_ratio()
    return time_base({TIME_BASE: str(Fraction(math.gcd(a * d, c * b), b * d))})
