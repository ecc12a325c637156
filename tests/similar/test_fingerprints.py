"""Hashes are imagehash's, on the 8-bit image that the spec describes."""

import itertools

import imagehash
import numpy as np
import pytest
from frames import moving, noise
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from h5vidstack.similar import fingerprints


def library(frame):
    image = Image.fromarray(frame)
    found = (imagehash.phash(image), imagehash.average_hash(image), imagehash.dhash(image))
    return [int(str(value), 16) for value in found]


def ours(frames):
    return [list(map(int, values)) for values in zip(*fingerprints.hash_images(frames))]


@pytest.mark.parametrize(
    "shape", [(9, 201, 301), (9, 1, 1), (9, 17, 3), (5, 480, 640), (5, 8, 9, 3), (5, 70, 8, 4)]
)
@pytest.mark.parametrize("make", [moving, noise])
def test_hashes_are_imagehash_s(make, shape):
    frames = make(shape)
    assert ours(frames) == [library(frame) for frame in frames]


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40))))
def test_hashes_are_imagehash_s_on_anything(frames):
    assert ours(frames) == [library(frame) for frame in frames]


def test_symmetric_noise_free_frames():
    """Where many DCT values are equal up to rounding, only the same operations agree."""
    from h5vidstack.cli.demonstration import generate_uint8

    frames = generate_uint8((4, 4, 4), (41, 61))
    assert ours(frames) == [library(frame) for frame in frames]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64", "bool"])
@pytest.mark.parametrize("shape", [(400, 24, 31), (150, 90, 40), (60, 70, 70, 3), (60, 33, 50, 4)])
def test_batches_get_the_hashes_of_queries(dtype, shape):
    """Packing hashes batches by matrix products; a search asks imagehash for its one image."""
    rng = np.random.default_rng(len(shape) + shape[1])
    smooth = np.cumsum(rng.normal(size=shape), axis=1) + np.cumsum(rng.normal(size=shape), axis=2)
    frames = (np.abs(smooth) * 8 > 20) if dtype == "bool" else (smooth * 8 % 256).astype(dtype)
    batch = zip(*fingerprints.hash_images(frames), strict=True)
    for frame, found in zip(frames, batch, strict=True):
        expected = dict(zip(fingerprints.HASHES, map(int, found), strict=True))
        assert fingerprints.query_hashes(frame) == expected


@pytest.mark.parametrize(
    "dtype", ["uint16", "int16", "int8", ">u2", "int32", "uint64", "float16", "float32", "float64"]
)
def test_other_dtypes_are_spread_over_0_to_255(dtype):
    least, greatest = (-3.5, 1000) if "f" in dtype else (0, 100)
    frame = np.linspace(least, greatest, 60).reshape(6, 10).astype(dtype)
    wide = frame.astype(np.float64)
    span = wide.max() / 2 - wide.min() / 2
    expected = np.floor((wide / 2 - wide.min() / 2) / span * 255).astype(np.uint8)
    np.testing.assert_array_equal(fingerprints.to_8bit(frame), expected, strict=True)
    assert fingerprints.to_8bit(frame)[0, 0] == 0
    assert fingerprints.to_8bit(frame)[-1, -1] == 255


def test_values_that_are_no_numbers():
    frame = np.array([[np.nan, -np.inf, np.inf], [1.0, 2.0, 3.0]])
    assert fingerprints.to_8bit(frame).tolist() == [[0, 0, 255], [0, 127, 255]]
    assert fingerprints.to_8bit(np.full((2, 2), np.nan)).tolist() == [[0, 0], [0, 0]]
    assert fingerprints.to_8bit(np.array([[5.0, np.inf]])).tolist() == [[0, 255]]
    assert fingerprints.to_8bit(np.array([[1e308, -1e308]])).tolist() == [[255, 0]]
    assert fingerprints.to_8bit(np.array([[True, False]])).tolist() == [[255, 0]]
    assert fingerprints.to_8bit(np.array([[7, 7]], np.int64)).tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", ["i1", "<u2", ">u2", "i2", "u4", "i4", "i8", "u8"])
def test_8_bits_of_integers_are_those_of_the_same_floats(dtype):
    """Where an image has more pixels than levels, each level is spread once."""
    rng, ends = np.random.default_rng(0), np.iinfo(dtype)
    for low, high in ((0, 100), (ends.max // 2 - 90, ends.max // 2), (ends.min, ends.min + 7)):
        for shape in ((9, 7), (40, 50), (20, 30, 3)):
            frame = rng.integers(low, high, shape, np.dtype(dtype).newbyteorder("="), endpoint=True)
            frame = frame.astype(dtype)[:, ::-1]
            expected = fingerprints.to_8bit(frame.astype(np.float64))
            np.testing.assert_array_equal(fingerprints.to_8bit(frame), expected, strict=True)
    assert np.isfinite(
        fingerprints.block_means(np.array([[[np.nan, np.inf], [1e300, -1e300]]]))
    ).all()


@pytest.mark.parametrize(
    "shape", [(3, 48, 64), (3, 1, 1), (3, 17, 3), (3, 500, 31), (2, 50, 60, 3), (2, 50, 60, 4)]
)
def test_block_means(shape):
    frames = noise(shape)
    found = fingerprints.block_means(frames)
    channels = shape[3] if len(shape) == 4 else 1
    edge = {1: 16, 3: 9, 4: 8}[channels]
    rows = np.linspace(0, shape[1], min(edge, shape[1]) + 1).astype(int)
    columns = np.linspace(0, shape[2], min(edge, shape[2]) + 1).astype(int)
    planes = frames.reshape(*shape[:3], channels)
    expected = [
        planes[:, t:b, x:y].mean(axis=(1, 2))
        for t, b in itertools.pairwise(rows)
        for x, y in itertools.pairwise(columns)
    ]
    expected = np.stack(expected, axis=1).reshape(shape[0], -1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(
        fingerprints.block_means(frames.astype(np.float32)), expected, rtol=1e-5
    )
