"""Fuzz the block parser and the decoders guided by coverage, with atheris (libFuzzer).

pip install atheris; python benchmarks/guided.py [FOLDER [libFuzzer options: -runs=100000]]

FOLDER, by default build/guided, takes the inputs that reach something new, at first the blocks of the golden files. The
first two bytes of an input choose the chunk and the dtype, the rest is a block, whose length and
CRC are corrected. What is wrong: any exception but `h5vidstack.Error`, a crash, over 5 s, over 1 GB.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["h5vidstack"]):
    import h5vidstack
    from h5vidstack.codecs import block
    from h5vidstack.codecs.block_format import resealed

import numpy as np
from fuzz import golden

CHUNKS = [(4, 17, 23, 1), (4, 17, 23, 3), (4, 17, 23, 4), (16, 64, 64, 1), (9, 24, 32, 1)]
DTYPES = [np.dtype(kind) for kind in "?bBhHiIqQefd"]
LIMITS = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=20000", "-len_control=0"]


def decode(data):
    """One input."""
    if len(data) < 34:
        return
    chunk, dtype = CHUNKS[data[0] % len(CHUNKS)], DTYPES[data[1] % len(DTYPES)]
    try:
        frames = block.decode(resealed(data[2:]), chunk, dtype)
    except h5vidstack.Error:
        return
    size = chunk if chunk[3] > 1 else chunk[:3]
    if frames.dtype != dtype or any(a > b for a, b in zip(frames.shape, size, strict=True)):
        raise RuntimeError(f"{frames.shape} {frames.dtype} from a chunk of {size} {dtype}")


def seeds(folder):
    """Golden blocks as inputs."""
    for number, base in enumerate(golden()):
        fits = [all(a <= b for a, b in zip(base.chunk, chunk, strict=True)) for chunk in CHUNKS]
        if any(fits) and base.dtype in DTYPES and len(base.data) < 20000:
            head = bytes([fits.index(True), DTYPES.index(base.dtype)])
            (folder / f"golden_{number:04}").write_bytes(head + base.data)


if __name__ == "__main__":
    corpus = Path(*sys.argv[1:2] or ["build/guided"])
    corpus.mkdir(parents=True, exist_ok=True)
    seeds(corpus)
    artifacts = f"-artifact_prefix={corpus.resolve().parent}/finding-"
    atheris.Setup([sys.argv[0], str(corpus), artifacts, *LIMITS, *sys.argv[2:]], decode)
    atheris.Fuzz()
