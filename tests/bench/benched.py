"""Stacks, rows and command lines that tests of the comparison share."""

import numpy as np
from click.testing import CliRunner
from frames import moving, noise

from h5vidstack.bench.results import Bench, Row
from h5vidstack.cli import main
from h5vidstack.cli.demo import generated


def stack(dtype="uint8"):
    """Frames that are just enough to be benched."""
    return np.stack(list(generated(dtype, (4, 4, 3), (120, 180))))


def bench(*arguments, code=0):
    found = CliRunner().invoke(main, ["bench", *map(str, arguments)])
    assert found.exit_code == code, found.output + repr(found.exception)
    if code == 1:
        assert found.stderr.startswith("Error: ")
        assert len(found.stderr.strip().splitlines()) == 1
    return found


def made_up(name, size, speed, *, exact=True, ours=True):
    return Row(
        name, ours, None, size, 1e8 / size, exact, 0.0 if exact else 3.0, None, speed, speed * 3,
        1 / speed, 2 / speed, 1000,
    )  # fmt: skip


def bench_of(*rows):
    return Bench("x", (100, 1000, 1000), "uint8", 10**8, None, 1, {}, rows)


def rgba(frames):
    return np.concatenate([frames, frames[..., :1]], axis=-1)


STACKS = {
    "uint8": moving((20, 31, 45)),
    "uint16": moving((20, 31, 45)).astype("u2") * 257 + np.arange(45, dtype="u2"),
    "float32": noise((20, 16, 20)).astype("f4"),
    "float64": noise((9, 7, 5)).astype("f8"),
    "int32": noise((9, 7, 5)).astype("i4"),
    "bool": noise((9, 7, 5)) > 99,
    "RGB": np.stack([moving((18, 32, 46), seed) for seed in range(3)], axis=-1),
    "RGBA": rgba(np.stack([moving((9, 32, 46), seed) for seed in range(3)], axis=-1)),
}
