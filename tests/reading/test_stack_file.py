from pathlib import Path

import numpy as np
import pytest
from frames import SHUFFLE, SWEEP, scenes
from hypothesis import given
from hypothesis import strategies as st

import h5vidstack

KEYS = [
    np.s_[:], np.s_[5:60:7], np.s_[60:5:-7], np.s_[-1], np.s_[17], np.s_[17, 3:9, ::-2], np.s_[..., 4],
    [3, 80, 80, -1, 0], np.s_[[5, 6], [1, 2]], np.s_[[5, 70, 5], 2:9, [1, 2, 3]], np.s_[2:80:5, [1, 2, 2]],
    np.s_[2:80:5, [1, 2, 2], [5, 5, 0]], np.s_[2:4, 1:3, [[0, 1], [2, 3]]], np.s_[:, 5, [1]], np.s_[[], :],
    np.s_[5:5], np.s_[3, [1, 2], 5], np.s_[None, 4:6], np.s_[10:14, [1, 2], None, 3:5], np.s_[[[1, 2], [3, 40]]],
]  # fmt: skip


@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_reordered_stacks_are_indexed_as_numpy(cache_bytes):
    frames = np.concatenate([SWEEP[SHUFFLE], SWEEP[3:6], scenes(2)])
    h5vidstack.pack(frames, "x.h5", method="groupvideo", chunk_frames=5, tile=(16, 32))
    with h5vidstack.open("x.h5", cache_bytes=cache_bytes) as stack:
        assert stack.shape == frames.shape
        mask = np.random.default_rng(0).random(len(frames)) < 0.3
        for key in [*KEYS, mask, np.s_[mask, 3], frames > 200]:
            np.testing.assert_array_equal(stack[key], frames[key], strict=True)
        out = np.zeros((2, 173, 40, 56), np.uint8)[1]
        stack.read(np.s_[:], out)
        np.testing.assert_array_equal(out, frames)
        for found, frame in zip(stack, frames, strict=True):
            np.testing.assert_array_equal(found, frame)


@given(st.data())
def test_any_index_of_a_reordered_stack(data):
    from hypothesis.extra import numpy as hnp

    if not Path("any.h5").exists():
        h5vidstack.pack(SWEEP[SHUFFLE][:, :9, :8], "any.h5", method="groupvideo", chunk_frames=7)
    key = data.draw(
        hnp.basic_indices((90, 9, 8), allow_newaxis=True)
        | hnp.integer_array_indices((90, 9, 8))
        | st.tuples(st.slices(90), hnp.integer_array_indices((9,)).map(lambda key: key[0]))
    )
    frames = SWEEP[SHUFFLE][:, :9, :8]
    with h5vidstack.open("any.h5") as stack:
        np.testing.assert_array_equal(stack[key], frames[key], strict=True)


def test_a_slice_decodes_each_block_once(monkeypatch):
    from h5vidstack.reading.chunk_grid import Chunks

    h5vidstack.pack(SWEEP[SHUFFLE], "x.h5", method="groupvideo", chunk_frames=5)
    loaded = []
    load = Chunks.load
    monkeypatch.setattr(
        Chunks, "load", lambda self, chunk, *a: loaded.append(chunk) or load(self, chunk, *a)
    )
    with h5vidstack.open("x.h5", cache_bytes=0) as stack:
        for key in (np.s_[:], np.s_[10:40], [5, 5, 80, 3]):
            loaded.clear()
            stack[key]
            assert len(loaded) == len(set(loaded))
        loaded.clear()
        list(stack)
        # An iteration begins with few frames, the blocks of which are decoded again with more.
        assert 18 <= len(loaded) <= 5 + 18 + 18
