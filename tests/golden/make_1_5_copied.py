"""Made the golden files of format 1.5; kept to show how, not to be run again.

    python make_1_5_copied.py FOLDER

They are of packets of H.264 files as they came: B pictures, several IDR pictures a block, 10
bits, and such a stack with frames added. All else is in the files of 1.2 to 1.4.
"""

import os
import sys
from pathlib import Path

import av
import numpy as np
from make_1_3 import film
from make_1_4 import keep

import h5vidstack


def write_video(path, frames, pixel_format, **options):
    """H.264 of gray pictures with 4:2:0 chroma, every 6 frames an IDR picture."""
    with av.open(path, "w") as output:
        given = {"g": "6", "keyint_min": "6", "sc_threshold": "0", "crf": "30"}
        video = output.add_stream("libx264", rate=25, options=given | options)
        video.height, video.width, video.pix_fmt = *frames.shape[1:], pixel_format
        for number, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(pixels, format="gray").reformat(
                format=pixel_format
            )
            picture.pts = number
            output.mux(video.encode(picture))
        output.mux(video.encode(None))


def luma(path):
    dtype = None
    planes = []
    with av.open(path) as video:
        for picture in video.decode(video=0):
            dtype = np.uint16 if "10" in picture.format.name else np.uint8
            rows = np.frombuffer(picture.planes[0], dtype).reshape(picture.height, -1)
            planes.append(rows[:, : picture.width].copy())
    return np.stack(planes)


def make(folder):
    """Write each case, and what a reader must get."""
    os.chdir(folder)
    frames = film(21, 3, 8, np.uint8)[..., 0][:, :16, :22]
    write_video("b.mp4", frames, "yuv420p", bf="2")
    write_video("b10.mkv", frames, "yuv420p10le", bf="3")
    for name, source, options in (
        ("copied", "b.mp4", {}),
        ("copied_10", "b10.mkv", {}),
        ("idrs", "b.mp4", {"chunk_frames": 12}),
        ("longer", "b.mp4", {}),
    ):
        h5vidstack.pack(source, f"{name}.h5", gray=True, copy=True, **options)
        expected = luma(source)
        if name == "longer":
            h5vidstack.pack(expected[::-1], "longer.h5", mode="a", preset="x264-fast")
            expected = np.concatenate([expected, expected[::-1]])
        keep(name, expected)
    for name in ("b.mp4", "b10.mkv"):
        Path(name).unlink()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
