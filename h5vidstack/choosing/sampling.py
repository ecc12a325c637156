"""Parts of frames that stand for all of them, to be coded in many ways."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..shapes import Numbers, Pixels
from .profiles import Profile

Take = Callable[[Numbers], Pixels]
"""Gives frames by their numbers, ``(n, H, W[, C])``."""

FIRST_LOOK = 4
"""At first, so much less of a sample is coded in every way."""
LEAST_LOOK = 3 << 13
"""But so many bytes of each run."""
LEAST_ROWS = 48
"""Of a stripe: three of the macroblocks that video codecs deal in."""
LEAST_SAMPLE, MOST_SHARE = 1 << 17, 1 / 12
"""No more of a small pile is sampled than this share, unless that is under so many bytes."""
RUNS, RUN_FRAMES = 3, 8
"""Of a pile at least so many runs of at least so many frames are coded in every way."""


def sample(pile: Numbers, chunk_frames: int, profile: Profile, take: Take) -> list[Pixels]:
    """What of a pile is coded in every way: parts of runs of its frames, ``(n, h, w[, C])``.

    Short runs of whole frames are more like the pile than long runs of small parts:
    borders differ from what is in the middle, and codecs that begin every frame with
    nothing learnt look worse the less of it they see.
    """
    one = take(pile[:1])
    frame = one.nbytes
    whole = len(pile) * frame
    least: float = profile.sample_least
    if profile.tolerance:  # else time is no object
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
    """A small part of a run: two frames or, if they are tiny, more; of large ones the middle."""
    wanted = max(sample.nbytes / FIRST_LOOK, LEAST_LOOK)
    few = sample[: max(2, int(wanted / sample[0].nbytes))]
    return crop(few, math.prod(few.shape[1:3]) * wanted / few.nbytes)


def crop(frames: Pixels, pixels: float) -> Pixels:
    """The middle of frames that have more than so many pixels, as a copy."""
    height, width = frames.shape[1:3]
    scale = min(1.0, (pixels / (height * width)) ** 0.5)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (height - rows) // 2, (width - columns) // 2
    return frames[:, top : top + rows, left : left + columns].copy()


def stripe(frames: Pixels, pixels: float, where: float) -> Pixels:
    """A few rows of frames that have more than so many pixels, as a copy.

    Parameters
    ----------
    where
        0 for those at the top, 1 for the bottom.
    """
    height, width = frames.shape[1:3]
    rows = min(height, max(LEAST_ROWS, round(pixels / width)))
    columns = min(width, max(1, round(pixels / rows)))
    top, left = round((height - rows) * where), (width - columns) // 2
    return frames[:, top : top + rows, left : left + columns].copy()
