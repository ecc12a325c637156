"""Columns: what they hold, how they go on, and what stands for no value."""

import datetime

import numpy as np
import pytest

from h5vidstack import Coordinate, MetadataError
from h5vidstack.metadata.coordinates import FILL, absent, column, joined, same_attrs


def along(values, **attrs):
    return Coordinate.of(("frame",), values, attrs)


KINDS = {
    "bool": [True, False], "whole": [1, -2], "bytes": np.array([1, 255], "u1"), "float": [0.5, np.nan],
    "text": ["a", "é\udcff"], "time": np.array(["2020-01-01", "NaT"], "M8[ms]"),
    "duration": np.array([1, 2], "m8[s]"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_reads_as_an_array(kind):
    values = np.asarray(KINDS[kind])
    coordinate = along(values, units="s")
    np.testing.assert_array_equal(coordinate.values, values)
    np.testing.assert_array_equal(np.asarray(coordinate), values)
    np.testing.assert_array_equal(coordinate[1:], values[1:])
    assert coordinate[0] == values[0]
    assert (len(coordinate), coordinate.units) == (2, "s")
    assert coordinate.take(np.array([1, 0])).equals(along(values[::-1], units="s"))
    assert coordinate.equals(along(values, units="s"))
    assert not coordinate.equals(along(values, units="ms"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_is_told_from_every_value(kind):
    there = along(KINDS[kind], units="s")
    both = joined("q", absent(there, 3), there)
    again = joined("q", there, absent(there, 3))
    for found, own in ((both, both[3:]), (again, again[:2])):
        assert found.attrs["units"] == "s"
        np.testing.assert_array_equal(np.asarray(own).astype(there.dtype), there.values)
    gone = both[:3]
    if both.dtype.kind in "iu":
        fill = both.attrs[FILL]
        assert (gone == fill).all()
        assert not (both[3:] == fill).any()
    elif both.dtype.kind == "U":
        assert list(gone) == [""] * 3
    else:
        assert (np.isnan(gone) if both.dtype.kind == "f" else np.isnat(gone)).all()
    assert joined("q", both, there).equals(
        Coordinate.of(("frame",), np.concatenate([both.data, both.data[3:]]), both.attrs)
    )


def test_a_value_that_stands_for_none_is_refused():
    filled = joined("q", absent(along(np.array([1], "u1")), 1), along(np.array([1], "u1")))
    assert filled.attrs[FILL] == 255
    with pytest.raises(MetadataError, match="255, which stands for no value"):
        joined("q", filled, along(np.array([255], "u1")))


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        ([1], ["a"], "holds int64, .*<U1"),
        ([True], [1], "holds bool"),
        ([2**63 - 1], [0.5], "no dtype holds both exactly"),
        (np.array([2**64 - 1], "u8"), [-1], "no dtype"),
        (np.array(["9999-01-01"], "M8[s]"), np.array(["2000-01-01"], "M8[ns]"), "no dtype"),
        ([[1, 2]], [[1, 2, 3]], "values for each frame"),
    ],
)
def test_kinds_that_do_not_go_together(one, two, said):
    with pytest.raises(MetadataError, match=said):
        joined("q", along(one), along(two))


def test_other_units():
    with pytest.raises(MetadataError, match="is in s, that of the frames to add in ms"):
        joined("q", along([1.0], units="s"), along([1.0], units="ms"))


def test_numbers_that_go_together():
    found = joined("q", along(np.array([1], "u1")), along([2.5]))
    np.testing.assert_array_equal(found.values, [1, 2.5])


def test_times_of_python():
    utc = datetime.datetime(2020, 1, 1, 12, tzinfo=datetime.UTC)
    east = utc.astimezone(datetime.timezone(datetime.timedelta(hours=2)))
    np.testing.assert_array_equal(column([utc, east]), np.array(["2020-01-01T12"] * 2, "M8[us]"))
    assert column([datetime.timedelta(seconds=1)]).dtype == np.dtype("m8[us]")
    with pytest.raises(MetadataError, match="time zone"):
        column([utc, datetime.datetime(2020, 1, 1)])
    with pytest.raises(MetadataError, match="both"):
        column([utc, datetime.timedelta(1)])


@pytest.mark.parametrize(
    "values",
    [[1j], [object()], ["a", 1], np.zeros(2, "i4,i4"), np.zeros(1, np.longdouble), ["a\0"]],
)
def test_what_no_coordinate_holds(values):
    with pytest.raises(MetadataError):
        column(values)


def test_attributes_are_the_same():
    assert same_attrs({"a": np.nan, "b": [1, 2]}, {"a": np.nan, "b": np.array([1, 2])})
    assert not same_attrs({"a": 1}, {"a": 2})
    assert not same_attrs({"a": 1}, {})
