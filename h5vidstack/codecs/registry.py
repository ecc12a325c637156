"""The tables of codecs and of codings: permanent ids, names, and how each is run.

A *codec* turns the ``(n, H, W)`` values of one *stream*, of 1 to 64 bits, into packets and back.
Each has a file of its own beside this one. A *preset* is a codec with its settings, and a
*coding* is a preset with its quality. All other packages find codecs and presets by these tables
alone, and learn what they can do from `codec.Codec`.

To add a codec, write its file, add its rows to `_CODECS` and `_PRESETS`, and describe it in
spec/format.md.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import UnsupportedError
from . import deflate, ffv1, h264, lpc, lzma, mpeg4, raw, x264
from .codec import Codec, Encoded, Plane

_CODECS = (
    Codec(0, "raw", raw.DEPTHS, raw.encode, raw.decode, bytewise=True, intra=True),
    Codec(1, "lpc", tuple(range(1, 17)), lpc.encode, lpc.decode, configured=True, seeks=True),
    Codec(
        2, "x264", x264.DEPTHS, x264.encode, x264.decode,
        takes_crf=True, of_sample=0.95, ffmpeg="h264",
        entries=h264.entries, display_order=h264.display_order,
    ),
    Codec(3, "ffv1", ffv1.DEPTHS, ffv1.encode, ffv1.decode, ffmpeg="ffv1"),
    Codec(4, "mpeg4", mpeg4.DEPTHS, mpeg4.encode, mpeg4.decode, lossless=False, ffmpeg="mpeg4"),
    Codec(
        5, "deflate", deflate.DEPTHS, deflate.encode, deflate.decode,
        bytewise=True, intra=True, predicted=True,
    ),
    Codec(
        6, "lzma", lzma.DEPTHS, lzma.encode, lzma.decode,
        bytewise=True, whole=True, configured=True, predicted=True, thorough=True,
    ),
)  # fmt: skip
BY_ID = {codec.id: codec for codec in _CODECS}
CODECS = {codec.name: codec for codec in _CODECS}
RAW = CODECS["raw"]
"""What other packages fall back on: it takes values of any number of bits."""


@dataclass(frozen=True)
class Preset:
    """One row of the table of presets.

    Attributes
    ----------
    id
        The number that HDF5 filter parameters store. It is permanent.
    name
        What users write.
    codec, options
        The codec, and the settings that it gets.
    lossless
        Decoding gives back what was encoded.
    usual
        Naming the codec alone means this preset; without one, the codec's first preset.
    """

    id: int
    name: str
    codec: Codec
    options: Mapping[str, str] = field(hash=False)
    lossless: bool = True
    usual: bool = False


def _lpc(references: str, rows: int, passes: int = 1) -> dict[str, str]:
    """Return the settings of lpc for a preset."""
    return {"references": references, "classes": "4", "rows": str(rows), "passes": str(passes)}


_PRESETS = (
    Preset(1, "raw", CODECS["raw"], {}),
    Preset(2, "lpc-fast", CODECS["lpc"], _lpc("centre", rows=13), usual=True),
    Preset(3, "lpc-chain", CODECS["lpc"], _lpc("chain", rows=5)),
    Preset(4, "lpc-slow", CODECS["lpc"], _lpc("chain", rows=3, passes=2)),
    Preset(5, "x264-fast", CODECS["x264"], x264.lossless("veryfast")),
    Preset(6, "x264-interm", CODECS["x264"], x264.lossless("medium"), usual=True),
    Preset(7, "x264-slow", CODECS["x264"], x264.lossless("veryslow")),
    Preset(8, "ffv1", CODECS["ffv1"], {"context": "0"}),
    Preset(9, "ffv1-context", CODECS["ffv1"], {"context": "1"}, usual=True),
    # The constant quantiser 2, FFmpeg's second finest, in units of FF_QP2LAMBDA (118).
    Preset(10, "mp4", CODECS["mpeg4"], {"flags": "+qscale", "global_quality": "236"}, False),
    # zlib then looks for runs only. It is twice as fast, and no worse where differences are coded.
    Preset(11, "deflate-runs", CODECS["deflate"], {"level": "1", "strategy": str(zlib.Z_RLE)}),
    Preset(12, "deflate", CODECS["deflate"], {"level": "6"}, usual=True),
    Preset(13, "lzma", CODECS["lzma"], {"level": "6"}),
    Preset(14, "lzma-slow", CODECS["lzma"], {"level": str(9 | 1 << 31)}),  # PRESET_EXTREME
)
PRESETS = {preset.name: preset for preset in _PRESETS}
PRESETS_BY_ID = {preset.id: preset for preset in _PRESETS}

MAX_CRF = 51


@dataclass(frozen=True)
class Coding:
    """How to encode a stream: a preset, and its quality where it is lossy.

    Parameters
    ----------
    preset
        A name of the table.
    crf
        Lossy: the constant rate factor of x264, 0 (finest) to 51.

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
        if not self.codec.takes_crf:
            kind = "lossless" if self.row.lossless else "lossy in its own way"
            able = ", ".join(codec.name for codec in CODECS.values() if codec.takes_crf)
            raise UnsupportedError(
                f"crf is the quality of lossy {able}; {self.codec.name} is {kind} and has none"
            )
        number = isinstance(self.crf, (int, float)) and not isinstance(self.crf, bool)
        if not number or not 0 <= self.crf <= MAX_CRF:
            raise UnsupportedError(f"crf is {self.crf}; it must be 0 (finest) to {MAX_CRF}")

    @staticmethod
    def of(codec: str | None, preset: str | None = None, crf: float | None = None) -> Coding:
        """Return the coding that a codec, a preset or both name; without either, the default.

        Raises
        ------
        UnsupportedError
            If there is no such codec or preset, or they do not go together.
        """
        if codec is None:
            return Coding(preset, crf) if preset is not None else Coding(crf=crf)
        if codec not in CODECS:
            raise UnsupportedError(f"no codec {codec!r}; there is {', '.join(CODECS)}")
        own = [row for row in _PRESETS if row.codec is CODECS[codec]]
        usual = next((row for row in own if row.usual), own[0])
        coding = Coding(preset or usual.name, crf)
        if coding.row not in own:
            raise UnsupportedError(
                f"no preset {preset!r} of codec {codec}; there is "
                f"{', '.join(row.name for row in own)}"
            )
        return coding

    @property
    def row(self) -> Preset:
        """The preset's row of the table."""
        return PRESETS[self.preset]

    @property
    def codec(self) -> Codec:
        """The codec's row of the table."""
        return self.row.codec

    @property
    def lossless(self) -> bool:
        """Whether decoding gives back what was encoded."""
        return self.row.lossless and self.crf is None

    def encode(self, frames: Plane, depth: int) -> Encoded:
        """Encode the frames of one stream; see `codec.Codec`."""
        options = dict(self.row.options)
        if self.crf is not None:
            options["crf"] = str(self.crf)
        return self.codec.encode(frames, depth, options)

    def __str__(self) -> str:
        return self.preset + (f" crf {self.crf:g}" if self.crf is not None else "")
