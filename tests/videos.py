"""Videos to test on: H.264 whose GOPs are as one likes them, and others."""

import av
import numpy as np
from frames import moving


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
