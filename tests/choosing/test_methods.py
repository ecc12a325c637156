"""The methods without video: HDF5 alone, differences to a mean, principal components."""

import subprocess
import sys

import numpy as np
import pytest
from frames import DTYPES, moving, pixels
from places import SPEC_READER

import h5vidstack

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


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    "options", [{"codec": "ffv1"}, {"preset": "mp4"}, {"crf": 3}, {"max_error": 1}]
)
def test_options_of_video_are_refused(method, options):
    with pytest.raises(h5vidstack.UnsupportedError, match="takes no .*groupvideo"):
        h5vidstack.pack(moving((3, 8, 9)), "x.h5", method=method, **options)
