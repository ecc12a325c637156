import h5py
import numpy as np
import pytest
from frames import moving
from serving import serving

import h5vidstack


def test_damaged_block(packed):
    with h5py.File("x.h5") as file:
        summary = file["stack/frames"].id.get_chunk_info_by_coord((400, 0, 0))
    with open("x.h5", "r+b") as file:
        file.seek(summary.byte_offset + 50)
        file.write(b"xyz")
    with serving() as server, h5vidstack.open(f"{server.url}/x.h5") as stack:
        with pytest.raises(h5vidstack.BlockError, match="frames 400-403"):
            stack[401]
        assert any("400-403" in problem for problem in stack.verify())


def test_other_filters_and_holes():
    """What HDF5 itself must decode, and chunks that were never written."""
    frames = moving((20, 16, 16))
    with h5py.File("x.h5", "w", userblock_size=1024) as file:
        video = h5vidstack.Video()
        file.create_dataset("twice", data=frames, chunks=(4, 16, 16), fletcher32=True, **video)
        holes = file.create_dataset("holes", (20, 16, 16), "u1", chunks=(4, 16, 16), **video)
        holes[8:12] = frames[8:12]
    with serving() as server:
        with h5vidstack.open(f"{server.url}/x.h5", "/twice") as stack:
            np.testing.assert_array_equal(stack[...], frames)
        with h5vidstack.open(f"{server.url}/x.h5", "/holes") as stack:
            np.testing.assert_array_equal(stack[8:12], frames[8:12])
            assert not stack[:8].any()
