import zlib

import numpy as np
import pytest
from frames import noise
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from h5vidstack import BlockError, NoiseModel
from h5vidstack.codecs import block, value_map
from h5vidstack.codecs.loss import largest_difference
from h5vidstack.codecs.noise import NoiseBound, levels
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import CODECS, PRESETS, Coding

DTYPES = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]


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


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])
@given(st.data())
def test_the_bound_in_units_of_noise_holds_for_every_pixel(dtype, data):
    shape = data.draw(npst.array_shapes(min_dims=3, max_dims=3, max_side=12))
    limits = np.iinfo(dtype)
    low, high = data.draw(st.sampled_from([(0, 100), (0, 1 << 14), (limits.min, limits.max)]))
    near = st.integers(low, min(high, limits.max))
    frames = data.draw(npst.arrays(np.dtype(dtype), shape, elements=near))
    model = NoiseModel(
        gain=data.draw(st.floats(1e-3, 1e3)), offset=data.draw(st.floats(-100, 1000)),
        read=data.draw(st.floats(0, 100)),
    )  # fmt: skip
    bound = NoiseBound(model, data.draw(st.floats(1e-2, 5)))
    coded, decoded = block.encode_lossy(frames, Recipe(bound=bound))
    for value, got in zip(frames.ravel().tolist(), decoded.ravel().tolist(), strict=True):
        light = max(value - model.offset, 0) * model.gain
        allowed = bound.times * np.sqrt(light + model.read**2) / model.gain
        assert abs(got - value) <= allowed * (1 + 1e-12)
    again = block.decode(coded, block.whole_shape(frames), frames.dtype)
    assert again.tobytes() == decoded.tobytes()


NOISE = NoiseBound(NoiseModel(gain=0.1, offset=50, read=4), 0.5)


def by_levels(frames):
    """Map by levels; check the map as the block stores it, and return it with what comes back."""
    found, values = value_map.map_to_levels(frames, levels(NOISE, frames.dtype))
    read, _ = value_map.unpack(found.pack(), 0, frames.dtype, frames.size)
    out = np.empty_like(frames)
    value_map.to_pixels(read, values, frames.dtype, out)
    apart = np.abs(out.astype(np.float64) - frames.astype(np.float64))
    assert NOISE.holds(frames, apart)
    return found, out


def test_levels_take_few_bits_and_equal_pixels_stay_equal():
    ramp = np.arange(4 * 50 * 50).reshape(4, 50, 50).astype(np.uint16)
    found, got = by_levels(ramp)
    assert (found.kind, found.bits) == (value_map.MapKind.PALETTE, 6)
    assert exactly(ramp).bits == 14
    _, again = by_levels(ramp[2:] + np.uint16(7))
    np.testing.assert_array_equal(again[0].ravel()[:93], got[2].ravel()[7:100])


def test_levels_of_even_steps_need_no_palette():
    dark = (np.arange(3 * 20 * 20).reshape(3, 20, 20) % 600 - 600).astype(np.int16)
    found, _ = by_levels(dark)
    assert (found.kind, found.step, len(found.palette)) == (value_map.MapKind.LINEAR, 41, 0)
    found, got = by_levels(np.full((3, 20, 20), 1000, np.uint16))
    assert (found.bits, len(np.unique(got))) == (0, 1)


def test_levels_keep_what_is_saturated_or_no_count():
    frames = (np.arange(4 * 50 * 50).reshape(4, 50, 50) % 4096).astype(np.uint32)
    frames[:, :5] = 2**32 - 1  # the mask of a detector
    frames[:, 5] = 2**31
    found, got = by_levels(frames)
    assert found.bits <= 6
    odd = (frames == 4095) | (frames > 1 << 20)
    np.testing.assert_array_equal(got[odd], frames[odd])
    few = frames.copy()
    few[:, :6] = 7
    few[0, 0, 0] = 2**32 - 1
    assert by_levels(few)[1][0, 0, 0] == 2**32 - 1


def test_what_has_no_levels_is_exact():
    wide = noise((2, 30, 30)).astype(np.uint32) * 2**23 + noise((2, 30, 30), 1)
    assert (by_levels(wide)[1] == wide).all()
    sharp = NoiseBound(NoiseModel(gain=1, offset=0, read=0), 0.01)
    frames = noise((2, 30, 30)).astype(np.uint16)
    coded, decoded = block.encode_lossy(frames, Recipe(bound=sharp))
    assert (decoded == frames).all()
    assert coded == block.encode(frames, Recipe())


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
