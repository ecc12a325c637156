"""The noise of a camera, an error bound in units of it, and the levels that keep this bound.

A pixel that saw x counts has a standard deviation that grows as the square root of its light: the
shot noise of the electrons, and the read noise of the camera beside it (J. R. Janesick, Photon
Transfer, SPIE 2007). A square root therefore makes the noise alike everywhere (F. J. Anscombe,
Biometrika 35, 1948, 246; with read noise: M. Makitalo and A. Foi, IEEE Trans. Image Process. 22,
2013, 91), and equal steps on that scale are steps of equal parts of the noise. B. Balazs et al.
(B3D, bioRxiv 164624, 2017) compress microscope images so.

No root is computed here to code a pixel. `levels` makes a table for all integers, whose steps are
as wide as the bound allows, and which is exact by construction.
"""

from __future__ import annotations

import functools
import math
import re
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError

Pixels = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

LOWEST, HIGHEST = -(1 << 15), (1 << 20) - 1
"""Integers of 32 and 64 bits have levels in this range; others stay as they are."""
FULL_SCALES = tuple((1 << bits) - 1 for bits in (8, 10, 12, 14, 16))
"""Where converters of cameras end. These values stay as they are, and so does the largest of a
signed type, so that saturation is seen."""
_FORM = "gain=ELECTRONS_PER_COUNT,offset=COUNTS,read=ELECTRONS"
_EXAMPLE = "gain=0.46,offset=100,read=1.6"


@dataclass(frozen=True, kw_only=True)
class NoiseModel:
    """The shot noise and read noise of a camera, as its data sheet states them.

    Attributes
    ----------
    gain
        Electrons per count (e-/ADU), above 0. Data sheets also call it conversion factor.
    offset
        Counts of a pixel without light.
    read
        Read noise: the standard deviation of a pixel without light, in electrons.
    estimated
        Whether these numbers were estimated from frames, and not given. Frames do not tell dark
        counts from read noise: then `offset` is where the line of the variances says that there
        is none, and `read` is 0, or `offset` is 0, and `read` what the line says there.

    Raises
    ------
    UnsupportedError
        If a number is not finite or out of its range.
    """

    gain: float
    offset: float
    read: float
    estimated: bool = False

    def __post_init__(self) -> None:
        for name in ("gain", "offset", "read"):
            value = getattr(self, name)
            real = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            real = real and abs(value) <= sys.float_info.max  # false of infinity and NaN, too
            least = {"gain": math.ulp(0.0), "read": 0.0}.get(name, -math.inf)
            if not (real and value >= least):
                form = {"gain": "a number above 0", "read": "a number of at least 0"}
                raise UnsupportedError(
                    f"noise has {name}={value!r}; it must be {form.get(name, 'a number')}, as in "
                    f"{_EXAMPLE}"
                )
            object.__setattr__(self, name, float(value))
        with np.errstate(over="ignore"):
            widest = self.sigma(2.0**64)
        if not np.isfinite(widest):
            raise UnsupportedError(
                f"noise has gain={self.gain:g}, offset={self.offset:g} and read={self.read:g}, "
                f"whose standard deviations are no finite numbers; write them as in {_EXAMPLE}"
            )

    @staticmethod
    def read_from(given: NoiseModel | str) -> NoiseModel:
        """Read ``"gain=0.46,offset=100,read=1.6"``, in any order.

        Raises
        ------
        UnsupportedError
            If it is not of this form, or a number is out of its range.
        """
        if isinstance(given, NoiseModel):
            return given
        pairs = re.findall(r"\s*([a-z]+)\s*=\s*([^,=]*?)\s*(?:,|$)", str(given))
        whole = len(pairs) == str(given).count(",") + 1 == str(given).count("=")
        numbers: dict[str, float] = {}
        try:
            numbers = {name: float(text) for name, text in pairs}
        except ValueError:
            whole = False
        if not whole or numbers.keys() != {"gain", "offset", "read"} or len(pairs) != 3:
            raise UnsupportedError(
                f"noise is {given!r}; write all of {_FORM}, as {_EXAMPLE}, or leave it out to have "
                "it estimated from the frames"
            )
        return NoiseModel(
            gain=numbers["gain"], offset=numbers["offset"], read=numbers["read"]
        )  # fmt: skip

    def sigma(self, values: npt.ArrayLike) -> Floats:
        """Return the standard deviation of pixels, in counts.

        It is ``sqrt(read**2 + gain * (value - offset)) / gain``. Values below the offset have
        read noise only.

        Parameters
        ----------
        values
            Counts, of any shape.
        """
        light = np.maximum(np.asarray(values, np.float64) - self.offset, 0.0)
        found: Floats = np.sqrt(np.square(self.read) + self.gain * light) / self.gain
        return found

    def same_camera(self, other: NoiseModel) -> bool:
        """Return whether both have the same numbers, wherever these come from."""
        return (self.gain, self.offset, self.read) == (other.gain, other.offset, other.read)

    def __str__(self) -> str:
        gain = f"{self.gain:.4g} electrons per count"
        if self.estimated:
            return (
                f"{gain}, and {self.read:.4g} electrons of noise at {self.offset:.5g} counts and "
                "below; estimated from the frames"
            )
        return (
            f"{gain}, offset {self.offset:g} counts, read noise {self.read:g} electrons; as given"
        )


@dataclass(frozen=True)
class NoiseBound:
    """The largest error that is allowed, in standard deviations of a pixel's own noise.

    Attributes
    ----------
    model
        Says how large the noise is.
    times
        So many standard deviations are allowed.
    """

    model: NoiseModel
    times: float

    def allowed(self, values: npt.ArrayLike) -> Floats:
        """Return by how many counts pixels of these values may move."""
        return self.times * self.model.sigma(values)

    def holds(self, frames: Pixels, apart: Floats) -> bool:
        """Return whether no pixel moved further than it may.

        Parameters
        ----------
        frames
            The input.
        apart
            The absolute difference of each pixel to it, in counts.
        """
        return bool((apart <= self.allowed(frames)).all())

    def largest(self, frames: Pixels, apart: Floats) -> float:
        """Return the largest difference in standard deviations; see `holds`."""
        sigma = self.model.sigma(frames)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(apart > 0, apart / sigma, 0.0)
        return float(found.max(initial=0.0))

    def __str__(self) -> str:
        return f"{self.times:g} times the standard deviation of the noise ({self.model})"


@dataclass(frozen=True, kw_only=True)
class NoiseLoss:
    """How far pixels moved, in units of their own noise.

    Attributes
    ----------
    model
        Says how large the noise of a pixel is.
    bound
        The error that was allowed, in standard deviations.
    error
        The largest error, as measured, in standard deviations.
    bias
        Mean of the differences to the input with their signs, as measured, in counts.
    """

    model: NoiseModel
    bound: float
    error: float
    bias: float

    def holds(self, frames: Pixels, apart: Floats) -> bool:
        """See `NoiseBound.holds`."""
        return NoiseBound(self.model, self.bound).holds(frames, apart)

    def __str__(self) -> str:
        return (
            f"no pixel moved by more than {self.error:.3g} times the standard deviation of its "
            f"own noise (allowed: {self.bound:g}); the mean of all moved by {self.bias:+.2g} counts"
        )


@dataclass(frozen=True, eq=False)
class Levels:
    """A table from pixels to levels, and back.

    Attributes
    ----------
    first
        The integer of the table's first row.
    level
        The level of each integer from `first` on.
    pixel
        The pixel that stands for each level; they rise.
    exact_below
        All integers below this one are levels of their own.
    """

    first: int
    level: npt.NDArray[Any]
    pixel: npt.NDArray[np.int64]
    exact_below: int

    @property
    def last(self) -> int:
        """The integer of the table's last row."""
        return self.first + len(self.level) - 1


@functools.lru_cache(maxsize=8)
def levels(bound: NoiseBound, dtype: np.dtype[Any]) -> Levels:
    """Return the levels by which integers of `dtype` stay within a bound.

    A level begins at the lowest integer that is left. Its pixel lies as far above that as the
    bound allows there. The bound never falls with rising values, so the level may reach as far
    above its pixel, or further, as long as all its integers keep it.

    How far it reaches decides whether means keep their value, as in an unbiased inverse of the
    Anscombe transform. With its pixel in the middle of each level, means would rise: for pixels
    of a smooth density f, a level of width w moves them by -w**3 f' / 12, and all levels together
    by the mean of (w**2)' / 12, which is times**2 / (3 gain). If all levels reached as far as they
    may, means would fall by half of that. So they take two thirds of what they may add.
    """
    limits = np.iinfo(dtype)
    narrow = dtype.itemsize <= 2
    low = int(limits.min) if narrow else max(int(limits.min), LOWEST)
    high = int(limits.max) if narrow else HIGHEST
    values = np.arange(low, high + 1)
    reach = np.minimum(bound.allowed(values), high - low).astype(np.int64)
    alone = low + int(np.searchsorted(reach, 1))  # where levels begin to hold several integers
    # No pixel up to the first greater one of these is too far above the pixel of its level.
    least = np.maximum.accumulate(values - reach)
    starts, pixel = list(range(low, alone)), list(range(low, alone))
    at, share = alone, 0.0
    ends = {*(one for one in (*FULL_SCALES, high) if alone <= one <= high), high + 1}
    for stop in sorted(ends):
        while at < stop:
            step = int(reach[at - low])
            middle, even = at + step, at + 2 * step
            share += (low + int(np.searchsorted(least, middle, "right")) - 1 - even) * 2 / 3
            end = min(even + round(share), stop - 1)
            share -= round(share)
            starts.append(at)
            pixel.append(min(middle, (at + end) // 2))
            at = end + 1
        if stop <= high:
            starts.append(stop)
            pixel.append(stop)
            at = stop + 1
    counts = np.diff([*starts, high + 1])
    level = np.repeat(np.arange(len(starts), dtype=np.uint16 if narrow else np.uint32), counts)
    level.flags.writeable = False
    return Levels(low, level, np.array(pixel, np.int64), alone)
