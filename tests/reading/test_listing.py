"""`stacks`, and opening a file without naming its stack."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

import h5vidstack

FRAMES = np.random.default_rng(1).integers(0, 50, (6, 17, 3), dtype=np.uint8)


def test_stacks_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    h5vidstack.pack(FRAMES, f"{path}::/a/one")
    assert h5vidstack.stacks(path) == ["/a/one"]
    with h5vidstack.open(path) as stack:
        assert np.array_equal(stack[:], FRAMES)
        again = pickle.loads(pickle.dumps(stack))
        assert (again.stack, again.shape) == ("/a/one", FRAMES.shape)
        again.close()
    assert not h5vidstack.verify(path)
    h5vidstack.pack(FRAMES[:2], f"{path}::/b/two")
    assert h5vidstack.stacks(path) == ["/a/one", "/b/two"]
    assert h5vidstack.stacks(f"{path}::/b") == ["/b/two"]
    with pytest.raises(h5vidstack.FormatError, match="2 stacks; name one of them"):
        h5vidstack.open(path)


def test_a_file_without_stacks(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros((3, 4, 5))
    assert h5vidstack.stacks(path) == []
    with pytest.raises(h5vidstack.FormatError, match="no h5vidstack stack at /stack"):
        h5vidstack.open(path)
    with pytest.raises(h5vidstack.FormatError, match="no such file"):
        h5vidstack.stacks(tmp_path / "missing.h5")


def test_the_only_stack_is_packed_and_appended_to(tmp_path: Path) -> None:
    path, out = tmp_path / "x.h5", tmp_path / "y.h5"
    h5vidstack.pack(FRAMES, f"{path}::/deep/er")
    h5vidstack.pack(path, out)
    with h5vidstack.open(path) as stack:
        stack.append(FRAMES[:2])
        assert len(stack) == 8
    with h5vidstack.open(out) as stack:
        assert np.array_equal(stack[:], FRAMES)
