import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from frames import moving
from videos import access_units, copied, luma, write_video

import h5vidstack
from h5vidstack.codecs import h264


def test_gops_of_several_lengths():
    """A key frame where the picture changes, and one every 12 frames."""
    write_video("whole.h264", count=36, gop=12, bf="0", params="repeat-headers=1")
    write_video("more.h264", count=36, gop=4, bf="0", params="repeat-headers=1")
    units = [list(access_units(name)) for name in ("whole.h264", "more.h264")]
    mixed = units[0][:12] + units[1][:12] + units[0][24:]
    Path("mixed.h264").write_bytes(b"".join(mixed))
    copied("mixed.h264")
    with h5vidstack.open("x.h5") as stack:
        assert stack.chunks[0] == 12
        np.testing.assert_array_equal(stack[:], luma("mixed.h264"))


def test_gops_without_a_common_length():
    write_video("a.h264", count=40, gop=10, bf="0", params="repeat-headers=1")
    units = list(access_units("a.h264"))
    Path("v.h264").write_bytes(b"".join(units[:3] + units[10:14] + units[20:30]))
    copied("v.h264")
    with h5vidstack.open("x.h5") as stack:
        assert [len(group.frames) for group in stack.groups] == [17]  # 10, then 3 and 4 together
        np.testing.assert_array_equal(stack[:], luma("v.h264"))
    Path("cut.h264").write_bytes(b"".join(units[3:]))
    with pytest.raises(h5vidstack.UnsupportedError, match="does not begin with a closed GOP"):
        copied("cut.h264")


def test_pictures_that_are_not_shown():
    write_video("cut.mp4", first=-3, bf="0")
    assert len(luma("cut.mp4")) == 18
    with pytest.raises(h5vidstack.UnsupportedError, match="not shown"):
        copied("cut.mp4")


def test_what_has_no_packets():
    np.save("a.npy", moving((4, 8, 8)))
    for source in ("a.npy", moving((4, 8, 8)), iter(moving((4, 8, 8)))):
        with pytest.raises(h5vidstack.SourceError, match="no video file"):
            copied(source)
    write_video("v.mp4")
    Path("v.mp4").write_bytes(Path("v.mp4").read_bytes()[:1500])
    with pytest.raises(h5vidstack.SourceError):
        copied("v.mp4")
    assert sorted(os.listdir()) == ["a.npy", "v.mp4"]


def test_display_order():
    write_video("b.h264", bf="3", params="b-pyramid=normal")
    packets = list(access_units("b.h264"))[:8]
    order = h264.display_order(packets)
    assert sorted(order) == list(range(8))
    assert order[0] == 0
    assert any(a > b for a, b in pairwise(order))
    with pytest.raises(h5vidstack.BlockError):
        h264.display_order([packets[0], *packets[2:], b"\0\0\1\1"])
