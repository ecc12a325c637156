import struct
import zlib

import numpy as np
import pytest
from frames import SHAPES, moving, noise
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from h5vidstack import BlockError, NotExactError, UnsupportedError, block, codecs
from h5vidstack.codecs import Coding, video


def whole(frames):
    return (*frames.shape[:3], frames.shape[3] if frames.ndim == 4 else 1)


def resealed(data):
    """Correct length and CRC after a change: what only a hostile writer makes."""
    body = bytearray(data[8:])
    struct.pack_into("<I", body, 4, len(data))
    return data[:4] + struct.pack("<I", zlib.crc32(body)) + bytes(body)


@pytest.mark.parametrize("make", [moving, noise])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("preset", ["x264-fast", "x264-interm", "x264-slow"])
def test_exact(make, shape, preset):
    frames = make(shape)
    data = block.encode(frames, Coding(preset=preset), verify=False)
    np.testing.assert_array_equal(block.decode(data, whole(frames)), frames, strict=True)


@given(npst.arrays(np.uint8, npst.array_shapes(min_dims=3, max_dims=3, max_side=20)))
def test_exact_for_any_pixels(frames):
    data = block.encode(frames, Coding(preset="x264-fast"), verify=False)
    np.testing.assert_array_equal(block.decode(data, whole(frames)), frames, strict=True)


def test_exact_for_views_that_are_not_contiguous():
    frames = moving((6, 40, 50))[::-2, 3:30:2, ::-1]
    data = block.encode(frames, Coding())
    np.testing.assert_array_equal(block.decode(data, whole(frames)), frames)


@pytest.mark.parametrize("k", [1, 2, 7, 16])
def test_first_frames_only(k, monkeypatch):
    frames = moving((16, 40, 50))
    data = block.encode(frames, Coding())
    fed = []
    packet = video.av.Packet
    monkeypatch.setattr(video.av, "Packet", lambda data: fed.append(len(data)) or packet(data))
    np.testing.assert_array_equal(block.decode(data, whole(frames), k), frames[:k])
    assert len(fed) == k, "decoded further than asked"


def test_packets_are_a_plain_h264_stream(tmp_path):
    frames = moving((10, 64, 80))
    parsed = block.parse(block.encode(frames, Coding()), whole(frames))
    (tmp_path / "x.264").write_bytes(b"".join(parsed.streams[0].packets))
    with video.av.open(str(tmp_path / "x.264")) as container:
        decoded = [np.array(video._plane(frame)) for frame in container.decode(video=0)]
    np.testing.assert_array_equal(np.stack(decoded), frames)


def test_no_encoder_settings_in_blocks():
    assert b"x264" not in block.encode(moving((4, 64, 64)), Coding())


def test_what_does_not_shrink_is_stored_raw():
    frames = noise((4, 30, 30))
    data = block.encode(frames, Coding())
    assert [s.codec.name for s in block.parse(data, whole(frames)).streams] == ["raw"]
    assert len(data) < frames.nbytes + 100


def test_verify_refuses_a_codec_that_is_not_exact(monkeypatch):
    codec = codecs.BY_NAME["x264"]

    def lossy(frames, preset):
        return video.encode_x264(frames & 0xFE, preset)

    broken = codecs.Codec(codec.id, codec.name, codec.pixel_format, lossy, codec.decode)
    monkeypatch.setitem(codecs.BY_NAME, "x264", broken)
    frames = moving((4, 64, 64))
    with pytest.raises(NotExactError, match="did not decode to its input"):
        block.encode(frames, Coding())
    block.encode(frames, Coding(), verify=False)


@pytest.mark.parametrize("dtype", [bool, "i1", "u2", "i4", "f4", "f8", "c8"])
def test_unsupported_dtype(dtype):
    with pytest.raises(UnsupportedError, match="uint8"):
        block.encode(np.zeros((2, 4, 4), dtype), Coding())


def test_unknown_coding():
    with pytest.raises(UnsupportedError, match="there is x264"):
        Coding("av1")
    with pytest.raises(UnsupportedError, match="x264-slow"):
        Coding(preset="ultra")


def test_every_flipped_byte_is_noticed():
    frames = moving((3, 17, 13))
    data = block.encode(frames, Coding())
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        with pytest.raises(BlockError):
            block.decode(bytes(damaged), whole(frames))


@pytest.mark.parametrize("length", [0, 1, 31, 32, 60, -1])
def test_cut_short(length):
    frames = moving((3, 17, 13))
    with pytest.raises(BlockError):
        block.decode(block.encode(frames, Coding())[:length], whole(frames))


def test_bytes_behind_the_block():
    frames = moving((3, 17, 13))
    data = block.encode(frames, Coding()) + b"\0"
    with pytest.raises(BlockError, match="overwritten"):
        block.decode(data, whole(frames))
    with pytest.raises(BlockError, match="no stream claims"):
        block.decode(resealed(data), whole(frames))


def test_block_larger_than_its_chunk():
    frames = moving((3, 17, 13))
    data = block.encode(frames, Coding())
    with pytest.raises(BlockError, match="does not fit its chunk"):
        block.decode(data, (3, 17, 12, 1))
    with pytest.raises(BlockError, match="channels"):
        block.decode(data, (3, 17, 13, 3))


FIELDS = {  # offset, format, value, words of the error
    "version": (8, "B", 2, "upgrade"),
    "flags": (9, "B", 1, "upgrade"),
    "kind": (10, "c", b"f", "dtype"),
    "itemsize": (11, "B", 2, "dtype"),
    "no frames": (16, "I", 0, "does not fit"),
    "frames": (16, "I", 2, "packets in a block"),
    "height": (20, "I", 16, "promised|decode"),
    "streams": (30, "H", 2, "channels"),
    "codec": (32, "B", 99, "codec 99"),
    "pixel format": (33, "B", 9, "transform"),
    "transform": (34, "B", 1, "transform"),
    "channel": (35, "B", 1, "cover each channel"),
    "low bit": (36, "B", 1, "transform"),
    "bits": (37, "B", 10, "transform"),
    "reserved": (38, "H", 1, "transform"),
    "offset": (40, "q", -1, "transform"),
    "packets": (48, "I", 2**31, "packets in a block"),
    "extradata": (52, "I", 2**31, "runs past"),
    "packet size": (56, "I", 2**31, "run past"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_hostile_fields(name):
    offset, form, value, words = FIELDS[name]
    frames = moving((3, 17, 13))
    data = bytearray(block.encode(frames, Coding()))
    struct.pack_into("<" + form, data, offset, value)
    with pytest.raises(BlockError, match=words):
        block.decode(resealed(bytes(data)), whole(frames))


@given(st.data())
def test_mutated_and_resealed_blocks_never_do_worse_than_fail(data):
    frames = moving((3, 17, 13))
    mutated = bytearray(block.encode(frames, Coding(preset="x264-fast"), verify=False))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(8, len(mutated) - 1))
        mutated[position] = data.draw(st.integers(0, 255))
    try:
        decoded = block.decode(resealed(bytes(mutated)), whole(frames))
    except BlockError:
        return
    assert decoded.shape[0] <= 3
    assert decoded.dtype == np.uint8


def test_a_stream_of_another_size_is_refused():
    small, large = moving((2, 16, 16)), moving((2, 256, 256))
    data = block.encode(small, Coding())
    packets = video.encode_x264(large, "x264-fast")
    stream = data[32:56] + struct.pack("<2I", *map(len, packets)) + b"".join(packets)
    with pytest.raises(BlockError, match="decode|promised"):
        block.decode(resealed(data[:32] + stream), whole(small))
