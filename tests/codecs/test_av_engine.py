import contextlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from frames import moving, noise

from h5vidstack import BlockError
from h5vidstack.codecs import block
from h5vidstack.codecs.loss import largest_difference
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import Coding


@pytest.mark.parametrize("preset", ["mp4", "x264-fast"])
@pytest.mark.parametrize("shape", [(3, 17, 21), (20, 40, 50), (1, 301, 201)])
def test_lossy_codecs_are_close_and_always_decode_alike(preset, shape):
    frames = (moving(shape) // 8).astype(np.uint8)
    coding = Coding(preset, None if preset == "mp4" else 12)
    data, decoded = block.encode_lossy(frames, Recipe(coding))
    assert largest_difference(frames, decoded) < 40
    for _ in range(5):
        again = block.decode(data, block.whole_shape(frames), frames.dtype)
        np.testing.assert_array_equal(again, decoded)
        del again


@pytest.mark.parametrize("name", ["ffv1", "ffv1-context"])
def test_a_decoder_that_failed_is_not_used_again(name):
    coding, shapes = Coding(name), [(4, 40, 50), (2, 41, 50), (3, 40, 50), (3, 40, 52)]
    for turn in range(20):
        frames = moving(shapes[turn % 4], turn)
        packets, extradata = coding.encode(frames, 8)
        assert (packets, extradata) == Coding(name).encode(frames, 8)
        out = np.zeros_like(frames)
        for bad in (packets[0][: turn + 1], b"", bytes(len(packets[0])), noise((300,)).tobytes()):
            with contextlib.suppress(BlockError):
                coding.codec.decode([bad, *packets[1:]], extradata, 8, np.zeros_like(frames))
            coding.codec.decode(packets, extradata, 8, out[: turn % 2 + 1])
            coding.codec.decode(packets, extradata, 8, out)
            np.testing.assert_array_equal(out, frames)


def test_many_threads_decode_streams_of_many_sizes():
    coding = Coding("ffv1")
    streams = {}
    for width in range(20, 40):
        frames = moving((2, 30, width))
        streams[width] = frames, *coding.encode(frames, 8)

    def read(start):
        for turn in range(200):
            frames, packets, extradata = streams[20 + (start + turn * 7) % 20]
            out = np.empty_like(frames)
            coding.codec.decode(packets, extradata, 8, out)
            if not np.array_equal(out, frames):
                return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(read, range(12)))
