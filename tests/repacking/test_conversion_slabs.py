import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from whole_files import drifting

import h5vidstack
from h5vidstack.repacking.repacker import repack
from h5vidstack.shapes import is_consecutive, leading_chunk


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=4), st.integers(1, 40), st.integers(1, 300)
)
def test_chunks_of_several_axes_hold_frames_one_after_another(leading, wanted, most):
    leading = tuple(leading)
    chunk = leading_chunk(leading, wanted, most)
    assert is_consecutive(leading, chunk)
    assert np.prod(chunk) <= max(most, 1)
    numbers = np.arange(np.prod(leading)).reshape(leading)
    first = numbers[tuple(map(slice, chunk))].ravel()
    assert np.array_equal(first, np.arange(np.prod([min(c, e) for c, e in zip(chunk, leading)])))


def test_chunks_that_cut_several_axes_are_left_to_h5py():
    frames = drifting((6, 8, 20, 20))
    with h5py.File("v.h5", "w") as file:
        file.create_dataset("d", data=frames, chunks=(2, 4, 20, 20), **h5vidstack.Video())
        file.create_dataset("e", data=frames, chunks=(1, 4, 20, 20), **h5vidstack.Video())
        assert np.array_equal(file["d"], frames)
    with pytest.raises(h5vidstack.FormatError, match="read it with h5py"):
        h5vidstack.open("v.h5::/d")
    with h5vidstack.open("v.h5::/e") as stack:
        assert np.array_equal(stack[:], frames.reshape(-1, 20, 20))
    repack("v.h5", "plain.h5", restore=True, select=["e"])
    with h5py.File("plain.h5") as file:
        assert np.array_equal(file["e"], frames)
