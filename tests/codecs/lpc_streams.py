"""Streams of lpc to code: drawn ones, and golden ones."""

import runpy

import numpy as np
from hypothesis import strategies as st
from places import GOLDEN

MAKE = runpy.run_path(str(GOLDEN / "make_lpc.py"))


def samples_of(kind, shape, bits, seed=0):
    rng, top = np.random.default_rng(seed), (1 << bits) - 1
    ramp = np.indices(shape).transpose(1, 2, 3, 0) @ np.array([3, 2, 5])
    found = {
        "constant": lambda: np.full(shape, rng.integers(0, top + 1)),
        "saturated": lambda: np.full(shape, top),
        "noise": lambda: rng.integers(0, top + 1, shape),
        "ramp": lambda: ramp & top,
        "low noise": lambda: np.clip(top / 2 + ramp % 90 + rng.normal(0, 1, shape), 0, top),
        "sparse": lambda: np.where(rng.random(shape) < 0.02, top, 0),
    }[kind]()
    return found.astype(np.uint8 if bits <= 8 else np.uint16)


options = st.tuples(st.integers(0, 2), st.integers(1, 4), st.integers(1, 6), st.integers(1, 2))


def golden_streams():
    with np.load(GOLDEN / "lpc.npz") as file:
        return {
            name: (
                *(int(number) for number in file[f"{name}/settings"]),
                file[f"{name}/samples"],
                file[f"{name}/configuration"].tobytes(),
                [file[f"{name}/packet{t}"].tobytes() for t in range(len(file[f"{name}/samples"]))],
            )
            for name in MAKE["CASES"]
        }


GOLDEN_STREAMS = golden_streams()
