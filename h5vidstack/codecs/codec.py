"""What a codec is: how to code the values of a stream as packets, and what else it can."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

__all__ = ["Codec", "Encoded", "Packet", "Plane"]

Plane = npt.NDArray[Any]
"""``(n, H, W)`` unsigned integers: the values of one stream."""

Packet = bytes | memoryview

Encoded = tuple[list[bytes], bytes]
"""Packets, and the decoder configuration (FFmpeg calls it extradata)."""


@dataclass(frozen=True)
class Codec:
    """One row of the table of codecs, `registry.CODECS`.

    Attributes
    ----------
    id
        The number that blocks store. It is permanent, and never reused for another codec.
    name
        What users write.
    depths
        The bit depths that it codes, ascending. A stream takes the least that holds its values.
    encode
        ``encode(frames, depth, options) -> packets, configuration``.
    decode
        ``decode(packets, configuration, depth, out)`` fills ``out`` with the first ``len(out)``
        frames, or raises `BlockError`.
    whole
        One packet holds all frames; otherwise each frame has its own.
    configured
        Its streams have a decoder configuration. Streams of other codecs must have none, because
        FFmpeg would obey it: it may name an FFV1 version whose slices overlap, or NAL units that
        no start code separates.
    intra
        Every packet can be decoded without those before it.
    seeks
        `decode` also takes the number of the first wanted frame. ``out`` begins with that frame,
        and earlier frames are decoded only if later ones refer to them.
    entries
        ``entries(packets)`` gives the packets at which `decode` may begin; that of number i then
        begins with frame i. `decode` also takes how many frames to pass over.
    bytewise
        It codes bytes instead of pictures, and holds values of up to 64 bits.
    predicted
        It codes differences of values better than the values; see `transforms.Predictor`.
    thorough
        It takes so long that it is tried only where a faster codec of bytes comes near, and only
        with the predictors that suit that one best.
    lossless
        Every coding of it is lossless.
    takes_crf
        It has a lossy mode whose quality is a constant rate factor.
    of_sample
        The size of whole blocks, divided by what a sample of stripes and short runs predicts. It
        was measured; it is below 1 where motion is found better in whole frames.
    ffmpeg
        FFmpeg's name for what the packets are, if FFmpeg decodes them.
    display_order
        ``display_order(packets)`` gives the place of each packet's picture among those shown.
        None: packets are in the order in which their pictures are shown.
    """

    id: int
    name: str
    depths: tuple[int, ...]
    encode: Callable[[Plane, int, Mapping[str, str]], Encoded]
    decode: Callable[..., None]
    whole: bool = False
    configured: bool = False
    intra: bool = False
    seeks: bool = False
    bytewise: bool = False
    predicted: bool = False
    thorough: bool = False
    lossless: bool = True
    takes_crf: bool = False
    of_sample: float = 1.0
    ffmpeg: str | None = None
    entries: Callable[[Sequence[Packet]], list[int]] | None = None
    display_order: Callable[[Sequence[bytes]], list[int]] | None = None

    def depth_for(self, bits: int) -> int | None:
        """Return the least depth that holds so many bits, or None."""
        return next((depth for depth in self.depths if depth >= bits), None)
