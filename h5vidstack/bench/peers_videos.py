"""Peers that store a plain video file, written by PyAV and read by PyAV, torchcodec or decord."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from .contestants import Contestant, Pixels, Reader

RATE = 25
"""Frames per second, by which a frame's number gives its time."""

X264 = {"preset": "veryslow", "qp": "0"}
X265 = {"preset": "medium", "x265-params": "lossless=1:log-level=none"}
FFV1 = {"level": "3", "context": "1"}


def video_peers(frames: Pixels) -> Iterator[Contestant]:
    """Yield lossless x264, x265 and FFV1, each as one file with FFmpeg's own key frames."""
    colour, depth = frames.ndim == 4, frames.dtype
    refusal = None if depth == np.uint8 else f"takes no {depth}"
    if frames.shape[3:] == (4,):
        refusal = "takes no RGBA"
    h264, hevc = ("libx264", "gray"), ("libx265", "gray")
    ffv1 = ("ffv1", "gray16le" if depth == np.uint16 else "gray")
    if colour:
        h264, hevc, ffv1 = ("libx264rgb", "rgb24"), ("libx265", "gbrp"), ("ffv1", "bgr0")
    wide = depth == np.uint16 and not colour
    yield _video("x264 veryslow mkv", "matroska", *h264, X264, VideoFile, refusal)
    yield _video("x265 mkv", "matroska", *hevc, X265, VideoFile, refusal)
    yield _video("FFV1 mkv", "matroska", *ffv1, FFV1, VideoFile, None if wide else refusal)
    x264 = partial(_video, format="mp4", encoder=h264[0], pixel_format=h264[1], options=X264)
    gray = not colour
    yield x264("x264 mp4 by PyAV", read=VideoFile, refusal=refusal)
    for module, read in (("torchcodec", _torchcodec), ("decord", _decord)):
        needs = ("torch", "torchcodec") if module == "torchcodec" else (module,)
        yield x264(f"x264 mp4 by {module}", read=partial(read, gray), refusal=refusal, needs=needs)


def _video(
    name: str,
    format: str,
    encoder: str,
    pixel_format: str,
    options: Mapping[str, str],
    read: Callable[[Path], AbstractContextManager[Reader]],
    refusal: str | None,
    needs: tuple[str, ...] = (),
) -> Contestant:
    write = partial(
        write_video, format=format, encoder=encoder, pixel_format=pixel_format, options=options
    )
    return Contestant(name, write, read, needs=needs, package=" ".join(needs), refusal=refusal)


def write_video(
    frames: Pixels,
    path: Path,
    *,
    format: str,
    encoder: str,
    pixel_format: str,
    options: Mapping[str, str],
) -> None:
    """Write ``(n, H, W)`` or ``(n, H, W, 3)`` as a video with FFmpeg's own threads and GOPs."""
    with av.open(str(path), "w", format=format) as container:
        stream: Any = container.add_stream(encoder, rate=RATE, options=dict(options))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        stream.codec_context.thread_type = "AUTO"
        for number, pixels in enumerate(frames):
            picture = av.VideoFrame(stream.width, stream.height, pixel_format)
            for plane, values in zip(_planes(picture), _components(pixels, picture), strict=True):
                plane[...] = values
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


_ORDER = {"rgb24": (0, 1, 2), "gbrp": (1, 2, 0), "bgr0": (2, 1, 0)}
"""The order of R, G and B in the planes, or in the bytes of a pixel."""


def _planes(picture: Any) -> list[Pixels]:
    """Return the writable planes of a picture, each ``(H, W)`` or ``(H, W, components)``."""
    name = picture.format.name
    dtype = np.dtype("<u2" if name.endswith("16le") else "u1")
    packed = {"rgb24": 3, "bgr0": 4}.get(name, 1)
    planes = picture.planes[: 3 if name == "gbrp" else 1]
    found = []
    for plane in planes:
        rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width * packed]
        found.append(rows.reshape(plane.height, plane.width, packed) if packed > 1 else rows)
    return found


def _components(pixels: Pixels, picture: Any) -> list[Pixels]:
    """Return the values of the planes for a frame ``(H, W)`` or ``(H, W, 3)``."""
    if pixels.ndim == 2:
        return [pixels]
    name = picture.format.name
    ordered = pixels[..., _ORDER[name]]
    if name == "gbrp":
        return [ordered[..., component] for component in range(3)]
    if name == "bgr0":
        ordered = np.concatenate([ordered, np.zeros_like(ordered[..., :1])], axis=-1)
    return [ordered]


def _pixels(picture: Any) -> Pixels:
    """Return ``(H, W)`` or ``(H, W, 3)`` of a decoded picture; gray is plane 0 of 4:2:0."""
    name, planes = picture.format.name, _planes(picture)
    if name not in _ORDER:
        return planes[0].copy()
    stacked = np.stack(planes, axis=-1) if name == "gbrp" else planes[0][..., :3]
    colour: Pixels = stacked[..., np.argsort(_ORDER[name])]
    return colour


class VideoFile:
    """A video read by PyAV, which seeks to the key frame before a frame."""

    def __init__(self, path: Path) -> None:
        self._container: Any = av.open(str(path))
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_type = "AUTO"

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(self, *_error: object) -> None:
        self._container.close()

    def __getitem__(self, key: Any) -> Pixels:
        if key == slice(None):
            self._container.seek(0, stream=self._stream)
            return np.stack([_pixels(picture) for picture in self._container.decode(self._stream)])
        time = round(key / RATE / self._stream.time_base)
        self._container.seek(time, stream=self._stream)
        for picture in self._container.decode(self._stream):
            if round(picture.pts * self._stream.time_base * RATE) == key:
                return _pixels(picture)
        raise IndexError(f"no frame {key} in the video")


@contextlib.contextmanager
def _torchcodec(gray: bool, path: Path) -> Iterator[Reader]:
    from torchcodec.decoders import VideoDecoder  # inside, because it is optional

    decoder = VideoDecoder(str(path), dimension_order="NHWC", num_ffmpeg_threads=0)

    class Frames:
        def __getitem__(self, key: Any) -> Pixels:
            pixels: Pixels = decoder[key].numpy()
            return pixels[..., 0] if gray else pixels

    yield Frames()


@contextlib.contextmanager
def _decord(gray: bool, path: Path) -> Iterator[Reader]:
    import decord  # inside, because it is optional

    video = decord.VideoReader(str(path))

    class Frames:
        def __getitem__(self, key: Any) -> Pixels:
            numbers = range(len(video))[key]
            if isinstance(numbers, int):
                pixels: Pixels = video[numbers].asnumpy()
            else:
                pixels = video.get_batch(list(numbers)).asnumpy()
            return pixels[..., 0] if gray else pixels

    yield Frames()
