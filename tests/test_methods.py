"""The methods without video: HDF5 alone, and differences to the mean of a pile."""

import runpy
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import DTYPES, moving, pixels
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import h5vidstack
from h5vidstack import coders

SPEC_READER = runpy.run_path(str(Path(__file__).parent.parent / "spec" / "reader.py"))
PLAIN = ["hdf5", "hdf5gz", "hdf5gzshuffle"]
ALL = [*PLAIN, "group"]


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(method, dtype):
    frames = pixels((9, 17, 13), dtype)
    report = h5vidstack.pack(frames, "x.h5", method=method)
    assert report.lossless
    with h5vidstack.open("x.h5") as stack:
        little = frames.astype(frames.dtype.newbyteorder("<"))
        assert stack[:].tobytes() == little.tobytes()
        assert stack[3:7, 2, ::-1].tobytes() == frames[3:7, 2, ::-1].astype(stack.dtype).tobytes()
        assert stack.attrs["method"] == method
        assert stack.verify() == []
    assert h5vidstack.verify("x.h5", against=frames) == []
    assert SPEC_READER["read_stack"]("x.h5").tobytes() == little.tobytes()


@pytest.mark.parametrize("method", PLAIN)
def test_read_without_h5vidstack(method):
    frames = moving((20, 31, 43, 3))
    h5vidstack.pack(frames, "x.h5", method=method, chunk_frames=8, tile=(16, 32))
    np.save("x.npy", frames)
    script = (
        "import sys, h5py, numpy as np\n"
        "found = h5py.File('x.h5')['stack/frames']\n"
        "assert (found[...] == np.load('x.npy')).all() and 'h5vidstack' not in sys.modules\n"
        "print(found.compression, found.compression_opts, found.shuffle, found.chunks)"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    level = "None None" if method == "hdf5" else "gzip 9"
    assert out.stdout == f"{level} {method == 'hdf5gzshuffle'} (8, 16, 32, 3)\n"


@pytest.mark.parametrize("method", ALL)
def test_odd_shapes_copies_and_iterables(method):
    for shape in ((1, 1, 1), (5, 17, 3), (70, 301, 201)):
        frames = moving(shape)
        frames = np.concatenate([frames, frames[:3]])
        h5vidstack.pack(iter(frames), "x.h5", method=method, overwrite=True)
        with h5vidstack.open("x.h5") as stack:
            np.testing.assert_array_equal(stack[:], frames, strict=True)
            some = np.random.default_rng(0).integers(0, len(frames), 9)
            np.testing.assert_array_equal(stack[some], frames[some])


def test_group_is_smaller_than_gzip_on_scenes():
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 256, (2, 1, 60, 80)).astype(np.uint8)
    frames = np.concatenate([scene.repeat(40, axis=0) for scene in scenes])
    frames += rng.integers(0, 2, frames.shape).astype(np.uint8)
    sizes = {
        method: h5vidstack.pack(frames, f"{method}.h5", method=method).stored_bytes
        for method in ("group", "hdf5gzshuffle")
    }
    assert sizes["group"] < 0.5 * sizes["hdf5gzshuffle"]
    with h5py.File("group.h5") as file:
        means = [pile["mean"][...] for pile in file["stack/groups"].values()]
        assert len(means) == 2


@given(st.sampled_from([d for d in DTYPES if not d.startswith(">")]), st.integers(1, 5), st.data())
def test_means_lie_among_their_frames(dtype, count, data):
    frames = data.draw(npst.arrays(dtype, (count, 2, 3)))
    with np.errstate(all="ignore"):
        finite = np.nan_to_num(frames.astype(np.float64), nan=0, posinf=0, neginf=0)
        total = np.clip(finite.sum(axis=0), -1e308, 1e308)
    mean = coders.mean_frame(total, count, np.dtype(dtype))
    assert mean.dtype == dtype
    least, most = finite.min(axis=0), finite.max(axis=0)
    slack = 1 + 1e-3 * np.maximum(abs(least), abs(most))
    assert (mean.astype(float) >= least - slack).all()
    assert (mean.astype(float) <= most + slack).all()


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    "options", [{"codec": "ffv1"}, {"preset": "mp4"}, {"crf": 3}, {"max_error": 1}]
)
def test_options_of_video_are_refused(method, options):
    with pytest.raises(h5vidstack.UnsupportedError, match="takes no .*groupvideo"):
        h5vidstack.pack(moving((3, 8, 9)), "x.h5", method=method, **options)


@pytest.mark.parametrize("name", ["mean", "difference"])
def test_damaged_groups(name):
    frames = moving((9, 20, 30))
    h5vidstack.pack(frames, "x.h5", method="group")
    with h5py.File("x.h5", "r+") as file:
        pile = file["stack/groups/000000"]
        node = pile[name]
        raw = zlib.compress(bytes(node.dtype.itemsize * np.prod(node.chunks)))
        node.id.write_direct_chunk((0,) * node.ndim, raw)
    assert any("CRC-32" in problem for problem in h5vidstack.verify("x.h5"))
    with h5py.File("x.h5", "r+") as file:
        pile = file["stack/groups/000000"]
        del pile[name]
        pile[name] = np.zeros((3, 3), np.uint8)
    with pytest.raises(h5vidstack.FormatError):
        h5vidstack.open("x.h5")
