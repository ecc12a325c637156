"""Views of the planes of PyAV's pictures."""

import av
import numpy as np
import pytest

from h5vidstack.codecs.av_planes import plane_items, plane_rows


@pytest.mark.parametrize(
    ("name", "dtype", "per_pixel"), [("gray", "u1", 1), ("gray12le", "<u2", 1), ("rgb24", "u1", 3)]
)
def test_items_are_a_writable_view(name, dtype, per_pixel):
    frame = av.VideoFrame(33, 20, name)
    values = np.arange(20 * 33 * per_pixel).reshape(20, -1) % 251
    plane_items(frame.planes[0], dtype, per_pixel)[...] = values
    np.testing.assert_array_equal(plane_items(frame.planes[0], dtype, per_pixel), values)
    if per_pixel == 3:
        np.testing.assert_array_equal(frame.to_ndarray().reshape(20, -1), values)


def test_subsampled_planes_have_their_own_size():
    frame = av.VideoFrame(33, 21, "yuv420p")
    assert [plane_items(plane, "u1").shape for plane in frame.planes] == [
        (21, 33),
        (11, 17),
        (11, 17),
    ]


def test_rows_that_are_stored_from_the_last_to_the_first():
    memory = np.arange(60, dtype=np.uint8).reshape(4, 15)

    class Plane:
        line_size, height, buffer_ptr = -15, 4, memory[-1].ctypes.data

    np.testing.assert_array_equal(plane_rows(Plane), memory[::-1])
