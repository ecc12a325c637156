import numpy as np
import pytest
from frames import moving

from h5vidstack import UnsupportedError
from h5vidstack.codecs import block
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import CODECS, PRESETS, Coding


def test_too_many_bits_for_a_codec():
    frames = np.random.default_rng(0).integers(0, 1 << 14, (3, 60, 70)).astype(np.uint16)
    with pytest.raises(
        UnsupportedError, match="x264 holds values of up to 10 .* name raw, lpc, ffv1"
    ):
        block.encode(frames, Recipe(Coding("x264-fast"), strict=True))
    block.encode(frames, Recipe(Coding("x264-fast")))
    block.encode(frames, Recipe(Coding("lzma"), strict=True))


@pytest.mark.parametrize("name", CODECS)
def test_a_stream_takes_the_least_depth_that_holds_its_values(name):
    codec = CODECS[name]
    assert list(codec.depths) == sorted(set(codec.depths))
    for bits in range(1, 66):
        enough = [depth for depth in codec.depths if depth >= bits]
        assert codec.depth_for(bits) == (enough[0] if enough else None)
    assert codec.bytewise == (codec.depths[-1] == 64)


def test_numbers_of_codecs_are_their_own():
    numbers = [codec.id for codec in CODECS.values()]
    assert len(set(numbers)) == len(numbers)
    assert [codec.name for codec in CODECS.values()] == list(CODECS)


@pytest.mark.parametrize("name", CODECS)
def test_packets_are_as_the_codec_says(name):
    frames = moving((5, 33, 47))
    coding = Coding(next(preset for preset, row in PRESETS.items() if row.codec.name == name))
    codec, (packets, configuration) = coding.codec, coding.encode(frames, 8)
    assert len(packets) == (1 if codec.whole else len(frames))
    if not codec.configured:
        assert configuration == b""
    if codec.intra and codec.lossless:  # each can be decoded without those before it
        for frame, packet in zip(frames, packets, strict=True):
            out = np.empty_like(frames[:1])
            codec.decode([packet], configuration, 8, out)
            np.testing.assert_array_equal(out[0], frame)
    if codec.seeks:
        out = np.empty_like(frames[3:])
        codec.decode(packets, configuration, 8, out, 3)
        np.testing.assert_array_equal(out, frames[3:])
