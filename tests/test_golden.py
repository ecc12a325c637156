"""Files of every format version must read the same for ever; a missing one fails."""

import runpy
from pathlib import Path

import h5py
import numpy as np
import pytest

import h5vidstack

GOLDEN = Path(__file__).parent / "golden" / "1.0"
SPEC_READER = runpy.run_path(str(Path(__file__).parent.parent / "spec" / "reader.py"))
STACKS = ["gray", "colour", "tiled", "raw", "single"]


def expected(name):
    with np.load(GOLDEN / f"{name}.npz") as stored:
        return stored["frames"]


@pytest.mark.parametrize("name", STACKS)
def test_stack_reads_golden(name):
    with h5vidstack.open(GOLDEN / f"{name}.h5") as stack:
        assert stack.attrs["h5vidstack_format"] == "1.0"
        np.testing.assert_array_equal(stack[:], expected(name), strict=True)
        assert stack.verify() == []


@pytest.mark.parametrize("name", STACKS)
def test_plain_h5py_reads_golden(name):
    with h5py.File(GOLDEN / f"{name}.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][...], expected(name), strict=True)


@pytest.mark.parametrize("name", STACKS)
def test_spec_reader_reads_golden(name):
    frames = SPEC_READER["read_stack"](GOLDEN / f"{name}.h5")
    np.testing.assert_array_equal(frames, expected(name), strict=True)


def test_bare_dataset():
    want = expected("h5py")
    with h5py.File(GOLDEN / "h5py.h5") as file:
        np.testing.assert_array_equal(file["data"][...], want, strict=True)
        np.testing.assert_array_equal(SPEC_READER["read_dataset"](file["data"]), want, strict=True)
    with h5vidstack.open(GOLDEN / "h5py.h5", "/data") as stack:
        np.testing.assert_array_equal(stack[...], want, strict=True)


def test_spec_reader_is_independent_and_short():
    text = (Path(__file__).parent.parent / "spec" / "reader.py").read_text()
    assert "import h5vidstack" not in text
    assert len(text.splitlines()) < 200


def test_every_golden_file_is_there():
    names = {path.name for path in GOLDEN.iterdir()}
    assert names == {f"{n}.{e}" for n in [*STACKS, "h5py"] for e in ("h5", "npz")}
