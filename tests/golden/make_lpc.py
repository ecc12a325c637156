"""Write lpc.npz: tiny streams of lpc that every later version reproduces and decodes.

    python tests/golden/make_lpc.py

Run it only for a case that is new: what is there must stay as it is.
"""

from pathlib import Path

import numpy as np

from h5vidstack.codecs import lpc_numpy

PATH = Path(__file__).with_name("lpc.npz")

# Name: shape, bits, references, classes, row step, passes, kind of samples.
CASES = {
    "pixel": ((1, 1, 1), 8, 0, 1, 1, 1, "noise"),
    "pixels": ((6, 1, 1), 3, 1, 2, 1, 1, "noise"),
    "row": ((3, 1, 7), 8, 1, 4, 1, 1, "waves"),
    "column": ((3, 7, 1), 8, 2, 4, 1, 1, "waves"),
    "square": ((2, 2, 2), 16, 1, 1, 1, 2, "noise"),
    "still": ((1, 17, 3), 8, 0, 1, 1, 1, "waves"),
    "chain": ((5, 12, 15), 8, 1, 4, 2, 1, "waves"),
    "twice": ((5, 12, 15), 8, 1, 4, 2, 2, "waves"),
    "centre": ((9, 10, 11), 8, 2, 3, 1, 1, "waves"),
    "centre of three": ((7, 9, 20), 8, 2, 2, 4, 1, "waves"),
    "intra": ((3, 13, 9), 8, 0, 4, 1, 1, "waves"),
    "constant": ((2, 5, 6), 8, 1, 1, 1, 1, "constant"),
    "saturated": ((2, 6, 5), 12, 1, 2, 1, 1, "saturated"),
    "one bit": ((3, 8, 8), 1, 1, 2, 1, 1, "noise"),
    "noise": ((2, 8, 9), 8, 1, 4, 1, 1, "noise"),
    "ten bits": ((3, 11, 8), 10, 1, 2, 1, 1, "waves"),
    "fourteen bits": ((3, 11, 8), 14, 2, 4, 1, 2, "waves"),
    "sixteen bits": ((2, 9, 9), 16, 1, 4, 1, 1, "noise"),
    "many states": ((2, 64, 66), 8, 1, 2, 4, 1, "waves"),
}  # fmt: skip


def samples_of(shape, bits, kind):
    """Samples by whole numbers alone."""
    top = (1 << bits) - 1
    place = np.arange(np.prod(shape), dtype=np.uint64)
    noise = (place * np.uint64(0x9E3779B97F4A7C15) ^ (place << np.uint64(31))) >> np.uint64(40)
    noise = (noise * np.uint64(2654435761) >> np.uint64(7)).astype(np.int64) & 0xFFFF
    if kind == "constant":
        values = np.full(shape, top // 3)
    elif kind == "saturated":
        values = np.full(shape, top)
    elif kind == "noise":
        values = (noise & top).reshape(shape)
    else:
        n, height, width = (np.arange(edge) for edge in shape)
        slope = (n[:, None, None] * 3 + height[:, None] * 5 + width * 2) * max(1, top // 256)
        wave = np.where(slope & top > top // 2, top - (slope & top), slope & top)
        values = np.minimum(top, wave + (noise.reshape(shape) & (top >> 4)))
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def make():
    """Return all arrays of the file, by name."""
    arrays = {}
    for name, (shape, bits, *options, kind) in CASES.items():
        samples = samples_of(shape, bits, kind)
        packets, configuration = lpc_numpy.encode(samples, bits, *options)
        arrays[f"{name}/settings"] = np.array([bits, *options])
        arrays[f"{name}/samples"] = samples
        arrays[f"{name}/configuration"] = np.frombuffer(configuration, np.uint8)
        for t, packet in enumerate(packets):
            arrays[f"{name}/packet{t}"] = np.frombuffer(packet, np.uint8)
    return arrays


if __name__ == "__main__":
    np.savez_compressed(PATH, **make())
    print(f"{PATH.name}: {len(CASES)} streams, {PATH.stat().st_size} bytes")
