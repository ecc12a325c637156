"""A maximum error in units of a camera's noise, from a source to a stack and back."""

import json

import h5py
import numpy as np
import pytest
from cameras import photographed
from click.testing import CliRunner
from packing import change, packed, problems, run

import h5vidstack
from h5vidstack import NoiseModel
from h5vidstack.cli import main

CAMERA = "gain=0.5,offset=100,read=1.6"
SHAPE = (24, 96, 96)


def in_deviations(got, frames, gain=0.5, offset=100, read=1.6):
    """The difference of each pixel, in standard deviations of its own noise."""
    light = np.maximum(frames.astype(float) - offset, 0) * gain
    return np.abs(got.astype(float) - frames) / (np.sqrt(light + read**2) / gain)


@pytest.mark.parametrize("options", [
    {}, {"profile": "fast"}, {"profile": "small", "method": "video"}, {"codec": "ffv1"},
    {"preset": "lzma", "tile": (40, 50)}, {"method": "groupvideo", "chunk_frames": 5},
])  # fmt: skip
def test_no_pixel_moves_by_more(options):
    frames = photographed(SHAPE)
    exact, _, _ = packed(frames, **options)
    report, got, attrs = packed(frames, max_error="0.5s", noise=CAMERA, **options)
    apart = in_deviations(got, frames)
    assert 0.4 < apart.max() <= 0.5
    assert report.noise.error == attrs["noise_error"] == pytest.approx(apart.max())
    assert report.noise.bias == pytest.approx(np.mean(got.astype(float) - frames), abs=1e-6)
    assert abs(report.noise.bias) < 0.2  # of a noise of 5 to 90 counts
    assert report.noise.model == NoiseModel(gain=0.5, offset=100, read=1.6)
    assert report.max_error == np.abs(got.astype(int) - frames).max()
    assert not report.lossless
    assert report.stored_bytes < exact.stored_bytes / 2
    with h5vidstack.open("x.h5") as stack:
        assert stack.noise == report.noise
        np.testing.assert_allclose(stack.noise.model.sigma(100), 3.2)
    packed(frames, **options)
    with h5vidstack.open("x.h5") as stack:
        assert stack.noise is None


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "u8"])
def test_other_integers(dtype):
    camera = {"gain": 20, "offset": 10, "read": 40}
    frames = photographed((9, 40, 40), **camera, light=(0, 4500), dtype=dtype)
    report, got, _ = packed(frames, max_error="1s", noise=NoiseModel(**camera))
    assert 0 < in_deviations(got, frames, **camera).max() <= 1
    assert report.stored_bytes < packed(frames)[0].stored_bytes


def test_colour():
    frames = photographed((6, 40, 40, 3), gain=20, offset=10, read=40, dtype="u1", light=(0, 4000))
    _, got, _ = packed(frames, max_error="1s", noise="gain=20,offset=10,read=40")
    assert 0 < in_deviations(got, frames, 20, 10, 40).max() <= 1


def test_the_noise_is_estimated_and_said():
    frames = photographed(SHAPE, light=(200, 2000))
    report, got, attrs = packed(frames, max_error="0.5s")
    assert report.noise.model.estimated
    assert report.noise.model.gain == pytest.approx(0.5, rel=0.06)
    assert in_deviations(got, frames).max() < 0.55
    assert attrs["noise_estimated"] == 1
    said = run("info", "x.h5").output
    assert "times the standard deviation of its own noise (allowed: 0.5)" in said
    assert "estimated from the frames" in said
    facts = json.loads(run("info", "x.h5", "--json").output)["noise"]
    assert facts["model"]["estimated"]
    assert facts["bound"] == 0.5
    once, _, _ = packed(iter(frames), max_error="0.5s")  # frames that come only once are spooled
    assert once.noise == report.noise
    with pytest.raises(h5vidstack.SourceError, match="needs them twice"):
        h5vidstack.pack(iter(frames), "y.h5", max_error="0.5s", spool_bytes=100)


def test_the_command_line():
    frames = photographed(SHAPE)
    np.save("x.npy", frames)
    said = run("pack", "x.npy", "x.h5", "--max-error", "0.5s", "--noise", CAMERA).output
    assert "standard deviation" in said
    assert "gain" not in said or "as given" in said
    assert "as given" in run("info", "x.h5").output
    assert "sound" in run("verify", "x.h5", "--against", "x.npy").output
    said = run("check", "x.h5", "--against", "x.npy").output
    assert said.count("standard deviation") == 2
    run("append", "x.h5", "x.npy", "--max-error", "0.5s")
    with h5vidstack.open("x.h5") as stack:
        assert stack.noise.model == NoiseModel(gain=0.5, offset=100, read=1.6)


BAD = {
    "no form": ({"max_error": "0.5s", "noise": "0.5"}, "gain=ELECTRONS_PER_COUNT"),
    "a part": ({"max_error": "0.5s", "noise": "gain=1,offset=0"}, "gain=ELECTRONS_PER_COUNT"),
    "no gain": ({"max_error": "0.5s", "noise": "gain=0,offset=0,read=1"}, "gain=0"),
    "negative": ({"max_error": "0.5s", "noise": "gain=1,offset=0,read=-1"}, "read=-1"),
    "no bound": ({"noise": CAMERA}, "give max-error, too"),
    "an absolute bound": ({"max_error": 3, "noise": CAMERA}, "in units of it"),
    "a relative bound": ({"max_error": "1%", "noise": CAMERA}, "in units of it"),
    "nothing": ({"max_error": "0s"}, "above 0"),
    "crf": ({"max_error": "0.5s", "crf": 20}, "promises no maximum error"),
    "pca": ({"max_error": "0.5s", "method": "pca"}, "components bound no error"),
    "pca and noise": ({"max_error": "0.5s", "method": "pca", "noise": CAMERA}, "takes no noise"),
    "plain": ({"max_error": "0.5s", "method": "hdf5gz"}, "takes no max-error"),
    "copy": ({"max_error": "0.5s", "copy": True}, "takes no max-error"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_means_nothing(name, tmp_path):
    options, words = BAD[name]
    with pytest.raises(h5vidstack.UnsupportedError, match=words):
        h5vidstack.pack(photographed(SHAPE), "x.h5", **options)
    np.save("x.npy", photographed((2, 8, 8)))
    named = [f"--{key}".replace("_", "-") for key in options]
    words = [f"{flag}={value}" for flag, value in zip(named, options.values(), strict=True)]
    words = ["--copy" if word.startswith("--copy") else word for word in words]
    result = CliRunner().invoke(main, ["pack", "x.npy", "x.h5", *words])
    assert result.exit_code != 0
    assert "Error: " in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


@pytest.mark.parametrize("dtype", ["f4", "?"])
def test_only_counts_have_noise(dtype):
    with pytest.raises(h5vidstack.UnsupportedError, match="no counts of a camera"):
        h5vidstack.pack(np.zeros((3, 9, 9), dtype), "x.h5", max_error="0.5s", noise=CAMERA)


def test_frames_without_noise_are_refused(tmp_path):
    with pytest.raises(h5vidstack.SourceError, match="cannot be estimated.*gain="):
        h5vidstack.pack(np.full((9, 40, 40), 7, np.uint16), "x.h5", max_error="0.5s")
    assert list(tmp_path.iterdir()) == []


def test_more_frames_of_the_same_camera():
    frames, more = photographed(SHAPE), photographed((7, 96, 96), seed=1)
    first, _, _ = packed(frames, max_error="0.5s")
    with h5vidstack.open("x.h5") as stack:
        report = stack.append(more, max_error="0.25s")
        assert report.noise.model == first.noise.model
        assert report.noise.error <= 0.25
        assert stack.noise.error == first.noise.error
        assert stack.noise.bound == 0.5
        count = len(frames) + len(more)
        bias = first.noise.bias * len(frames) + report.noise.bias * len(more)
        assert stack.noise.bias == pytest.approx(bias / count)
        assert stack.verify(against=np.concatenate([frames, more])) == []
        stack.append(photographed((5, 96, 96), seed=2))  # losslessly
        assert (stack.noise.bound, stack.noise.error) == (0.5, first.noise.error)
        with pytest.raises(h5vidstack.UnsupportedError, match="the noise of another camera"):
            stack.append(more, max_error="0.5s", noise=CAMERA)
        assert len(stack) == count + 5
        with pytest.raises(h5vidstack.UnsupportedError, match="in units of its camera's noise"):
            stack.append(more, max_error=20)
        assert len(stack) == count + 5


def test_noise_comes_with_frames_that_are_added_to_exact_ones():
    frames, more = photographed(SHAPE), photographed((7, 96, 96), seed=1)
    packed(frames)
    with h5vidstack.open("x.h5") as stack:
        stack.append(more, max_error="0.5s", noise=CAMERA)
        assert 0.4 < stack.noise.error <= 0.5
        got = stack[:]
    np.testing.assert_array_equal(got[:24], frames)
    assert in_deviations(got[24:], more).max() <= 0.5


def test_verification_holds_it_to_its_word():
    frames = photographed(SHAPE)
    _, got, attrs = packed(frames, max_error="0.5s", noise=CAMERA)
    assert problems(frames) == []
    other = frames.copy()
    dark = np.unravel_index(frames.argmin(), SHAPE)
    other[dark] = got[dark] + 20  # much for a dark pixel, and less than bright ones moved
    assert attrs["max_error"] > 20
    (problem,) = problems(other)
    assert f"frame {dark[0]}: pixels differ" in problem
    assert "0.5 times the noise" in problem
    found = h5vidstack.check("x.h5", other)
    assert not found.keeps_its_word
    assert found.noise.error > 0.5
    assert h5vidstack.check("x.h5", frames).keeps_its_word


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("noise_gain", None, "no noise_gain"), ("noise_bound", None, "no noise_bound"),
     ("noise_gain", 0.0, "gain=0"), ("noise_read", np.nan, "read=nan"),
     ("noise_bound", -1.0, "no bound"), ("noise_bound", np.inf, "no bound"),
     ("noise_error", "x", "not one number")],
)  # fmt: skip
def test_damaged_attributes(name, value, words):
    packed(photographed((3, 40, 40)), max_error="0.5s", noise=CAMERA)

    def damage(group):
        del group.attrs[name]
        if value is not None:
            group.attrs[name] = value

    change(damage)
    with pytest.raises(h5vidstack.FormatError, match=words):
        h5vidstack.open("x.h5")


def test_copies_of_the_stack_say_the_same(tmp_path):
    frames = photographed((9, 40, 40))
    report, got, _ = packed(frames, max_error="0.5s", noise=CAMERA)
    h5vidstack.repack("x.h5", "again.h5")
    h5vidstack.recover("x.h5", "saved.h5")
    h5vidstack.link(["x.h5", "again.h5"], "all.h5")
    for name, count in (("again.h5", 1), ("saved.h5", 1), ("all.h5", 2)):
        with h5vidstack.open(name) as stack:
            assert stack.noise == report.noise
            np.testing.assert_array_equal(stack[:], np.concatenate([got] * count))
    packed(frames, max_error="0.5s", noise="gain=0.4,offset=100,read=1.6")
    h5vidstack.link(["x.h5", "again.h5"], "both.h5")
    with h5vidstack.open("both.h5") as stack:
        assert stack.noise is None
        assert stack.attrs["max_error"] > 0


def test_an_interrupted_run_goes_on():
    frames = photographed(SHAPE)

    def stop(step):
        if step.frames >= 16:
            raise KeyboardInterrupt

    how = {"max_error": "0.5s", "chunk_frames": 4, "resume": True, "method": "video"}
    with pytest.raises(KeyboardInterrupt):
        h5vidstack.pack(frames, "x.h5", progress=stop, **how)
    report = h5vidstack.pack(frames, "x.h5", **how)
    assert 0.4 < report.noise.error <= 0.5
    assert problems(frames) == []


def test_plain_hdf5_reads_it():
    _, got, _ = packed(photographed((9, 40, 40)), max_error="0.5s", noise=CAMERA)
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][...], got)
        assert file["stack"].attrs["noise_gain"] == 0.5


def test_means_keep_their_value_and_noise_grows_little():
    """What a user measures: of still frames the mean over time, and its spread."""
    frames = photographed((400, 16, 16), light=(200, 2000))
    for times, most in ((0.25, 0.02), (0.5, 0.05), (1, 0.2)):
        _, got, _ = packed(frames, max_error=f"{times}s", noise=CAMERA)
        noise = frames.std(axis=0)
        moved = (got.mean(axis=0) - frames.mean(axis=0)) / noise
        assert np.abs(moved).mean() < 0.05
        assert abs(moved.mean()) < 0.02
        assert 0.97 < got.std(axis=0).mean() / noise.mean() < 1 + most
