import zlib

import numpy as np
import pytest
from depths import deep
from frames import moving

from h5vidstack import BlockError
from h5vidstack.codecs import deflate
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


def damaged(packet):
    """What is no zlib stream, one that ends early, and one of too few bytes."""
    return [b"", b"no zlib", packet[: len(packet) // 2], zlib.compress(bytes(10))]


@pytest.mark.parametrize("number", range(4))
def test_damaged_packets_are_refused(number):
    frames = deep((3, 7, 9), 16)
    packets, _ = Coding("deflate").encode(frames, 16)
    with pytest.raises(BlockError, match="zlib cannot decode|bytes, not 126"):
        deflate.decode([packets[0], damaged(packets[1])[number]], b"", 16, np.empty_like(frames))


def test_no_more_is_inflated_than_a_frame_holds():
    """A few bytes of zlib may stand for very many."""
    frames = moving((2, 7, 9))
    bomb = zlib.compress(frames[1].tobytes() + bytes(1 << 24))
    out = np.empty_like(frames)
    deflate.decode([zlib.compress(frames[0].tobytes()), bomb], b"", 8, out)
    np.testing.assert_array_equal(out, frames)
