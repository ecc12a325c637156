import struct
from dataclasses import replace

import numpy as np
import pytest
from blocks import U1, resealed, whole
from frames import moving
from hypothesis import given
from hypothesis import strategies as st

from h5vidstack import BlockError
from h5vidstack.codecs import block
from h5vidstack.codecs.block_format import parse, seal
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import Coding


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
    "frames": (16, "I", 2, "packets in a block"),
    "height": (20, "I", 38, "promised|decode"),
    "streams": (30, "H", 2, "header runs past"),
    "colour": (32, "B", 1, "transform"),
    "predictor": (33, "B", 4, "transform"),
    "reserved of steps": (34, "H", 1, "transform"),
    "mapping": (36, "B", 3, "mapping of kind 3"),
    "reserved of mapping": (38, "H", 256, "mapping of kind 0"),
    "bits": (37, "B", 9, "impossible size"),
    "palette": (56, "I", 2**17, "impossible size"),
    "patches": (60, "I", 2**31, "impossible size"),
    "patches without table": (60, "I", 1, "tables have|damaged"),
    "table": (64, "I", 2**31, "impossible size"),
    "codec": (68, "B", 99, "codec 99"),
    "depth": (69, "B", 9, "transform"),
    "component": (70, "B", 1, "not there"),
    "low bit": (71, "B", 1, "not there"),
    "bit count": (72, "B", 0, "packets in a block"),
    "more bits than depth": (72, "B", 9, "transform"),
    "no bytes of sizes": (73, "B", 0, "transform"),
    "five bytes of sizes": (73, "B", 5, "transform"),
    "reserved": (74, "H", 256, "transform"),
    "packets": (76, "I", 2**31, "packets in a block"),
    "extradata": (80, "I", 2**31, "takes no decoder"),
    "packet size": (84, "H", 2**15, "run past"),
    "large packet sizes": (73, "B", 4, "run past"),
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
    sizes = struct.pack("<2I", *map(len, packets))
    stream = data[68:73] + b"\x04" + data[74:84] + sizes + b"".join(packets)
    with pytest.raises(BlockError, match="decode|promised"):
        block.decode(resealed(data[:68] + stream), whole(small), U1)


@pytest.mark.parametrize("codec", ["x264", "ffv1", "deflate", "raw"])
def test_a_configuration_where_there_is_none_is_refused(codec):
    """It could make FFV1 one of overlapping slices, and H.264 one without start codes."""
    frames = moving((2, 32, 32))
    parsed = parse(block.encode(frames, Recipe(Coding.of(codec))), whole(frames), U1)
    hostile = replace(parsed, streams=[replace(parsed.streams[0], extradata=b"\1\0\0\0")])
    with pytest.raises(BlockError, match="takes no decoder configuration"):
        block.decode(seal(hostile, U1), whole(frames), U1)
