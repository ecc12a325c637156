"""The codec mpeg4: lossy MPEG-4 part 2."""

from __future__ import annotations

from .av_engine import Engine

ENGINE = Engine(
    "mpeg4", "mpeg4", {8: "yuv420p"}, {8: ("yuv420p",)}, {"bf": "0"}, margin=256
)  # fmt: skip
DEPTHS, encode, decode = ENGINE.depths, ENGINE.encode, ENGINE.decode
