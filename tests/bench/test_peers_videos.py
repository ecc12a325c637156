from pathlib import Path

import av
import numpy as np
import pytest
from benched import STACKS
from frames import moving

from h5vidstack.bench import peers_videos
from h5vidstack.bench.peers_videos import VideoFile, video_peers, write_video

GRAY, COLOUR = moving((40, 33, 47))[:, :32, :46], moving((9, 33, 47, 3))[:, :32, :46]
WIDE = GRAY.astype(np.uint16) * 257
WAYS = {
    "h264": (GRAY, "libx264", "gray", {"preset": "ultrafast", "qp": "0", "g": "8"}),
    "ffv1": (moving((20, 33, 47)), "ffv1", "gray", peers_videos.FFV1),
    "wide": (WIDE, "ffv1", "gray16le", peers_videos.FFV1),
    "colour h264": (COLOUR, "libx264rgb", "rgb24", {"preset": "ultrafast", "qp": "0"}),
    "colour h265": (COLOUR, "libx265", "gbrp", {**peers_videos.X265, "preset": "ultrafast"}),
    "colour ffv1": (COLOUR, "ffv1", "bgr0", peers_videos.FFV1),
}


def written(way):
    frames, encoder, pixel_format, options = WAYS[way]
    write_video(
        frames, Path("x.mkv"), format="matroska", encoder=encoder, pixel_format=pixel_format,
        options=options,
    )  # fmt: skip
    return frames


@pytest.mark.parametrize("way", WAYS)
def test_frames_come_back_whole_and_one_by_one(way):
    frames = written(way)
    with VideoFile(Path("x.mkv")) as video:
        np.testing.assert_array_equal(video[:], frames, strict=True)
        for number in (len(frames) - 1, 0, 7, 8, 3, 3):
            np.testing.assert_array_equal(video[number], frames[number])
        np.testing.assert_array_equal(video[:], frames)  # from the beginning again
        with pytest.raises(IndexError, match=f"no frame {len(frames)}"):
            video[len(frames)]


@pytest.mark.parametrize("way", ["colour h264", "colour h265", "colour ffv1"])
def test_colours_are_where_ffmpeg_has_them(way):
    frames = written(way)
    with av.open("x.mkv") as container:
        shown = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    np.testing.assert_array_equal(shown, frames)


@pytest.mark.parametrize("kind", STACKS)
def test_who_takes_which_pixels(kind):
    peers = {one.name: one.refusal for one in video_peers(STACKS[kind])}
    refused = {name for name, refusal in peers.items() if refusal is not None}
    if kind in ("uint8", "RGB"):
        assert not refused
    elif kind == "uint16":
        assert refused == peers.keys() - {"FFV1 mkv"}
    else:
        assert refused == peers.keys()
        assert set(peers.values()) == {"takes no RGBA" if kind == "RGBA" else f"takes no {kind}"}


def test_what_each_reader_needs_is_named():
    needs = {one.name: (one.needs, one.package) for one in video_peers(GRAY)}
    assert needs["x264 mp4 by PyAV"] == ((), "")
    assert needs["x264 mp4 by torchcodec"] == (("torch", "torchcodec"), "torch torchcodec")
    assert needs["x264 mp4 by decord"] == (("decord",), "decord")
