"""Profiles, error bounds and lossy codecs, from a source to a stack and back."""

import json
import zlib

import h5py
import numpy as np
import pytest
from frames import noise, wave
from packing import packed, run
from places import SPEC_READER

import h5vidstack
from h5vidstack.choosing.quality import Bound, Unit
from h5vidstack.sources.array_source import ArraySource


@pytest.mark.parametrize("bound", [0.01, "1e-2", "1e-3r", "0.1%", 1e-12])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_bounded_floats(bound, dtype):
    frames = wave().astype(dtype)
    frames[3, 4, 5:9] = np.nan, np.inf, -np.inf, -0.0
    allowed = float(bound) if str(bound)[-1] not in "r%" else 1e-3 * float(
        np.ptp(frames[np.isfinite(frames)].astype("f8"))
    )  # fmt: skip
    report, got, attrs = packed(frames, max_error=bound)
    finite = np.isfinite(frames)
    assert got[~finite].tobytes() == frames[~finite].tobytes()
    apart = np.abs(got[finite].astype("f8") - frames[finite].astype("f8")).max()
    assert apart <= allowed
    assert attrs["max_error"] == report.max_error == apart
    assert attrs["lossless"] == (apart == 0)
    with h5vidstack.open("x.h5") as stack, h5py.File("x.h5") as file:
        assert list(file["stack/index/crc32"]) == [
            zlib.crc32(stack[i].tobytes()) for i in range(20)
        ]


def test_bounded_integers():
    frames = (wave() * 8000).astype(np.int16)
    exact, _, _ = packed(frames)
    report, got, attrs = packed(frames, max_error=20)
    apart = np.abs(got.astype(int) - frames)
    assert 0 < apart.max() <= 20
    assert attrs["max_error"] == apart.max()
    assert attrs["mse"] == pytest.approx(np.mean(apart**2))
    peak = np.ptp(frames.astype(int))
    assert attrs["psnr"] == pytest.approx(10 * np.log10(peak**2 / attrs["mse"]))
    assert report.stored_bytes < exact.stored_bytes / 1.8
    below_one, got, _ = packed(frames, max_error=0.9)
    assert below_one.lossless
    np.testing.assert_array_equal(got, frames)


@pytest.mark.parametrize("options", [
    {"preset": "mp4"}, {"crf": 18}, {"codec": "x264", "crf": 12}, {"crf": 30, "tile": (17, 20)},
    {"preset": "x264-slow", "crf": 5, "method": "groupvideo"},
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_lossy(options, dtype):
    frames = ((wave((50, 40, 48)) + 1.2) * (100 if dtype == "u1" else 900)).astype(dtype)
    frames[30] = frames[11]
    report, got, attrs = packed(frames, **options)
    assert not report.lossless
    assert not attrs["lossless"]
    apart = np.abs(got.astype("f8") - frames.astype("f8"))
    assert attrs["max_error"] == report.max_error == apart.max() > 0
    assert attrs["mse"] == report.mse == pytest.approx(np.mean(apart**2))
    peak = 255 if dtype == "u1" else float(np.ptp(frames.astype("f8")))
    assert attrs["psnr"] == pytest.approx(20 * np.log10(peak) - 10 * np.log10(np.mean(apart**2)))
    assert apart.max() < 0.5 * np.ptp(frames.astype("f8"))
    assert "LOSSY, max error" in run("info", "x.h5").output
    assert json.loads(run("info", "x.h5", "--json").output)["psnr"] == attrs["psnr"]
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][...], got)


def test_a_range_of_a_source_that_runs_only_once():
    frames = wave((40, 10, 12))
    report, got, _ = packed(iter(frames), max_error="1%")
    assert np.abs(got - frames).max() <= 0.01 * np.ptp(frames)
    assert report.shape == frames.shape
    with pytest.raises(h5vidstack.SourceError, match="absolute"):
        h5vidstack.pack(iter(frames), "y.h5", max_error="1%", spool_bytes=100)


def test_lossy_of_what_is_not_finite():
    frames = wave().astype(np.float32)
    frames[:, :5] = np.nan
    _, got, _ = packed(frames, preset="mp4")
    assert np.isnan(got[:, :5]).all()
    _, got, _ = packed(np.full((3, 4, 5), np.nan), preset="mp4")
    assert np.isnan(got).all()


BAD = {
    "no error": ({"max_error": 0}, "above 0"),
    "negative": ({"max_error": -1.0}, "above 0"),
    "nan": ({"max_error": "nan"}, "above 0"),
    "infinite": ({"max_error": "inf"}, "above 0"),
    "words": ({"max_error": "small"}, "1e-3r"),
    "zero of the range": ({"max_error": "0r"}, "above 0"),
    "crf of ffv1": ({"codec": "ffv1", "crf": 20}, "crf is the quality of lossy x264"),
    "crf of a preset": ({"preset": "lzma", "crf": 20}, "lzma is lossless"),
    "crf": ({"crf": 60}, "0 .finest. to 51"),
    "both": ({"crf": 20, "max_error": 1}, "promises no maximum error"),
    "deep": ({"codec": "x264"}, r"holds values of up to 10 bits.*ffv1"),
    "deep preset": ({"preset": "x264-fast"}, r"up to 10 bits.*ffv1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_quality(name, tmp_path):
    options, words = BAD[name]
    frames = np.random.default_rng(0).integers(0, 1 << 14, (4, 40, 50)).astype(np.uint16)
    with pytest.raises(h5vidstack.UnsupportedError, match=words):
        h5vidstack.pack(frames, "x.h5", **options)
    assert list(tmp_path.iterdir()) == []


def test_bool_has_no_error_to_allow():
    for options in ({"preset": "mp4"}, {"max_error": 1}):
        with pytest.raises(h5vidstack.UnsupportedError, match="bool"):
            h5vidstack.pack(np.zeros((3, 4, 5), bool), "x.h5", **options)


def test_units_of_bounds():
    units = {"2": Unit.VALUES, "1e-3r": Unit.RANGE, " 5 % ": Unit.RANGE, "0.5s": Unit.NOISE}
    for given, unit in units.items():
        bound = Bound.parse(given)
        assert (bound.unit, bound.noise) == (unit, None)
        assert bound.looks_first == (unit != Unit.VALUES)
    camera = "gain=1,offset=0,read=2"
    known = Bound.parse("0.5s", camera)
    assert not known.looks_first
    counts = ArraySource(np.arange(600, dtype=np.uint16).reshape(6, 10, 10), "counts")
    assert known.of(counts).times == 0.5
    assert Bound.parse("1%").of(counts) == pytest.approx(5.99)
    with pytest.raises(h5vidstack.UnsupportedError, match="others do not know"):
        known.absolute(counts)


@pytest.mark.parametrize("bound", ["1e-3r", "0.1%", 3])
def test_a_bound_on_a_constant_stack(bound):
    report, got, _ = packed(np.full((5, 20, 20), 7, np.uint16), max_error=bound)
    assert report.lossless
    assert (got == 7).all()


def test_lossy_never_makes_infinity():
    frames = noise((4, 17, 23)).astype(np.float64)
    frames.flat[100] = np.finfo(np.float64).max
    _, got, _ = packed(frames, crf=0)
    assert np.isfinite(got).all()
    frames.flat[101] = -frames.flat[100]  # no range that a float holds
    assert packed(frames, crf=18)[0].lossless


@pytest.mark.parametrize("how", [{"crf": 18}, {"preset": "mp4"}])
def test_lossy_colour_does_not_go_round(how):
    """Near black and white, and where colours are strong."""
    y, x = np.mgrid[:96, :128]
    glow = np.stack(
        [400 * np.exp(-((x - 40 - 3 * t) ** 2 + (y - 48) ** 2) / 900) for t in range(8)]
    )
    frames = np.stack([glow, glow * 0.9, 300 - glow], -1) + np.random.default_rng(0).normal(
        0, 2, (8, 96, 128, 3)
    )
    frames = frames.clip(0, 255).astype(np.uint8)
    report = h5vidstack.pack(frames, "x.h5", **how)
    assert report.psnr > 38
    assert report.max_error < 30


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_lossy_at_the_end_of_64_bits(dtype):
    y, x = np.mgrid[:32, :32]
    top = np.iinfo(dtype).max
    frames = (np.stack([x + y + t for t in range(8)]) / 70 * top).astype(dtype)
    frames[:, :4, :4] = top
    h5vidstack.pack(frames, "x.h5", crf=18)
    spec = SPEC_READER
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(spec["read_stack"]("x.h5"), stack[:], strict=True)
