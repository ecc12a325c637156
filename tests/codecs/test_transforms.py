import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from h5vidstack.codecs.transforms import (
    Colour,
    Predictor,
    container,
    from_components,
    predict,
    to_components,
    unpredict,
)


@pytest.mark.parametrize("predictor", list(Predictor))
@given(st.data())
def test_predictors(predictor, data):
    bits = data.draw(st.integers(1, 64))
    shape = data.draw(npst.array_shapes(min_dims=3, max_dims=3, max_side=12))
    values = data.draw(npst.arrays(container(bits), shape, elements={"max_value": (1 << bits) - 1}))
    before = values.copy()
    rest = predict(values, bits, predictor)
    assert int(rest.max()) < 1 << bits
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(unpredict(rest.copy(), bits, predictor), values)


@pytest.mark.parametrize("predictor", list(Predictor)[1:])
@pytest.mark.parametrize("bits", [5, 8, 11, 16, 30, 64])
@pytest.mark.parametrize(
    "shape",
    [(1, 1, 4000), (1, 500, 500), (1, 180, 1280), (3, 201, 301), (20, 130, 120), (600, 1, 3)],
)
def test_predictors_of_frames_of_any_size(shape, bits, predictor):
    values = np.random.default_rng(0).integers(0, (1 << bits) - 1, shape, np.uint64, True)
    values = values.astype(container(bits))
    rest = predict(values, bits, predictor)
    np.testing.assert_array_equal(unpredict(rest, bits, predictor), values)


@pytest.mark.parametrize("bits", [5, 8, 16, 19])
def test_predictors_are_what_the_specification_says(bits):
    values = np.random.default_rng(bits).integers(0, 1 << bits, (5, 4, 6))
    before, left = np.zeros_like(values), np.zeros_like(values)
    before[1:], left[..., 1:] = values[:-1], values[..., :-1]
    left2 = np.zeros_like(values)
    left2[..., 2:] = values[..., :-2]
    said = {
        Predictor.PREVIOUS: before,
        Predictor.LEFT: left,
        Predictor.LINEAR: 2 * left - left2,
    }
    for predictor, prediction in said.items():
        half = 1 << (bits - 1)
        difference = (values - prediction + half) % (1 << bits) - half
        folded = np.where(difference < 0, -2 * difference - 1, 2 * difference)
        if bits > 16:
            folded = difference % (1 << bits)
        got = predict(values.astype(container(bits)), bits, predictor)
        np.testing.assert_array_equal(got, folded)


@pytest.mark.parametrize("colour", list(Colour))
@given(st.integers(1, 64), st.sampled_from([3, 4]), st.data())
def test_colour(colour, bits, channels, data):
    values = data.draw(
        npst.arrays(container(bits), (2, 3, 4, channels), elements={"max_value": (1 << bits) - 1})
    )
    parts = to_components(values, bits, colour)
    assert all(int(part.max()) < 1 << bits for part in parts)
    out = np.empty_like(values)
    from_components(parts, bits, colour, out)
    np.testing.assert_array_equal(out, values)
