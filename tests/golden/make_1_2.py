"""Made the golden files of format 1.2; kept to show how, not to be run again.

    python make_1_2.py FOLDER

Every codec, predictor, mapping and kind of dtype is in one of them.
"""

import sys
from pathlib import Path

import numpy as np

import h5vidstack
from h5vidstack import packer
from h5vidstack.codecs import Coding
from h5vidstack.codecs.transforms import Colour, Predictor
from h5vidstack.recipe import Recipe

SHAPE = (7, 19, 23)


def smooth(shape=SHAPE):
    """Float64 frames of a drifting wave."""
    t, y, x = np.indices(shape[:3])
    wave = np.sin((x + 2 * t) / 5) * np.cos((y - t) / 7)
    return wave if len(shape) == 3 else np.stack([wave * (c + 1) for c in range(shape[3])], -1)


def whole(bits, dtype, offset=0):
    """Smooth integers of so many bits with a little noise."""
    noise = np.random.default_rng(bits).integers(0, 3, SHAPE)
    return ((smooth() + 1) / 2 * ((1 << bits) - 3) + noise + offset).astype(dtype)


def cases():
    """Yield name, frames, recipe."""
    presets = {
        "x264": ("x264-slow", 8), "x264_10": ("x264-fast", 10), "x265": ("x265-fast", 8),
        "x265_12": ("x265-interm", 12), "ffv1": ("ffv1", 8), "ffv1_10": ("ffv1-context", 10),
        "ffv1_12": ("ffv1", 12), "ffv1_16": ("ffv1-context", 16), "magicyuv": ("magicyuv", 8),
        "magicyuv_median": ("magicyuv-median", 8), "ffvhuff": ("ffvhuff", 8),
        "ffvhuff_16": ("ffvhuff-median", 9), "deflate": ("deflate", 8), "lzma": ("lzma", 8),
    }  # fmt: skip
    for name, (preset, bits) in presets.items():
        frames = whole(bits, np.uint8 if bits == 8 else np.uint16)
        if preset.startswith(("magicyuv", "ffvhuff")):  # their tables need room to pay
            frames = np.tile(frames, (1, 4, 4))
        yield name, frames, Recipe(Coding(preset), strict=True)
    for predictor in Predictor:
        for fold in (False, True):
            low = ((8, Coding("deflate")),)
            recipe = Recipe(Coding("lzma"), low, predictor, fold)
            name = f"{predictor.name.lower()}{'_fold' * fold}"
            yield name, whole(13, np.int16, -4000), recipe
    yield "bool", smooth() > 0, Recipe()
    yield "int8", whole(8, np.int16, -128).astype(np.int8), Recipe(Coding("raw"))
    yield "bits", whole(5, np.uint8), Recipe(Coding("raw"), strict=True)
    yield "steps", whole(9, np.int32) * 24 - 7, Recipe()
    patched = whole(9, np.uint32)
    patched[3, 5, 7] = 2**32 - 1
    yield "patches", patched, Recipe()
    yield "palette", np.array([3, 500, -9, 70000], np.int64)[whole(2, np.intp) % 4], Recipe()
    yield "wide", whole(40, np.uint64), Recipe()
    yield "constant", np.full(SHAPE, -3, np.int16), Recipe()
    for dtype in ("f2", "f4", "f8"):
        frames = smooth().astype(dtype)
        frames[2, 3, 4:7] = np.nan, np.inf, -0.0
        planes = tuple((8, Coding("deflate")) for _ in range(np.dtype(dtype).itemsize - 1))
        yield dtype, frames, Recipe(Coding("lzma"), planes, Predictor.LINEAR)
        yield f"{dtype}_bound", frames, Recipe(Coding("ffv1"), bound=0.01)
    yield "counts", np.round(smooth() * 300).astype(np.float32), Recipe()
    yield "uint16_bound", whole(14, np.uint16), Recipe(bound=5)
    for channels in (3, 4):
        frames = ((smooth((*SHAPE, channels)) + 4) * 25).astype(np.uint8)
        for colour in Colour:
            yield f"colour{channels}_{colour.name.lower()}", frames, Recipe(colour=colour)
    yield "crf", whole(8, np.uint8), Recipe(Coding("x264-fast", 20))
    yield "mp4", smooth().astype(np.float32), Recipe(Coding("mp4"))


def make(folder):
    """Write each case, and what a reader must get."""
    for name, frames, recipe in cases():
        packer.Wish.template = lambda *_, recipe=recipe: recipe
        h5vidstack.pack(frames, folder / f"{name}.h5", preset=recipe.top.preset, method="video",
                        crf=recipe.top.crf, max_error=recipe.bound or None)  # fmt: skip
        with h5vidstack.open(folder / f"{name}.h5") as stack:
            got = stack[:]
            if recipe.lossless:
                np.testing.assert_array_equal(got, frames)
            np.savez_compressed(folder / f"{name}.npz", frames=got)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
