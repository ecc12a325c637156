import h5py
import numpy as np
from filtered import create, read
from frames import moving, noise

import h5vidstack


def test_filter_mask_is_honoured():
    frames = moving((8, 20, 30))
    create("x.h5", frames, (4, 20, 30), **h5vidstack.Video())
    with h5py.File("x.h5", "r+") as file:
        other = noise((4, 20, 30))
        file["d"].id.write_direct_chunk((4, 0, 0), other.tobytes(), filter_mask=1)
    want = np.concatenate([frames[:4], other])
    np.testing.assert_array_equal(read("x.h5"), want)
    with h5vidstack.open("x.h5", "/d") as stack:
        np.testing.assert_array_equal(stack[:], want)
        np.testing.assert_array_equal(stack[5], want[5])


def test_with_a_checksum_behind_it():
    frames = moving((8, 20, 30))
    create("x.h5", frames, (4, 20, 30), fletcher32=True, **h5vidstack.Video())
    np.testing.assert_array_equal(read("x.h5"), frames)
    with h5vidstack.open("x.h5", "/d") as stack:
        np.testing.assert_array_equal(stack[2:6], frames[2:6])
