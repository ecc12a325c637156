"""Which stacks a file holds, and which one is meant where none is named."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import h5vidstack
from h5vidstack.layout.stack_list import stack_paths, usual_stack

FRAMES = np.arange(5 * 6 * 7, dtype=np.uint8).reshape(5, 6, 7)


def test_natural_order_and_only_stack(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    h5vidstack.pack(FRAMES, f"{path}::/run10/a")
    with h5py.File(path) as file:
        assert usual_stack(file) == "/run10/a"
    h5vidstack.pack(FRAMES, f"{path}::/run2/a")
    with h5py.File(path) as file:
        assert stack_paths(file) == ["/run2/a", "/run10/a"]
        with pytest.raises(h5vidstack.FormatError, match="holds 2 stacks.*/run2/a, /run10/a"):
            usual_stack(file)
    h5vidstack.pack(FRAMES, f"{path}::/stack")
    with h5py.File(path) as file:
        assert usual_stack(file) == "/stack"


def test_a_stack_beside_a_dataset_has_its_path(tmp_path: Path) -> None:
    path, out = tmp_path / "raw.h5", tmp_path / "out.h5"
    with h5py.File(path, "w") as file:
        file["entry/data"] = np.random.default_rng(0).integers(0, 99, (20, 64, 64)).astype("u1")
    h5vidstack.repack(path, out)
    with h5py.File(out) as file:
        assert stack_paths(file) == ["/entry/data"]
    assert h5vidstack.stacks(out) == ["/entry/data"]
    with h5vidstack.open(out) as stack:
        assert (stack.stack, stack.shape) == ("/entry/data", (20, 64, 64))
