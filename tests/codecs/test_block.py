import numpy as np
import pytest
from blocks import U1, whole
from frames import SHAPES, moving, noise
from hypothesis import given
from hypothesis.extra import numpy as npst

from h5vidstack import NotExactError, UnsupportedError
from h5vidstack.codecs import av_engine, block, registry
from h5vidstack.codecs.block_format import parse
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import Coding
from h5vidstack.codecs.transforms import Predictor

LOSSLESS = [name for name, row in registry.PRESETS.items() if row.lossless]


@pytest.mark.parametrize("make", [moving, noise])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("preset", LOSSLESS)
def test_exact(make, shape, preset):
    frames = make(shape)
    data = block.encode(frames, Recipe(Coding(preset)), verify=False)
    np.testing.assert_array_equal(block.decode(data, whole(frames), U1), frames, strict=True)


@given(npst.arrays(np.uint8, npst.array_shapes(min_dims=3, max_dims=3, max_side=20)))
def test_exact_for_any_pixels(frames):
    data = block.encode(frames, Recipe(Coding("x264-fast")), verify=False)
    np.testing.assert_array_equal(block.decode(data, whole(frames), U1), frames, strict=True)


def test_exact_for_views_that_are_not_contiguous():
    frames = moving((6, 40, 50))[::-2, 3:30:2, ::-1]
    data = block.encode(frames, Recipe())
    np.testing.assert_array_equal(block.decode(data, whole(frames), U1), frames)


@pytest.mark.parametrize("k", [1, 2, 7, 16])
def test_first_frames_only(k, monkeypatch):
    frames = moving((16, 40, 50))
    data = block.encode(frames, Recipe())
    fed = []
    packet = av_engine.av.Packet
    monkeypatch.setattr(av_engine.av, "Packet", lambda size: fed.append(size) or packet(size))
    np.testing.assert_array_equal(block.decode(data, whole(frames), U1, k), frames[:k])
    assert len(fed) == k, "decoded further than asked"


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(Coding("deflate"), predictor=Predictor.LEFT)])
def test_no_frames_of_a_block(recipe):
    frames = moving((3, 9, 11))
    got = block.decode(block.encode(frames, recipe), whole(frames), U1, frames=0)
    assert (got.shape, got.dtype) == ((0, 9, 11), U1)


def test_what_does_not_shrink_is_stored_raw():
    frames = noise((4, 30, 30))
    data = block.encode(frames, Recipe())
    assert [s.codec.name for s in parse(data, whole(frames), U1).streams] == ["raw"]
    assert len(data) < frames.nbytes + 120


def test_verify_refuses_a_codec_that_is_not_exact(monkeypatch):
    real = Coding.encode
    monkeypatch.setattr(Coding, "encode", lambda self, a, depth: real(self, a & 0xFE, depth))
    frames = moving((4, 64, 64))
    with pytest.raises(NotExactError, match="did not decode to its input"):
        block.encode(frames, Recipe())
    with pytest.raises(NotExactError, match="by more than 2.0"):
        block.encode(frames, Recipe(bound=2.0))
    block.encode(frames, Recipe(), verify=False)


@pytest.mark.parametrize("dtype", ["c8", "S3", "f16", "M8[s]", "O"])
def test_unsupported_dtype(dtype):
    with pytest.raises(UnsupportedError, match="integers of 8 to 64 bits"):
        block.encode(np.zeros((2, 4, 4), dtype), Recipe())


def test_unknown_coding():
    with pytest.raises(UnsupportedError, match="there is raw, lpc, x264"):
        Coding.of("av1")
    with pytest.raises(UnsupportedError, match="x264-slow"):
        Coding("ultra")
    with pytest.raises(UnsupportedError, match="of codec ffv1; there is ffv1, ffv1-context"):
        Coding.of("ffv1", "x264-slow")


@pytest.mark.parametrize("coding", ["raw", "deflate", "lzma", "ffv1", "x264-fast", "lpc-fast"])
@pytest.mark.parametrize("predictor", list(Predictor))
def test_frames_from_the_middle(coding, predictor):
    """Whatever lies before them is decoded only where it is needed."""
    frames = moving((7, 33, 47)).astype(np.int32) * 3 + 5
    frames[[1, 4, 4, 6], [0, 3, 32, 0], [0, 5, 46, 2]] = -(2**30)  # patches
    data = block.encode(frames, Recipe(Coding(coding), predictor=predictor))
    alone = coding in ("raw", "deflate", "lpc-fast") and predictor != Predictor.PREVIOUS
    for first in range(7):
        for last in range(first + 1, 8):
            found, said = block.decode_from(first, data, (7, 33, 47, 1), frames.dtype, last)
            assert len(found) == last
            assert said == alone
            start = first if alone else 0
            np.testing.assert_array_equal(found[start:], frames[start:last])
