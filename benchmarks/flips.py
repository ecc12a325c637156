"""Change every byte of small files, and see what a reader makes of it.

python benchmarks/flips.py [FOLDER [byte|bit|data [NAME ...]]]

What it finds lies in FOLDER, by default build/flips. *byte*: each byte by xor 255; *bit*: each by one bit; *data*: both, but only the bytes of pixels.
`h5vidstack.open` must give the same frames, attributes, piles and hashes, or raise
`h5vidstack.Error`. Where it does not, the table says in which object of the file.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
from watched import Watched

import h5vidstack

SIGNATURES = re.compile(
    rb"\x89HDF|OHDR|OCHK|GCOL|FRHP|FHDB|FHIB|FSHD|FSSE|BTHD|BTLF|BTIN|TREE|SNOD|HEAP|"
    rb"FAHD|FADB|EAHD|EAIB|EASB|EADB"
)
NAMES = {b"\x89HDF": "superblock", b"OHDR": "object header", b"OCHK": "object header",
         b"GCOL": "global heap (strings)"}  # fmt: skip


def film(shape, dtype="u1", seed=0):
    """A drifting wave with a little noise; its first and last frames are equal."""
    t, y, x = np.indices(shape[:3])
    wave = (np.sin((x + 2 * t) / 5) * np.cos((y - t) / 7) + 1) * 120
    frames = (wave + np.random.default_rng(seed).integers(0, 4, wave.shape)).astype(dtype)
    frames[-1] = frames[0]
    return frames if len(shape) == 3 else np.stack([frames] * shape[3], axis=-1)


def cases():
    """What to pack, and how, by name."""
    gray = film((6, 20, 16))
    for codec in ("lpc", "x264", "ffv1", "deflate", "lzma", "raw"):
        yield codec, gray, {"method": "video", "codec": codec}
    yield "mp4", gray, {"method": "video", "preset": "mp4"}
    yield "auto", gray, {}
    yield "auto_float_rgb", film((5, 17, 3, 3), "f4") / 7, {"max_error": 0.01}
    mixed = np.concatenate([gray, 255 - gray])[np.random.default_rng(1).permutation(12)]
    yield "groupvideo", mixed, {"method": "groupvideo", "chunk_frames": 3}
    yield "group", mixed, {"method": "group"}
    yield "pca", gray, {"method": "pca", "components": 3}
    yield "pca_exact", gray, {"method": "pca", "components": 2, "exact": True}
    yield "hdf5", gray, {"method": "hdf5"}
    yield "hdf5gz", gray, {"method": "hdf5gz"}
    yield "hdf5gzshuffle", gray, {"method": "hdf5gzshuffle"}


def owners(path):
    """For each byte of a file what it belongs to."""
    data = Path(path).read_bytes()
    found = ["?"] * len(data)
    for match in SIGNATURES.finditer(data):
        name = NAMES.get(match[0], f"HDF5 index or heap {match[0].decode('latin1')}")
        found[match.start() :] = [name] * (len(data) - match.start())
    nodes = []
    with h5py.File(path) as file:
        file.visititems(lambda _, node: nodes.append(node.name))
        for node in map(file.get, nodes):
            if not isinstance(node, h5py.Dataset) or node.is_virtual:
                continue
            name, spans = re.sub(r"\d{6}", "N", f"data of {node.name}"), []
            if node.chunks:
                spans = map(node.id.get_chunk_info, range(node.id.get_num_chunks()))
                spans = [(info.byte_offset, info.size) for info in spans]
            elif node.id.get_offset() is not None:
                spans = [(node.id.get_offset(), node.id.get_storage_size())]
            for start, size in spans:
                found[start : start + size] = [name] * size
    return found


def everything(path):
    """What a reader can get of a stack, by parts; of each its bytes or the Error."""
    found = {}

    def part(name, get):
        try:
            found[name] = get()
        except h5vidstack.Error as error:
            found[name] = error

    def groups(stack):
        return [(*map(str, (g.typical, g.coding, g.codec)), g.frames.tobytes())
                for g in stack.groups]  # fmt: skip

    try:
        stack = h5vidstack.open(path, workers=1)
    except h5vidstack.Error as error:
        return {"open": error}
    with stack:
        part("pixels: all", lambda: (stack.shape, stack.dtype, stack[:].tobytes()))
        numbers = range(0, min(len(stack), 20), 3)
        part("pixels: each", lambda: b"".join(stack[i].tobytes() for i in reversed(numbers)))
        part("attributes", lambda: repr((stack.leading_shape, sorted(stack.attrs.items()))))
        part("piles", lambda: groups(stack))
        for name in ("phash", "ahash", "dhash"):
            part(f"hashes {name}", lambda name=name: stack.hashes(name).tobytes())
        part("duplicates", lambda: [list(map(int, ns)) for ns in stack.near_duplicates(0)])
        part("verify", stack.verify)
    return found


class Flips:
    """One file: input 2 p is byte p by xor 255, 2 p + 1 by one bit."""

    def __init__(self, folder, name, frames, how):
        self.path = str(folder / f"{name}.h5")
        h5vidstack.pack(frames, self.path, **how)
        self.data = Path(self.path).read_bytes()
        self.owners = owners(self.path)
        self.sound = everything(self.path)
        errors = [found for found in self.sound.values() if isinstance(found, Exception)]
        if errors or self.sound["verify"]:
            raise RuntimeError(f"{name} is not sound: {errors}, {self.sound['verify']}")

    def make(self, number):
        data = bytearray(self.data)
        bit = 1 << random.Random(number).randrange(8)
        data[number // 2] ^= bit if number % 2 else 255
        return bytes(data)

    def judge(self, number, data):
        Path(self.path).write_bytes(data)
        try:
            found = everything(self.path)
        except BaseException as error:  # noqa: BLE001
            return f"FINDING {type(error).__name__}: {error}"
        wrong = [name.split()[0].strip(":") for name, value in found.items()
                 if name != "verify" and not isinstance(value, Exception)
                 and value != self.sound[name]]  # fmt: skip
        if wrong:
            told = "verify tells" if found["verify"] else "verify is silent"
            return f"WRONG {', '.join(sorted(set(wrong)))}; {told}"
        if any(isinstance(value, Exception) for value in found.values()):
            return "error"
        return "same, verify tells" if found["verify"] else "same"


def main():
    """Flip."""
    out, which, *names = (*sys.argv[1:], *("build/flips", "byte")[len(sys.argv) - 1 :])
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    for name, frames, how in cases():
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory(dir=memory) as folder:
            flips = Flips(Path(folder), name, frames, how)
            limits = {"seconds": 3.0, "room": 2 << 30, "growth": 1 << 30}
            watched = Watched(Path(out, name, which), flips.make, flips.judge, **limits)
            numbers = range(2 * len(flips.data))
            if which == "data":
                pixels = re.compile("video|difference|residual|mean|pca")
                numbers = [n for n in numbers if pixels.search(flips.owners[n // 2])]
            else:
                numbers = numbers[which == "bit" :: 2]
            lines = watched.run(numbers)
        counts = Counter(
            (
                re.split(r"[:;]|\d+ KB", what)[0] if what.startswith("FINDING E") else what[:70],
                owner,
            )
            for number, what, _, _ in lines
            for owner in [flips.owners[number // 2]]
        )
        totals = Counter(what.split(":")[0][:60] for _, what, _, _ in lines)
        print(f"{name}, {which}: {len(lines)} changes, {len(flips.data)} bytes; {dict(totals)}")
        for (what, owner), count in sorted(counts.items()):
            if what not in ("same", "error"):
                print(f"    {count:6} {what:60} {owner}")
        slow = max(lines, key=lambda row: row[2])
        print(f"    slowest {slow[2]:.0f} ms in {flips.owners[slow[0] // 2]}", flush=True)


if __name__ == "__main__":
    main()
