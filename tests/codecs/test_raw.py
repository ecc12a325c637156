import numpy as np
import pytest
from blocks import U1, resealed, whole
from depths import deep
from frames import noise

from h5vidstack import BlockError
from h5vidstack.codecs import block, raw
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import Coding


def test_bits_above_those_of_a_stream():
    """Only another program writes such raw streams; the spec limits values."""
    frames = noise((3, 20, 30))
    data = bytearray(block.encode(frames, Recipe(Coding("raw"))))
    data[37] = data[72] = 6
    decoded = block.decode(resealed(bytes(data)), whole(frames), U1)
    np.testing.assert_array_equal(decoded, np.minimum(frames, 63))


@pytest.mark.parametrize("depth", [1, 3, 12, 33])
def test_bit_planes_the_lowest_first(depth):
    frames = deep((2, 5, 7), depth)
    packets, configuration = Coding("raw").encode(frames, depth)
    assert configuration == b""
    for frame, packet in zip(frames, packets, strict=True):
        assert len(packet) == depth * 5  # 35 bits fill five bytes
        for place in range(depth):
            bits = np.unpackbits(np.frombuffer(packet[5 * place : 5 * place + 5], np.uint8))
            want = (frame >> frame.dtype.type(place)) & frame.dtype.type(1)
            np.testing.assert_array_equal(bits[:35], want.ravel())
            assert not bits[35:].any()


@pytest.mark.parametrize("depth", [8, 16, 32, 64])
def test_whole_integers_are_stored_little_endian(depth):
    frames = deep((2, 5, 7), depth)
    packets, _ = Coding("raw").encode(frames, depth)
    assert packets == [frame.astype(f"<u{depth // 8}").tobytes() for frame in frames]


@pytest.mark.parametrize("depth", [3, 16])
def test_a_packet_of_another_size_is_refused(depth):
    frames = deep((2, 5, 7), depth)
    packets, _ = Coding("raw").encode(frames, depth)
    for bad in (packets[1][:-1], packets[1] + b"\0", b""):
        with pytest.raises(BlockError, match=f"raw packet has {len(bad)} bytes"):
            raw.decode([packets[0], bad], b"", depth, np.empty_like(frames))
