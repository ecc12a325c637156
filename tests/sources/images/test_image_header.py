import struct

import pytest
from pictures import read
from PIL import Image

from h5vidstack.sources.images.image_header import exif_orientation


def test_damaged_exif_is_nobodys_business(recwarn):
    picture = Image.new("L", (16, 8), 7)
    for exif in (
        b"Exif\0\0II*\0\xff\xff\xff\xff\1",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0",
    ):
        picture.save("x.jpg", exif=exif)
        assert read("x.jpg")[1].notes == []
    assert not recwarn.list


def exif(order, value, *, count=2):
    """A directory of so many entries, the last of which is the orientation."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    other = struct.pack(order + "HHIHH", 256, 3, 1, 7, 0)
    turned = struct.pack(order + "HHIHH", 274, 3, 1, value, 0)
    return head + struct.pack(order + "H", count) + other * (count - 1) + turned


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("count", [1, 2, 9])
def test_orientation_in_both_byte_orders(order, count):
    for value in range(1, 9):
        assert exif_orientation(exif(order, value, count=count)) == value
    assert exif_orientation(exif(order, 0, count=count)) == 1
    assert exif_orientation(exif(order, 9, count=count)) == 1


@pytest.mark.parametrize("order", "<>")
def test_orientation_that_is_cut_off_is_none(order):
    data = exif(order, 6)
    whole = len(data) - 2  # two bytes follow the value
    assert exif_orientation(data[:whole]) == 6
    assert {exif_orientation(data[:end]) for end in range(whole)} == {1}
    far = data[:4] + struct.pack(order + "I", 2**32 - 1) + data[8:]
    assert exif_orientation(far) == 1
