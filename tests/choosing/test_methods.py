"""The methods without video: HDF5 alone, differences to a mean, principal components."""

import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import DTYPES, moving, pixels
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from places import SPEC_READER

import h5vidstack
from h5vidstack.writing import coders

PLAIN = ["hdf5", "hdf5gz", "hdf5gzshuffle"]
ALL = [*PLAIN, "group"]


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(method, dtype):
    frames = pixels((9, 17, 13), dtype)
    report = h5vidstack.pack(frames, "x.h5", method=method)
    assert report.lossless
    with h5vidstack.open("x.h5") as stack:
        little = frames.astype(frames.dtype.newbyteorder("<"))
        assert stack[:].tobytes() == little.tobytes()
        assert stack[3:7, 2, ::-1].tobytes() == frames[3:7, 2, ::-1].astype(stack.dtype).tobytes()
        assert stack.attrs["method"] == method
        assert stack.verify() == []
    assert h5vidstack.verify("x.h5", against=frames) == []
    assert SPEC_READER["read_stack"]("x.h5").tobytes() == little.tobytes()


@pytest.mark.parametrize("method", PLAIN)
def test_read_without_h5vidstack(method):
    frames = moving((20, 31, 43, 3))
    h5vidstack.pack(frames, "x.h5", method=method, chunk_frames=8, tile=(16, 32))
    np.save("x.npy", frames)
    script = (
        "import sys, h5py, numpy as np\n"
        "found = h5py.File('x.h5')['stack/frames']\n"
        "assert (found[...] == np.load('x.npy')).all() and 'h5vidstack' not in sys.modules\n"
        "print(found.compression, found.compression_opts, found.shuffle, found.chunks)"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    level = "None None" if method == "hdf5" else "gzip 9"
    assert out.stdout == f"{level} {method == 'hdf5gzshuffle'} (8, 16, 32, 3)\n"


@pytest.mark.parametrize("method", ALL)
def test_odd_shapes_copies_and_iterables(method):
    for shape in ((1, 1, 1), (5, 17, 3), (70, 301, 201)):
        frames = moving(shape)
        frames = np.concatenate([frames, frames[:3]])
        h5vidstack.pack(iter(frames), "x.h5", method=method, overwrite=True)
        with h5vidstack.open("x.h5") as stack:
            np.testing.assert_array_equal(stack[:], frames, strict=True)
            some = np.random.default_rng(0).integers(0, len(frames), 9)
            np.testing.assert_array_equal(stack[some], frames[some])


def test_group_is_smaller_than_gzip_on_scenes():
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 256, (2, 1, 60, 80)).astype(np.uint8)
    frames = np.concatenate([scene.repeat(40, axis=0) for scene in scenes])
    frames += rng.integers(0, 2, frames.shape).astype(np.uint8)
    sizes = {
        method: h5vidstack.pack(frames, f"{method}.h5", method=method).stored_bytes
        for method in ("group", "hdf5gzshuffle")
    }
    assert sizes["group"] < 0.6 * sizes["hdf5gzshuffle"]
    with h5vidstack.open("group.h5") as stack:
        assert 2 <= len(stack.groups) <= 5
        for pile in stack.groups:
            assert len({int(frame) < 40 for frame in pile.frames}) == 1  # of one scene
            assert len(pile.frames) >= 16
            assert list(pile.frames) == sorted(pile.frames)


def test_group_needs_no_hash_tables():
    frames = moving((40, 17, 23))
    for hashes in (True, False):
        h5vidstack.pack(frames, "x.h5", method="group", hashes=hashes, overwrite=True)
        with h5py.File("x.h5") as file:
            assert ("hashes" in file["stack"]) == hashes
            piles = {name: pile["members"][...] for name, pile in file["stack/groups"].items()}
        if hashes:
            with_tables = piles
    for name, members in piles.items():
        np.testing.assert_array_equal(members, with_tables[name])


@given(st.sampled_from([d for d in DTYPES if not d.startswith(">")]), st.integers(1, 5), st.data())
def test_means_lie_among_their_frames(dtype, count, data):
    frames = data.draw(npst.arrays(dtype, (count, 2, 3)))
    finite = np.nan_to_num(frames.astype(np.float64), nan=0, posinf=0, neginf=0)
    finite = finite.clip(-1e307, 1e307)  # sums of larger ones are infinite
    total = finite.sum(axis=0)
    mean = coders.mean_frame(total, count, np.dtype(dtype))
    assert mean.dtype == dtype
    least, most = finite.min(axis=0), finite.max(axis=0)
    slack = 1 + 1e-3 * np.maximum(abs(least), abs(most))
    assert (mean.astype(float) >= least - slack).all()
    assert (mean.astype(float) <= most + slack).all()


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    "options", [{"codec": "ffv1"}, {"preset": "mp4"}, {"crf": 3}, {"max_error": 1}]
)
def test_options_of_video_are_refused(method, options):
    with pytest.raises(h5vidstack.UnsupportedError, match="takes no .*groupvideo"):
        h5vidstack.pack(moving((3, 8, 9)), "x.h5", method=method, **options)


@pytest.mark.parametrize("name", ["mean", "difference"])
def test_damaged_groups(name):
    frames = moving((9, 20, 30))
    h5vidstack.pack(frames, "x.h5", method="group")
    with h5py.File("x.h5", "r+") as file:
        pile = file["stack/groups/000000"]
        node = pile[name]
        raw = zlib.compress(bytes(node.dtype.itemsize * np.prod(node.chunks)))
        node.id.write_direct_chunk((0,) * node.ndim, raw)
    assert any("CRC-32" in problem for problem in h5vidstack.verify("x.h5"))
    with h5py.File("x.h5", "r+") as file:
        pile = file["stack/groups/000000"]
        del pile[name]
        pile[name] = np.zeros((3, 3), np.uint8)
    with pytest.raises(h5vidstack.FormatError):
        h5vidstack.open("x.h5")


def sweep(shape=(40, 31, 23), dtype=np.uint8, rank=6):
    """Frames of so many independent images, with a little noise."""
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, int(np.prod(shape[1:]))))
    flat += rng.normal(size=flat.shape) * 0.05
    flat = (flat - flat.min()) / np.ptp(flat)
    top = 1 if np.dtype(dtype).kind == "f" else min(np.iinfo(dtype).max, 40000)
    return (flat * top).reshape(shape).astype(dtype)


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


def test_pca_is_as_good_as_scikit_learn_s():
    from sklearn.decomposition import PCA

    frames = sweep((60, 30, 40), np.float32, rank=30)
    report = h5vidstack.pack(frames, "x.h5", method="pca", components=12)
    rows = frames.reshape(60, -1).astype(np.float64)
    model = PCA(12, svd_solver="full").fit(rows)
    best = np.square(model.inverse_transform(model.transform(rows)) - rows).mean()
    assert report.mse < 1.02 * best


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "i4", "u8", "f2", "f4", "f8"])
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


def test_damaged_pca():
    h5vidstack.pack(sweep(), "x.h5", method="pca", components=6)
    with h5py.File("x.h5", "r+") as file:
        image = file["stack/groups/000000/pca/components"]
        image[0] = -image[0]
    assert any("CRC-32" in problem for problem in h5vidstack.verify("x.h5"))
    for name, value in (
        ("coefficients", np.zeros((3, 3), np.int8)),
        ("components", np.zeros((6, 31, 23), np.float32)),
        ("mean", np.zeros((3, 3))),
    ):
        h5vidstack.pack(sweep(), "x.h5", method="pca", components=6, overwrite=True)
        with h5py.File("x.h5", "r+") as file:
            pca = file["stack/groups/000000/pca"]
            del pca[name]
            pca[name] = value
        with pytest.raises(h5vidstack.FormatError):
            h5vidstack.open("x.h5")


def test_pca_of_a_large_offset(monkeypatch):
    monkeypatch.setattr("h5vidstack.writing.pca.SMALL", 0)  # fitted as float32
    y, x, t = np.arange(40)[:, None], np.arange(50), np.arange(60)[:, None, None]
    wave = np.rint((np.sin(t * 0.1 + y * 0.03) + np.cos(x * 0.02 - t * 0.07)) * 100)
    report = h5vidstack.pack((wave + 2**31).astype("u4"), "x.h5", method="pca", components=6)
    assert report.max_error <= 1


def test_pca_of_bool_gives_bool():
    frames = np.random.default_rng(34).integers(0, 2, (40, 6, 6)).astype(bool)
    h5vidstack.pack(frames, "x.h5", method="pca", components=3)
    with h5vidstack.open("x.h5") as stack:
        assert set(np.unique(stack[:].view(np.uint8))) <= {0, 1}
        np.testing.assert_array_equal(SPEC_READER["read_stack"]("x.h5"), stack[:])


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


def test_spectra_may_be_missing():
    h5vidstack.pack(sweep(), "x.h5", method="pca", components=4)
    with h5py.File("x.h5", "r+") as file:
        pca = file["stack/groups/000000/pca"]
        del pca["singular_values"]
        pca["singular_values"] = np.ones(3)
    with pytest.raises(h5vidstack.FormatError, match="a component"):
        h5vidstack.check("x.h5")
    with h5py.File("x.h5", "r+") as file:
        del file["stack/groups/000000/pca/singular_values"]
    assert h5vidstack.check("x.h5").singular_values is None


def test_a_damaged_spectrum_of_a_pca_does_no_harm_to_frames():
    """Found by flipping bytes: h5py's `values()` gives None for what cannot be opened."""
    frames = moving((9, 20, 16))
    h5vidstack.pack(frames, "x.h5", method="pca", components=2, exact=True)
    with h5py.File("x.h5") as file:
        table = file["stack/groups/000000/pca/singular_values"]
        address = h5py.h5o.get_info(table.id).addr
    with open("x.h5", "r+b") as file:
        file.seek(address + 4)  # the version of its header
        file.write(b"\xff")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)
        with pytest.raises(h5vidstack.FormatError, match="damaged"):
            stack.groups
