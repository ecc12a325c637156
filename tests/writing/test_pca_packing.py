from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import moving, pixels, sweep
from places import SPEC_READER

import h5vidstack


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(40, 31, 23), (25, 9, 7, 3)])
def test_pca_is_read_as_its_error_says(dtype, shape):
    frames = sweep(shape, dtype)
    report = h5vidstack.pack(frames, "x.h5", method="pca", components=6)
    wide = frames.astype(np.float64)
    with h5vidstack.open("x.h5") as stack:
        got = stack[:]
        assert stack.dtype == frames.dtype.newbyteorder("<")
        apart = np.abs(got.astype(np.float64) - wide)
        assert apart.max() == report.max_error == stack.attrs["max_error"]
        assert np.square(apart).mean() == pytest.approx(report.mse)
        assert not report.lossless
        assert report.psnr > 30
        some = [30 % shape[0], 3, 3, -1]
        np.testing.assert_array_equal(stack[some, 2:5], got[some, 2:5])
        np.testing.assert_array_equal(stack[17], got[17])
        assert stack.verify() == []
    np.testing.assert_array_equal(SPEC_READER["read_stack"]("x.h5"), got, strict=True)
    assert h5vidstack.verify("x.h5", against=frames) == []
    with h5py.File("x.h5") as file:
        pca = file["stack/groups/000000/pca"]
        assert pca["components"].shape == (6, *shape[1:])
        assert pca["coefficients"].shape == (shape[0], 6)
        assert pca["components"].dtype.itemsize <= 2
        assert 0.9 < pca["explained_variance_ratio"][...].sum() <= 1 + 1e-9
        assert "frames" not in file["stack"]


@pytest.mark.parametrize(
    "dtype",
    [
        "u1",
        ">u2",
        "u8",
        "f4",
        *(pytest.param(dtype, marks=pytest.mark.long) for dtype in ("i2", "i4", "f2", "f8")),
    ],
)
def test_exact_pca(dtype):
    frames = pixels((20, 13, 17), dtype) if dtype not in ("f2", "f4", "f8") else sweep(dtype=dtype)
    report = h5vidstack.pack(frames, "x.h5", method="pca", components=3, exact=True)
    assert report.lossless
    little = frames.astype(frames.dtype.newbyteorder("<"))
    with h5vidstack.open("x.h5") as stack:
        assert stack[:].tobytes() == little.tobytes()
        assert stack[11].tobytes() == little[11].tobytes()
        assert stack.verify() == []
    assert SPEC_READER["read_stack"]("x.h5").tobytes() == little.tobytes()


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_as_many_components_as_needed(dtype):
    frames = sweep((60, 30, 40), dtype, rank=20)
    span = float(frames.max()) - float(frames.min())
    few = h5vidstack.pack(frames, "x.h5", method="pca", max_error="20%", overwrite=True)
    many = h5vidstack.pack(frames, "x.h5", method="pca", max_error="4%", overwrite=True)
    assert few.max_error <= 0.2 * span
    assert many.max_error <= 0.04 * span
    assert few.stored_bytes < many.stored_bytes
    psnr = h5vidstack.pack(iter(frames), "x.h5", method="pca", target_psnr=30, overwrite=True)
    assert 30 <= psnr.psnr < 36


@pytest.mark.parametrize(
    ("frames", "options", "words"),
    [
        (moving((5, 9, 9)), {"components": 6}, "at most 5"),
        (np.full((5, 9, 9), np.nan, np.float32), {}, "frame 0 holds NaN"),
        (moving((5, 9, 9)), {"components": 0}, "at least 1"),
        (moving((5, 9, 9)), {"target_psnr": -3}, "above 0"),
        (moving((5, 9, 9)), {"exact": True, "max_error": 3}, "exact leaves no error"),
        (moving((50, 20, 20)), {"components": 2, "max_error": 1}, "more than is allowed"),
        (moving((5, 9, 9)), {"codec": "ffv1"}, "takes no codec"),
    ],
)
def test_what_no_pca_can_do(frames, options, words):
    with pytest.raises(h5vidstack.Error, match=words):
        h5vidstack.pack(frames, "x.h5", method="pca", **options)
    assert not Path("x.h5").exists()
    if options.get("components"):
        with pytest.raises(h5vidstack.UnsupportedError, match="pca takes it"):
            h5vidstack.pack(frames, "x.h5", components=3)


def test_pca_of_bool_gives_bool():
    frames = np.random.default_rng(34).integers(0, 2, (40, 6, 6)).astype(bool)
    h5vidstack.pack(frames, "x.h5", method="pca", components=3)
    with h5vidstack.open("x.h5") as stack:
        assert set(np.unique(stack[:].view(np.uint8))) <= {0, 1}
        np.testing.assert_array_equal(SPEC_READER["read_stack"]("x.h5"), stack[:])
