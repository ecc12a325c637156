"""Every codec, transform and mapping gives back what it was given, or says that it cannot."""

import contextlib
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from frames import moving, noise
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from h5vidstack import BlockError, UnsupportedError
from h5vidstack.codecs import block, value_map
from h5vidstack.codecs.loss import largest_difference
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import CODECS, PRESETS, Coding
from h5vidstack.codecs.transforms import (
    Colour,
    Predictor,
    container,
    from_components,
    predict,
    to_components,
    unpredict,
)

DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]
SIZES = [(1, 1, 1), (3, 17, 3), (2, 16, 16), (2, 301, 201), (5, 31, 64)]


def deep(shape, bits, seed=0):
    """Smooth frames of values of so many bits, with both extremes in them."""
    wide = moving(shape, seed).astype(np.uint64) << np.uint64(max(bits - 8, 0))
    frames = (wide >> np.uint64(max(8 - bits, 0))) | (noise(shape, seed) % 3).astype(np.uint64)
    frames = (frames & np.uint64((1 << bits) - 1)).astype(container(bits))
    frames.flat[0], frames.flat[-1] = 0, (1 << bits) - 1
    return frames


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("name", [name for name, row in PRESETS.items() if row.lossless])
def test_every_preset_at_every_depth(name, shape):
    coding = Coding(name)
    for depth in coding.codec.depths:
        for frames in (deep(shape, depth), deep(shape, depth) // 2, noise(shape) >> 1):
            frames = frames.astype(np.uint64) & np.uint64((1 << depth) - 1)
            frames = frames.astype(container(depth))
            packets, extradata = coding.encode(frames, depth)
            out = np.empty_like(frames)
            coding.codec.decode(packets, extradata, depth, out)
            np.testing.assert_array_equal(out, frames)
            first = np.empty_like(frames[:1])
            coding.codec.decode(packets, extradata, depth, first)
            np.testing.assert_array_equal(first, frames[:1])


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


@pytest.mark.parametrize("predictor", list(Predictor))
@given(st.data())
def test_predictors(predictor, data):
    bits = data.draw(st.integers(1, 64))
    shape = data.draw(npst.array_shapes(min_dims=3, max_dims=3, max_side=12))
    values = data.draw(npst.arrays(container(bits), shape, elements={"max_value": (1 << bits) - 1}))
    before = values.copy()
    rest = predict(values, bits, predictor)
    assert int(rest.max()) < 1 << bits
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(unpredict(rest.copy(), bits, predictor), values)


@pytest.mark.parametrize("predictor", list(Predictor)[1:])
@pytest.mark.parametrize("bits", [5, 8, 11, 16, 30, 64])
@pytest.mark.parametrize(
    "shape",
    [(1, 1, 4000), (1, 500, 500), (1, 180, 1280), (3, 201, 301), (20, 130, 120), (600, 1, 3)],
)
def test_predictors_of_frames_of_any_size(shape, bits, predictor):
    values = np.random.default_rng(0).integers(0, (1 << bits) - 1, shape, np.uint64, True)
    values = values.astype(container(bits))
    rest = predict(values, bits, predictor)
    np.testing.assert_array_equal(unpredict(rest, bits, predictor), values)


@pytest.mark.parametrize("bits", [5, 8, 16, 19])
def test_predictors_are_what_the_specification_says(bits):
    values = np.random.default_rng(bits).integers(0, 1 << bits, (5, 4, 6))
    before, left = np.zeros_like(values), np.zeros_like(values)
    before[1:], left[..., 1:] = values[:-1], values[..., :-1]
    left2 = np.zeros_like(values)
    left2[..., 2:] = values[..., :-2]
    said = {
        Predictor.PREVIOUS: before,
        Predictor.LEFT: left,
        Predictor.LINEAR: 2 * left - left2,
    }
    for predictor, prediction in said.items():
        half = 1 << (bits - 1)
        difference = (values - prediction + half) % (1 << bits) - half
        folded = np.where(difference < 0, -2 * difference - 1, 2 * difference)
        if bits > 16:
            folded = difference % (1 << bits)
        got = predict(values.astype(container(bits)), bits, predictor)
        np.testing.assert_array_equal(got, folded)


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


def test_a_stream_begins_with_a_key_frame():
    coding, frames = Coding("ffv1"), moving((3, 40, 50))
    packets, extradata = coding.encode(frames, 8)
    out = np.empty_like(frames)
    for _ in range(2):
        coding.codec.decode(packets, extradata, 8, out)  # another's key frame does not do
        with pytest.raises(BlockError):
            coding.codec.decode(packets[1:], extradata, 8, out[:2])


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


@pytest.mark.parametrize("colour", list(Colour))
@given(st.integers(1, 64), st.sampled_from([3, 4]), st.data())
def test_colour(colour, bits, channels, data):
    values = data.draw(
        npst.arrays(container(bits), (2, 3, 4, channels), elements={"max_value": (1 << bits) - 1})
    )
    parts = to_components(values, bits, colour)
    assert all(int(part.max()) < 1 << bits for part in parts)
    out = np.empty_like(values)
    from_components(parts, bits, colour, out)
    np.testing.assert_array_equal(out, values)


RECIPES = {
    "default": Recipe(),
    "planes": Recipe(Coding("lzma"), predictor=Predictor.LINEAR),
    "split": Recipe(Coding("ffv1"), Coding("deflate"), Predictor.PREVIOUS),
    "raw": Recipe(Coding("raw"), strict=True),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("recipe", RECIPES)
@given(st.data())
def test_blocks_of_any_pixels(dtype, recipe, data):
    shape = data.draw(npst.array_shapes(min_dims=3, max_dims=3, max_side=12))
    if data.draw(st.booleans()):
        shape = (*shape, data.draw(st.sampled_from([3, 4])))
    order = data.draw(st.sampled_from("<>"))
    frames = data.draw(npst.arrays(np.dtype(dtype).newbyteorder(order), shape))
    native = frames.astype(frames.dtype.newbyteorder("="))
    coded = block.encode(frames, RECIPES[recipe])
    got = block.decode(coded, block.whole_shape(frames), native.dtype)
    assert (got.tobytes(), got.dtype, got.shape) == (native.tobytes(), native.dtype, native.shape)


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name != "?"])
@given(st.data())
def test_the_bound_holds_for_every_pixel(dtype, data):
    shape = data.draw(npst.array_shapes(min_dims=3, max_dims=3, max_side=12))
    frames = data.draw(npst.arrays(np.dtype(dtype), shape))
    bound = data.draw(st.floats(1e-6, 1e9))
    coded, decoded = block.encode_lossy(frames, Recipe(bound=bound))
    assert largest_difference(frames, decoded) <= bound
    if frames.dtype.kind == "f":
        special = ~np.isfinite(frames)
        assert decoded[special].tobytes() == frames[special].tobytes()
        with np.errstate(over="ignore", invalid="ignore"):
            apart = np.abs(decoded.astype("f8") - frames.astype("f8"))[~special]
    else:
        pairs = zip(decoded.ravel().tolist(), frames.ravel().tolist(), strict=True)
        apart = np.array([abs(a - b) for a, b in pairs])
    assert apart.max(initial=0) <= bound
    again = block.decode(coded, block.whole_shape(frames), frames.dtype)
    assert again.tobytes() == decoded.tobytes()


def exactly(frames):
    found, values = value_map.map_exactly(frames)
    out = np.empty_like(frames)
    value_map.to_pixels(found, values, frames.dtype, out)
    assert out.tobytes() == frames.tobytes()
    read, end = value_map.unpack(found.pack(), 0, frames.dtype, frames.size)
    assert end == len(found.pack())
    assert (read.kind, read.bits) == (found.kind, found.bits)
    value_map.to_pixels(read, values, frames.dtype, out)
    assert out.tobytes() == frames.tobytes()
    return found


def test_ranges_are_compacted():
    ramp = np.arange(4 * 40 * 40).reshape(4, 40, 40)
    assert exactly((ramp % 200 + 60000).astype(np.uint16)).bits == 8
    assert exactly((ramp % 1000 - 70000).astype(np.int32)).bits == 10
    assert exactly((ramp % 1000 * 64).astype(np.uint16)).bits == 10
    assert exactly((ramp % 1000 * 24 + 5).astype(np.int32)).bits == 10
    few = np.array([0, 3, 17, 4000, 65535], np.uint16)[ramp % 5]
    assert (exactly(few).kind, exactly(few).bits) == (value_map.MapKind.PALETTE, 3)
    levels = (np.arange(256, dtype=np.uint8) / np.float32(255))[ramp % 256]
    assert (exactly(levels).kind, exactly(levels).bits) == (value_map.MapKind.PALETTE, 8)
    counts = (ramp % 3000).astype(np.float32)
    assert (exactly(counts).kind, exactly(counts).bits) == (value_map.MapKind.SCALED, 12)
    narrow = np.sin(ramp).astype(np.float32).astype(np.float64)
    assert exactly(narrow).bits < 40
    assert exactly(np.full((2, 5, 5), -1e300)).bits == 0


def test_a_few_outliers_cost_no_bits():
    frames = (np.arange(4 * 50 * 50).reshape(4, 50, 50) % 3000).astype(np.uint32)
    frames[2, 3, 4] = frames[3, 49, 49] = 2**32 - 1
    found = exactly(frames)
    assert found.bits <= 16
    assert len(found.positions) == 2
    first = np.empty_like(frames[:3])
    value_map.to_pixels(found, value_map.map_exactly(frames)[1][:3], frames.dtype, first)
    np.testing.assert_array_equal(first, frames[:3])
    holes = frames.astype(np.float32)
    holes[:, 10:30] = np.nan
    assert exactly(holes).bits <= 32


def test_whole_floats_keep_negative_zero():
    frames = np.zeros((2, 30, 30), np.float32)
    frames[0, 0, 0] = -0.0
    frames[1] = np.arange(900).reshape(30, 30)
    exactly(frames)


def test_float_planes_beat_gzip_and_shuffle():
    t, y, x = np.indices((8, 60, 80))
    smooth = (np.sin(x / 9 + t / 5) * np.cos(y / 11) + noise((8, 60, 80)) / 1e4).astype(np.float32)
    shuffled = sum(
        len(zlib.compress(frame.view(np.uint8).reshape(-1, 4).T.tobytes(), 9)) for frame in smooth
    )
    assert len(block.encode(smooth, Recipe(Coding("deflate")))) < shuffled


def test_too_many_bits_for_a_codec():
    frames = np.random.default_rng(0).integers(0, 1 << 14, (3, 60, 70)).astype(np.uint16)
    with pytest.raises(
        UnsupportedError, match="x264 holds values of up to 10 .* name raw, lpc, ffv1"
    ):
        block.encode(frames, Recipe(Coding("x264-fast"), strict=True))
    block.encode(frames, Recipe(Coding("x264-fast")))
    block.encode(frames, Recipe(Coding("lzma"), strict=True))


@pytest.mark.parametrize("codec", CODECS)
def test_crf_goes_with_one_codec_only(codec):
    if codec == "x264":
        assert not Coding.of(codec, crf=20).lossless
        for crf in (-1, 52, float("nan")):
            with pytest.raises(UnsupportedError, match="0 .finest. to 51"):
                Coding.of(codec, crf=crf)
    else:
        with pytest.raises(UnsupportedError, match="crf is the quality of lossy x264"):
            Coding.of(codec, crf=20)


def test_a_hostile_palette_and_patch():
    frames = np.array([0, 3, 17, 4000, 65535], np.uint16)[noise((3, 40, 40)) % 5]
    found, values = value_map.map_exactly(frames)
    with pytest.raises(BlockError, match="palette"):
        value_map.to_pixels(found, values + np.uint8(5), frames.dtype, np.empty_like(frames))
    patched = value_map.ValueMap(0, 8, 0, 1, found.palette[:0], np.array([99]), found.palette[:1])
    with pytest.raises(BlockError, match="names pixel 99"):
        value_map.unpack(patched.pack(), 0, frames.dtype, 99)


def test_the_tables_agree():
    assert len({codec.id for codec in CODECS.values()}) == len(CODECS)
    assert len({preset.id for preset in PRESETS.values()}) == len(PRESETS)
    for codec in CODECS.values():
        own = [preset for preset in PRESETS.values() if preset.codec is codec]
        assert own
        assert sum(preset.usual for preset in own) <= 1
        assert Coding.of(codec.name).codec is codec
        assert list(codec.depths) == sorted(codec.depths)
        assert codec.lossless or not any(preset.lossless for preset in own)
