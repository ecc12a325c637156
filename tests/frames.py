"""Stacks to test on: smooth motion, noise, odd sizes."""

from typing import Any

import numpy as np
import numpy.typing as npt

from h5vidstack.cli.demonstration import generate_uint8

Pixels = npt.NDArray[Any]

SHAPES = [
    (5, 1, 1),
    (20, 17, 3),
    (1, 31, 47),
    (3, 301, 201),
    (33, 16, 16),
    (2, 9, 8, 3),
    (18, 5, 7, 4),
]


DTYPES = ["?", "i1", "u1", ">i2", "u2", "i4", ">u4", "i8", "u8", "f2", ">f4", "f8"]


def pixels(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Pixels:
    """Frames of any dtype, with its extremes and what is no number."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(0)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind == "f":
        frames = (rng.normal(size=shape) * 100).astype(dtype)
        frames[0, 0, :2] = np.nan, np.inf
        frames[-1, -1, -2:] = -0.0, -np.inf
        return frames
    limits = np.iinfo(dtype)
    frames = rng.integers(limits.min, limits.max, shape, dtype.newbyteorder("="), endpoint=True)
    frames[0, 0, :2] = limits.min, limits.max
    return frames.astype(dtype)


def moving(shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.uint8]:
    """Uint8 frames of a pattern that drifts: what video coding is good at."""
    n, height, width = shape[:3]
    rng = np.random.default_rng(seed)
    pattern = rng.integers(0, 256, (height, width), np.uint8) // 8
    y, x = np.mgrid[:height, :width]
    base = (y * 3 + x * 2 + pattern).astype(np.uint8)
    frames = np.stack([np.roll(base, (i, 2 * i), (0, 1)) + np.uint8(i % 3) for i in range(n)])
    if len(shape) == 4:
        frames = np.stack([frames + np.uint8(40 * c) for c in range(shape[3])], axis=-1)
    return frames


def noise(shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.uint8]:
    """Uint8 frames that nothing compresses."""
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def wave(shape: tuple[int, int, int] = (20, 30, 40)) -> Pixels:
    t, y, x = np.indices(shape)
    values: Pixels = np.sin((x + t) / 7) * np.cos((y - t) / 5) + noise(shape) / 2560
    return values


def sweep(
    shape: tuple[int, ...] = (40, 31, 23), dtype: npt.DTypeLike = np.uint8, rank: int = 6
) -> Pixels:
    """Frames of so many independent images, with a little noise."""
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, int(np.prod(shape[1:]))))
    flat += rng.normal(size=flat.shape) * 0.05
    flat = (flat - flat.min()) / np.ptp(flat)
    top = 1 if np.dtype(dtype).kind == "f" else min(np.iinfo(dtype).max, 40000)
    frames: Pixels = (flat * top).reshape(shape).astype(dtype)
    return frames


SWEEP = generate_uint8((90, 1, 1), (40, 56))
SHUFFLE = np.random.default_rng(0).permutation(90)


def scenes(count: int = 2, length: int = 40) -> npt.NDArray[np.uint8]:
    """Static scenes with a little motion, each unlike the others; `(count * length, 40, 56)`."""
    parts = []
    for scene in range(count):
        background = noise((1, 5, 7), scene).repeat(8, axis=1).repeat(8, axis=2)
        steps = np.arange(length)[:, None, None]
        parts.append(np.where(np.arange(56) < steps, background // 2, background))
    return np.concatenate(parts).astype(np.uint8)
