"""Stacks, rows and command lines that tests of the comparison share."""

import numpy as np
from click.testing import CliRunner
from frames import moving, noise

from h5vidstack.bench.results import Bench, Row
from h5vidstack.cli import main
from h5vidstack.cli.demonstration import generated


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
        name=name, ours=ours, file_bytes=size, ratio=1e8 / size, exact=exact,
        max_error=0.0 if exact else 3.0, pack_speed=speed, read_speed=speed * 3,
        frame_ms=1 / speed, frame_p95_ms=2 / speed, peak_bytes=1000,
    )  # fmt: skip


def bench_of(*rows):
    return Bench(
        source="x", shape=(100, 1000, 1000), dtype="uint8", raw_bytes=10**8, bound=None, rounds=1,
        machine={}, rows=rows,
    )  # fmt: skip


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
