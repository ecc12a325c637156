"""What a video file says of itself is kept: times of frames, tags, colour, rotation."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from videos import write_video

import h5vidstack
from h5vidstack.metadata.time_stamps import to_ticks
from h5vidstack.sources.video.streams import ChosenStream
from h5vidstack.sources.video.video_metadata import FrameTimes

VARIABLE = np.cumsum([0, 512, 511, 90, 2000, 513, 1, 77, 512, 6000]).tolist()


def stamps(path):
    """The time stamps of a video in display order, and their unit, by PyAV alone."""
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        return [frame.pts for frame in video.decode(stream)], stream.time_base


def packed(path, **options):
    h5vidstack.pack(path, "x.h5", gray=True, overwrite=True, **options)
    return h5vidstack.open("x.h5")


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts", "v.mov", "v.nut"])
@pytest.mark.parametrize("copy", [False, True])
def test_time_stamps(name, copy):
    write_video(name, count=10, ticks=VARIABLE, time_base=Fraction(1, 12800), bf="2")
    ticks, base = stamps(name)
    with packed(name, copy=copy) as stack:
        time = stack.coords["time"]
        assert (time.dims, time.units) == (("frame",), "s")
        assert Fraction(time.attrs["time_base"]) == base
        np.testing.assert_array_equal(to_ticks(time.values, base), ticks)
        np.testing.assert_array_equal(time.values, [float(tick * base) for tick in ticks])


def test_rates_tags_and_files():
    tags = {"creation_time": "2021-03-04T05:06:07.000000Z", "title": "Möwe", "comment": "x"}
    write_video("v.mp4", tags=tags)
    with packed("v.mp4") as stack:
        container = stack.source.words["video_container"].value
        stream = stack.source.words["video_stream"].value
        assert tags.items() <= container["tags"].items()
        assert container["chapters"] == []
        assert (stream["average_rate"], stream["real_rate"]) == ("25", "25")
        assert (stream["codec"], stream["pixel_format"]) == ("h264", "yuv420p")
        assert stream["tags"]["creation_time"] == tags["creation_time"]
        assert Fraction(stream["time_base"]) == stamps("v.mp4")[1]
        (file,) = stack.source.files
        assert (file.path, len(file.sha256)) == ("v.mp4", 64)
        assert stack.source.image(7) == 7
        assert stack.names is None


def test_a_tag_that_is_no_text():
    write_video("v.mkv", tags={"title": "x" * 20})
    data = Path("v.mkv").read_bytes()
    Path("v.mkv").write_bytes(data.replace(b"x" * 20, b"\xff\xfe" * 10))
    with packed("v.mkv") as stack:
        title = stack.source.words["video_container"].value["tags"]["title"]
        assert title.encode(errors="surrogateescape") == b"\xff\xfe" * 10


def _turned(path, degrees, **settings):
    with av.open(path, "w") as output:
        video = output.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for name, value in settings.items():
            setattr(video.codec_context, name, value)
        if degrees:
            video.set_display_rotation(degrees)
        for number in range(3):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.pts = number
            output.mux(video.encode(frame))
        output.mux(video.encode(None))


@pytest.mark.skipif(
    not hasattr(av.video.stream.VideoStream, "set_display_rotation"), reason="PyAV is too old"
)
def test_rotation():
    _turned("v.mp4", 90)
    with packed("v.mp4") as stack:
        said = stack.source.words["video_stream"].value
        matrix = np.frombuffer(stack.source.words["video_display_matrix"].value, "<i4")
        with av.open("v.mp4") as video:
            assert said["rotation"] == next(video.decode(video=0)).rotation != 0
        assert matrix.reshape(3, 3)[2, 2] == 1 << 30
    _turned("w.mp4", 0)
    with packed("w.mp4") as stack:
        assert "video_display_matrix" not in stack.source.words
        assert "rotation" not in stack.source.words["video_stream"].value


def test_colour_and_shape_of_pixels():
    _turned("v.mp4", 0, color_range=2, color_primaries=1, color_trc=1, colorspace=1,
            sample_aspect_ratio=Fraction(4, 3))  # fmt: skip
    with packed("v.mp4") as stack:
        said = stack.source.words["video_stream"].value
    colours = [said[name] for name in ("color_range", "color_primaries", "color_trc", "colorspace")]
    assert colours == [2, 1, 1, 1]
    assert said["sample_aspect_ratio"] == "4/3"


def test_raw_streams_have_no_times():
    write_video("v.h264")
    with packed("v.h264") as stack:
        assert "time" not in stack.coords
        assert stack.source.words["video_stream"].value["codec"] == "h264"


@pytest.mark.parametrize("b_pictures", ["0", "2"])
def test_avi_has_times_of_decoding(b_pictures):
    write_video("v.avi", codec="mpeg4", bf=b_pictures)
    with packed("v.avi") as stack:
        steps = np.diff(stack.coords["time"].values)
        np.testing.assert_allclose(steps, 1 / 25)


def times(stamps, base=Fraction(1, 25), rising=False, container="mov"):
    """What is kept of frames with these stamps of showing and decoding."""
    chosen = ChosenStream(
        index=0, container=container, codec="h264", stated=0, duration=None, complete=True,
        rate=Fraction(25), time_base=base, notes=(),
    )  # fmt: skip
    found = FrameTimes(Path("v.x"), chosen)
    for pts, dts in stamps:
        found.add(SimpleNamespace(pts=pts, dts=dts))
    found.finish(rising)
    return found.coordinates(), list(found.notes())


def test_times_that_do_not_rise_are_kept_and_told():
    coords, notes = times([(0, 0), (3, 1), (2, 2), (2, 3), (9, 4)])
    np.testing.assert_array_equal(to_ticks(coords["time"].values, Fraction(1, 25)), [0, 3, 2, 2, 9])
    assert len(notes) == 1
    assert "do not rise at frames 2-3; they are kept as they are" in notes[0]


def test_times_that_are_missing_are_told():
    coords, notes = times([(0, 0), (None, None), (2, 2), (None, 3)])
    np.testing.assert_array_equal(coords["time"].values, [0, np.nan, 0.08, 0.12])
    assert "does not say when 1 of 4 frames are shown" in notes[0]
    assert "gives no time for frame 1." in notes[1]
    assert times([(None, None)] * 3) == ({}, [])


def test_times_of_decoding_are_put_in_order():
    coords, notes = times([(0, 0), (3, 3), (2, 2), (4, 4)], rising=True, container="avi")
    np.testing.assert_array_equal(coords["time"].values, [0, 0.08, 0.12, 0.16])
    assert notes == []


def test_time_stamps_that_seconds_do_not_hold():
    stamps = [2**54 + 1, 2**54 + 2, 2**54 + 9]
    coords, _ = times([(stamp, stamp) for stamp in stamps], Fraction(1, 1_000_000_000))
    np.testing.assert_array_equal(coords["pts"].values, stamps)
    assert coords["pts"].attrs["time_base"] == "1/1000000000"
    assert coords["time"].units == "s"


def test_adding_the_frames_of_another_file():
    write_video("a.mp4", tags={"title": "a"})
    write_video("b.mkv", count=5, ticks=[0, 40, 41, 90, 100], time_base=Fraction(1, 1000))
    expected = [float(tick * base) for tick, base in _all("a.mp4", "b.mkv")]
    h5vidstack.pack("a.mp4", "x.h5", gray=True)
    with h5vidstack.open("x.h5") as stack:
        stack.append("b.mkv", gray=True)
        np.testing.assert_array_equal(stack.coords["time"].values, expected)
        rates = stack.source.words["video_stream"]
        assert rates[0]["time_base"] != rates[21]["time_base"]
        assert stack.source.file(22).path == "b.mkv"


def _all(*paths):
    for path in paths:
        ticks, base = stamps(path)
        yield from ((tick, base) for tick in ticks)
