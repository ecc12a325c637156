"""The codec x264: H.264 in its lossless mode, or lossy with a constant rate factor."""

from __future__ import annotations

from collections.abc import Mapping

from .av_engine import Engine
from .codec import Encoded, Plane
from .h264 import without_sei

ENGINE = Engine(
    "libx264",
    "h264",
    {8: "gray", 10: "gray10le"},
    # FFmpeg's H.264 decoder calls monochrome 4:2:0, and fills two gray chroma planes. Packets that
    # were copied from a video may have colour, of which only the luma counts.
    {
        8: ("gray", "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"),
        10: ("gray10le", "yuv420p10le", "yuv422p10le", "yuv444p10le"),
    },
    {"bf": "0", "sc_threshold": "0"},  # packet i is frame i, and only the first is a key frame
    tidy=without_sei,
    units=True,
)
DEPTHS = ENGINE.depths
decode = ENGINE.decode


def lossless(preset: str) -> dict[str, str]:
    """Return the options of a lossless coding; `preset` is x264's, from ultrafast to placebo."""
    # qp=0 is x264's lossless mode at 8 and 10 bits; crf=0 is not.
    return {"preset": preset, "qp": "0"}


def encode(frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
    """Encode frames; an option ``crf`` makes it lossy. See `Engine.encode`."""
    if "crf" in options:
        options = {name: value for name, value in options.items() if name != "qp"}
    return ENGINE.encode(frames, depth, options)
