"""Frames from video files, by PyAV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SourceError
from .base import Array, FrameSource, LabelledFrames, Source, SourceOptions, to_gray

VIDEO_FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,av1,obu,flv,asf,ogg,"
    "mxf,nut,dv,rm,wtv,yuv4mpegpipe,swf,vc1,mjpeg,nsv,roq,smk,bink,cine"
)
"""FFmpeg's names of the containers that are opened."""


def video_source(path: Path, options: SourceOptions) -> Source:
    """The first video stream of a file, gray or RGB by its pixel format."""
    import av

    try:
        with open_video(path) as container:
            if not container.streams.video:
                raise SourceError(f"{path} holds no video stream")
            count = container.streams.video[0].frames or None
    except av.FFmpegError as error:
        raise SourceError(
            f"{path} is no input that h5vidstack knows (images, .npy, HDF5, video): "
            f"{error.strerror}"
        ) from error
    return FrameSource(_read_video(path, options.gray), str(path), count, options.gray)


def open_video(path: Path) -> Any:
    """Open a file as a video, and as nothing else that FFmpeg reads (text, play lists)."""
    import av

    # "file:" so that a colon in the name is no protocol.
    return av.open(f"file:{path}", options={"format_whitelist": VIDEO_FORMATS})


def _read_video(path: Path, gray: bool) -> LabelledFrames:
    import av

    number = 0
    try:
        with open_video(path) as container:
            for frame in container.decode(video=0):
                yield f"frame {number} of {path}", _video_pixels(frame, gray)
                number += 1
    except av.FFmpegError as error:
        raise SourceError(f"cannot decode frame {number} of {path}: {error}") from error


def _video_pixels(frame: Any, gray: bool) -> Array:
    """Pixels of a decoded frame: plane 0 as it is for gray, else RGB by swscale."""
    layout = frame.format
    deep = max(component.bits for component in layout.components) > 8
    planar_luma = layout.is_planar and not layout.is_rgb
    if layout.name.startswith("gray") or (gray and planar_luma):
        plane = frame.planes[0]
        dtype = np.dtype(np.uint16 if deep else np.uint8)
        dtype = dtype.newbyteorder(">" if layout.is_big_endian else "<")
        rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
        return rows[:, : plane.width].astype(dtype.newbyteorder("="))
    pixels: Array = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
    return to_gray(pixels) if gray else pixels
