"""How a block is to be coded: the choice that packing makes for each pile."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import UnsupportedError
from .registry import CODECS, Coding
from .transforms import Colour, Predictor

Part = tuple[int, int, Coding]
"""Some bits of each value, coded as one stream: the lowest, how many, and how."""

TOP_BITS = 16
"""So many of the highest bits a codec of pictures gets, where values have more."""

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
        Largest absolute difference to the input that is allowed; 0: none.
    colour
        What becomes of channels.
    predictor
        See `Predictor`.
    top
        How values are coded, or their highest bits.
    low
        How the bits below the highest 16 are coded, where `top` holds no more than those.
    strict
        If `top` does not hold so many bits, refuse; else they are coded by lpc, and
        more than 16 bits by LZMA.
    """

    top: Coding = _USUAL
    low: Coding = _LOW
    predictor: Predictor = Predictor.NONE
    colour: Colour = Colour.LIFT
    bound: float = 0.0
    strict: bool = False

    def colour_of(self, channels: int) -> Colour:
        """What becomes of so many channels.

        Nothing where the codec is lossy: differences modulo the range would go round.
        """
        return self.colour if channels > 1 and self.top.lossless else Colour.NONE

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
        if self.top.engine.depth_for(bits) is not None:
            return [(0, bits, self.top)]
        rest = bits - TOP_BITS
        if rest > 0 and self.top.engine.depth_for(TOP_BITS) is not None:
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
        f"{coding.codec} holds values of up to {coding.engine.depths[-1]} bits, and these frames "
        f"take {bits}; name {', '.join(others)}, or no codec"
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
