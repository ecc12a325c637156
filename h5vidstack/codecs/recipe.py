"""The recipe of a block: how its frames are to be coded, as packing chooses for each pile."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import UnsupportedError
from .noise import NoiseBound
from .registry import CODECS, Coding
from .transforms import Colour, Predictor

BitRange = tuple[int, int, Coding]
"""Some bits of each value that become one stream: the lowest bit, how many, and their coding."""

TOP_BITS = 16
"""A codec of pictures gets so many of the highest bits, where values have more."""

_USUAL = Coding()
_DEEP = Coding("lpc-chain")
_DEEPER = Coding("lzma")
_LOW = Coding("deflate")


@dataclass(frozen=True)
class Recipe:
    """What is done to the frames of a block, in this order.

    Attributes
    ----------
    bound
        The largest difference to the input that is allowed: absolute, or in units of each
        pixel's noise; 0: none.
    colour
        What is done with the channels of colour.
    predictor
        See `Predictor`.
    top
        How values are coded, or their highest bits.
    low
        How the bits below the highest 16 are coded, where `top` holds no more than those.
    strict
        Refuse values of more bits than `top` holds. Without it, such values are coded by lpc, or
        by LZMA if they have more than 16 bits.
    """

    top: Coding = _USUAL
    low: Coding = _LOW
    predictor: Predictor = Predictor.NONE
    colour: Colour = Colour.LIFT
    bound: float | NoiseBound = 0.0
    strict: bool = False

    def colour_of(self, channels: int) -> Colour:
        """Return what is done with so many channels.

        Nothing is done for a lossy codec, because its errors would carry differences modulo the
        range from one end of it to the other.
        """
        return self.colour if channels > 1 and self.top.lossless else Colour.NONE

    @property
    def lossless(self) -> bool:
        """Whether blocks decode to their input, bit for bit."""
        return not self.bound and self.top.lossless

    @property
    def noise(self) -> NoiseBound | None:
        """The bound, if it is in units of each pixel's noise."""
        return self.bound if isinstance(self.bound, NoiseBound) else None

    @property
    def absolute(self) -> float:
        """The bound, if it is an absolute one; else 0."""
        return 0.0 if isinstance(self.bound, NoiseBound) else self.bound

    def ranges(self, bits: int) -> list[BitRange]:
        """Split values of so many bits into ranges of bits, each for a codec that holds it.

        Raises
        ------
        UnsupportedError
            If `top` cannot hold them, and `strict`.
        """
        if self.top.codec.depth_for(bits) is not None:
            return [(0, bits, self.top)]
        rest = bits - TOP_BITS
        if rest > 0 and self.top.codec.depth_for(TOP_BITS) is not None:
            return [(0, rest, self.low), (rest, TOP_BITS, self.top)]
        if self.strict:
            raise UnsupportedError(too_deep(self.top, bits))
        return [(0, bits, _DEEP if rest <= 0 else _DEEPER)]

    def __str__(self) -> str:
        words = [f"{self.predictor.name.lower()} difference"] if self.predictor else []
        words.append(str(self.top))
        if self.low != _LOW:
            words.append(f"bits below the highest {TOP_BITS} {self.low}")
        return ", ".join(words)


def too_deep(coding: Coding, bits: int) -> str:
    """Return an error message that says which codecs hold values of so many bits."""
    others = [
        codec.name
        for codec in CODECS.values()
        if codec.lossless and codec.depths[-1] >= min(bits, TOP_BITS)
    ]
    return (
        f"{coding.codec.name} holds values of up to {coding.codec.depths[-1]} bits, and these "
        f"frames take {bits}; name {', '.join(others)}, or no codec"
    )


def check_bound(bound: float) -> float:
    """Return a largest absolute error that a user gave, as a float.

    Raises
    ------
    UnsupportedError
        Unless it is a number above 0.
    """
    if not (isinstance(bound, (int, float)) and math.isfinite(bound) and bound > 0):
        raise UnsupportedError(
            f"the maximum error is {bound}, but it must be a number above 0; without one, packing "
            "is exact"
        )
    return float(bound)
