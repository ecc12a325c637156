import av
import numpy as np
import pytest
from frames import moving

from h5vidstack import BlockError
from h5vidstack.codecs import mpeg4
from h5vidstack.codecs.registry import Coding


def test_any_decoder_of_mpeg4_shows_the_same():
    frames = moving((7, 33, 47)) // 2
    packets, extradata = Coding("mp4").encode(frames, 8)
    out = np.empty_like(frames)
    mpeg4.decode(packets, extradata, 8, out)
    decoder = av.CodecContext.create("mpeg4", "r")
    decoder.extradata = extradata
    pictures = [*(p for data in packets for p in decoder.decode(av.Packet(data))),
                *decoder.decode(None)]  # fmt: skip
    shown = [np.frombuffer(p.planes[0], np.uint8).reshape(p.height, -1) for p in pictures]
    np.testing.assert_array_equal(np.stack(shown)[:, :33, :47], out)
    assert 0 < np.abs(out.astype(int) - frames).max() < 60


def test_packets_that_are_no_mpeg4_are_refused():
    frames = moving((3, 33, 47))
    packets, extradata = Coding("mp4").encode(frames, 8)
    for bad in (b"", bytes(50)):
        with pytest.raises(BlockError):
            mpeg4.decode([bad, *packets[1:]], extradata, 8, np.empty_like(frames))
