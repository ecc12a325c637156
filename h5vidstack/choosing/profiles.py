"""The table of profiles: what each wants, and which codings it tries."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..codecs.transforms import Predictor
from ..shapes import CHUNK_FRAMES, MAX_EDGE, TILE_ABOVE_PIXELS, Shape, choose_chunk, frame_bytes

LEAST_BLOCK = 1 << 18
"""A block of tiny frames gets more of them than usual until it has so many bytes of pixels."""
BLOCKS = 8
"""A stack has at least so many of these larger blocks, for as many cores."""
STRIP = 3 << 16
"""Bytes above which a profile with strips cuts a frame, so that several cores decode it."""
MOST_FRAMES = 256
"""Most frames of a block that a profile chooses."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What matters, and how much.

    Attributes
    ----------
    name
        What users write.
    tolerance
        A faster candidate is taken before smaller ones if it is larger by no more than this
        share.
    presets
        Codings that are tried, the fastest first.
    predictors
        What is tried with codings that see bytes instead of pictures.
    sample_share, sample_least, sample_most
        How much of a pile's bytes is sampled.
    sample_frames
        Most frames of a run of the sample.
    looks
        How many runs have a part of them coded in every way.
    close
        A candidate codes all of the sample if those parts came this close to the smallest size.
    in_order
        Whether method auto keeps the given order, which saves a second pass.
    block_frames
        Usual number of frames in a block.
    strips
        Most strips that frames are cut into; 1: none.
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
    close: float = 1.5
    in_order: bool = False
    block_frames: int = CHUNK_FRAMES
    strips: int = 1

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
        usual = self.block_frames
        while usual * size < LEAST_BLOCK and 2 * usual <= min(MOST_FRAMES, (count or 0) // BLOCKS):
            usual *= 2
        untiled = math.prod(frame[:2]) <= TILE_ABOVE_PIXELS and max(frame[:2]) <= MAX_EDGE
        if self.strips > 1 and tile is None and untiled:
            strips = 1
            while strips < self.strips and size > strips * STRIP:
                strips *= 2
            tile = math.ceil(frame[0] / strips), frame[1]
        return choose_chunk(frame, itemsize, chunk_frames, tile, usual)


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="fast", tolerance=0.1, presets=("raw", "lpc-fast", "deflate-runs", "deflate"),
            predictors=(Predictor.NONE, Predictor.LEFT),
            sample_share=1 / 64, sample_least=1 << 18, sample_most=1 << 22, sample_frames=16,
            looks=8, in_order=True, strips=4,
        ),
        Profile(
            name="balanced", tolerance=0.02,
            presets=("raw", "lpc-fast", "lpc-chain", "deflate", "ffv1-context", "x264-interm"),
            predictors=(Predictor.NONE, Predictor.PREVIOUS, Predictor.LINEAR),
            sample_share=1 / 32, sample_least=1 << 19, sample_most=1 << 22, sample_frames=16,
            looks=3,
        ),
        Profile(
            name="small", tolerance=0.0,
            presets=("raw", "lpc-slow", "deflate", "ffv1-context", "x264-slow", "lzma-slow"),
            predictors=tuple(Predictor),
            sample_share=1 / 8, sample_least=1 << 21, sample_most=1 << 24, sample_frames=64,
            looks=5, close=1.15, block_frames=MOST_FRAMES,
        ),
    )
}  # fmt: skip
USUAL_PROFILE = "balanced"
"""The profile where the user names none."""
