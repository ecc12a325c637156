"""A video of a stack shows each frame when the stack says."""

from fractions import Fraction

import av
import numpy as np
import pytest
from frames import moving
from hypothesis import given, settings
from hypothesis import strategies as st
from videos import copied, write_video

import h5vidstack
from h5vidstack.metadata.time_stamps import to_seconds
from h5vidstack.sinks.timing import Timing, _in_units

VARIABLE = np.cumsum([0, 512, 511, 90, 2000, 513, 1, 77, 512, 6000]).tolist()
STARTS = {"zero": 0, "late": 1001, "long after": 10**6 + 7}


def shown(path):
    """When the frames of a video are shown, by PyAV alone."""
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        return [frame.pts * stream.time_base for frame in video.decode(stream)]


def rate(path):
    """The frames a second that a video states; PyAV before 18 cannot be told them for packets."""
    if int(av.__version__.split(".")[0]) < 18:
        times = shown(path)
        return (len(times) - 1) / (times[-1] - times[0])
    with av.open(str(path)) as video:
        return video.streams.video[0].average_rate


@pytest.mark.parametrize("options", [{"copy": True}, {}, {"method": "hdf5"}])
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("b_pictures", ["0", "2"])
def test_a_video_comes_back_with_its_times(options, start, b_pictures):
    ticks = [start + tick for tick in VARIABLE]
    write_video("v.mp4", count=10, ticks=ticks, time_base=Fraction(1, 12800), bf=b_pictures)
    expected = shown("v.mp4")
    h5vidstack.pack("v.mp4", "x.h5", gray=True, **options)
    assert h5vidstack.export("x.h5", "out.mp4").notes == ()
    assert shown("out.mp4") == expected
    done = h5vidstack.export("x.h5", "out.mkv")
    assert max(abs(a - b) for a, b in zip(shown("out.mkv"), expected, strict=True)) <= 0.0005
    assert len(done.notes) == 1
    assert "Matroska counts units of 1 ms; x.mp4 keeps them exactly" in done.notes[0]
    h5vidstack.unpack("x.h5", "again.mp4")
    assert shown("again.mp4") == expected


@pytest.mark.parametrize("name", ["v.mkv", "v.ts"])
def test_other_containers(name):
    write_video(name, count=10, ticks=[0, 40, 90, 95, 200, 300, 301, 500, 540, 580],
                time_base=Fraction(1, 1000), bf="2")  # fmt: skip
    expected = shown(name)
    copied(name)
    for out in ("out.mkv", "out.mp4"):
        assert h5vidstack.export("x.h5", out).notes == ()
        assert shown(out) == expected


@pytest.mark.parametrize("fps", [Fraction(40), Fraction(30000, 1001), Fraction(1, 2)])
@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_frames_a_second_are_kept(fps, ending):
    frames = moving((21, 46, 62))
    h5vidstack.pack(frames, "a.h5")
    h5vidstack.export("a.h5", "v.mp4", fps=float(fps))
    assert rate("v.mp4") == fps
    h5vidstack.pack("v.mp4", "x.h5", gray=True)
    h5vidstack.export("x.h5", f"out.{ending}")
    assert float(rate(f"out.{ending}")) == pytest.approx(float(fps), rel=1e-3)
    h5vidstack.export("x.h5", f"out.{ending}", fps=10, overwrite=True)
    assert rate(f"out.{ending}") == 10


@pytest.mark.parametrize("values", [
    np.array([0, 0.01, 0.5, 0.75]), np.array([3, 13, 503, 753]),
    np.array(["2020-01-01T00:00", "2020-01-01T00:00:00.010", "2020-01-01T00:00:00.5",
              "2020-01-01T00:00:00.750"], "M8[ms]"),
    np.array([0, 10, 500, 750], "m8[ms]"),
], ids=["seconds", "milliseconds", "dates", "durations"])  # fmt: skip
@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_times_that_a_user_gives(values, ending):
    attrs = {"f": {"units": "s"}, "i": {"units": "ms"}}.get(values.dtype.kind, {})
    h5vidstack.pack(moving((4, 16, 32)), "x.h5", coords={"time": ("frame", values, attrs)})
    done = h5vidstack.export("x.h5", f"x.{ending}")
    assert done.notes == ()
    assert np.diff(shown(f"x.{ending}")).tolist() == [
        Fraction(1, 100),
        Fraction(49, 100),
        Fraction(1, 4),
    ]


@pytest.mark.parametrize(
    ("values", "attrs", "says"),
    [
        ([0, 0.1, 0.1, 0.3], {"units": "s"}, "do not rise at frame 2"),
        ([0, 0.1, np.nan, 0.3], {"units": "s"}, "are missing at frame 2"),
        ([0, 0.1, 1e300, 0.3], {"units": "s"}, "are missing at frame 2"),
        ([0, 0.1, 0.2, 0.4], {"units": "furlong"}, None),
        ([0, 0.1, 0.2, 0.4], {}, None),
    ],
)
def test_times_that_are_none(values, attrs, says):
    coords = {"time": ("frame", np.array(values), attrs)}
    h5vidstack.pack(moving((4, 16, 32)), "x.h5", coords=coords)
    done = h5vidstack.export("x.h5", "x.mp4")
    assert rate("x.mp4") == 25
    assert len(done.notes) == (says is not None)
    assert says is None or says in done.notes[0]


def test_what_is_before_0_comes_later():
    coords = {"time": ("frame", np.array([-0.5, 0, 0.25, 1]), {"units": "s"})}
    h5vidstack.pack(moving((4, 16, 32)), "x.h5", coords=coords)
    for name in ("x.mp4", "x.mkv"):
        done = h5vidstack.export("x.h5", name)
        assert shown(name) == [0, Fraction(1, 2), Fraction(3, 4), Fraction(3, 2)]
        assert "at 0 instead of -0.5 s" in done.notes[0]


def test_frames_that_follow_within_a_millisecond():
    seconds = to_seconds(np.array([0, 1, 2, 3, 4000]), Fraction(1, 10000))
    coords = {"time": ("frame", seconds, {"units": "s", "time_base": "1/10000"})}
    frames = moving((5, 32, 48))
    frames[:, 0, :2] = 0, 255
    for preset in ("x264-fast", "ffv1"):
        h5vidstack.pack(
            frames, "x.h5", method="video", preset=preset, coords=coords, overwrite=True
        )
        for name in ("x.mkv", "x.mp4"):
            done = h5vidstack.export("x.h5", name, overwrite=True)
            assert len(done.notes) == (name == "x.mkv")
        np.testing.assert_allclose(np.array(shown("x.mp4"), float), seconds)


@given(st.lists(st.integers(1, 50), min_size=1), st.integers(0, 5))
@settings(deadline=None)
def test_times_of_decoding(steps, delay):
    """They rise, and the frame at each place is shown no earlier."""
    ticks = np.cumsum([0, *steps])
    timing = Timing(ticks, Fraction(1, 1000), Fraction(25))
    decoded = timing.decoding(min(delay, len(ticks)))
    assert len(decoded) == len(ticks)
    assert (np.diff(decoded) > 0).all()
    late = min(delay, len(ticks))
    assert (decoded[late:] <= ticks[: len(ticks) - late]).all()
    assert timing.durations().sum() == ticks[-1] + timing.step


@given(st.lists(st.integers(0, 2**60), min_size=1), st.integers(1, 10**9), st.integers(1, 10**6))
def test_other_units(ticks, base, wanted):
    """Private: no file takes long enough to show this."""
    one, other = Fraction(1, base), Fraction(1, wanted)
    if max(ticks) * one / other >= 2**62:
        return
    near, error = _in_units(np.array(ticks), one, other)
    off = [
        abs(tick * one - found * other) for tick, found in zip(ticks, near.tolist(), strict=True)
    ]
    assert error == float(max(off))
    assert max(off) <= other / 2
