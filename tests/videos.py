"""Videos to test on: H.264 whose GOPs are as one likes them, and others."""

from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType
from av.video.stream import VideoStream
from frames import moving

import h5vidstack
from h5vidstack import PackReport


def write_video(
    path: str | Path,
    count: int = 21,
    size: tuple[int, int] = (46, 62),
    pixel_format: str = "yuv420p",
    gop: int = 8,
    codec: str = "libx264",
    params: str = "",
    first: int = 0,
    keys: Collection[int] = (),
    ticks: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    tags: dict[str, str] | None = None,
    **more: str,
) -> None:
    """A colour video with GOPs of `gop` frames; those before the time 0 are not shown.

    GOPs also begin at the frames `keys`. Frames are shown at `ticks` of the time base.
    """
    options = {"x264-params": params} if params else {}
    if codec == "libx264":
        options |= {"crf": "23", "g": str(gop), "keyint_min": str(gop), "sc_threshold": "0"}
    gray = moving((count, *size))
    with av.open(
        str(path), "w", options={"avoid_negative_ts": "disabled"} if first else {}
    ) as output:
        video = output.add_stream(codec, rate=25, options=options | more)
        assert isinstance(video, VideoStream)
        video.codec_context.time_base = time_base
        output.metadata.update(tags or {})
        video.height, video.width, video.pix_fmt = *size, pixel_format
        for number, pixels in enumerate(gray):
            colour = np.stack([pixels, pixels[::-1], pixels[:, ::-1]], axis=-1)
            picture = av.VideoFrame.from_ndarray(colour, format="rgb24")
            picture = picture.reformat(format=pixel_format)
            picture.pts = first + (number if ticks is None else ticks[number])
            picture.time_base = time_base
            if number in keys:
                picture.pict_type = PictureType.I
            output.mux(video.encode(picture))
        output.mux(video.encode(None))


def copied(path: str | Path, target: str = "x.h5", **options: Any) -> PackReport:
    """Pack the packets of a video as they are."""
    return h5vidstack.pack(path, target, copy=True, gray=True, **options)


def luma(path: str | Path) -> npt.NDArray[Any]:
    """Return the luma of a video, decoded and packed again."""
    h5vidstack.pack(path, "luma.h5", gray=True, method="video", preset="ffv1", overwrite=True)
    with h5vidstack.open("luma.h5") as stack:
        return np.asarray(stack)


def access_units(path: str | Path) -> Iterator[bytes]:
    """Yield the packets of a video, by PyAV alone."""
    with av.open(path) as video:
        for packet in video.demux(video.streams.video[0]):
            if packet.size:
                yield bytes(packet)
