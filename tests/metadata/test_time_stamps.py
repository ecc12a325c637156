"""Time stamps come back from seconds, exactly or not at all."""

from fractions import Fraction

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import h5vidstack
from h5vidstack.metadata.time_stamps import (
    MISSING,
    common_base,
    time_base,
    to_seconds,
    to_ticks,
)

BASES = st.builds(Fraction, st.integers(1, 2000), st.integers(1, 10**9))


@given(st.lists(st.integers(-(2**42), 2**42) | st.just(MISSING), min_size=1), BASES)
def test_they_come_back(stamps, base):
    ticks = np.array(stamps, np.int64)
    seconds = to_seconds(ticks, base)
    expected = [np.nan if tick == MISSING else float(tick * base) for tick in stamps]
    np.testing.assert_array_equal(seconds, expected)
    np.testing.assert_array_equal(to_ticks(seconds, base), ticks)


def test_seconds_that_are_none():
    base = Fraction(1, 25)
    assert to_ticks(np.array([0.04, 0.05]), base) is None
    assert to_ticks(np.array([-0.0]), base) is None
    assert to_ticks(np.array([1e300]), base) is None
    assert to_ticks(np.array([0.04], np.float32), base) is None


@pytest.mark.parametrize("said", [None, "", "x", "1/0", "-1/25", "0", 0.04, "1/99999999999999999"])
def test_bases_that_are_none(said):
    assert time_base({"time_base": said}) is None


def test_a_common_base():
    both = common_base({"time_base": "1/25"}, {"time_base": "1001/30000"})
    assert both == Fraction(1, 30000)
    assert common_base({"time_base": "1/25"}, {}) is None


@pytest.mark.parametrize("base", ["1/12800", "1001/30000", "1/90000"])
def test_in_a_file_they_are_whole_numbers(base):
    ticks = np.random.default_rng(0).permutation(40) * 7
    ticks[9] = MISSING
    seconds = to_seconds(ticks, Fraction(base))
    frames = np.zeros((40, 4, 5), np.uint8)
    attrs = {"units": "s", "time_base": base}
    h5vidstack.pack(frames, "x.h5", coords={"time": ("frame", seconds, attrs)})
    with h5py.File("x.h5") as file:
        data = file["stack/time"]
        np.testing.assert_array_equal(data[:], ticks)
        assert data.attrs["_FillValue"] == MISSING
        assert data.attrs["scale_factor"] == float(Fraction(base))
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack.coords["time"].values, seconds)
        assert dict(stack.coords["time"].attrs) == attrs


def test_a_damaged_base():
    frames = np.zeros((4, 4, 5), np.uint8)
    attrs = {"units": "s", "time_base": "1/25"}
    h5vidstack.pack(frames, "x.h5", coords={"time": ("frame", np.array([0, 0.04, 0.2, 1]), attrs)})
    with h5py.File("x.h5", "a") as file:
        file["stack/time"].attrs["time_base"] = np.bytes_("0/25")
    with h5vidstack.open("x.h5") as stack, pytest.raises(h5vidstack.FormatError, match="time_base"):
        stack.coords["time"].values


def test_frames_with_another_base_are_added():
    frames = np.zeros((4, 4, 5), np.uint8)
    one, two = (
        to_seconds(np.arange(4) * 3, Fraction(1, 25)),
        to_seconds(np.array([1, 7, 8, 20]), Fraction(1, 90000)),
    )
    given = [
        {"time": ("frame", seconds, {"units": "s", "time_base": base})}
        for seconds, base in ((one, "1/25"), (two, "1/90000"))
    ]
    h5vidstack.pack(frames, "x.h5", coords=given[0])
    with h5vidstack.open("x.h5") as stack:
        stack.append(frames + 1, coords=given[1])
        time = stack.coords["time"]
        np.testing.assert_array_equal(time.values, np.concatenate([one, two]))
        assert time.attrs["time_base"] == "1/90000"
        assert to_ticks(time.values, Fraction(1, 90000)) is not None
