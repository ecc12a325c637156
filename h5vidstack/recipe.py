"""How a block is to be coded: the choice that packing makes for each pile."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .codecs import CODECS, Coding
from .codecs.transforms import MEAN_MOST, Colour, Predictor
from .errors import UnsupportedError

Part = tuple[int, int, Coding]
"""Some bits of each value, coded as one stream: the lowest, how many, and how."""

_USUAL = Coding()
_DEEP = Coding("ffv1-context")
_DEEPER = Coding("lzma")
_ALONE = Coding("x264-slow")


@dataclass(frozen=True)
class Recipe:
    """What is done to the frames of a block, in this order.

    Attributes
    ----------
    bound
        Largest absolute difference to the input that is allowed; 0: none.
    colour
        What becomes of channels.
    predictor, fold
        See `Predictor` and `predict`.
    low
        How many of the lowest bits are split off as a stream, and how it is coded; the
        lowest stream first.
    top
        How the bits above them are coded.
    strict
        If `top` does not hold so many bits, refuse; else they are coded by FFV1, and
        more than 16 bits byte by byte by LZMA.
    """

    top: Coding = _USUAL
    low: tuple[tuple[int, Coding], ...] = ()
    predictor: Predictor = Predictor.NONE
    fold: bool = False
    colour: Colour = Colour.LIFT
    bound: float = 0.0
    strict: bool = False

    def colour_of(self, channels: int) -> Colour:
        """What becomes of so many channels.

        Nothing where the codec is lossy: differences modulo the range would go round.
        """
        return self.colour if channels > 1 and self.top.lossless else Colour.NONE

    def predictor_of(self, bits: int) -> Predictor:
        """What is subtracted from values of so many bits: nothing where sums would not fit."""
        too_wide = self.predictor == Predictor.MEAN and bits > MEAN_MOST
        return Predictor.NONE if too_wide else self.predictor

    @property
    def of_pixels(self) -> Coding:
        """What suits pixels of which nothing was subtracted: the filter codes no others."""
        return _ALONE if self.predictor == Predictor.MEAN else self.top

    @property
    def lossless(self) -> bool:
        """Whether blocks decode to their input, bit for bit."""
        return self.bound == 0 and self.top.lossless

    def parts(self, bits: int) -> list[Part]:
        """Split values of so many bits.

        Raises
        ------
        UnsupportedError
            If `top` cannot hold them, and `strict`.
        """
        parts, low = [], 0
        for width, coding in self.low:
            if low < bits:
                parts.append((low, min(width, bits - low), coding))
                low = min(low + width, bits)
        rest = bits - low
        if not rest:
            return parts
        if self.top.engine.depth_for(rest) is not None:
            return [*parts, (low, rest, self.top)]
        if self.top.engine.bytewise:
            return [*parts, *_bytes(low, bits, self.top)]
        if self.strict:
            raise UnsupportedError(too_deep(self.top, rest))
        if rest <= 16:
            return [*parts, (low, rest, _DEEP)]
        return [*parts, *_bytes(low, bits, _DEEPER)]

    def __str__(self) -> str:
        words = [] if not self.predictor else [self.predictor.name.lower() + " difference"]
        words += [f"{width} low bits {coding}" for width, coding in self.low]
        words.append(("rest " if self.low else "") + str(self.top))
        return ", ".join(words)


def _bytes(low: int, bits: int, coding: Coding) -> list[Part]:
    return [(at, min(8, bits - at), coding) for at in range(low, bits, 8)]


def too_deep(coding: Coding, bits: int) -> str:
    """An error message: who holds values of so many bits?"""
    depths = coding.engine.depths[-1]
    others = [
        codec.name + ("" if codec.bytewise else f" (up to {codec.depths[-1]})")
        for codec in CODECS.values()
        if codec.lossless and (codec.bytewise or codec.depths[-1] >= bits)
    ]
    return (
        f"{coding.codec} holds values of up to {depths} bits, and these frames take {bits}; "
        f"{', '.join(others)} can; without a codec "
        "named, a profile splits them into streams that fit"
    )


def check_bound(bound: float) -> float:
    """A largest absolute error as given by a user.

    Raises
    ------
    UnsupportedError
        Unless it is a number above 0.
    """
    if not (isinstance(bound, (int, float)) and math.isfinite(bound) and bound > 0):
        raise UnsupportedError(
            f"a maximum error of {bound} means nothing: it must be a number above 0; "
            "without one, packing is exact"
        )
    return float(bound)
