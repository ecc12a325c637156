"""What a profile wants, and which codings it tries."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..codecs.transforms import Predictor
from ..shapes import CHUNK_FRAMES, MAX_EDGE, TILE_ABOVE_PIXELS, Shape, choose_chunk, frame_bytes

LEAST_BLOCK = 1 << 18
"""A block has more than the usual number of frames until it has so many bytes of pixels,"""
BLOCKS = 8
"""as long as a stack has so many blocks, for as many cores."""
STRIP = 3 << 16
"""In profile fast larger frames are cut into strips, so that several cores decode one frame."""
MOST_STRIPS = 4
MOST_FRAMES = 256
"""Of a block."""


@dataclass(frozen=True)
class Profile:
    """What matters, and how much.

    Attributes
    ----------
    tolerance
        A candidate is taken before smaller ones that are slower, if it is larger by no
        more than this share.
    presets
        Codings that are tried, the fastest first.
    predictors
        With which those are tried that see bytes.
    sample_share, sample_least, sample_most
        Of a pile's bytes: how much is sampled.
    sample_frames
        Frames of a run of the sample at most.
    looks
        Of how many runs a part is coded in every way.
    """

    name: str
    tolerance: float
    presets: tuple[str, ...]
    predictors: tuple[Predictor, ...]
    sample_share: float
    sample_least: int
    sample_most: int
    sample_frames: int
    looks: int

    @property
    def in_order(self) -> bool:
        """Whether method auto does without a second pass for similarity order."""
        return self.name == "fast"

    def chunk(
        self,
        frame: Shape,
        itemsize: int,
        chunk_frames: int | None,
        tile: tuple[int, int] | None,
        count: int | None = None,
    ) -> Shape:
        """Choose the chunk for `count` frames, or an unknown number; see `choose_chunk`."""
        size = frame_bytes(frame, itemsize)
        usual = MOST_FRAMES if self.name == "small" else CHUNK_FRAMES
        while usual * size < LEAST_BLOCK and 2 * usual <= min(MOST_FRAMES, (count or 0) // BLOCKS):
            usual *= 2
        untiled = math.prod(frame[:2]) <= TILE_ABOVE_PIXELS and max(frame[:2]) <= MAX_EDGE
        if self.name == "fast" and tile is None and untiled:
            strips = 1
            while strips < MOST_STRIPS and size > strips * STRIP:
                strips *= 2
            tile = math.ceil(frame[0] / strips), frame[1]
        return choose_chunk(frame, itemsize, chunk_frames, tile, usual)


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "fast", 0.1, ("raw", "lpc-fast", "deflate-runs", "deflate"),
            (Predictor.NONE, Predictor.LEFT),
            1 / 64, 1 << 18, 1 << 22, 16, 8,
        ),
        Profile(
            "balanced", 0.02,
            ("raw", "lpc-fast", "lpc-chain", "deflate", "ffv1-context", "x264-interm"),
            (Predictor.NONE, Predictor.PREVIOUS, Predictor.LINEAR),
            1 / 32, 1 << 19, 1 << 22, 16, 3,
        ),
        Profile(
            "small", 0.0,
            ("raw", "lpc-slow", "deflate", "ffv1-context", "x264-slow", "lzma-slow"),
            tuple(Predictor),
            1 / 4, 1 << 23, 1 << 26, 64, 5,
        ),
    )
}  # fmt: skip
