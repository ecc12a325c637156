"""When the pictures of an animation are shown, as its file says how long each one stays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ...metadata.coordinates import Coordinate
from ...metadata.description import FRAME_AXIS, Metadata
from ...metadata.time_stamps import TIME_BASE
from ..picture_records import TIME

DURATION = "duration"
"""The coordinate that says how long a picture stays."""


def timed(metadata: Metadata, durations: Sequence[Fraction]) -> Metadata:
    """Return metadata with the times of the pictures of an animation.

    Parameters
    ----------
    metadata
        Of its frames. When each was taken, if that is known, is kept instead.
    durations
        How long each picture stays, in seconds. If all are 0, nothing is said of times.
    """
    if not any(durations):
        return metadata
    starts = list(itertools.accumulate(durations[:-1], initial=Fraction(0)))
    base = Fraction(1, math.lcm(*(duration.denominator for duration in durations)))
    attrs = {"units": "s", TIME_BASE: str(base)}
    coords = {
        name: Coordinate.of((FRAME_AXIS,), np.array(values, np.float64), attrs)
        for name, values in ((TIME, starts), (DURATION, durations))
    }
    return replace(metadata, coords={**coords, **metadata.coords})
