import numpy as np
import pytest
from depths import deep
from frames import noise

from h5vidstack import UnsupportedError
from h5vidstack.codecs.registry import CODECS, PRESETS, Coding
from h5vidstack.codecs.transforms import (
    container,
)

SIZES = [
    (1, 1, 1), (3, 17, 3), (2, 16, 16), (2, 101, 67), (5, 31, 64),
    pytest.param((2, 301, 201), marks=pytest.mark.long),
]  # fmt: skip


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("name", [name for name, row in PRESETS.items() if row.lossless])
def test_every_preset_at_every_depth(name, shape):
    coding = Coding(name)
    for depth in coding.codec.depths:
        for frames in (deep(shape, depth), deep(shape, depth) // 2, noise(shape) >> 1):
            frames = frames.astype(np.uint64) & np.uint64((1 << depth) - 1)
            frames = frames.astype(container(depth))
            packets, extradata = coding.encode(frames, depth)
            out = np.empty_like(frames)
            coding.codec.decode(packets, extradata, depth, out)
            np.testing.assert_array_equal(out, frames)
            first = np.empty_like(frames[:1])
            coding.codec.decode(packets, extradata, depth, first)
            np.testing.assert_array_equal(first, frames[:1])


@pytest.mark.parametrize("codec", CODECS)
def test_crf_goes_with_one_codec_only(codec):
    if codec == "x264":
        assert not Coding.of(codec, crf=20).lossless
        for crf in (-1, 52, float("nan")):
            with pytest.raises(UnsupportedError, match="0 .finest. to 51"):
                Coding.of(codec, crf=crf)
    else:
        with pytest.raises(UnsupportedError, match="crf is the quality of lossy x264"):
            Coding.of(codec, crf=20)
