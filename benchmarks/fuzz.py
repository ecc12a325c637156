"""Decode mutated blocks as the HDF5 filter does, in a child process that may crash.

python benchmarks/fuzz.py [COUNT [FOLDER [FIRST]]]

A third of the inputs are blocks with bytes changed; a third the same with length and CRC
corrected, and a third are put together of changed packets, so that the decoders see them.
What it finds lies in FOLDER, by default build/fuzz. Input i is the same in every run. What is wrong: a crash, over 5 s, over 64 MiB, an exception
that is no `h5vidstack.Error`, other pixels of a block whose CRC was not corrected.
"""

from __future__ import annotations

import random
import re
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from watched import Watched, summary

import h5vidstack
from h5vidstack.codecs import block, registry
from h5vidstack.codecs.block_format import parse, seal
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import Coding
from h5vidstack.codecs.transforms import Colour, Predictor
from h5vidstack.hdf5 import filter as h5filter
from h5vidstack.hdf5.opening import open_hdf5

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
EXTREMES = [0, 1, 2, 7, 8, 15, 16, 31, 63, 64, 127, 128, 255, 2**15, 2**16 - 1, 2**16, 2**24,
            2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1]  # fmt: skip
HEADER = [(8, "B"), (9, "B"), (10, "B"), (11, "B"), (16, "I"), (20, "I"), (24, "I"), (28, "H"),
          (30, "H"), (32, "B"), (33, "B"), (34, "H"), (36, "B"), (37, "B"), (40, "Q"), (48, "Q"),
          (56, "I"), (60, "I"), (64, "I")]  # fmt: skip
STREAM = [(0, "B"), (1, "B"), (2, "B"), (3, "B"), (4, "B"), (5, "B"), (6, "H"), (8, "I"),
          (12, "I"), (16, "I")]  # fmt: skip


class Base:
    """A sound block, and the filter parameters of its dataset."""

    def __init__(self, data, chunk, dtype):
        self.data, self.chunk, self.dtype = data, chunk, dtype.newbyteorder("=")
        shape = chunk if chunk[3] > 1 else chunk[:3]
        self.values = h5filter.parameters([], shape, dtype)
        self.stored = np.dtype(np.uint8) if dtype.kind == "b" else self.dtype
        self.block = parse(data, chunk, self.stored)
        self.pixels = decode(self, data)
        # Streams stand at the end of a block, each behind its header.
        lengths = [16 + stream.nbytes for stream in self.block.streams]
        self.streams = [len(data) - sum(lengths[i:]) for i in range(len(lengths))]


def decode(base, data):
    """Bytes of the chunk, as HDF5 gets them."""
    return h5filter._run_filter(True, base.values, data)


def golden():
    """All blocks of the golden files."""
    for path in sorted(GOLDEN.rglob("*.h5")):
        found = []
        with open_hdf5(str(path)) as file:
            file.visititems(lambda _, node: found.append(node.name))
            for node in {file[name].id: file[name] for name in found}.values():
                coded = isinstance(node, h5py.Dataset) and not node.is_virtual
                if not coded or h5filter.stored_coding(node) is None:
                    continue
                for number in range(node.id.get_num_chunks()):
                    offset = node.id.get_chunk_info(number).chunk_offset
                    data = node.id.read_direct_chunk(offset)[1]
                    yield Base(data, h5filter.stack_shape(node.chunks), node.dtype)


def fresh():
    """Every coding, dtype, predictor and colour step."""
    rng = np.random.default_rng(0)
    t, y, x, c = np.indices((4, 19, 34, 4))
    wave = (np.sin((x + 2 * t) / 5 + c / 3) * np.cos((y - t) / 7) + 1) / 2
    wave = wave * 250 + rng.integers(0, 4, wave.shape)
    made = {(frames.dtype, frames.shape): frames for frames in _kinds(wave)}
    for name in registry.PRESETS:
        for frames in made.values():
            yield frames, Recipe(Coding(name))
    for predictor in Predictor:
        for frames in made.values():
            yield frames, Recipe(Coding("deflate"), predictor=predictor)
    for colour in Colour:
        for name in ("x264-fast", "lzma", "raw"):
            yield wave.astype(np.uint8), Recipe(Coding(name), colour=colour)
    yield (wave / 7).astype(np.float32)[..., 0], Recipe(bound=0.01)
    yield wave.astype(np.int16)[..., 0] * 7, Recipe(bound=3)
    patched = wave.astype(np.int32)[..., 0]
    patched[0, 3, 3] = patched[2, 5, 5] = -(2**30)
    yield patched, Recipe(Coding("deflate"))


def _kinds(wave):
    gray = wave[..., 0]
    for dtype in "?", "u1", "i1", "u2", "i4", "u8", "f2", "f4", "f8":
        yield (gray > 128 if dtype == "?" else gray / 2).astype(dtype)
    for bits in (9, 11, 15):
        yield (gray * 2 ** (bits - 8))[:, :bits].astype(np.uint16)
    yield (gray * 2**20)[:2].astype(np.uint32)
    yield wave[..., :3].astype(np.uint8)
    yield (wave[:2] * 3).astype(np.uint16)
    yield np.zeros((2, 9, 9), np.uint8)


def bases():
    """Blocks to start from, each once."""
    found = {base.data: base for base in golden()}
    for frames, recipe in fresh():
        data = block.encode(frames, recipe, verify=False)
        found.setdefault(data, Base(data, block.whole_shape(frames), frames.dtype))
    return list(found.values())


def resealed(data):
    """Correct length and CRC."""
    body = bytearray(data[8:])
    if len(body) >= 8:
        struct.pack_into("<I", body, 4, len(data))
    return data[:4] + struct.pack("<I", zlib.crc32(body)) + bytes(body)


def changed(rng, data, others):
    """Bytes with one to four changes."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        at = rng.randrange(len(data) + 1) if data else 0
        kind = rng.randrange(8)
        if kind <= 1 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind <= 3 and at < len(data):
            data[at] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        elif kind == 4:
            del data[at : at + rng.choice((1, 1, 2, 4, 16, len(data)))]
        elif kind == 5:
            data[at:at] = rng.randbytes(rng.choice((1, 1, 2, 4, 16, 64)))
        elif kind == 6:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            piece = other[start : start + rng.choice((1, 4, 24, 100, len(other)))]
            data[at : at + rng.choice((0, len(piece)))] = piece
        else:
            data[at : at + rng.choice((1, 4, 32))] = bytes([rng.choice((0, 255))]) * 4
    return bytes(data)


def extreme(rng, base):
    """A header field set to an extreme."""
    data = bytearray(base.data)
    fields = list(HEADER)
    for start in base.streams:
        fields += [(start + offset, form) for offset, form in STREAM]
    for _ in range(rng.choice((1, 1, 2))):
        at, form = rng.choice(fields)
        size = struct.calcsize(form)
        if at + size <= len(data):
            value = rng.choice((*EXTREMES, rng.getrandbits(64)))
            data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
    return bytes(data)


def rebuilt(rng, base, everything):
    """A sound frame around changed packets."""
    streams = list(base.block.streams)
    if not streams:
        return resealed(extreme(rng, base))
    at = rng.randrange(len(streams))
    stream = streams[at]
    packets, extradata = list(map(bytes, stream.packets)), stream.extradata
    like = [s for s in everything if s.codec is stream.codec] or [stream]
    for _ in range(rng.choice((1, 1, 2))):
        place, kind = rng.randrange(len(packets)), rng.randrange(10)
        if kind <= 4:
            others = list(map(bytes, rng.choice(like).packets))
            packets[place] = changed(rng, packets[place], others)
        elif kind == 5:
            packets[place] = bytes(rng.choice(rng.choice(like).packets))
        elif kind == 6:
            packets[place] = packets[place] * rng.choice((2, 3, 20)) + packets[0]
        elif kind == 7:
            extradata = changed(rng, extradata, [s.extradata for s in like])
        elif kind == 8:
            extradata = rng.choice(everything).extradata
        else:
            codec = rng.choice(list(registry.BY_ID.values()))
            wide = [depth for depth in codec.depths if depth >= stream.bits]
            if wide and codec.whole == stream.codec.whole:
                stream = replace(stream, codec=codec, depth=rng.choice(wide))
    streams[at] = replace(stream, packets=packets, extradata=extradata)
    steps = {"streams": streams}
    if rng.randrange(4) == 0:
        colour = rng.choice(list(Colour)) if base.block.channels > 2 else Colour.NONE
        steps |= {"predictor": rng.choice(list(Predictor)), "colour": colour}
    return seal(replace(base.block, **steps), base.stored)


class Fuzz:
    """Makes input i of all, and judges it."""

    def __init__(self):
        self.bases = bases()
        self.known = {base.data: base.pixels for base in self.bases}
        self.streams = [stream for base in self.bases for stream in base.block.streams]
        self.blocks = [base.data for base in self.bases]

    def base(self, number):
        return random.Random(number).choice(self.bases)

    def make(self, number):
        rng = random.Random(number)
        base = rng.choice(self.bases)
        kind = number % 3
        if kind == 2:
            data = rebuilt(rng, base, self.streams)
        else:
            form = extreme(rng, base) if rng.randrange(4) == 0 else None
            data = form or changed(rng, base.data, self.blocks)
            if kind == 1:
                data = resealed(data)
        return None if data in self.known else data

    def judge(self, number, data):
        base, sealed = self.base(number), number % 3 > 0
        how = "CRC corrected" if sealed else "as it is"
        try:
            pixels = decode(base, data)
        except h5vidstack.Error as error:
            words = re.sub(r"\b[\d.x]+\b|\(.*\)|b?'.*'\d", "#", str(error).split(":")[0])
            if "memory" in str(error):
                return f"FINDING no memory: {error}"
            return f"{how}: {type(error).__name__}: {words}"
        except BaseException as error:  # noqa: BLE001
            return f"FINDING {how}: {type(error).__name__}: {error}"
        if len(pixels) != len(base.pixels):
            return f"FINDING {how}: {len(pixels)} bytes for a chunk of {len(base.pixels)}"
        if pixels == base.pixels:
            return f"{how}: same pixels"
        return f"{how}: other pixels" if sealed else "FINDING other pixels, CRC not corrected"


def main():
    """Fuzz."""
    usual = "200000", "build/fuzz", "0"
    count, folder, first = (*sys.argv[1:], *usual[len(sys.argv) - 1 :])
    fuzz = Fuzz()
    codings = len({(s.codec.name, s.depth) for s in fuzz.streams})
    print(f"{len(fuzz.bases)} sound blocks of {codings} codecs and depths", flush=True)
    watched = Watched(folder, fuzz.make, fuzz.judge)
    start = int(first)
    print(summary(watched.run(range(start, start + int(count)))))


if __name__ == "__main__":
    main()
