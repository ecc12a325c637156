import av
import numpy as np
import pytest
from films import drift, read

import h5vidstack


def stored_luma(path):
    """Luma by PyAV alone."""
    with av.open(str(path)) as video:
        return np.stack(
            [
                np.frombuffer(frame.planes[0], np.uint8).reshape(frame.height, -1)[:, : frame.width]
                for frame in video.decode(video.streams.video[-1])
            ]
        )


def two_streams(path="x.mp4", first=1, second=24, default=None):
    with av.open(path, "w") as output:
        small = output.add_stream("mjpeg", rate=25)
        small.width, small.height, small.pix_fmt = 32, 24, "yuvj420p"
        large = output.add_stream("libx264", rate=25, options={"qp": "0"})
        large.width, large.height, large.pix_fmt = 64, 48, "yuv420p"
        if default is not None and hasattr(av.stream, "Disposition"):
            (small, large)[1 - default].disposition = av.stream.Disposition(0)
            (small, large)[default].disposition = av.stream.Disposition.default
        for count, stream, size, name in (
            (first, small, (24, 32), "yuvj420p"), (second, large, (48, 64), "yuv420p")
        ):  # fmt: skip
            for picture in drift(count, size):
                output.mux(stream.encode(picture.reformat(format=name)))
            output.mux(stream.encode(None))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_thumbnail_is_not_the_film(ending):
    two_streams(f"x.{ending}")
    got, source = read(f"x.{ending}", gray=True)
    np.testing.assert_array_equal(got, stored_luma(f"x.{ending}"))
    assert source.stream == 1
    assert "Read: stream 1 (h264, 64x48" in source.notes[0]
    assert "left out: stream 0 (mjpeg, 32x24" in source.notes[0]
    got, source = read(f"x.{ending}", gray=True, stream=0)
    assert got.shape == (1, 24, 32)
    with pytest.raises(h5vidstack.SourceError, match=r"stream 2 of .*: stream 0 \(mjpeg, 32x24"):
        read(f"x.{ending}", stream=2)


@pytest.mark.skipif(not hasattr(av.stream, "Disposition"), reason="PyAV cannot set it")
@pytest.mark.parametrize("default", [0, 1])
def test_the_default_stream(default):
    two_streams("x.mkv", first=24, default=default)
    assert read("x.mkv", gray=True)[1].stream == default


def test_copying_takes_the_same_stream():
    two_streams("x.mkv")
    report = h5vidstack.pack("x.mkv", "x.h5", gray=True, copy=True)
    assert report.codings == ("H.264 packets as they came",)
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], stored_luma("x.mkv"))
    with pytest.raises(h5vidstack.UnsupportedError, match="mjpeg"):
        h5vidstack.pack("x.mkv", "y.h5", gray=True, copy=True, stream=0)


def test_sound_without_pictures():
    with av.open("x.mkv", "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
    with pytest.raises(h5vidstack.SourceError, match="holds no video stream"):
        read("x.mkv")
