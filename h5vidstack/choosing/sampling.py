"""Samples: parts of frames that stand for all of a pile, to be coded in many ways."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..shapes import Numbers, Pixels
from .profiles import Profile

Take = Callable[[Numbers], Pixels]
"""Gives frames by their numbers, ``(n, H, W[, C])``."""

FIRST_LOOK = 4
"""Every candidate first codes only a part of a sample: the sample's bytes over this number,"""
LEAST_LOOK = 3 << 13
"""but at least so many bytes of each run."""
LEAST_ROWS = 48
"""Least rows of a stripe: three of the macroblocks that video codecs use."""
LEAST_SAMPLE, MOST_SHARE = 1 << 17, 1 / 12
"""A sample takes no more than this share of a small pile, unless that is under so many bytes."""
RUNS, RUN_FRAMES = 3, 8
"""A sample has at least so many runs of at least so many frames, where the pile has them."""


def sample(pile: Numbers, chunk_frames: int, profile: Profile, take: Take) -> list[Pixels]:
    """Take the sample of a pile: parts of runs of its frames, ``(n, h, w[, C])`` each.

    Short runs of whole frames are more like the pile than long runs of small parts. Borders
    differ from the middle, and a codec that learns anew in every frame looks worse the less of
    a frame it sees.
    """
    one = take(pile[:1])
    frame = one.nbytes
    whole = len(pile) * frame
    least: float = profile.sample_least
    if profile.tolerance:  # without any, only size matters
        least = min(least, max(whole * MOST_SHARE, LEAST_SAMPLE))
    wanted = min(max(profile.sample_share * whole, least), profile.sample_most)
    longest = min(chunk_frames, profile.sample_frames, len(pile))
    length = min(longest, max(RUN_FRAMES, int(wanted / (RUNS * frame))))
    enough = max(RUNS, int(wanted / (length * frame)))  # more where frames are tiny
    count = max(1, min(enough, len(pile) // (2 * length)))
    room = len(pile) - length
    starts = (np.arange(count) * 2 + 1) * room // (2 * count)
    pixels = wanted / (count * length * frame) * math.prod(one.shape[1:3])
    return [
        stripe(take(pile[start : start + length]), pixels, (number + 0.5) / count)
        for number, start in enumerate(starts)
    ]


def first_look(sample: Pixels) -> Pixels:
    """Return a part of a run: two frames, or more if they are tiny; of large ones the middle."""
    wanted = max(sample.nbytes / FIRST_LOOK, LEAST_LOOK)
    few = sample[: max(2, int(wanted / sample[0].nbytes))]
    return crop(few, math.prod(few.shape[1:3]) * wanted / few.nbytes)


def crop(frames: Pixels, pixels: float) -> Pixels:
    """Copy the middle of frames that have more than so many pixels."""
    height, width = frames.shape[1:3]
    scale = min(1.0, (pixels / (height * width)) ** 0.5)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (height - rows) // 2, (width - columns) // 2
    return frames[:, top : top + rows, left : left + columns].copy()


def stripe(frames: Pixels, pixels: float, where: float) -> Pixels:
    """Copy a few rows of frames that have more than so many pixels.

    Parameters
    ----------
    frames
        ``(n, H, W[, C])``.
    pixels
        How many pixels of a frame are wanted.
    where
        0 for rows at the top, 1 for rows at the bottom.
    """
    height, width = frames.shape[1:3]
    rows = min(height, max(LEAST_ROWS, round(pixels / width)))
    columns = min(width, max(1, round(pixels / rows)))
    top, left = round((height - rows) * where), (width - columns) // 2
    return frames[:, top : top + rows, left : left + columns].copy()
