"""The table of codecs: permanent ids, names, presets, and how to run each.

A codec turns the ``(n, H, W)`` uint8 frames of one *stream* into packets, one a
frame, and back. Everything above this package names codecs only by this table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BlockError, UnsupportedError
from . import video

Frames = npt.NDArray[np.uint8]
Packet = bytes | memoryview


@dataclass(frozen=True)
class Codec:
    """One row of the table.

    Attributes
    ----------
    id
        Number stored in blocks. Permanent: never reused for another codec.
    name
        What users write.
    pixel_format
        Id of the pixel format of its streams (spec/format.md, "Pixel formats").
    encode
        ``encode(frames, preset_name) -> packets``, one packet a frame.
    decode
        ``decode(packets, extradata, out)``: fills ``out`` from the first
        ``len(out)`` packets, or raises `BlockError`.
    """

    id: int
    name: str
    pixel_format: int
    encode: Callable[[Frames, str], list[bytes]]
    decode: Callable[[Sequence[Packet], bytes, Frames], None]


@dataclass(frozen=True)
class Preset:
    """A named setting of a codec; `id` is stored in HDF5 filter parameters."""

    id: int
    name: str
    codec: str


GRAY8 = 0
"""Pixel format id of 8-bit gray, the only one of format 1.0."""

MAX_EDGE = 16384
"""Longest edge of a stream in pixels: the limit of x264 and of FFmpeg's H.264 decoder."""


def _encode_raw(frames: Frames, preset: str) -> list[bytes]:
    return [frame.tobytes() for frame in frames]


def _decode_raw(packets: Sequence[Packet], extradata: bytes, out: Frames) -> None:
    for frame, packet in zip(out, packets, strict=False):
        if len(packet) != frame.size:
            raise BlockError(f"a raw packet has {len(packet)} bytes; its frame has {frame.size}")
        frame[...] = np.frombuffer(packet, np.uint8).reshape(frame.shape)


_CODECS = (
    Codec(0, "raw", GRAY8, _encode_raw, _decode_raw),
    Codec(1, "x264", GRAY8, video.encode_x264, video.decode_h264),
)
_PRESETS = (
    Preset(1, "x264-fast", "x264"),
    Preset(2, "x264-interm", "x264"),
    Preset(3, "x264-slow", "x264"),
)

BY_ID = {codec.id: codec for codec in _CODECS}
BY_NAME = {codec.name: codec for codec in _CODECS}
PRESETS = {preset.name: preset for preset in _PRESETS}
PRESETS_BY_ID = {preset.id: preset for preset in _PRESETS}
RAW = BY_NAME["raw"]


@dataclass(frozen=True)
class Coding:
    """How to encode: a codec of the table and one of its presets.

    Raises
    ------
    UnsupportedError
        If there is no such codec or preset, or the preset is another codec's.
    """

    codec: str = "x264"
    preset: str = "x264-interm"

    def __post_init__(self) -> None:
        choices = sorted({preset.codec for preset in _PRESETS})
        if self.codec not in choices:
            raise UnsupportedError(f"no codec {self.codec!r}; there is {', '.join(choices)}")
        fitting = [preset.name for preset in _PRESETS if preset.codec == self.codec]
        if self.preset not in fitting:
            raise UnsupportedError(
                f"no preset {self.preset!r} of codec {self.codec}; there are {', '.join(fitting)}"
            )


def library_versions() -> dict[str, Any]:
    """Versions of PyAV and of the FFmpeg libraries in it, for provenance."""
    return video.library_versions()
