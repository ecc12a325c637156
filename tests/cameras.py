"""Frames of a simulated camera, whose noise is known."""

from typing import Any

import numpy as np
import numpy.typing as npt


def photographed(
    shape: tuple[int, ...],
    *,
    gain: float = 0.5,
    offset: float = 100,
    read: float = 1.6,
    light: tuple[float, float] = (5, 2000),
    dtype: str = "u2",
    full: int | None = None,
    seed: int = 0,
) -> npt.NDArray[Any]:
    """Return frames of a scene that is darkest at one corner, with shot noise and read noise.

    `gain` is in electrons per count, `offset` in counts, `read` and `light` in electrons. Counts
    end at `full`, or where the dtype ends.
    """
    random = np.random.default_rng(seed)
    y, x = np.indices(shape[1:3])
    way = (y + x) / max(1, shape[1] + shape[2] - 2)
    scene = light[0] + (light[1] - light[0]) * way.reshape(*way.shape, *(1 for _ in shape[3:]))
    electrons = random.poisson(np.broadcast_to(scene, shape)) + random.normal(0, read, shape)
    limits = np.iinfo(dtype)
    counts = np.rint(electrons / gain + offset)
    return counts.clip(limits.min, limits.max if full is None else full).astype(dtype)
