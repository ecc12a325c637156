import numpy as np
import pytest
from damaging import FRAMES, check, damage

import h5vidstack


@pytest.mark.parametrize("method", ["video", "groupvideo", "hdf5", "group", "pca"])
def test_a_destroyed_superblock_is_made_anew(method):
    h5vidstack.pack(FRAMES, "bad.h5", method=method, **({"exact": True} if method == "pca" else {}))
    damage(0, 48)
    check([], carved=False)


def test_a_superblock_of_tiles_of_two_stacks_and_of_what_is_lossy():
    h5vidstack.pack(FRAMES, "bad.h5", tile=(16, 16))
    h5vidstack.pack(FRAMES[:5] ^ 1, "bad.h5::/other", crf=20)
    with h5vidstack.open("bad.h5::/other") as stack:
        pixels, attrs = stack[:], stack.attrs
    damage(20)
    check([], carved=False)
    h5vidstack.recover("bad.h5::/other", "other.h5")
    with h5vidstack.open("other.h5::/other") as stack:
        np.testing.assert_array_equal(stack[:], pixels)
        assert stack.attrs["max_error"] == attrs["max_error"]
