"""Profiles, error bounds and lossy codecs, from a source to a stack and back."""

import json
import zlib

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import DTYPES, moving, noise
from places import SPEC_READER

import h5vidstack
from h5vidstack.choosing.profiles import PROFILES
from h5vidstack.cli import main


def wave(shape=(20, 30, 40)):
    t, y, x = np.indices(shape)
    return np.sin((x + t) / 7) * np.cos((y - t) / 5) + noise(shape) / 2560


def packed(frames, **options):
    report = h5vidstack.pack(frames, "x.h5", overwrite=True, **options)
    with h5vidstack.open("x.h5") as stack:
        assert stack.verify() == []
        return report, stack[:], dict(stack.attrs)


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("colour", [False, True])
def test_every_dtype_in_every_profile(dtype, profile, colour):
    frames = (wave((21, 18, 25)) * 60).astype(np.dtype(dtype).newbyteorder("="))
    if colour:
        frames = np.stack([frames, frames[::-1], frames[:, ::-1]], axis=-1)
    given = frames.astype(dtype)
    report, got, attrs = packed(given, profile=profile)
    np.testing.assert_array_equal(got, frames, strict=True)
    assert report.lossless
    assert attrs["lossless"]
    assert h5vidstack.verify("x.h5", against=given) == []
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][...], frames, strict=True)
        assert list(file["stack/index/crc32"]) == [zlib.crc32(frame.tobytes()) for frame in frames]


def test_profiles_differ_as_they_say():
    frames = np.concatenate([moving((64, 90, 120)) // 16 * 16, noise((16, 90, 120)) // 64])
    sizes = {name: packed(frames, profile=name)[0] for name in PROFILES}
    assert sizes["small"].stored_bytes <= sizes["balanced"].stored_bytes * 1.001
    assert sizes["balanced"].stored_bytes <= sizes["fast"].stored_bytes
    with h5vidstack.open("x.h5") as stack:
        assert stack.chunks[0] == 256


def test_the_choice_does_not_depend_on_the_clock(monkeypatch):
    frames = wave()
    first, _, _ = packed(frames)
    monkeypatch.setattr("h5vidstack.choosing.trials.time.perf_counter", iter(range(10**9)).__next__)
    second, _, _ = packed(frames)
    assert (first.codings, first.stored_bytes) == (second.codings, second.stored_bytes)


def test_each_codec_alone():
    for codec in ("x264", "ffv1", "deflate", "lzma", "raw"):
        report, got, _ = packed(moving((5, 40, 50)), codec=codec)
        np.testing.assert_array_equal(got, moving((5, 40, 50)))
        with h5vidstack.open("x.h5") as stack:
            assert stack.groups[0].codec == codec, report.codings


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_what_repeats_is_not_taken_for_noise(dtype):
    rows = np.random.default_rng(0).random((24, 1, 500))  # too many values for a palette
    frames = (np.repeat(rows, 64, axis=1) * 60000).astype(dtype)  # each row 64 times
    for profile in ("fast", "balanced"):
        assert packed(frames, profile=profile, method="video")[0].ratio > 15


def smooth(values):
    """A texture without edges, on a torus."""
    where = np.fft.fftfreq(len(values))
    kept = np.exp(-20 * (where[:, None] ** 2 + where**2))
    got = np.fft.ifft2(np.fft.fft2(values) * kept).real
    return (got - got.min()) / (got.max() - got.min())


@pytest.mark.parametrize("texture", [np.asarray, smooth])
@pytest.mark.parametrize("bits", [8, 10])
def test_what_moves_is_not_taken_for_noise(texture, bits):
    values = texture(np.random.default_rng(0).random((256, 256)))
    values = np.round(values * ((1 << bits) - 1)).astype("u2")
    frames = np.stack([np.roll(values, (k, 2 * k), (0, 1))[:128, :128] for k in range(32)])
    report, got, _ = packed(frames, method="video")
    np.testing.assert_array_equal(got, frames)
    assert frames.size * bits / 8 > 5 * report.stored_bytes, report.codings


def test_the_codec_of_a_pile_is_the_one_it_began_with():
    frames = moving((80, 30, 40))
    h5vidstack.pack(frames[:40], "x.h5", preset="x264-fast", chunk_frames=8)
    h5vidstack.pack(frames[40:], "x.h5", mode="a", preset="ffv1")
    with h5vidstack.open("x.h5") as stack:
        assert stack.groups[0].coding == "x264-fast, then ffv1"
        assert (stack.groups[0].codec, stack.groups[0].preset) == ("x264", "x264-fast")


def test_fast_looks_at_all_of_an_array():
    flat = np.zeros((40, 120, 160), np.uint8)
    flat[:, 50:60] = np.arange(40, dtype=np.uint8)[:, None, None]
    frames = np.concatenate([noise((4, 120, 160)), flat])
    np.save("a.npy", frames)
    for source in (frames, "a.npy"):
        assert packed(source, profile="fast")[0].codings[0] != "raw"
    _, got, _ = packed(iter(frames), profile="fast")
    np.testing.assert_array_equal(got, frames)


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((3, 720, 1280), (16, 180, 1280)),
        ((2, 720, 1280, 3), (16, 180, 1280, 3)),
        ((2, 521, 2003), (16, 131, 2003)),
        ((2, 480, 640), (16, 240, 640)),
        ((20, 60, 80), (16, 60, 80)),
    ],
)
def test_fast_cuts_large_frames_into_strips(shape, chunks):
    frames = np.ascontiguousarray(np.broadcast_to(moving(shape[:3])[..., None], (*shape[:3], 3)))
    frames = frames if len(shape) == 4 else frames[..., 0]
    _, got, _ = packed(frames, profile="fast")
    np.testing.assert_array_equal(got, frames)
    with h5vidstack.open("x.h5") as stack:
        assert stack.chunks == chunks
        np.testing.assert_array_equal(stack[1, 100:400:7], frames[1, 100:400:7])
    h5vidstack.pack(frames[::-1] ^ 1, "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack, h5py.File("x.h5") as file:
        both = np.concatenate([frames, frames[::-1] ^ 1])
        np.testing.assert_array_equal(stack[:], both)
        np.testing.assert_array_equal(file["stack/frames"][:], both)
    packed(frames, profile="fast", tile=(0, 0))
    with h5vidstack.open("x.h5") as stack:
        assert stack.chunks == (chunks[0], *shape[1:])


def test_explained():
    report, _, _ = packed(wave(), explain=True)
    (trials,) = report.trials
    assert sum(trial.chosen for trial in trials) == 1
    chosen = next(trial for trial in trials if trial.chosen)
    assert chosen.recipe == report.codings[0]
    assert chosen.encode_seconds > 0 < chosen.decode_seconds
    np.save("a.npy", wave())
    table = run("pack", "a.npy", "y.h5", "--explain").output
    assert "encode MB/s" in table
    assert f"->  {report.codings[0]}" in table


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


def test_against_is_bit_for_bit():
    frames = np.zeros((4, 8, 8), np.float32)
    frames[1, 2, 3], frames[2, 2, 3] = np.nan, -0.0
    packed(frames)
    assert h5vidstack.verify("x.h5", against=frames) == []
    (problem,) = h5vidstack.verify("x.h5", against=np.abs(frames))
    assert "frame 2: pixels differ" in problem


def test_against_a_lossy_stack_checks_the_promise():
    frames = wave().astype(np.float32)
    packed(frames, max_error=0.01)
    assert h5vidstack.verify("x.h5", against=frames) == []
    frames[3, 4, 5] += 0.1
    (problem,) = h5vidstack.verify("x.h5", against=frames)
    assert "frame 3: pixels differ from the source by more than the 0.00" in problem


def test_json_is_json():
    frames = wave().astype(np.float32)
    frames[3], frames[4, 5, 6] = np.inf, np.nan
    np.save("a.npy", frames)

    def refuse(word):
        raise AssertionError(word)

    for command in (("pack", "a.npy", "x.h5", "--json"), ("info", "x.h5", "--json"),
                    ("find", "x.h5", "--frame", 4, "--json")):  # fmt: skip
        facts = json.loads(run(*command).output, parse_constant=refuse)
    assert (facts["matches"][0]["frame"], facts["matches"][0]["rmse"]) == (4, 0)


def test_nothing_is_explained_unasked():
    np.save("a.npy", wave())
    assert "pile 0" not in run("pack", "a.npy", "x.h5").output


@pytest.mark.parametrize("kind", ["png", "tiff", "x.tif"])
@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "u4", "i4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("colour", [False, True])
def test_images_are_exact_or_refused(kind, dtype, colour):
    frames = (wave((3, 9, 11)) * 100).astype(dtype)
    frames = np.stack([frames] * 3, axis=-1) if colour else frames
    packed(frames)
    target = kind if "." in kind else "out"
    form = kind if target == "out" else "png"
    if (dtype in ("?", "u2") and not colour) or (
        dtype in ("i4", "f4") and not colour and kind != "png"
    ):
        h5vidstack.unpack("x.h5", target, image_format=form)
        assert h5vidstack.verify("x.h5", against=target) == []
    else:
        with pytest.raises(h5vidstack.OutputError, match="exactly; unpack to x.npy"):
            h5vidstack.unpack("x.h5", target, image_format=form)


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


def test_noise_gets_no_steps():
    frames = np.random.default_rng(0).integers(-(2**31), 2**31, (20, 40, 50)).astype(np.int32)
    for profile in PROFILES:
        report = h5vidstack.pack(frames, "x.h5", profile=profile, overwrite=True)
        assert report.codings == ("raw",)
