"""Records of pictures, collected in the order in which they are read."""

import numpy as np
import pytest

from h5vidstack.metadata.coordinates import Coordinate
from h5vidstack.metadata.description import NO_METADATA, Metadata
from h5vidstack.sources.picture_records import PictureRecord, PixelSize, RecordCollector

SECOND = 10**9


def collected(records, known=NO_METADATA, **how):
    collector = RecordCollector()
    for record in records:
        collector.add(record)
    return collector.metadata(known, (2, 3), **how)


def test_words_that_come_late_or_go():
    found = collected([PictureRecord(), PictureRecord({"exif": b"a"}), PictureRecord({"xmp": b"x"}),
                       PictureRecord({"exif": b"a"})])  # fmt: skip
    assert [found.words["exif"][i] for i in range(4)] == [None, b"a", None, b"a"]
    assert [found.words["xmp"][i] for i in range(4)] == [None, None, "x", None]
    assert len(found.words["exif"].values) == 1


def test_what_all_say_is_kept_once():
    found = collected([PictureRecord({"icc": b"p"})] * 5)
    assert found.words["icc"].of is None
    reordered = collected([PictureRecord({"icc": b"p"})] * 5, order=np.array([4, 0, 1]))
    assert reordered.words["icc"].of is None


def test_order_of_frames():
    found = collected([PictureRecord({"xmp": b"0"}, 0), PictureRecord({"xmp": b"1"}, SECOND)],
                      order=np.array([1, 1, 0]))  # fmt: skip
    assert [found.words["xmp"][i] for i in range(3)] == ["1", "1", "0"]
    np.testing.assert_array_equal(found.coords["time"].values.astype(int), [1, 1, 0])


@pytest.mark.parametrize(("step", "unit"), [(SECOND, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns")])
def test_times_in_the_longest_unit(step, unit):
    found = collected([PictureRecord(time=number * step - 7 * step) for number in range(3)])
    assert found.coords["time"].dtype == np.dtype(f"M8[{unit}]")
    assert found.coords["time"].dims == ("frame",)
    assert found.coords["time"].values.astype("M8[ns]").astype(int).tolist() == [
        -7 * step, -6 * step, -5 * step,
    ]  # fmt: skip


def test_times_and_sizes_only_if_all_have_them():
    size = PixelSize(2.0, 0.5, "cm")
    found = collected([PictureRecord(time=1, pixel_size=size), PictureRecord(pixel_size=size)])
    assert set(found.coords) == {"y", "x"}
    np.testing.assert_array_equal(found.coords["y"].values, [0, 2])
    assert found.coords["x"].units == "cm"
    other = collected([PictureRecord(pixel_size=size), PictureRecord()])
    assert not other.coords


def test_what_is_known_comes_first():
    known = Metadata(("T", "y", "x"), {"x": Coordinate.of(("x",), [1, 2, 3])})
    found = collected([PictureRecord(time=5, pixel_size=PixelSize(1, 1, "cm"))] * 2, known)
    assert found.coords["x"].values.tolist() == [1, 2, 3]
    assert found.coords["time"].dims == ("T",)
    found.checked((2,), (2, 3))
