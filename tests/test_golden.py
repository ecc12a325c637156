"""Files of format 1.0 read the same for ever; a missing one fails."""

import json
import zlib

import h5py
import numpy as np
import pytest
from places import GOLDEN, ROOT, SPEC_READER

import h5vidstack
from h5vidstack.codecs import block

STACKS = (
    "gray", "colour", "tiled", "copies", "piles", "wide", "float", "plain", "pixels", "group",
    "pca", "pca_exact", "bound", "noise", "crf", "longer", "mixed", "recording", "open", "recovered",
    "linked", "copied", "copied_10", "copied_gops",
)  # fmt: skip
DATASETS = {"bare": "/data", "beside": "/entry/data"}
"""What is at a path of its own."""
NO_FRAMES = ("group", "pca", "pca_exact", "mixed")
"""HDF5 alone cannot show their frames."""
OPEN = "open"
"""A recording that was not closed."""
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


def check(name, frames):
    """Compare frames with what a reader must get; give them."""
    shape, dtype, crc = EXPECTED[name]
    assert (list(frames.shape), frames.dtype.str) == (shape, dtype)
    assert zlib.crc32(frames.tobytes()) == crc
    return frames


def expected(name):
    """What a reader must get of a stack."""
    with h5vidstack.open(GOLDEN / f"{name}.h5") as stack:
        return check(name, stack[:])


def golden_blocks():
    """Name, chunk, dtype, CRC-32 of each frame and bytes of every golden block."""
    with np.load(GOLDEN / "blocks.npz") as stored:
        index = json.loads(str(stored["index"]))
        blocks = np.split(stored["data"], stored["ends"][:-1])
    for (name, chunk, dtype, crcs), data in zip(index, blocks, strict=True):
        yield name, tuple(chunk), np.dtype(dtype), crcs, data.tobytes()


def test_every_golden_file_is_there():
    names = {f"{name}.h5" for name in (*STACKS, *DATASETS)}
    found = {path.name for path in GOLDEN.iterdir()} - {"__pycache__"}
    assert found == names | {"blocks.npz", "lpc.npz", "expected.json", "make.py", "make_lpc.py"}
    assert EXPECTED.keys() == {*STACKS, *DATASETS}


@pytest.mark.parametrize("name", STACKS)
def test_stack_reads_golden(name):
    with h5vidstack.open(GOLDEN / f"{name}.h5") as stack:
        assert stack.attrs["h5vidstack_format"] == "1.0"
        check(name, stack[:])
        assert len(stack.verify()) == (name == OPEN)


@pytest.mark.parametrize("name", STACKS)
def test_plain_h5py_reads_golden(name):
    with h5py.File(GOLDEN / f"{name}.h5", swmr=name == OPEN) as file:
        if name in NO_FRAMES:
            assert "frames" not in file["stack"]
        else:
            check(name, file["stack/frames"][...])


@pytest.mark.parametrize("name", STACKS)
def test_spec_reader_reads_golden(name):
    check(name, SPEC_READER["read_stack"](GOLDEN / f"{name}.h5"))


@pytest.mark.parametrize("name", DATASETS)
def test_datasets_at_paths_of_their_own(name):
    path = DATASETS[name]
    with h5py.File(GOLDEN / f"{name}.h5") as file:
        frames = check(name, file[path][...])
        if name == "bare":
            check(name, SPEC_READER["read_dataset"](file[path]))
    with h5vidstack.open(GOLDEN / f"{name}.h5", path) as stack:
        np.testing.assert_array_equal(stack[:], frames.reshape(stack.shape))
        assert (*stack.leading_shape, *stack.shape[1:]) == frames.shape
        assert stack.verify() == []
    if name == "beside":
        found = SPEC_READER["read_stack"](GOLDEN / f"{name}.h5", f"/h5vidstack{path}")
        np.testing.assert_array_equal(found, frames.reshape(found.shape))


def test_piles_are_what_they_are_for():
    with h5vidstack.open(GOLDEN / "piles.h5") as stack:
        assert len(stack.groups) > 1 or not np.all(np.diff(stack.groups[0].frames) == 1)
        assert stack.find(stack[3], 1)[0].rmse == 0


def test_blocks_of_every_codec_dtype_and_transform():
    """Made with one FFmpeg; all that are supported decode them alike."""
    for name, chunk, dtype, crcs, data in golden_blocks():
        frames = block.decode(data, chunk, dtype)
        assert block.frame_crcs(frames).tolist() == crcs, name
        stored = np.dtype(np.uint8) if dtype.kind == "b" else dtype  # bool is kept as its bytes
        by_spec = SPEC_READER["decode_block"](data, chunk, stored)
        np.testing.assert_array_equal(by_spec.reshape(frames.shape), frames, err_msg=name)


def test_spec_reader_is_independent_and_short():
    text = (ROOT / "spec" / "reader.py").read_text()
    assert "import h5vidstack" not in text
    assert len(text.splitlines()) < 540
