"""Frames whose values have a given number of bits."""

import numpy as np
from frames import moving, noise

from h5vidstack.codecs.transforms import (
    container,
)


def deep(shape, bits, seed=0):
    """Smooth frames of values of so many bits, with both extremes in them."""
    wide = moving(shape, seed).astype(np.uint64) << np.uint64(max(bits - 8, 0))
    frames = (wide >> np.uint64(max(8 - bits, 0))) | (noise(shape, seed) % 3).astype(np.uint64)
    frames = (frames & np.uint64((1 << bits) - 1)).astype(container(bits))
    frames.flat[0], frames.flat[-1] = 0, (1 << bits) - 1
    return frames
