"""The tables of codecs and codings: permanent ids, names, and how to run each.

A *codec* turns the ``(n, H, W)`` values of one *stream*, of 1 to 64 bits, into packets
and back. A *coding* is a codec with its settings. Everything above this package names
both only by these tables.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..codecs import av_engine, bytewise, lpc
from ..errors import UnsupportedError
from .av_engine import Encoded, Plane, library_versions

__all__ = ["BY_ID", "CODECS", "PRESETS", "Coding", "Encoded", "Plane", "library_versions"]

Packet = bytes | memoryview


@dataclass(frozen=True)
class Codec:
    """One row of the table of codecs.

    Attributes
    ----------
    id
        Number stored in blocks. Permanent: never reused for another codec.
    name
        What users write.
    depths
        Bit depths that it codes, ascending; a stream takes the least that holds it.
    encode
        ``encode(frames, depth, options) -> packets, extradata``.
    decode
        ``decode(packets, extradata, depth, out)``: fills ``out`` with the first
        ``len(out)`` frames, or raises `BlockError`.
    whole
        One packet holds all frames; else each has its own.
    configured
        Its streams have a decoder configuration. In a stream of another codec FFmpeg would take
        one: for FFV1 of a version whose slices may overlap, or for units that no start code tells.
    intra
        Every packet can be decoded without those before it.
    seeks
        `decode` takes the number of the first frame that is wanted, too, and decodes of those
        before it only what others refer to; ``out`` begins with that frame.
    bytewise
        It sees no pictures, and holds values of up to 64 bits.
    predicted
        It does better with differences of values; see `transforms.Predictor`.
    lossless
        Whether every coding of it is.
    of_sample
        Size of whole blocks over what a sample of stripes and short runs shows, as measured: motion
        is found better in whole frames.
    """

    id: int
    name: str
    depths: tuple[int, ...]
    encode: Callable[[Plane, int, Mapping[str, str]], Encoded]
    decode: Callable[..., None]
    whole: bool = False
    configured: bool = False
    intra: bool = False
    seeks: bool = False
    bytewise: bool = False
    predicted: bool = False
    lossless: bool = True
    of_sample: float = 1.0

    def depth_for(self, bits: int) -> int | None:
        """The least depth that holds so many bits, or None."""
        return next((depth for depth in self.depths if depth >= bits), None)


def _video(number: int, name: str, engine: av_engine.Engine, **rest: Any) -> Codec:
    depths = tuple(sorted(engine.formats))
    return Codec(number, name, depths, engine.encode, engine.decode, **rest)


def _bytes(number: int, name: str, depths: tuple[int, ...], **rest: Any) -> Codec:
    encode, decode = getattr(bytewise, f"encode_{name}"), getattr(bytewise, f"decode_{name}")
    return Codec(number, name, depths, encode, decode, bytewise=True, **rest)


RAW = _bytes(0, "raw", tuple(range(1, 65)), intra=True)
_CODECS = (
    RAW,
    Codec(1, "lpc", tuple(range(1, 17)), lpc.encode, lpc.decode, configured=True, seeks=True),
    _video(2, "x264", av_engine.X264, of_sample=0.95),
    _video(3, "ffv1", av_engine.FFV1),
    _video(4, "mpeg4", av_engine.MPEG4, lossless=False),
    _bytes(5, "deflate", tuple(range(8, 65, 8)), intra=True, predicted=True),
    _bytes(6, "lzma", (8, 16, 32, 64), whole=True, configured=True, predicted=True),
)
BY_ID = {codec.id: codec for codec in _CODECS}
CODECS = {codec.name: codec for codec in _CODECS}


@dataclass(frozen=True)
class Preset:
    """One row of the table of codings; `id` is stored in HDF5 filter parameters."""

    id: int
    name: str
    codec: Codec
    options: Mapping[str, str] = field(hash=False)
    lossless: bool = True


def _lpc(references: str, rows: int, passes: int = 1) -> dict[str, str]:
    return {"references": references, "classes": "4", "rows": str(rows), "passes": str(passes)}


def _x264(preset: str) -> dict[str, str]:
    # qp=0 is x264's lossless mode at 8 and 10 bits; crf=0 is not.
    return {"preset": preset, "qp": "0"}


_PRESETS = (
    Preset(1, "raw", RAW, {}),
    Preset(2, "lpc-fast", CODECS["lpc"], _lpc("centre", rows=13)),
    Preset(3, "lpc-chain", CODECS["lpc"], _lpc("chain", rows=5)),
    Preset(4, "lpc-slow", CODECS["lpc"], _lpc("chain", rows=3, passes=2)),
    Preset(5, "x264-fast", CODECS["x264"], _x264("veryfast")),
    Preset(6, "x264-interm", CODECS["x264"], _x264("medium")),
    Preset(7, "x264-slow", CODECS["x264"], _x264("veryslow")),
    Preset(8, "ffv1", CODECS["ffv1"], {"context": "0"}),
    Preset(9, "ffv1-context", CODECS["ffv1"], {"context": "1"}),
    # The constant quantiser 2, FFmpeg's finest but one, in units of FF_QP2LAMBDA.
    Preset(10, "mp4", CODECS["mpeg4"], {"flags": "+qscale", "global_quality": "236"}, False),
    # It looks for nothing but runs: twice as fast, and no worse where differences are coded.
    Preset(11, "deflate-runs", CODECS["deflate"], {"level": "1", "strategy": str(zlib.Z_RLE)}),
    Preset(12, "deflate", CODECS["deflate"], {"level": "6"}),
    Preset(13, "lzma", CODECS["lzma"], {"level": "6"}),
    Preset(14, "lzma-slow", CODECS["lzma"], {"level": str(9 | 1 << 31)}),  # PRESET_EXTREME
)
PRESETS = {preset.name: preset for preset in _PRESETS}
PRESETS_BY_ID = {preset.id: preset for preset in _PRESETS}

_DEFAULT_PRESET = {
    "lpc": "lpc-fast",
    "x264": "x264-interm",
    "ffv1": "ffv1-context",
    "mpeg4": "mp4",
}
MAX_CRF = 51


@dataclass(frozen=True)
class Coding:
    """How to encode a stream: a preset, and its quality where it is lossy.

    Parameters
    ----------
    preset
        A name of the table.
    crf
        Lossy: x264's constant rate factor, 0 (finest) to 51.

    Raises
    ------
    UnsupportedError
        If there is no such preset, or it has no such quality.
    """

    preset: str = "x264-interm"
    crf: float | None = None

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise UnsupportedError(f"no preset {self.preset!r}; there is {', '.join(PRESETS)}")
        if self.crf is None:
            return
        if self.codec != "x264":
            kind = "lossless" if self.row.lossless else "lossy in its own way"
            raise UnsupportedError(
                f"crf is the quality of lossy x264; {self.codec} is {kind} and has none"
            )
        number = isinstance(self.crf, (int, float)) and not isinstance(self.crf, bool)
        if not number or not 0 <= self.crf <= MAX_CRF:
            raise UnsupportedError(f"crf is {self.crf}; it must be 0 (finest) to {MAX_CRF}")

    @staticmethod
    def of(codec: str | None, preset: str | None = None, crf: float | None = None) -> Coding:
        """The coding that a codec, a preset or both name; neither: the default.

        Raises
        ------
        UnsupportedError
            If there is no such codec or preset, or they do not go together.
        """
        if codec is None:
            return Coding(preset, crf) if preset is not None else Coding(crf=crf)
        if codec not in CODECS:
            raise UnsupportedError(f"no codec {codec!r}; there is {', '.join(CODECS)}")
        coding = Coding(preset or _DEFAULT_PRESET.get(codec, codec), crf)
        if coding.codec != codec:
            fitting = [row.name for row in _PRESETS if row.codec.name == codec]
            raise UnsupportedError(
                f"no preset {preset!r} of codec {codec}; there is {', '.join(fitting)}"
            )
        return coding

    @property
    def codec(self) -> str:
        """The codec's name."""
        return self.row.codec.name

    @property
    def row(self) -> Preset:
        """The preset's row of the table."""
        return PRESETS[self.preset]

    @property
    def engine(self) -> Codec:
        """The codec's row of the table."""
        return self.row.codec

    @property
    def lossless(self) -> bool:
        """Whether the coding gives back what it was given."""
        return self.row.lossless and self.crf is None

    def encode(self, frames: Plane, depth: int) -> Encoded:
        """Encode the frames of one stream; see `Codec`."""
        options = dict(self.row.options)
        if self.crf is not None:
            del options["qp"]
            options["crf"] = str(self.crf)
        return self.engine.encode(frames, depth, options)

    def __str__(self) -> str:
        return self.preset + (f" crf {self.crf:g}" if self.crf is not None else "")
