import av
import numpy as np
import pytest
from depths import deep
from frames import moving

from h5vidstack import BlockError
from h5vidstack.codecs import ffv1
from h5vidstack.codecs.registry import Coding


def test_a_stream_begins_with_a_key_frame():
    coding, frames = Coding("ffv1"), moving((3, 40, 50))
    packets, extradata = coding.encode(frames, 8)
    out = np.empty_like(frames)
    for _ in range(2):
        coding.codec.decode(packets, extradata, 8, out)  # another's key frame does not do
        with pytest.raises(BlockError):
            coding.codec.decode(packets[1:], extradata, 8, out[:2])


@pytest.mark.parametrize(
    ("depth", "pixel_format"),
    [(8, "gray"), (10, "gray10le"), (12, "gray12le"), (16, "gray16le")],
)
def test_any_decoder_of_ffv1_reads_the_packets(depth, pixel_format):
    frames = deep((3, 33, 47), depth)
    packets, extradata = Coding("ffv1").encode(frames, depth)
    decoder = av.CodecContext.create("ffv1", "r")
    decoder.width, decoder.height, decoder.pix_fmt = 47, 33, pixel_format
    decoder.extradata = extradata or None
    pictures = [picture for packet in packets for picture in decoder.decode(av.Packet(packet))]
    found = np.stack([picture.to_ndarray() for picture in pictures])
    np.testing.assert_array_equal(found, frames)


def test_values_between_two_depths_take_the_next():
    assert [Coding("ffv1").codec.depth_for(bits) for bits in (1, 8, 9, 11, 13, 16)] == [
        8, 8, 10, 12, 16, 16,
    ]  # fmt: skip
    assert ffv1.DEPTHS == (8, 10, 12, 16)
