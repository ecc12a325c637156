import zlib

import numpy as np
import pytest
from depths import deep
from frames import moving

from h5vidstack.codecs.registry import Coding


@pytest.mark.parametrize("preset", ["deflate", "deflate-runs"])
def test_deflate_is_zlib(preset):
    frames = moving((3, 40, 50))
    packets, _ = Coding(preset).encode(frames, 8)
    assert [zlib.decompress(packet) for packet in packets] == [frame.tobytes() for frame in frames]


@pytest.mark.parametrize("depth", [16, 24, 40, 64])
def test_wide_values_are_byte_planes(depth):
    frames = deep((3, 7, 9), depth)
    packets, _ = Coding("deflate").encode(frames, depth)
    for frame, packet in zip(frames, packets, strict=True):
        planes = [(frame >> frame.dtype.type(at)).astype(np.uint8) for at in range(0, depth, 8)]
        assert zlib.decompress(packet) == np.stack(planes).tobytes()
