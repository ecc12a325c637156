import h5py
import numpy as np
from array_likes import ArrayLike
from frames import SHUFFLE, SWEEP, moving
from hypothesis import given, settings
from hypothesis import strategies as st

import h5vidstack

METHODS = ["auto", "video", "groupvideo"]


def content(path="x.h5"):
    with h5vidstack.open(path) as opened:
        assert opened.verify() == []
        return opened[:]


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=60),
    st.sampled_from(METHODS),
    st.booleans(),
)
def test_any_order_and_copies(numbers, method, once):
    frames = (moving((10, 9, 12)) + np.arange(10, dtype=np.uint8)[:, None, None])[numbers]
    source = iter(frames) if once else frames
    h5vidstack.pack(
        source, "x.h5", method=method, chunk_frames=3, preset="x264-fast", overwrite=True
    )
    np.testing.assert_array_equal(content(), frames, strict=True)
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][...], frames, strict=True)


def test_verify_and_unpack_of_reordered_stacks():
    frames = np.concatenate([SWEEP[SHUFFLE], SWEEP[:5]])
    h5vidstack.pack(frames, "x.h5", method="groupvideo")
    other = frames.copy()
    other[[7, 90], 3, 3] ^= 1
    for make in (np.asarray, iter):
        assert h5vidstack.verify("x.h5", against=make(frames)) == []
        found = " ".join(h5vidstack.verify("x.h5", against=make(other)))
        assert "frame 7: pixels differ" in found or "frames 7, 90: pixels differ" in found
        assert "94 frames, the stack 95" in h5vidstack.verify("x.h5", against=make(frames[:94]))[-1]
        assert "96 frames" in h5vidstack.verify("x.h5", against=make(frames[[*range(95), 3]]))[-1]
    h5vidstack.unpack("x.h5", "y.npy")
    np.testing.assert_array_equal(np.load("y.npy"), frames)
    h5vidstack.pack("x.h5", "z.h5")
    np.testing.assert_array_equal(content("z.h5"), frames)


def test_frames_are_read_once_in_runs():
    source = ArrayLike(moving((37, 10, 12)))
    h5vidstack.pack(source, "x.h5", chunk_frames=8)
    assert source.read == [0, 37]
    source = ArrayLike(moving((37, 600, 1200)))
    h5vidstack.pack(source, "y.h5", chunk_frames=8, preset="raw")
    assert source.read == [0, 16, 16, 5]  # two blocks have less than 16 MiB
