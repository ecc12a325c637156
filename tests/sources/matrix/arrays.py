"""Files of NumPy, by their formats' description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .core import Case, product, samples, title

DTYPES = ["?", "<u1", "<u2", ">u2", "<u4", ">u4", "<u8", ">u8", "<i1", "<i2", ">i2", "<i4", ">i4",
          "<i8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]  # fmt: skip
SHAPES = [(4, 19, 22), (2, 3, 19, 22), (4, 19, 22, 3), (4, 19, 22, 4), (1, 1, 1), (3, 1, 40)]


def cases() -> Iterator[Case]:
    """All of them."""
    for row in product(dtype=DTYPES, shape=SHAPES, version=[1, 2, 3], fortran=[False, True]):
        yield Case(".npy", title(row), lambda folder, row=row: _make(folder, row))
    for row in product(dtype=["<u1", ">u2", "<f4"], change=[-4000, -100, -1, 1, 64, 4000]):
        yield Case(
            ".npy cut or longer", title(row), lambda f, row=row: _changed(f, row), refusal=True
        )


def _make(folder: Path, row: Mapping[str, Any]) -> tuple[Path, list[Any]]:
    frames = samples(row["shape"], row["dtype"])
    stored = np.asfortranarray(frames) if row["fortran"] else frames
    stated = {"descr": frames.dtype.str, "fortran_order": row["fortran"], "shape": row["shape"]}
    text = repr(stated).encode()
    start = 8 + (2 if row["version"] == 1 else 4)
    text += b" " * (-(start + len(text) + 1) % 64) + b"\n"
    length = len(text).to_bytes(start - 8, "little")
    head = b"\x93NUMPY" + bytes([row["version"], 0]) + length + text
    (folder / "x.npy").write_bytes(head + stored.tobytes(order="A"))
    keep = 3 if row["shape"][-1] in (3, 4) else 2
    return folder / "x.npy", [
        frames.reshape(-1, *row["shape"][-keep:]),
        lambda: np.load(folder / "x.npy").reshape(-1, *row["shape"][-keep:]),
    ]


def _changed(folder: Path, row: Mapping[str, Any]) -> tuple[Path, list[Any]]:
    path, frames = folder / "x.npy", samples((12, 19, 22), row["dtype"])
    np.save(path, frames)
    data = path.read_bytes()
    change = row["change"]
    path.write_bytes(data[:change] if change < 0 else data + bytes(change))
    return path, [frames]
