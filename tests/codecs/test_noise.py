import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5vidstack import NoiseModel, UnsupportedError
from h5vidstack.codecs.noise import FULL_SCALES, HIGHEST, LOWEST, NoiseBound, NoiseLoss, levels

MODELS = st.builds(
    NoiseModel,
    gain=st.floats(1e-4, 1e4),
    offset=st.floats(-1e4, 1e5),
    read=st.floats(0, 1e4),
)


def deviation(model, value):
    """The standard deviation of a pixel in counts, from the model's numbers alone."""
    electrons = max(value - model.offset, 0) * model.gain
    return math.sqrt(electrons + model.read**2) / model.gain


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2"])
@given(model=MODELS, times=st.floats(1e-3, 20))
def test_the_bound_holds_for_every_integer(dtype, model, times):
    bound = NoiseBound(model, times)
    table = levels(bound, np.dtype(dtype))
    limits = np.iinfo(dtype)
    values = np.arange(limits.min, limits.max + 1)
    assert (table.first, table.last) == (limits.min, limits.max)
    got = table.pixel[table.level]
    apart = np.abs(got - values)
    light = np.maximum(values - model.offset, 0) * model.gain
    assert (apart <= times * np.sqrt(light + model.read**2) / model.gain * (1 + 1e-12)).all()
    assert (np.diff(table.pixel) > 0).all()
    assert set(np.diff(table.level).tolist()) <= {0, 1}
    assert (apart[values < table.exact_below] == 0).all()
    for full in FULL_SCALES:
        if full <= limits.max:
            assert np.count_nonzero(got == full) == 1


@given(model=MODELS, times=st.floats(0.01, 5))
def test_levels_reach_as_far_up_as_down_or_further(model, times):
    table = levels(NoiseBound(model, times), np.dtype("u2"))
    first = np.searchsorted(table.level, np.arange(len(table.pixel)))
    last = np.append(first[1:], len(table.level)) - 1
    further = last - table.pixel - (table.pixel - first)
    cut = further < 0  # by a full scale, or the end
    assert np.count_nonzero(cut) <= len(FULL_SCALES) + 1
    # Where steps are far wider than an integer they grow by two thirds of what they may.
    wide = (last - first > 100) & (first > model.offset)
    wide[np.flatnonzero(wide)[:1]] = False  # it may reach across the offset
    cut |= np.isin(last + 1, FULL_SCALES) | (last == 65535)
    grown = further[wide & ~cut]
    if len(grown) > 20:
        wanted = 2 / 3 * times**2 / model.gain
        assert grown.mean() == pytest.approx(wanted, abs=0.5 + 0.1 * wanted)


@pytest.mark.parametrize("times", [0.25, 0.5, 1])
def test_means_keep_their_value(times):
    """Of pixels of many densities, each smooth over a level."""
    model = NoiseModel(gain=0.05, offset=100, read=3)
    table = levels(NoiseBound(model, times), np.dtype("u2"))
    values = np.arange(100, 65535)
    moved = table.pixel[table.level[values]] - values
    middle = times**2 / model.gain / 3  # the bias, if pixels were the middle of their levels
    biases = []
    for centre in range(8000, 40000, 2000):
        density = np.exp(-(((values - centre) / (0.15 * centre)) ** 2) / 2)
        biases.append(np.average(moved, weights=density))
    assert abs(np.mean(biases)) < 0.1 + 0.1 * middle
    assert np.abs(biases).max() < 0.2 + 0.3 * middle


def test_a_table_of_wide_integers_has_an_end():
    bound = NoiseBound(NoiseModel(gain=1, offset=0, read=1), 0.5)
    for dtype, low in (("u4", 0), ("i4", LOWEST), ("u8", 0), ("i8", LOWEST)):
        table = levels(bound, np.dtype(dtype))
        assert (table.first, table.last) == (low, HIGHEST)
    assert len(levels(bound, np.dtype("u4")).pixel) < 5000  # the root of the range, not the range


def test_a_deviation_is_that_of_a_camera():
    model = NoiseModel(gain=0.5, offset=100, read=2)
    np.testing.assert_allclose(model.sigma([0, 100, 1100]), [4, 4, np.sqrt(504) / 0.5])
    for value in (0, 99.5, 101, 65535):
        assert model.sigma(value) == pytest.approx(deviation(model, value))
    random = np.random.default_rng(0)
    counts = (random.poisson(1000, 40000) + random.normal(0, 2, 40000)) / 0.5 + 100
    assert counts.std() == pytest.approx(float(model.sigma(counts.mean())), rel=0.02)


def test_noise_is_read_as_users_write_it():
    wanted = NoiseModel(gain=0.46, offset=100, read=1.6)
    for text in ("gain=0.46,offset=100,read=1.6", " read = 1.6 , gain=.46, offset=1e2 "):
        assert NoiseModel.read_from(text) == wanted
    assert NoiseModel.read_from(wanted) is wanted
    assert "0.46 electrons per count, offset 100 counts, read noise 1.6 electrons" in str(wanted)
    assert "as given" in str(wanted)
    assert "estimated" in str(dataclasses.replace(wanted, estimated=True))


@pytest.mark.parametrize("text", [
    "", "0.5", "gain", "gain=1", "gain=1,offset=2", "gain=1,offset=2,read=3,read=4",
    "gain=1,offset=2,read=3,more=4", "gain=1,offset=2,read=", "gain=x,offset=2,read=3",
    "gain=1,offset=2,read=3,", "gain=1;offset=2;read=3", "gain=1,,offset=2,read=3", "gain=1=2", 7,
])  # fmt: skip
def test_what_is_no_noise(text):
    with pytest.raises(UnsupportedError, match=r"gain=0\.46,offset=100,read=1\.6"):
        NoiseModel.read_from(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [("gain", 0), ("gain", -1), ("gain", math.nan), ("gain", math.inf), ("gain", "1"),
     ("gain", True), ("offset", math.nan), ("offset", -math.inf), ("offset", None), ("read", -0.1),
     ("read", math.inf)],
)  # fmt: skip
def test_numbers_out_of_range(name, value):
    numbers = {"gain": 1.0, "offset": 0.0, "read": 1.0} | {name: value}
    with pytest.raises(UnsupportedError, match=f"{name}="):
        NoiseModel(**numbers)


def test_differences_in_units_of_noise():
    bound = NoiseBound(NoiseModel(gain=1, offset=10, read=0), 1.0)
    frames = np.array([5, 10, 14, 110], np.uint16)
    assert bound.holds(frames, np.array([0, 0, 2.0, 10]))
    assert not bound.holds(frames, np.array([0, 1.0, 0, 0]))  # a dark pixel has no noise
    assert bound.largest(frames, np.array([0, 0, 1.0, 10])) == 1
    assert bound.largest(frames, np.array([1.0, 0, 0, 0])) == math.inf
    lost = NoiseLoss(model=bound.model, bound=1, error=0.9, bias=-0.02)
    assert lost.holds(frames, np.array([0, 0, 2.0, 10]))
    assert "0.9 times the standard deviation of its own noise (allowed: 1)" in str(lost)
    assert "by -0.02 counts" in str(lost)


@pytest.mark.parametrize(
    "numbers", [(1, 1, 1e300), (1e308, 0, 0), (10**400, 0, 1), (5e-324, 0, 1e308)]
)
def test_deviations_are_finite(numbers):
    gain, offset, read = numbers
    with pytest.raises(UnsupportedError, match="noise has"):
        NoiseModel(gain=gain, offset=offset, read=read)


@pytest.mark.parametrize("dtype", ["i1", "i2"])
def test_saturation_of_signed_types_is_seen(dtype):
    most = np.iinfo(dtype).max
    table = levels(NoiseBound(NoiseModel(gain=0.46, offset=0, read=1.6), 0.5), np.dtype(dtype))
    assert table.pixel[-1] == most
