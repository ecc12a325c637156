"""Videos to test on: H.264 whose GOPs are as one likes them, and others."""

import av
import numpy as np
from frames import moving

import h5vidstack


def write_video(
    path, count=21, size=(46, 62), pixel_format="yuv420p", gop=8, codec="libx264", params="",
    first=0, **more
):  # fmt: skip
    """A colour video with GOPs of `gop` frames; those before the time 0 are not shown."""
    options = {"x264-params": params} if params else {}
    if codec == "libx264":
        options |= {"crf": "23", "g": str(gop), "keyint_min": str(gop), "sc_threshold": "0"}
    gray = moving((count, *size))
    with av.open(
        str(path), "w", options={"avoid_negative_ts": "disabled"} if first else {}
    ) as output:
        video = output.add_stream(codec, rate=25, options=options | more)
        video.height, video.width, video.pix_fmt = *size, pixel_format
        for number, pixels in enumerate(gray):
            colour = np.stack([pixels, pixels[::-1], pixels[:, ::-1]], axis=-1)
            picture = av.VideoFrame.from_ndarray(colour, format="rgb24")
            picture = picture.reformat(format=pixel_format)
            picture.pts = first + number
            output.mux(video.encode(picture))
        output.mux(video.encode(None))


def copied(path, target="x.h5", **options):
    return h5vidstack.pack(path, target, copy=True, gray=True, **options)


def luma(path):
    h5vidstack.pack(path, "luma.h5", gray=True, method="video", preset="ffv1", overwrite=True)
    with h5vidstack.open("luma.h5") as stack:
        return stack[:]


def access_units(path):
    with av.open(path) as video:
        for packet in video.demux(video.streams.video[0]):
            if packet.size:
                yield bytes(packet)
