import numpy as np
import pytest
from frames import moving, wave
from packing import packed, run

import h5vidstack
from h5vidstack.choosing.profiles import PROFILES


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


def test_nothing_is_explained_unasked():
    np.save("a.npy", wave())
    assert "pile 0" not in run("pack", "a.npy", "x.h5").output


def test_noise_gets_no_steps():
    frames = np.random.default_rng(0).integers(-(2**31), 2**31, (20, 40, 50)).astype(np.int32)
    for profile in PROFILES:
        report = h5vidstack.pack(frames, "x.h5", profile=profile, overwrite=True)
        assert report.codings == ("raw",)


def test_what_progress_raises_ends_the_choice():
    steps = []

    def stop(step):
        steps.append(step.doing)
        if steps.count("choosing how to code") == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        h5vidstack.pack(moving((40, 60, 70)), "x.h5", profile="small", progress=stop)
    assert steps[-3:] == ["choosing how to code"] * 3
