import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from h5vidstack.codecs import block
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import Coding
from h5vidstack.codecs.transforms import (
    Predictor,
)

DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]


RECIPES = {
    "default": Recipe(),
    "planes": Recipe(Coding("lzma"), predictor=Predictor.LINEAR),
    "split": Recipe(Coding("ffv1"), Coding("deflate"), Predictor.PREVIOUS),
    "raw": Recipe(Coding("raw"), strict=True),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("recipe", RECIPES)
@given(st.data())
def test_blocks_of_any_pixels(dtype, recipe, data):
    shape = data.draw(npst.array_shapes(min_dims=3, max_dims=3, max_side=12))
    if data.draw(st.booleans()):
        shape = (*shape, data.draw(st.sampled_from([3, 4])))
    order = data.draw(st.sampled_from("<>"))
    frames = data.draw(npst.arrays(np.dtype(dtype).newbyteorder(order), shape))
    native = frames.astype(frames.dtype.newbyteorder("="))
    coded = block.encode(frames, RECIPES[recipe])
    got = block.decode(coded, block.whole_shape(frames), native.dtype)
    assert (got.tobytes(), got.dtype, got.shape) == (native.tobytes(), native.dtype, native.shape)
