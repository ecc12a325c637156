"""Made the golden files of one version of PyAV, with the package of format 1.3.

    python make_versions.py FOLDER [stacks]

`blocks.npz` has bare blocks of every codec x dtype x transform, with the CRC-32 of the frames
that they must give: small, so that there can be one for each FFmpeg. With `stacks` some of
the stacks of make_1_2.py are made, too.
"""

import json
import sys
from pathlib import Path

import make_1_2
import numpy as np

from h5vidstack import block
from h5vidstack.block_format import parse
from h5vidstack.codecs import CODECS, Coding, library_versions
from h5vidstack.codecs.transforms import Colour, Predictor
from h5vidstack.recipe import Recipe

DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]
PRESETS = [
    "x264-slow", "x265-fast", "ffv1-context", "magicyuv-median", "ffvhuff-median", "deflate",
    "lzma", "mp4",
]  # fmt: skip
STACKS = ("x264", "x264_10", "x265", "x265_12", "ffv1", "ffv1_16", "magicyuv", "ffvhuff",
          "ffvhuff_16", "deflate", "lzma", "bool", "f4", "f8_bound", "colour3_lift", "crf",
          "mp4")  # fmt: skip


def transforms():
    """Yield a name, channels, and the part of a recipe that is no codec."""
    for predictor in Predictor:
        for fold in (False, True) if predictor else (False,):
            yield f"{predictor.name}{'_FOLD' * fold}", 1, {"predictor": predictor, "fold": fold}
    for colour in Colour:
        yield f"COLOUR_{colour.name}", 3, {"colour": colour}


def frames_of(dtype, channels):
    """A drifting wave in 7 bits, with as much of the dtype as the codecs hold."""
    t, y, x, c = np.indices((2, 32, 40, channels))
    wave = ((np.sin((x + 2 * t) / 9 + c / 3) * np.cos((y - t) / 11) + 1) * 60).astype(int)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        wave = wave > 60
    elif dtype.kind == "i":
        wave = wave - 64
    frames = wave.astype(dtype)
    return frames if channels > 1 else frames[..., 0]


def make_blocks(path):
    """Write all blocks, and what each is."""
    index, blocks, used = [], [], set()
    for preset in PRESETS:
        for dtype in DTYPES:
            for name, channels, way in transforms():
                recipe = Recipe(Coding(preset), **way)
                if not recipe.lossless and (recipe.predictor or channels > 1):
                    continue  # a lossy codec takes values as they are
                frames = frames_of(dtype, channels)
                data, decoded = block.encode_lossy(frames, recipe)
                if recipe.lossless:
                    np.testing.assert_array_equal(decoded, frames)
                stored = np.dtype(np.uint8) if dtype == "?" else frames.dtype
                streams = parse(data, block.whole_shape(frames), stored).streams
                used |= {(stream.codec.name, dtype) for stream in streams}
                crcs = block.frame_crcs(decoded).tolist()
                index.append([f"{preset} {dtype} {name}", block.whole_shape(frames), dtype, crcs])
                blocks.append(np.frombuffer(data, np.uint8))
    lossless = {codec.name for codec in CODECS.values()} - {"raw"}
    missing = {(codec, dtype) for codec in lossless for dtype in DTYPES[1:]} - used
    assert not missing, missing
    np.savez_compressed(
        path, data=np.concatenate(blocks), ends=np.cumsum([len(data) for data in blocks]),
        index=json.dumps(index), libraries=json.dumps(library_versions()),
    )  # fmt: skip


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    make_blocks(folder / "blocks.npz")
    if sys.argv[2:] == ["stacks"]:
        make_1_2.cases = lambda cases=make_1_2.cases: (c for c in cases() if c[0] in STACKS)
        make_1_2.make(folder)
