"""The codec ffv1: FFmpeg's lossless FFV1 of version 1."""

from __future__ import annotations

from .av_engine import Engine

_FORMATS = {8: "gray", 10: "gray10le", 12: "gray12le", 16: "gray16le"}
ENGINE = Engine(
    "ffv1",
    "ffv1",
    _FORMATS,
    {depth: (name,) for depth, name in _FORMATS.items()},
    # Level 1 has neither slices, which cost 1 to 3 %, nor checksums, which the block has.
    {"level": "1", "coder": "range_tab"},
    told=True,
)
DEPTHS, encode, decode = ENGINE.depths, ENGINE.encode, ENGINE.decode
