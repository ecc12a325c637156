"""Makes the golden files of format 1.0: every kind of stack, and blocks of every codec.

    python tests/golden/make.py [FOLDER]

From the release of format 1.0 on, what lies here must be read for ever and is never made anew:
then give another folder. `expected.json` says of each stack the shape, dtype and CRC-32 of what a reader must get.
`blocks.npz` has bare blocks of every codec x dtype x transform, and the CRC-32 of their frames.
"""

import json
import os
import sys
import zlib
from pathlib import Path

import av
import h5py
import numpy as np
from av.video.frame import PictureType

import h5vidstack
from h5vidstack.codecs import block
from h5vidstack.codecs.av_engine import library_versions
from h5vidstack.codecs.block_format import parse
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import CODECS, Coding
from h5vidstack.codecs.transforms import Colour, Predictor

SMALL = {"hashes": False}
expected = {}


def film(frames, channels=1, bits=8, dtype="u1", size=(13, 19)):
    """A drifting wave with a little noise, each channel another."""
    t, y, x, c = np.indices((frames, *size, channels))
    wave = np.sin((x + 2 * t) / 5 + c / 3) * np.cos((y - t) / 7)
    noise = np.random.default_rng(bits).integers(0, 2, wave.shape)
    values = ((wave + 1) / 2 * ((1 << bits) - 2) + noise).astype(dtype)
    return values if channels > 1 else values[..., 0]


def special(dtype):
    """Floats, some of which are no numbers."""
    t, y, x = np.indices((5, 13, 19))
    frames = (np.sin((x + 2 * t) / 5) * np.cos((y - t) / 7)).astype(dtype)
    frames[2, 3, 4:7] = np.nan, np.inf, -0.0
    return frames


def keep(name, frames=None, stack="/stack"):
    """Note what a reader must get; compare it with what was packed."""
    with h5vidstack.open(f"{name}.h5", stack) as opened:
        got = opened[:]
    if frames is not None:
        flat = frames.reshape(got.shape)
        np.testing.assert_array_equal(got, flat.astype(got.dtype), strict=True)
        got = frames
    expected[name] = got.shape, got.dtype.str, zlib.crc32(got.tobytes())
    return got


def make_packed():
    """Stacks that one call packs: dtypes, codecs, tiles, methods, losses."""
    mixed = np.stack([film(12), 255 - film(12, bits=7)], axis=1).reshape(24, 13, 19)
    mixed = np.concatenate([mixed, mixed[5:7], mixed[[23] * 4]])
    exact = {
        "gray": (film(20), {"preset": "lpc-fast", "chunk_frames": 16, "hashes": True}),
        "colour": (film(7, 3), {"preset": "lpc-chain", "chunk_frames": 4}),
        "tiled": (film(3, 4, 11, "u2"), {"preset": "lpc-chain", "tile": (8, 16)}),
        "copies": (mixed, {"method": "video", "preset": "x264-interm"}),
        "piles": (
            mixed,
            {"method": "groupvideo", "preset": "lpc-slow", "chunk_frames": 16, "hashes": True},
        ),
        "wide": (film(3, bits=40, dtype="i8"), {"preset": "lpc-fast"}),
        "float": (special("f4"), {"preset": "lzma"}),
        "plain": (film(3, 4, 12, "u2"), {"method": "hdf5gzshuffle", "tile": (8, 16)}),
        "pixels": (film(5), {"method": "hdf5"}),
        "group": (np.concatenate([film(16), film(16, bits=3)]).astype("f4"), {"method": "group"}),
        "pca_exact": (film(6, 3), {"method": "pca", "components": 2, "exact": True}),
    }
    lossy = {
        "bound": (special("f8"), {"preset": "lpc-fast", "max_error": 0.01}),
        "noise": (
            film(5, bits=12, dtype="u2"),
            {"preset": "lpc-chain", "max_error": "1s", "noise": "gain=0.5,offset=300,read=2"},
        ),
        "crf": (film(5), {"crf": 20}),
        "pca": (film(6, 3), {"method": "pca", "components": 2}),
    }
    for name, (frames, how) in (exact | lossy).items():
        h5vidstack.pack(frames, f"{name}.h5", **SMALL | how)
        keep(name, frames if name in exact else None)


def make_changed():
    """Stacks that grew, were recorded, recovered or linked."""
    frames, more = film(40), film(30, bits=7)
    h5vidstack.pack(
        frames[:21], "longer.h5", method="video", codec="ffv1", chunk_frames=16, **SMALL
    )
    h5vidstack.pack(frames[21:], "longer.h5", mode="a", preset="lpc-chain")
    keep("longer", frames)
    h5vidstack.pack(frames[:9], "mixed.h5", method="pca", components=3, exact=True, **SMALL)
    h5vidstack.pack(more[9:15], "mixed.h5", mode="a", preset="x264-fast")
    keep("mixed", np.concatenate([frames[:9], more[9:15]]))
    for name in ("recording", "open"):
        recorder = h5vidstack.create(
            f"{name}.h5", (13, 19), "u1", tile=(8, 16), chunk_frames=4, codec="lpc", **SMALL
        )
        for frame in frames[:18]:
            recorder.write(frame)
        recorder.flush()
        if name == "open":
            Path("copy.h5").write_bytes(Path("open.h5").read_bytes())
        recorder.close()
    Path("copy.h5").replace("open.h5")
    keep("recording", frames[:18])
    keep("open", frames[:16])
    h5vidstack.pack(frames, "bad.h5", method="video", codec="ffv1", chunk_frames=16, **SMALL)
    with h5py.File("bad.h5") as file:
        info = file["stack/frames"].id.get_chunk_info(1)
    data = bytearray(Path("bad.h5").read_bytes())
    data[info.byte_offset + info.size // 2] ^= 1
    Path("bad.h5").write_bytes(data)
    lost = h5vidstack.recover("bad.h5", "recovered.h5").lost
    Path("bad.h5").unlink()
    saved = keep("recovered", np.delete(frames, lost, axis=0))
    with h5vidstack.open("copies.h5") as stack:
        copies = stack[:]
    h5vidstack.link(["longer.h5", "copies.h5", "recovered.h5"], "linked.h5")
    keep("linked", np.concatenate([frames, copies, saved]))


def make_elsewhere():
    """A dataset that h5py wrote, and one whose stack is beside it."""
    with h5py.File("bare.h5", "w") as file:
        file.create_dataset("data", data=film(9), chunks=(4, 8, 16), **h5vidstack.Video("lpc"))
    keep("bare", film(9), "/data")
    frames = film(2 * 3, 3, 6, ">u2").reshape(2, 3, 13, 19, 3)
    with h5py.File("source.h5", "w") as file:
        file["entry/data"] = frames
        file["entry"].attrs["signal"] = "data"
    h5vidstack.repack("source.h5", "beside.h5", select=["entry/data"])
    Path("source.h5").unlink()
    keep("beside", frames, "/entry/data")


def make_copied():
    """Packets of H.264 files as they came.

    They have B pictures, several IDR pictures a block, 10 bits, or key frames anywhere.
    """
    for name, pixel_format, run, keys in (
        ("copied", "yuv420p", 12, ()), ("copied_10", "yuv420p10le", None, ()),
        ("copied_gops", "yuv444p", 6, (2, 7, 8)),
    ):  # fmt: skip
        with av.open("film.mkv", "w") as output:
            options = {"g": "6", "keyint_min": "6", "sc_threshold": "0", "crf": "30", "bf": "2"}
            video = output.add_stream("libx264", rate=25, options=options)
            video.height, video.width, video.pix_fmt = 16, 22, pixel_format
            for number, pixels in enumerate(film(21, size=(16, 22))):
                picture = av.VideoFrame.from_ndarray(pixels, format="gray")
                picture = picture.reformat(format=pixel_format)
                picture.pts = number
                if number in keys:
                    picture.pict_type = PictureType.I
                output.mux(video.encode(picture))
            output.mux(video.encode(None))
        h5vidstack.pack("film.mkv", f"{name}.h5", gray=True, copy=True, chunk_frames=run, **SMALL)
        keep(name)
    Path("film.mkv").unlink()


PIXELS = (("?", 8), ("i1", 7), ("u1", 8), ("u2", 10), ("i2", 12), ("u2", 16), ("u4", 20), ("u4", 32),
          ("i8", 40), ("f2", 8), ("f4", 14), ("f8", 40))  # fmt: skip
"""Dtypes of blocks, and the bits that are in use; of floats, before a root is taken."""


def pixels(dtype, bits, channels):
    """A slow wave that fills so many bits."""
    t, y, x, c = np.indices((2, 16, 16, channels))
    wave = np.sin((x + 2 * t) / 20 + c / 3) * np.cos((y - t) / 25)
    frames = ((wave + 1) / 2 * (2.0**bits - 1)).round()
    frames = frames if channels > 1 else frames[..., 0]
    if dtype == "?":
        return frames > 150
    return (np.sqrt(frames) if dtype[0] == "f" else frames).astype(dtype)


def recipes():
    """Yield a name, channels and a recipe for each codec with each of its transforms."""
    for preset in ("raw", "lpc-fast", "x264-slow", "ffv1-context",
                   "deflate-runs", "lzma", "mp4"):  # fmt: skip
        coding = Coding(preset)
        for predictor in Predictor if coding.codec.predicted else (Predictor.NONE,):
            yield f"{preset} {predictor.name}", 1, Recipe(coding, predictor=predictor)
    for colour in Colour:
        yield f"colour {colour.name}", 3, Recipe(Coding("lpc-fast"), colour=colour)
        yield f"alpha {colour.name}", 4, Recipe(Coding("deflate"), colour=colour)


def make_blocks():
    """Write blocks of every codec, dtype and transform, and what each is."""
    index, blocks, used = [], [], set()
    for dtype, bits in PIXELS:
        for name, channels, recipe in recipes():
            if channels > 1 and dtype not in ("u1", "i2"):
                continue  # they are the same for all
            frames = pixels(dtype, bits, channels)
            data, decoded = block.encode_lossy(frames, recipe)
            stored = np.dtype(np.uint8) if dtype == "?" else frames.dtype
            streams = parse(data, block.whole_shape(frames), stored).streams
            used |= {(stream.codec.name, stream.depth) for stream in streams}
            crcs = block.frame_crcs(decoded).tolist()
            index.append([f"{name} {dtype} {bits}", block.whole_shape(frames), dtype, crcs])
            blocks.append(np.frombuffer(data, np.uint8))
    wanted = {(name, depth) for name in ("x264", "ffv1") for depth in CODECS[name].depths}
    wanted |= {(name, depth) for name in ("deflate", "lzma") for depth in (8, 16, 32)}
    if wanted - used or CODECS.keys() - {name for name, _ in used}:
        raise RuntimeError(f"no block has a stream of {sorted(wanted - used)}, or of a codec")
    np.savez_compressed(
        "blocks.npz", data=np.concatenate(blocks), ends=np.cumsum([len(data) for data in blocks]),
        index=json.dumps(index), libraries=json.dumps(library_versions()),
    )  # fmt: skip


if __name__ == "__main__":
    os.chdir(sys.argv[1] if sys.argv[1:] else Path(__file__).parent)
    for old in Path().glob("*.h5"):
        old.unlink()
    for make in (make_packed, make_changed, make_elsewhere, make_copied, make_blocks):
        make()
    Path("expected.json").write_text(json.dumps(expected, indent=1) + "\n")
