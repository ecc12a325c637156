"""Whatever is done to a block, it is a BlockError or pixels; `benchmarks/fuzz.py` does far more."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from blocks import resealed
from frames import moving
from hypothesis import example, given
from hypothesis import strategies as st

from h5vidstack import BlockError
from h5vidstack.codecs import block
from h5vidstack.codecs.block_format import parse, seal
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import CODECS, PRESETS, Coding
from h5vidstack.codecs.transforms import Colour, Predictor

CHUNK, DTYPE = (3, 18, 33, 3), np.dtype(np.uint32)

presets = st.sampled_from([*PRESETS])
changes = st.lists(
    st.tuples(st.sampled_from(["set", "delete", "insert"]), st.integers(0, 2**13), st.binary(max_size=9)),
    min_size=1,
    max_size=3,
)  # fmt: skip


@cache
def frames_of(preset):
    """Frames whose block has several streams, a mapping and patches."""
    frames = moving(CHUNK).astype(DTYPE) * (3 if PRESETS[preset].codec.bytewise else 1) + 5
    if PRESETS[preset].codec.depths[-1] == 16:
        frames *= 2**11  # in two streams
        frames += moving(CHUNK, 1)
    frames[1, 2, 3], frames[2, 17, 32] = 2**31, 2**32 - 1
    return frames


@cache
def sound(preset):
    return block.encode(frames_of(preset), Recipe(Coding(preset), Coding("raw")), verify=False)


def changed(data, changes):
    data = bytearray(data)
    for how, place, values in changes:
        at = place % (len(data) + 1)
        data[at : at + (0 if how == "insert" else len(values))] = b"" if how == "delete" else values
    return bytes(data)


def decode(data):
    """Whether it can be decoded; then it must come out the same from the middle."""
    try:
        pixels = block.decode(data, CHUNK, DTYPE)
    except BlockError:
        return False
    assert pixels.dtype == DTYPE
    assert all(a <= b for a, b in zip(pixels.shape, CHUNK))
    found, alone = block.decode_from(1, data, CHUNK, DTYPE, 2)
    start = 1 if alone else 0
    np.testing.assert_array_equal(found[start:], pixels[start:2])
    return True


@pytest.mark.parametrize("preset", PRESETS)
def test_sound_blocks_are_decoded(preset):
    decoded = block.decode(sound(preset), CHUNK, DTYPE)
    if PRESETS[preset].lossless:
        np.testing.assert_array_equal(decoded, frames_of(preset), strict=True)
    assert decode(resealed(sound(preset)))


@pytest.mark.parametrize("preset", PRESETS)
def test_of_changed_blocks_some_are_decoded_and_some_refused(preset):
    """Otherwise the tests below would hold of a decoder that refuses, or accepts, everything."""
    data = bytearray(sound(preset))
    outcomes = set()
    for place in [*range(8, 68, 4), *range(68, len(data), len(data) // 12)]:
        data[place] ^= 1
        outcomes.add(decode(resealed(bytes(data))))
        data[place] ^= 1
    assert outcomes == {True, False}


@given(presets, changes)
def test_changed_bytes_are_noticed(preset, changes):
    data = changed(sound(preset), changes)
    if data != sound(preset):
        with pytest.raises(BlockError):
            block.decode(data, CHUNK, DTYPE)


@given(presets, changes)
def test_changed_bytes_under_a_correct_crc(preset, changes):
    data = changed(sound(preset), changes)
    if len(data) >= 16:
        decode(resealed(data))


@given(presets, st.integers(68, 68 + 16), st.integers(0, 2**64 - 1), st.sampled_from([1, 2, 4, 8]))
def test_any_field_of_a_stream(preset, at, value, size):
    data = bytearray(sound(preset))
    streams = parse(bytes(data), CHUNK, DTYPE).streams
    at += len(data) - sum(16 + stream.nbytes for stream in streams) - 68
    data[at : at + size] = (value >> 64 - 8 * size).to_bytes(size, "little")
    decode(resealed(bytes(data)))


@given(
    presets, st.integers(0, 2), changes, st.sampled_from([*CODECS]), st.sampled_from([*Predictor])
)
@example("ffv1", 1, [("set", 0, b"\0")], "x264", Predictor.NONE)
def test_changed_packets_for_every_decoder(preset, place, changes, codec, predictor):
    parsed = parse(sound(preset), CHUNK, DTYPE)
    streams = []
    for stream in parsed.streams:
        packets = list(map(bytes, stream.packets))
        packets[place % len(packets)] = changed(packets[place % len(packets)], changes)
        stream = replace(stream, packets=packets)
        other = CODECS[codec]
        if place and other.whole == stream.codec.whole and stream.depth in other.depths:
            stream = replace(stream, codec=other)
        streams.append(stream)
    hostile = replace(parsed, streams=streams, predictor=predictor, colour=Colour(place % 2))
    decode(seal(hostile, DTYPE))
