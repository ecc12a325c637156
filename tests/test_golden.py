"""Files of every format version, and of other FFmpegs, read the same for ever; a missing one fails."""

import json
import runpy
from pathlib import Path

import h5py
import numpy as np
import pytest

import h5vidstack
from h5vidstack import block

GOLDEN = Path(__file__).parent / "golden"
SPEC_READER = runpy.run_path(str(Path(__file__).parent.parent / "spec" / "reader.py"))
VERSIONS = {
    "1.0": ["gray", "colour", "tiled", "raw", "single"],
    "1.1": ["in_order", "copies", "piles", "colour", "tiled", "plain"],
    "1.2": [
        "x264",
        "x264_10",
        "x265",
        "x265_12",
        "ffv1",
        "ffv1_10",
        "ffv1_12",
        "ffv1_16",
        "magicyuv",
        "magicyuv_median",
        "ffvhuff",
        "ffvhuff_16",
        "deflate",
        "lzma",
        "none",
        "none_fold",
        "previous",
        "previous_fold",
        "left",
        "left_fold",
        "linear",
        "linear_fold",
        "gradient",
        "gradient_fold",
        "bool",
        "int8",
        "bits",
        "steps",
        "patches",
        "palette",
        "wide",
        "constant",
        "f2",
        "f2_bound",
        "f4",
        "f4_bound",
        "f8",
        "f8_bound",
        "counts",
        "uint16_bound",
        "colour3_none",
        "colour3_difference",
        "colour4_none",
        "colour4_difference",
        "crf",
        "mp4",
    ],
    "1.3": ["rgb", "rgba", "bits", "piles", "plain", "group", "pca", "pca_exact"],
    "1.4": ["longer", "piles", "mixed", "pixels", "recording", "open", "recovered"],
    "1.5": [
        *("linked", "mixed", "group", "lossy"),  # of files in other folders here
        *("copied", "copied_10", "idrs", "longer"),
    ],
    "1.6": ["gray", "bits", "signed", "float", "tiled", "longer", "linked"],
    "pyav-14": [
        "x264",
        "x264_10",
        "x265",
        "x265_12",
        "ffv1",
        "ffv1_16",
        "magicyuv",
        "ffvhuff",
        "ffvhuff_16",
        "deflate",
        "lzma",
        "bool",
        "f4",
        "f8_bound",
        "colour3_lift",
        "crf",
        "mp4",
    ],
}
LIBRARIES = {"pyav-14": ("14.0.0", "61."), "pyav-18": ("18.1.0", "62.")}
"""The oldest and the current PyAV, with two major versions of FFmpeg's libavcodec: what one
has written, the other must read (`make test`, `make test-oldest`)."""
NO_FRAMES = ("1.3/group", "1.3/pca", "1.3/pca_exact", "1.4/mixed", "1.5/mixed", "1.5/group")
"""HDF5 alone cannot show their frames."""
BESIDE = ("beside", "axes", "colours")
"""Of format 1.5: datasets at their own paths."""
OPEN = "1.4/open"
"""A recording that was not closed."""
STACKS = [f"{version}/{name}" for version, names in VERSIONS.items() for name in names]


def expected(name):
    with np.load(GOLDEN / f"{name}.npz") as stored:
        return stored["frames"]


@pytest.mark.parametrize("name", STACKS)
def test_stack_reads_golden(name):
    with h5vidstack.open(GOLDEN / f"{name}.h5") as stack:
        folder = name.split("/")[0]
        assert stack.attrs["h5vidstack_format"] == (folder if folder not in LIBRARIES else "1.3")
        np.testing.assert_array_equal(stack[:], expected(name), strict=True)
        assert len(stack.verify()) == (name == OPEN)


@pytest.mark.parametrize("name", STACKS)
def test_plain_h5py_reads_golden(name):
    if name in NO_FRAMES:
        with h5py.File(GOLDEN / f"{name}.h5") as file:
            assert "frames" not in file["stack"]
        return
    with h5py.File(GOLDEN / f"{name}.h5", swmr=name == OPEN) as file:
        np.testing.assert_array_equal(file["stack/frames"][...], expected(name), strict=True)


@pytest.mark.parametrize("name", STACKS)
def test_spec_reader_reads_golden(name):
    frames = SPEC_READER["read_stack"](GOLDEN / f"{name}.h5")
    np.testing.assert_array_equal(frames, expected(name), strict=True)


@pytest.mark.parametrize("name", ["1.1/piles", "1.1/colour", "1.1/tiled", "1.3/piles"])
def test_golden_files_are_what_they_are_for(name):
    with h5vidstack.open(GOLDEN / f"{name}.h5") as stack:
        assert len(stack.groups) > 1 or not np.all(np.diff(stack.groups[0].frames) == 1)
        assert stack.find(stack[3], 1)[0].rmse == 0


@pytest.mark.parametrize("name", BESIDE)
def test_dataset_whose_stack_is_beside_it(name):
    want = expected(f"1.5/{name}")
    with h5py.File(GOLDEN / f"1.5/{name}.h5") as file:
        np.testing.assert_array_equal(file["entry/data"][...], want, strict=True)
    with h5vidstack.open(GOLDEN / f"1.5/{name}.h5", "/entry/data") as stack:
        flat = want.reshape(stack.shape)
        assert stack.attrs["h5vidstack_format"] == "1.5"
        assert (*stack.leading_shape, *stack.shape[1:]) == want.shape
        np.testing.assert_array_equal(stack[:], flat, strict=True)
        assert stack.verify() == []
    found = SPEC_READER["read_stack"](GOLDEN / f"1.5/{name}.h5", "/h5vidstack/entry/data")
    np.testing.assert_array_equal(found, flat, strict=True)


def test_bare_dataset():
    want = expected("1.0/h5py")
    with h5py.File(GOLDEN / "1.0/h5py.h5") as file:
        np.testing.assert_array_equal(file["data"][...], want, strict=True)
        np.testing.assert_array_equal(SPEC_READER["read_dataset"](file["data"]), want, strict=True)
    with h5vidstack.open(GOLDEN / "1.0/h5py.h5", "/data") as stack:
        np.testing.assert_array_equal(stack[...], want, strict=True)


@pytest.mark.parametrize("folder", LIBRARIES)
def test_blocks_of_every_codec_dtype_and_transform(folder):
    with np.load(GOLDEN / folder / "blocks.npz") as stored:
        index, libraries = json.loads(str(stored["index"])), json.loads(str(stored["libraries"]))
        blocks = np.split(stored["data"], stored["ends"][:-1])
    version, codecs = LIBRARIES[folder]
    assert libraries["PyAV"] == version
    assert libraries["libavcodec"].startswith(codecs)
    assert len(index) == len(blocks) == 12 * (7 * (1 + 4 * 2 + 3) + 1)
    for (name, chunk, dtype, crcs), data in zip(index, blocks, strict=True):
        frames = block.decode(data.tobytes(), tuple(chunk), np.dtype(dtype))
        assert block.frame_crcs(frames).tolist() == crcs, name
        stored = np.dtype(dtype.replace("?", "u1"))  # bool is kept as its bytes
        by_spec = SPEC_READER["decode_block"](data.tobytes(), tuple(chunk), stored)
        np.testing.assert_array_equal(by_spec.reshape(frames.shape), frames, err_msg=name)


@pytest.mark.parametrize("name", VERSIONS["pyav-14"])
def test_stacks_were_written_by_another_ffmpeg(name):
    with h5vidstack.open(GOLDEN / f"pyav-14/{name}.h5") as stack:
        libraries = stack.attrs["settings"]["libraries"]
    assert (libraries["PyAV"], libraries["libavcodec"][:3]) == LIBRARIES["pyav-14"]


def test_spec_reader_is_independent_and_short():
    text = (Path(__file__).parent.parent / "spec" / "reader.py").read_text()
    assert "import h5vidstack" not in text
    assert len(text.splitlines()) < 540


def test_every_golden_file_is_there():
    VERSIONS["1.0"].append("h5py")
    VERSIONS["1.5"] += BESIDE
    for version, names in VERSIONS.items():
        found = {path.name for path in (GOLDEN / version).iterdir()}
        wanted = {f"{name}.{ending}" for name in names for ending in ("h5", "npz")}
        assert found == wanted | ({"blocks.npz"} if version in LIBRARIES else set())
