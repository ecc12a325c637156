import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from frames import SHAPES, moving, noise
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from h5vidstack import BlockError, NotExactError, UnsupportedError
from h5vidstack.codecs import av_engine, block, registry
from h5vidstack.codecs.av_planes import plane_items
from h5vidstack.codecs.block_format import parse, seal
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import Coding
from h5vidstack.codecs.transforms import Predictor

LOSSLESS = [name for name, row in registry.PRESETS.items() if row.lossless]
U1 = np.dtype(np.uint8)
whole = block.whole_shape


def resealed(data):
    """Correct length and CRC after a change: what only a hostile writer makes."""
    body = bytearray(data[8:])
    struct.pack_into("<I", body, 4, len(data))
    return data[:4] + struct.pack("<I", zlib.crc32(body)) + bytes(body)


@pytest.mark.parametrize("make", [moving, noise])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("preset", LOSSLESS)
def test_exact(make, shape, preset):
    frames = make(shape)
    data = block.encode(frames, Recipe(Coding(preset)), verify=False)
    np.testing.assert_array_equal(block.decode(data, whole(frames), U1), frames, strict=True)


@given(npst.arrays(np.uint8, npst.array_shapes(min_dims=3, max_dims=3, max_side=20)))
def test_exact_for_any_pixels(frames):
    data = block.encode(frames, Recipe(Coding("x264-fast")), verify=False)
    np.testing.assert_array_equal(block.decode(data, whole(frames), U1), frames, strict=True)


def test_exact_for_views_that_are_not_contiguous():
    frames = moving((6, 40, 50))[::-2, 3:30:2, ::-1]
    data = block.encode(frames, Recipe())
    np.testing.assert_array_equal(block.decode(data, whole(frames), U1), frames)


@pytest.mark.parametrize("k", [1, 2, 7, 16])
def test_first_frames_only(k, monkeypatch):
    frames = moving((16, 40, 50))
    data = block.encode(frames, Recipe())
    fed = []
    packet = av_engine.av.Packet
    monkeypatch.setattr(av_engine.av, "Packet", lambda size: fed.append(size) or packet(size))
    np.testing.assert_array_equal(block.decode(data, whole(frames), U1, k), frames[:k])
    assert len(fed) == k, "decoded further than asked"


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(Coding("deflate"), predictor=Predictor.LEFT)])
def test_no_frames_of_a_block(recipe):
    frames = moving((3, 9, 11))
    got = block.decode(block.encode(frames, recipe), whole(frames), U1, frames=0)
    assert (got.shape, got.dtype) == ((0, 9, 11), U1)


def test_packets_are_a_plain_h264_stream(tmp_path):
    frames = moving((10, 64, 80))
    parsed = parse(block.encode(frames, Recipe()), whole(frames), U1)
    (tmp_path / "x.264").write_bytes(b"".join(parsed.streams[0].packets))
    with av_engine.av.open(str(tmp_path / "x.264")) as container:
        decoded = [
            np.array(plane_items(frame.planes[0], U1)) for frame in container.decode(video=0)
        ]
    np.testing.assert_array_equal(np.stack(decoded), frames)


def test_bits_above_those_of_a_stream():
    """Only another program writes such raw streams; the spec limits values."""
    frames = noise((3, 20, 30))
    data = bytearray(block.encode(frames, Recipe(Coding("raw"))))
    data[37] = data[72] = 6
    decoded = block.decode(resealed(bytes(data)), whole(frames), U1)
    np.testing.assert_array_equal(decoded, np.minimum(frames, 63))


def test_no_encoder_settings_in_blocks():
    assert b"x264" not in block.encode(moving((4, 64, 64)), Recipe())


def test_what_does_not_shrink_is_stored_raw():
    frames = noise((4, 30, 30))
    data = block.encode(frames, Recipe())
    assert [s.codec.name for s in parse(data, whole(frames), U1).streams] == ["raw"]
    assert len(data) < frames.nbytes + 120


def test_verify_refuses_a_codec_that_is_not_exact(monkeypatch):
    real = Coding.encode
    monkeypatch.setattr(Coding, "encode", lambda self, a, depth: real(self, a & 0xFE, depth))
    frames = moving((4, 64, 64))
    with pytest.raises(NotExactError, match="did not decode to its input"):
        block.encode(frames, Recipe())
    with pytest.raises(NotExactError, match="by more than 2.0"):
        block.encode(frames, Recipe(bound=2.0))
    block.encode(frames, Recipe(), verify=False)


@pytest.mark.parametrize("dtype", ["c8", "S3", "f16", "M8[s]", "O"])
def test_unsupported_dtype(dtype):
    with pytest.raises(UnsupportedError, match="integers of 8 to 64 bits"):
        block.encode(np.zeros((2, 4, 4), dtype), Recipe())


def test_unknown_coding():
    with pytest.raises(UnsupportedError, match="there is raw, lpc, x264"):
        Coding.of("av1")
    with pytest.raises(UnsupportedError, match="x264-slow"):
        Coding("ultra")
    with pytest.raises(UnsupportedError, match="of codec ffv1; there is ffv1, ffv1-context"):
        Coding.of("ffv1", "x264-slow")


def test_every_flipped_byte_is_noticed():
    frames = moving((3, 17, 13))
    data = block.encode(frames, Recipe())
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        with pytest.raises(BlockError):
            block.decode(bytes(damaged), whole(frames), U1)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 60, -1])
def test_cut_short(length):
    frames = moving((3, 17, 13))
    with pytest.raises(BlockError):
        block.decode(block.encode(frames, Recipe())[:length], whole(frames), U1)


def test_bytes_behind_the_block():
    frames = moving((3, 17, 13))
    data = block.encode(frames, Recipe()) + b"\0"
    with pytest.raises(BlockError, match="overwritten"):
        block.decode(data, whole(frames), U1)
    with pytest.raises(BlockError, match="no stream claims"):
        block.decode(resealed(data), whole(frames), U1)


def test_block_larger_than_its_chunk():
    frames = moving((3, 17, 13))
    data = block.encode(frames, Recipe())
    with pytest.raises(BlockError, match="does not fit its chunk"):
        block.decode(data, (3, 17, 12, 1), U1)
    with pytest.raises(BlockError, match="channels"):
        block.decode(data, (3, 17, 13, 3), U1)


FIELDS = {  # offset, format, value, words of the error
    "version": (8, "B", 2, "reads version 1"),
    "flags": (9, "B", 1, "flags 1"),
    "kind": (10, "c", b"f", "dtype"),
    "itemsize": (11, "B", 2, "dtype"),
    "no frames": (16, "I", 0, "does not fit"),
    "frames": (16, "I", 2, "in a block of"),
    "height": (20, "I", 38, "promised|decode"),
    "streams": (30, "H", 2, "header runs past"),
    "colour": (32, "B", 1, "transform"),
    "predictor": (33, "B", 4, "transform"),
    "reserved of steps": (34, "H", 1, "transform"),
    "mapping": (36, "B", 3, "value map is of kind 3"),
    "reserved of mapping": (38, "H", 256, "value map is of kind 0"),
    "bits": (37, "B", 9, "does not fit a block"),
    "palette": (56, "I", 2**17, "does not fit a block"),
    "patches": (60, "I", 2**31, "does not fit a block"),
    "patches without table": (60, "I", 1, "tables of a value map"),
    "table": (64, "I", 2**31, "does not fit a block"),
    "codec": (68, "B", 99, "codec 99"),
    "depth": (69, "B", 9, "in a way that is unknown"),
    "component": (70, "B", 1, "which the block lacks"),
    "low bit": (71, "B", 1, "which the block lacks"),
    "bit count": (72, "B", 0, "in a block of"),
    "more bits than depth": (72, "B", 9, "in a way that is unknown"),
    "reserved": (73, "B", 1, "in a way that is unknown"),
    "more reserved": (74, "H", 256, "in a way that is unknown"),
    "packets": (76, "I", 2**31, "in a block of"),
    "extradata": (80, "I", 2**31, "takes no decoder"),
    "packet size": (84, "I", 2**31, "run past"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_hostile_fields(name):
    offset, form, value, words = FIELDS[name]
    frames = moving((3, 40, 50))
    data = bytearray(block.encode(frames, Recipe()))
    struct.pack_into("<" + form, data, offset, value)
    with pytest.raises(BlockError, match=words):
        block.decode(resealed(bytes(data)), whole(frames), U1)


@given(st.data())
def test_mutated_and_resealed_blocks_never_do_worse_than_fail(data):
    frames = moving((3, 17, 13))
    mutated = bytearray(block.encode(frames, Recipe(Coding("x264-fast")), verify=False))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(8, len(mutated) - 1))
        mutated[position] = data.draw(st.integers(0, 255))
    try:
        decoded = block.decode(resealed(bytes(mutated)), whole(frames), U1)
    except BlockError:
        return
    assert decoded.shape[0] <= 3
    assert decoded.dtype == np.uint8


def test_a_stream_of_another_size_is_refused():
    small, large = moving((2, 16, 16)), moving((2, 256, 256))
    data = block.encode(small, Recipe())
    packets, _ = Coding().encode(large, 8)
    stream = data[68:84] + struct.pack("<2I", *map(len, packets)) + b"".join(packets)
    with pytest.raises(BlockError, match="decode|promised"):
        block.decode(resealed(data[:68] + stream), whole(small), U1)


@pytest.mark.parametrize("coding", ["raw", "deflate", "lzma", "ffv1", "x264-fast", "lpc-tree"])
@pytest.mark.parametrize("predictor", list(Predictor))
def test_frames_from_the_middle(coding, predictor):
    """Whatever lies before them is decoded only where it is needed."""
    frames = moving((7, 33, 47)).astype(np.int32) * 3 + 5
    frames[[1, 4, 4, 6], [0, 3, 32, 0], [0, 5, 46, 2]] = -(2**30)  # patches
    data = block.encode(frames, Recipe(Coding(coding), predictor=predictor))
    alone = coding in ("raw", "deflate", "lpc-tree") and predictor != Predictor.PREVIOUS
    for first in range(7):
        for last in range(first + 1, 8):
            found, said = block.decode_from(first, data, (7, 33, 47, 1), frames.dtype, last)
            assert len(found) == last
            assert said == alone
            start = first if alone else 0
            np.testing.assert_array_equal(found[start:], frames[start:last])


def test_a_packet_of_many_slices_is_refused():
    """Each can decode the whole picture: 110 KB of them took half a minute."""
    frames = moving((2, 64, 64))
    parsed = parse(block.encode(frames, Recipe()), whole(frames), U1)
    stream = parsed.streams[0]
    for times in (15, 16):
        many = [stream.packets[0], bytes(stream.packets[1]) + b"\0\0\1\x0b" * times]
        data = seal(replace(parsed, streams=[replace(stream, packets=many)]), U1)
        if times == 15:
            block.decode(data, whole(frames), U1)
            continue
        with pytest.raises(BlockError, match="more than 16 NAL units"):
            block.decode(data, whole(frames), U1)


@pytest.mark.parametrize("codec", ["x264", "ffv1", "deflate", "raw"])
def test_a_configuration_where_there_is_none_is_refused(codec):
    """It could make FFV1 one of overlapping slices, and H.264 one without start codes."""
    frames = moving((2, 32, 32))
    parsed = parse(block.encode(frames, Recipe(Coding.of(codec))), whole(frames), U1)
    hostile = replace(parsed, streams=[replace(parsed.streams[0], extradata=b"\1\0\0\0")])
    with pytest.raises(BlockError, match="takes no decoder configuration"):
        block.decode(seal(hostile, U1), whole(frames), U1)
