import numpy as np
import pytest
from frames import moving, sweep

import h5vidstack


def test_pca_is_as_good_as_scikit_learn_s():
    from sklearn.decomposition import PCA

    frames = sweep((60, 30, 40), np.float32, rank=30)
    report = h5vidstack.pack(frames, "x.h5", method="pca", components=12)
    rows = frames.reshape(60, -1).astype(np.float64)
    model = PCA(12, svd_solver="full").fit(rows)
    best = np.square(model.inverse_transform(model.transform(rows)) - rows).mean()
    assert report.mse < 1.02 * best


def test_constant_and_single_frames():
    for frames in (
        np.full((5, 4, 6), 7, np.uint8),
        np.full((5, 4, 6), 0.1, np.float32),
        moving((1, 9, 8)),
    ):
        report = h5vidstack.pack(frames, "x.h5", method="pca", overwrite=True)
        assert report.lossless
        with h5vidstack.open("x.h5") as stack:
            np.testing.assert_array_equal(stack[:], frames, strict=True)


def test_frames_too_many_to_hold(monkeypatch):
    frames = sweep((90, 30, 40), np.uint8)
    whole = h5vidstack.pack(frames, "x.h5", method="pca", components=6)
    monkeypatch.setattr("h5vidstack.writing.pca.HELD", 0)
    monkeypatch.setattr("h5vidstack.writing.pca.BATCH", 30 * 40 * 13)
    parts = h5vidstack.pack(frames, "y.h5", method="pca", components=6)
    assert parts.mse < 1.1 * whole.mse


def test_pca_of_a_large_offset(monkeypatch):
    monkeypatch.setattr("h5vidstack.writing.pca.SMALL", 0)  # fitted as float32
    y, x, t = np.arange(40)[:, None], np.arange(50), np.arange(60)[:, None, None]
    wave = np.rint((np.sin(t * 0.1 + y * 0.03) + np.cos(x * 0.02 - t * 0.07)) * 100)
    report = h5vidstack.pack((wave + 2**31).astype("u4"), "x.h5", method="pca", components=6)
    assert report.max_error <= 1


def test_the_sign_of_zero_is_a_difference():
    report = h5vidstack.pack(-np.zeros((5, 4, 4)), "x.h5", method="pca")
    assert not report.lossless
    assert report.max_error == 0
    assert h5vidstack.verify("x.h5") == []
    assert h5vidstack.check("x.h5", -np.zeros((5, 4, 4))).keeps_its_word


def test_a_psnr_that_only_exact_integers_reach():
    frames = sweep((40, 32, 40), np.uint8)
    for target in (58, 70):
        report = h5vidstack.pack(
            frames, "x.h5", method="pca", components=40, target_psnr=target, overwrite=True
        )
        assert report.psnr >= target
    report = h5vidstack.pack(
        frames, "x.h5", method="pca", components=40, max_error=0.5, overwrite=True
    )
    assert report.lossless


def test_no_share_of_no_range():
    for frames in (np.full((9, 5, 5), 3.3), np.full((9, 5, 5), 2**64 - 1, np.uint64)):
        report = h5vidstack.pack(frames, "x.h5", method="pca", max_error="5%", overwrite=True)
        assert report.lossless


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e-30, 1e30, 1e140])
def test_pca_of_any_scale(scale):
    frames = sweep((30, 10, 12), "f8") * scale
    report = h5vidstack.pack(frames, "x.h5", method="pca", components=6)
    assert report.max_error <= max(0.2 * scale, 1e-320)  # what is left of so small floats
    exact = h5vidstack.pack(frames, "x.h5", method="pca", exact=True, overwrite=True)
    assert exact.lossless
    with pytest.raises(h5vidstack.SourceError, match="too large"):
        h5vidstack.pack(frames / scale * 1e200, "y.h5", method="pca")
    h5vidstack.pack(frames / scale * 1e308, "y.h5", method="group")
