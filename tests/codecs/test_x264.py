import numpy as np
import pytest
from depths import deep
from frames import moving

from h5vidstack.codecs import block, x264
from h5vidstack.codecs.recipe import Recipe


def test_no_encoder_settings_in_blocks():
    assert b"x264" not in block.encode(moving((4, 64, 64)), Recipe())


def test_lossless_and_lossy_options():
    frames = moving((4, 33, 47))
    exact, _ = x264.encode(frames, 8, x264.lossless("ultrafast"))
    close, configuration = x264.encode(frames, 8, {**x264.lossless("ultrafast"), "crf": "30"})
    assert sum(map(len, close)) < sum(map(len, exact))
    out = np.empty_like(frames)
    x264.decode(exact, configuration, 8, out)
    np.testing.assert_array_equal(out, frames)
    x264.decode(close, configuration, 8, out)
    assert 0 < np.abs(out.astype(int) - frames).max() < 60


@pytest.mark.parametrize("depth", [8, 10])
def test_both_depths_are_exact_at_odd_sizes(depth):
    frames = deep((3, 17, 23), depth)
    packets, configuration = x264.encode(frames, depth, x264.lossless("ultrafast"))
    out = np.empty_like(frames)
    x264.decode(packets, configuration, depth, out)
    np.testing.assert_array_equal(out, frames)
