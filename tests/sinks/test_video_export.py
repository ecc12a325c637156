"""Exporting: a video file with the stack's very pixels."""

import json
import signal
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving, noise, pixels

import h5vidstack
from h5vidstack.cli import main


def luma(path):
    with av.open(path) as video:
        decoded = list(video.decode(video=0))
        frames = [frame.planes[0] for frame in decoded]
        dtype = np.uint16 if video.streams.video[0].format.name.endswith("le") else np.uint8
        rate = video.streams.video[0].average_rate
    if int(av.__version__.split(".")[0]) < 18 and len(frames) > 1:  # it cannot be told the rate
        rate = (len(frames) - 1) / (decoded[-1].time - decoded[0].time)
    elif len(frames) > 1:
        assert decoded[-1].time - decoded[0].time == pytest.approx(
            (len(frames) - 1) / rate, abs=1e-2
        )
    got = [np.frombuffer(p, dtype).reshape(p.height, -1)[:, : p.width] for p in frames]
    return np.stack(got), rate


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
@pytest.mark.parametrize(
    "shape", [(37, 21, 31), (16, 64, 48), (1, 1, 1), (1, 40, 50), (5, 20, 300)], ids=str
)
@pytest.mark.parametrize("fps", [25, 10, 29.97])
def test_h264_is_copied(ending, shape, fps):
    frames = moving(shape)
    frames.flat[:2] = 0, 255  # so that the mapping is trivial
    if frames.size == 1:
        frames[:] = 255
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast")
    done = h5vidstack.export("x.h5", f"x.{ending}", fps=fps)
    assert done == h5vidstack.Exported(
        path=f"x.{ending}", frames=len(frames), bytes=Path(f"x.{ending}").stat().st_size,
        copied=done.copied, codec="h264",
    )  # fmt: skip
    assert done.copied == (frames.size > 1)  # frames of one colour are no video
    got, rate = luma(f"x.{ending}")
    np.testing.assert_array_equal(got, frames, strict=True)
    if len(frames) > 1:
        assert float(rate) == pytest.approx(fps, rel=1e-2)


def test_packets_are_the_same():
    frames = moving((40, 48, 64))
    frames[:, 0, :2] = 0, 255
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast")
    h5vidstack.export("x.h5", "x.mkv")
    packed = Path("x.h5").read_bytes()
    with av.open("x.mkv") as video:
        packets = [p for p in video.demux(video=0) if p.size]
    assert [p.is_keyframe for p in packets] == [i % 16 == 0 for i in range(40)]
    # In Matroska lengths stand where start codes were.
    assert all(bytes(p)[-30:] in packed for p in packets)


def test_after_appends_of_other_presets():
    frames = moving((40, 48, 64))
    frames[:, 0, :2] = 0, 255
    h5vidstack.pack(frames[:17], "x.h5", method="video", preset="x264-fast")
    h5vidstack.pack(frames[17:], "x.h5", mode="a", preset="x264-slow")
    for name in ("x.mkv", "x.mp4"):
        assert h5vidstack.export("x.h5", name).copied
        np.testing.assert_array_equal(luma(name)[0], frames)


@pytest.mark.parametrize(
    ("bits", "copied"), [(8, "ffv1"), (10, "h264"), (12, "ffv1"), (16, "ffv1")]
)
def test_deep_pixels_are_copied(bits, copied):
    frames = moving((20, 52, 64)).astype(np.uint16) << (bits - 8)
    frames += (np.arange(52)[:, None] % (1 << (bits - 8))).astype(np.uint16)  # all bits are used
    frames[:, 0, :2] = 0, (1 << bits) - 1
    preset = "x264-fast" if bits == 10 else "ffv1"
    h5vidstack.pack(frames, "x.h5", method="video", preset=preset)
    done = h5vidstack.export("x.h5", "x.mkv")
    assert (done.copied, done.codec) == (True, copied)
    np.testing.assert_array_equal(luma("x.mkv")[0], frames)


@pytest.mark.parametrize(
    ("dtype", "top", "channels", "mkv", "mp4"),
    [
        ("?", 1, 1, "h264", "h264"),
        ("u1", 255, 1, "h264", "h264"),
        ("i4", 255, 1, "h264", "h264"),
        ("u2", 1023, 1, "h264", "h264"),
        ("i2", 4095, 1, "ffv1", None),
        (">u8", 65535, 1, "ffv1", None),
        ("u1", 255, 3, "ffv1", "h264"),
        ("u1", 255, 4, "ffv1", None),
        ("u2", 65535, 3, "ffv1", None),
        (">u2", 65535, 4, "ffv1", None),
    ],
)
@pytest.mark.parametrize("shape", [(9, 16, 18), (1, 2, 2), (7, 33, 65), (2, 1, 1)])
def test_other_pixels_are_coded_again(dtype, top, channels, mkv, mp4, shape):
    shape = (*shape, channels) if channels > 1 else shape
    rng = np.random.default_rng(1)
    frames = rng.integers(0, top, shape, endpoint=True).astype(dtype)
    frames.flat[0] = top
    h5vidstack.pack(frames, "x.h5", method="hdf5")
    done = h5vidstack.export("x.h5", "x.mkv")
    assert (done.copied, done.codec, done.frames) == (False, mkv, len(frames))
    if mp4 is None:
        with pytest.raises(h5vidstack.UnsupportedError, match=r"x\.mkv"):
            h5vidstack.export("x.h5", "x.mp4")
        assert not Path("x.mp4").exists()
    else:
        assert h5vidstack.export("x.h5", "x.mp4").codec == mp4
    if channels == 1:
        np.testing.assert_array_equal(luma("x.mkv")[0], frames)


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_rgb_as_another_reader_has_it(ending):
    frames = noise((5, 16, 32, 3))
    h5vidstack.pack(frames, "x.h5")
    h5vidstack.export("x.h5", f"x.{ending}")
    with av.open(f"x.{ending}") as video:
        got = np.stack([f.to_ndarray(format="rgb24") for f in video.decode(video=0)])
    np.testing.assert_array_equal(got, frames)


def test_reordered_tiled_and_lossy_stacks():
    frames = moving((40, 48, 64))
    frames = np.concatenate([frames, frames[:3]])[np.random.default_rng(0).permutation(43)]
    h5vidstack.pack(frames, "a.h5", method="groupvideo")
    h5vidstack.pack(frames, "b.h5", method="video", tile=(16, 32), preset="x264-fast")
    h5vidstack.pack(frames, "c.h5", method="video", crf=30)
    for name in "abc":
        done = h5vidstack.export(f"{name}.h5", f"{name}.mkv")
        if name != "c":
            assert not done.copied
        with h5vidstack.open(f"{name}.h5") as stack:
            np.testing.assert_array_equal(luma(f"{name}.mkv")[0], stack[:])


def test_a_copy_that_is_wrong_is_not_kept(monkeypatch):
    frames = moving((5, 32, 64))
    frames[:, 0, :2] = 0, 255
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast")
    # Private: no packet that x264 writes is copied wrongly, so the comparison has to be told so.
    real, calls = h5vidstack.export.__globals__["_same"], []

    def wrong_once(frame, shown):
        calls.append(1)
        return len(calls) > 1 and real(frame, shown)

    monkeypatch.setitem(h5vidstack.export.__globals__, "_same", wrong_once)
    assert not h5vidstack.export("x.h5", "x.mkv").copied
    np.testing.assert_array_equal(luma("x.mkv")[0], frames)
    assert len(calls) == 6
    monkeypatch.setitem(h5vidstack.export.__globals__, "_same", lambda *_: False)
    with pytest.raises(h5vidstack.NotExactError, match=r"frame 0 of y\.mkv"):
        h5vidstack.export("x.h5", "y.mkv")
    assert not Path("y.mkv").exists()


@pytest.mark.parametrize("dtype", ["f4", "i1", "u4", "i8"])
def test_what_no_video_holds(dtype):
    h5vidstack.pack(pixels((3, 16, 16), dtype), "x.h5")
    with pytest.raises(h5vidstack.UnsupportedError, match=r"unpack to x\.npy"):
        h5vidstack.export("x.h5", "x.mkv")
    assert not Path("x.mkv").exists()


def test_a_damaged_stack_says_where():
    frames = moving((40, 48, 64))
    frames[:, 0, :2] = 0, 255
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast")
    data = bytearray(Path("x.h5").read_bytes())
    data[data.find(b"H5VB") + 300] ^= 1
    Path("x.h5").write_bytes(data)
    with pytest.raises(h5vidstack.BlockError, match=r"frames \d+-\d+: CRC-32"):
        h5vidstack.export("x.h5", "x.mkv")
    assert not Path("x.mkv").exists()


def test_a_full_disk():
    frames = noise((40, 64, 64))
    h5vidstack.pack(frames, "x.h5")
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        for name in ("x.mkv", "x.mp4"):
            with pytest.raises(h5vidstack.OutputError, match="too large"):
                h5vidstack.export("x.h5", name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert not list(Path().glob("x.m*"))


def test_a_recording_that_goes_on():
    frames = moving((40, 48, 64))
    frames[:, 0, :2] = 0, 255
    with h5vidstack.create("x.h5", shape=(48, 64), dtype="uint8") as recorder:
        for frame in frames:
            recorder.write(frame)
        recorder.flush()
        done = h5vidstack.export("x.h5", "x.mkv")
        assert done.frames == len(luma("x.mkv")[0])
    np.testing.assert_array_equal(luma("x.mkv")[0], frames[: done.frames])


@pytest.mark.parametrize("name", ["x.avi", "x", "x.h5::/video.mkv"])
def test_endings(name):
    h5vidstack.pack(noise((3, 16, 16)), "x.h5")
    with pytest.raises(h5vidstack.OutputError, match=r"x\.mkv or x\.mp4"):
        h5vidstack.export("x.h5", name)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1e6])
def test_fps(fps):
    h5vidstack.pack(noise((3, 16, 16)), "x.h5")
    with pytest.raises(h5vidstack.OutputError, match="fps"):
        h5vidstack.export("x.h5", "x.mkv", fps=fps)


@pytest.mark.parametrize("fps", [0.01, 0.5, 1000])
@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_extreme_fps(fps, ending):
    frames = moving((20, 32, 48))
    frames[:, 0, :2] = 0, 255
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast")
    assert h5vidstack.export("x.h5", f"x.{ending}", fps=fps).copied
    assert float(luma(f"x.{ending}")[1]) == pytest.approx(fps, rel=1e-2)


def test_command():
    def run(*arguments):
        return CliRunner().invoke(main, ["export", *arguments])

    frames = moving((20, 32, 48))
    frames[:, 0, :2] = 0, 255
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast")
    done = run("x.h5", "x.mp4", "--fps", "10")
    assert done.exit_code == 0
    assert "exported 20 frames to x.mp4" in done.output
    assert "packets copied" in done.output
    assert run("x.h5", "x.mp4").exit_code == 1
    again = run("x.h5", "x.mp4", "--overwrite", "--json")
    assert json.loads(again.output)["copied"] is True
    assert run("x.h5", "x.mp4", "--fps", "0").exit_code == 2
    failed = run("missing.h5", "y.mp4")
    assert failed.exit_code == 1
    assert len(failed.stderr.strip().splitlines()) == 1
    h5vidstack.pack(noise((4, 16, 16)), "y.h5", method="hdf5")
    assert "coded again" in run("y.h5", "y.mkv").output


def test_unpacking_to_a_video():
    def run(*arguments):
        return CliRunner().invoke(main, ["unpack", *arguments])

    seconds = np.array([0, 0.0104, 0.5, 0.75])
    coords = {"time": ("frame", seconds, {"units": "s"})}
    h5vidstack.pack(moving((4, 16, 32)), "x.h5", coords=coords)
    done = run("x.h5", "x.mkv")
    assert done.exit_code == 0
    assert "exported 4 frames to x.mkv" in done.stdout
    assert "differ from those of the stack by up to 0.4 ms" in done.stderr
    assert run("x.h5", "x.mp4", "--frames", "1:3").exit_code == 1
    assert run("x.h5", "x.mp4").stderr == ""
    with pytest.raises(h5vidstack.OutputError, match="leave out frames"):
        h5vidstack.unpack("x.h5", "y.mkv", frames=[1])
    assert h5vidstack.unpack("x.h5", "y.mkv") == 4
