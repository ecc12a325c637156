"""A video of a stack says what the video said that its frames came from."""

from fractions import Fraction

import av
import numpy as np
import pytest
from frames import moving
from videos import write_video

import h5vidstack

TAGS = {"creation_time": "2021-03-04T05:06:07.000000Z", "title": "Möwe", "comment": "wet"}
TURNS = hasattr(av.video.stream.VideoStream, "set_display_rotation")


def said(path):
    """Tags, rotation, colours and aspect of a video, by PyAV alone."""
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        context, frame = stream.codec_context, next(video.decode(stream))
        colours = [int(context.color_range), int(context.color_primaries)]
        aspect = stream.sample_aspect_ratio or context.sample_aspect_ratio
        return dict(video.metadata), getattr(frame, "rotation", 0), colours, aspect


def write(path, **settings):
    with av.open(path, "w") as output:
        video = output.add_stream("libx264", rate=40)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        output.metadata.update(settings.pop("tags", TAGS))
        if TURNS and settings.pop("turned", True):
            video.set_display_rotation(90)
        for name, value in settings.items():
            setattr(video.codec_context, name, value)
        for number in range(5):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([number]) * plane.buffer_size)
            frame.pts = number
            output.mux(video.encode(frame))
        output.mux(video.encode(None))


@pytest.mark.parametrize("options", [{"copy": True}, {}, {"method": "hdf5"}])
@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_all_comes_back(ending, options):
    write("v.mp4", color_range=1, colorspace=1, color_primaries=1, color_trc=1,
          sample_aspect_ratio=Fraction(4, 3))  # fmt: skip
    h5vidstack.pack("v.mp4", "x.h5", gray=True, **options)
    done = h5vidstack.export("x.h5", f"out.{ending}")
    tags, turned, colours, aspect = said(f"out.{ending}")
    before = said("v.mp4")
    assert TAGS.items() <= {key.lower(): value for key, value in tags.items()}.items()
    assert (turned, colours) == before[1:3]
    assert aspect == before[3] or (done.codec == "ffv1" and "4/3 as wide" in done.notes[0])
    assert turned == (90 if TURNS else 0)


def test_tags_that_mp4_has_no_place_for():
    tags = {"creation_time": "2021-03-04T05:06:07.123456Z", "camera": "left"}
    write("v.mkv", tags=tags)
    h5vidstack.pack("v.mkv", "x.h5", gray=True)
    for name in ("out.mp4", "out.mkv"):
        h5vidstack.export("x.h5", name)
        found = {key.lower(): value for key, value in said(name)[0].items()}
        assert tags.items() <= found.items()


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p"])
@pytest.mark.parametrize(
    "options", [{"copy": True}, {"preset": "x264-fast"}, {"preset": "ffv1"}, {"method": "hdf5"}]
)
def test_the_range_of_luma(pixel_format, options):
    write_video("v.mp4", pixel_format=pixel_format, bf="2")
    h5vidstack.pack("v.mp4", "x.h5", gray=True, **options)
    for name in ("out.mp4", "out.mkv"):
        h5vidstack.export("x.h5", name)
        assert said(name)[2][0] == said("v.mp4")[2][0] == 2 * ("j" in pixel_format)


def test_other_gray_has_the_full_range():
    frames = moving((20, 46, 62))
    frames[:, 0, :2] = 0, 255
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast")
    for name in ("out.mp4", "out.mkv"):
        assert h5vidstack.export("x.h5", name).copied
        assert said(name)[2][0] == 2


def test_rgb_made_of_yuv():
    write_video("v.mp4")
    h5vidstack.pack("v.mp4", "rgb.h5")
    h5vidstack.export("rgb.h5", "rgb.mkv")
    with av.open("rgb.mkv") as video:
        assert next(video.decode(video=0)).format.name == "bgr0"


@pytest.mark.skipif(
    not hasattr(av.container.OutputContainer, "set_chapters"), reason="PyAV is too old"
)
def test_chapters():
    chapter = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000),
               "metadata": {"title": "one"}}  # fmt: skip
    with av.open("v.mkv", "w") as output:
        video = output.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "gray"
        output.set_chapters([chapter])
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64), np.uint8), "gray")
        output.mux([*video.encode(frame), *video.encode(None)])
    h5vidstack.pack("v.mkv", "x.h5")
    h5vidstack.export("x.h5", "out.mkv")
    with av.open("out.mkv") as video:
        (found,) = video.chapters()
    assert found["metadata"]["title"] == "one"
    assert found["end"] * found["time_base"] == Fraction(1, 10)


def test_frames_of_several_videos():
    write("a.mp4")
    write("b.mp4", tags={"title": "another"})
    h5vidstack.pack("a.mp4", "x.h5", gray=True)
    with h5vidstack.open("x.h5") as stack:
        stack.append("b.mp4", gray=True)
    done = h5vidstack.export("x.h5", "out.mp4", fps=10)
    assert any("several files" in note for note in done.notes)
    assert "title" not in said("out.mp4")[0]
