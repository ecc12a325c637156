"""Video: every pixel as it is stored, every frame, of the right stream, or an error."""

from pathlib import Path

import av
import numpy as np
import pytest
from films import drift, noisy, read, write

import h5vidstack

HEALTHY = [
    (codec, name, ending, options)
    for codec, name, endings, options in [
        ("libx264", "yuv420p", "mp4 mov mkv avi ts flv nut asf h264 3gp", {"bf": "2"}),
        ("libx264", "yuv420p", "mp4 mkv ts", {"x264-params": "open-gop=1:keyint=8:bframes=3"}),
        ("libx264", "yuv420p", "mp4 ts", {"x264-params": "intra-refresh=1:keyint=10"}),
        ("libx264", "yuv420p", "mp4", {"flags": "+ildct+ilme"}),
        ("libx265", "yuv420p", "mp4 mkv ts hevc", {"x265-params": "log-level=none"}),
        ("libvpx", "yuv420p", "webm ivf", {"auto-alt-ref": "1", "lag-in-frames": "16"}),
        ("libvpx-vp9", "yuv420p", "webm mkv", {"auto-alt-ref": "1", "lag-in-frames": "16"}),
        ("libaom-av1", "yuv420p", "mkv mp4 obu", {"cpu-used": "8"}),
        ("mpeg4", "yuv420p", "avi mkv mp4", {"bf": "2"}),
        ("mpeg2video", "yuv420p", "mpg ts mkv m2v", {"bf": "2"}),
        ("mjpeg", "yuvj420p", "avi mkv mov mjpeg", {}),
        ("prores_ks", "yuv422p10le", "mov mxf", {}),
        ("ffv1", "gray", "avi mkv nut", {}),
        ("rawvideo", "yuv420p", "avi nut", {}),
        ("rawvideo", "bgr24", "avi", {}),
        ("wmv2", "yuv420p", "asf avi", {}),
        ("png", "rgb24", "mov", {}),
        ("qtrle", "rgb24", "mov", {}),
        ("jpeg2000", "rgb24", "mxf mov", {}),
        ("utvideo", "gbrp", "avi", {}),
    ]
    for ending in endings.split()
]


@pytest.mark.parametrize(("codec", "name", "ending", "options"), HEALTHY)
def test_sound_files_are_taken_without_a_word(codec, name, ending, options):
    pictures = [picture.reformat(format=name) for picture in drift(20)]
    path = f"x.{ending}"
    try:
        write(path, pictures, codec, options)
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this FFmpeg has no {codec}")
    got, source = read(path, gray=name != "gray")
    assert (source.notes, source.doubtful, len(got)) == ([], [], 20)
    assert source.file_bytes == Path(path).stat().st_size


@pytest.mark.parametrize(
    "container", [{"movflags": "frag_keyframe+empty_moov"}, {"movflags": "faststart"}]
)
def test_other_ways_to_write_mp4(container):  # fmt: skip
    write("x.mp4", drift(), "libx264", container=container)
    got, source = read("x.mp4", gray=True)
    assert (len(got), source.notes) == (24, [])


def test_pictures_that_change():
    write("a.h264", noisy(4, (48, 64), "yuv420p"), "libx264")
    write("b.h264", noisy(4, (32, 64), "yuv420p"), "libx264")
    Path("x.h264").write_bytes(Path("a.h264").read_bytes() + Path("b.h264").read_bytes())
    with pytest.raises(
        h5vidstack.SourceError, match="frame 4 of x.h264 is 64x32 yuv420p, but frame 0"
    ):
        read("x.h264", gray=True)


def test_pictures_cut_to_size_at_every_edge():
    """The left edge is cut at pixels, not where memory is aligned."""
    write("x.h264", noisy(3, (64, 96), "yuv420p"), "libx264", {"qp": "0"})
    crop = av.bitstream.BitStreamFilterContext
    whole = read("x.h264", gray=True)[0]
    with av.open("x.h264") as video:
        stream = video.streams.video[0]
        chosen = crop("h264_metadata=crop_left=6:crop_right=4:crop_top=2:crop_bottom=8", stream)
        data = b"".join(
            bytes(out)
            for packet in video.demux(stream)
            for out in chosen.filter(packet if packet.size else None)
        )
    Path("cropped.h264").write_bytes(data)
    np.testing.assert_array_equal(read("cropped.h264", gray=True)[0], whole[:, 2:56, 6:92])
