import lzma as standard

import numpy as np
import pytest
from depths import deep

from h5vidstack import BlockError
from h5vidstack.codecs import lzma
from h5vidstack.codecs.registry import Coding


def coded(depth=16, shape=(3, 7, 9)):
    frames = deep(shape, depth)
    (packet,), configuration = Coding("lzma").encode(frames, depth)
    return frames, packet, configuration


@pytest.mark.parametrize("depth", lzma.DEPTHS)
def test_all_frames_are_one_raw_lzma2_stream(depth):
    frames, packet, configuration = coded(depth)
    (size,) = np.frombuffer(configuration, "<u4")
    filters = [{"id": standard.FILTER_LZMA2, "dict_size": int(size)}]
    found = standard.decompress(packet, standard.FORMAT_RAW, filters=filters)
    assert found == frames.astype(f"<u{depth // 8}").tobytes()


def test_a_dictionary_is_no_larger_than_its_frames():
    assert coded()[2] == (4096).to_bytes(4, "little")  # the least that LZMA takes
    assert coded(shape=(3, 70, 90))[2] == (3 * 70 * 90 * 2).to_bytes(4, "little")


def test_damage_is_refused():
    frames, packet, configuration = coded()
    too_large = (lzma.MAX_DICTIONARY + 1).to_bytes(4, "little")
    for packets, said, words in (
        ([packet], too_large, "at most 16777216 bytes are allowed"),
        ([packet], configuration[:3], "dictionary"),
        ([packet], b"", "dictionary"),
        ([packet, packet], configuration, "2 packets"),
        ([], configuration, "0 packets"),
        ([b"\xff" * len(packet)], configuration, "LZMA cannot decode"),
        ([packet[:-20]], configuration, "bytes, not 378"),
        ([b"\0"], configuration, "0 bytes, not 378"),
    ):
        with pytest.raises(BlockError, match=words):
            lzma.decode(packets, said, 16, np.empty_like(frames))
