"""What a profile wants, and which codings it tries."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .codecs import MAX_EDGE, Coding
from .codecs.transforms import Predictor
from .geometry import CHUNK_FRAMES, TILE_ABOVE_PIXELS, Shape, choose_chunk, frame_bytes

FAST_BYTES = 3 << 17
"""Of a block of profile fast. Frames of over twice as many are cut: all cores decode one."""


@dataclass(frozen=True)
class Profile:
    """What matters, and how much.

    Attributes
    ----------
    tolerance
        A candidate is taken before smaller ones that are slower, if it is larger by no
        more than this share.
    presets
        Codings of streams, the fastest first.
    predictors
        With which they are tried.
    low_bits
        How many of more than 8 bits may be split off; 8, and all but 8, are always tried.
    sample_share, sample_least, sample_most
        Of a pile's bytes: how much is sampled.
    sample_frames
        Frames of a run of the sample at most.
    looks
        Of how many runs a part is coded in every way.
    handicap
        What deflate makes counts as so many times larger, for it takes three times as long.
    """

    name: str
    tolerance: float
    presets: tuple[str, ...]
    predictors: tuple[Predictor, ...]
    low_bits: tuple[int, ...]
    sample_share: float
    sample_least: int
    sample_most: int
    sample_frames: int
    looks: int
    handicap: float = 1.0

    @property
    def in_order(self) -> bool:
        """Whether method auto does without a second pass for similarity order."""
        return self.name == "fast"

    @property
    def predictors_of_one(self) -> tuple[Predictor, ...]:
        """Those that do without frames before."""
        return tuple(one for one in self.predictors if not one.of_frames)

    @property
    def intra(self) -> bool:
        """Whether its codecs look at each frame alone."""
        return all(Coding(preset).engine.intra for preset in self.presets)

    def chunk(
        self,
        frame: Shape,
        itemsize: int,
        chunk_frames: int | None,
        tile: tuple[int, int] | None,
    ) -> Shape:
        """Choose the chunk; see `choose_chunk`."""
        usual = 256 if self.name == "small" else CHUNK_FRAMES
        if self.name == "fast":  # its codecs decode frames alone, but HDF5 alone reads blocks
            size = frame_bytes(frame, itemsize)
            usual = max(1, min(usual, FAST_BYTES // size))
            whole = math.prod(frame[:2]) <= TILE_ABOVE_PIXELS and max(frame[:2]) <= MAX_EDGE
            if tile is None and whole and size > 2 * FAST_BYTES:
                parts = 1 << math.ceil(math.log2(size / (2 * FAST_BYTES)))
                tile = math.ceil(frame[0] / parts), frame[1]
        return choose_chunk(frame, itemsize, chunk_frames, tile, usual)


_FAST = (
    "raw", "magicyuv-left", "magicyuv", "ffvhuff", "deflate-runs", "ffvhuff-median", "deflate-fast",
)  # fmt: skip
_BALANCED = ("raw", "deflate", "x264-fast", "ffv1", "ffv1-context", "x264-interm")
_SMALL = (*_BALANCED, "deflate-runs", "deflate-huffman", "x264-slow", "lzma-slow")

PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "fast", 0.1, _FAST, (Predictor.NONE, Predictor.LEFT, Predictor.GRADIENT), (),
            1 / 64, 1 << 18, 1 << 22, 16, 8, 1.5,
        ),
        Profile(
            "balanced", 0.02, _BALANCED, (Predictor.NONE, Predictor.PREVIOUS, Predictor.LINEAR),
            (2, 4, 6), 1 / 32, 1 << 19, 1 << 22, 16, 3,
        ),
        Profile(
            "small", 0.0, _SMALL, tuple(Predictor), tuple(range(1, 9)),
            1 / 4, 1 << 23, 1 << 26, 64, 5,
        ),
    )
}  # fmt: skip
