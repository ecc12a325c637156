"""The PyAV engine: frames to packets and back, without swscale ever touching a pixel.

One thread a codec context: blocks are the unit of parallelism, and FFmpeg's own
threads add latency. Contexts cost 0.05 ms to open: each call opens its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from ..errors import BlockError, UnsupportedError
from .h264 import MAX_UNITS, START_CODE, without_sei

Plane = npt.NDArray[Any]
"""``(n, H, W)`` uint8 or uint16: the values of one stream."""


@dataclass(frozen=True)
class Engine:
    """How FFmpeg runs one codec for gray frames.

    Attributes
    ----------
    encoder, decoder
        FFmpeg's names.
    formats
        Bit depth to FFmpeg's pixel format for encoding.
    decoded
        Bit depth to the pixel formats in which the decoder may give gray (in plane 0).
    options
        Of the encoder, whatever the preset.
    told
        The decoder must be told size and pixel format, which are not in its packets.
    margin
        Pixels that the decoder allocates around a picture and counts.
    tidy
        What to do to the first packet.
    units
        Packets are NAL units, in Annex B form.
    """

    encoder: str
    decoder: str
    formats: Mapping[int, str]
    decoded: Mapping[int, tuple[str, ...]]
    options: Mapping[str, str]
    told: bool = False
    margin: int = 0
    tidy: Callable[[bytes], bytes] | None = None
    units: bool = False

    def encode(self, frames: Plane, depth: int, options: Mapping[str, str]) -> Encoded:
        """Encode frames as one closed GOP, one packet a frame.

        Raises
        ------
        UnsupportedError
            If FFmpeg refuses the frames' size or the options.
        """
        n, height, width = frames.shape
        context = self._encoder(frames.shape, depth, options)
        packets: list[bytes] = []
        try:
            for pts, pixels in enumerate(frames):
                packets += map(bytes, context.encode(self._picture(pixels, depth, pts)))
            packets += map(bytes, context.encode(None))
        except av.FFmpegError as error:
            raise UnsupportedError(
                f"FFmpeg's {self.encoder} does not take frames of {height}x{width} "
                f"with {dict(options)}: {error.strerror}"
            ) from error
        if len(packets) != n:
            raise UnsupportedError(
                f"FFmpeg's {self.encoder} made {len(packets)} packets of {n} frames"
            )
        if self.tidy is not None:
            packets[0] = self.tidy(packets[0])
        return packets, context.extradata or b""

    def decode(
        self, packets: Sequence[bytes | memoryview], extradata: bytes, depth: int, out: Plane
    ) -> None:
        """Decode the first ``len(out)`` frames of a stream into ``out``.

        Raises
        ------
        BlockError
            If the stream is damaged, or is not gray of ``out``'s size and this depth.
        """
        n, height, width = out.shape
        # A new one each time: what a hostile stream leaves in a decoder shows in the next block.
        context = self._decoder((height, width), depth, extradata)
        done = 0
        try:
            for frame in _decoded(context, packets, self.units):
                if (frame.height, frame.width) != (height, width):
                    raise BlockError(
                        f"a stream of {frame.height}x{frame.width} stands where "
                        f"{height}x{width} was promised"
                    )
                if not done and not frame.key_frame:
                    raise BlockError("a stream does not begin with a key frame")
                # Asking costs 10 us a frame, and only a key frame can change it.
                if frame.key_frame and frame.format.name not in self.decoded[depth]:
                    raise BlockError(
                        f"a stream of pixel format {frame.format.name}, not {depth}-bit gray"
                    )
                out[done] = _plane(frame, out.dtype)
                done += 1
                if done == n:
                    return
        except av.FFmpegError as error:
            raise BlockError(f"FFmpeg cannot decode frame {done} of a stream: {error}") from error
        except ValueError as error:  # a picture of another depth than its key frame
            raise BlockError(f"frame {done} of a stream is no picture as promised") from error
        raise BlockError(f"a stream ends after {done} of {n} frames")

    def _encoder(self, shape: tuple[int, ...], depth: int, options: Mapping[str, str]) -> Any:
        n, height, width = shape
        context: Any = VideoCodecContext.create(self.encoder, "w")
        context.width, context.height, context.pix_fmt = width, height, self.formats[depth]
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.thread_count = 1
        context.gop_size = n
        context.options = {**self.options, **options}
        return context

    def _decoder(self, edges: tuple[int, int], depth: int, extradata: bytes) -> Any:
        height, width = edges
        context: Any = VideoCodecContext.create(self.decoder, "r")
        context.thread_count = 1
        # A hostile stream may name another size: FFmpeg shall refuse it before it allocates.
        context.options = {
            "max_pixels": str((_padded(height) + self.margin) * (_padded(width) + self.margin)),
            # Else FFmpeg up to 7 interpolates MPEG-4 by code that is off by one here and there.
            "flags": "+bitexact",
        }
        if self.told:
            context.width, context.height = width, height
            context.pix_fmt = self.formats[depth]
        if extradata:
            context.extradata = extradata
        return context

    def _picture(self, pixels: Plane, depth: int, pts: int) -> VideoFrame:
        height, width = pixels.shape
        frame = VideoFrame(width, height, self.formats[depth])
        _plane(frame, pixels.dtype)[...] = pixels
        for chroma in frame.planes[1:]:  # MPEG-4 has no gray pixel format
            np.frombuffer(chroma, np.uint8)[...] = 128  # type: ignore[call-overload]
        frame.pts = pts
        return frame


Encoded = tuple[list[bytes], bytes]
"""Packets, and decoder configuration (FFmpeg's extradata)."""


def library_versions() -> dict[str, Any]:
    """Versions of PyAV and of the FFmpeg libraries it carries."""
    libraries = {name: ".".join(map(str, v)) for name, v in av.library_versions.items()}
    return {"PyAV": av.__version__, **libraries}


def _decoded(
    context: VideoCodecContext, packets: Sequence[bytes | memoryview], units: bool
) -> Iterator[VideoFrame]:
    """Feed packets only while the caller still asks for frames; drain at the end."""
    for data in packets:
        if units and bytes(data).count(START_CODE) > MAX_UNITS:
            raise BlockError(f"a packet of more than {MAX_UNITS} NAL units")
        # So it is copied, with the zeros behind it that FFmpeg's decoders may read.
        packet = av.Packet(len(data))
        packet.update(data)  # type: ignore[arg-type]
        yield from context.decode(packet)
    yield from context.decode(None)


def _plane(frame: VideoFrame, dtype: np.dtype[Any]) -> Plane:
    """Writable ``(height, width)`` view of plane 0; rows are ``line_size`` bytes apart."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)  # type: ignore[call-overload]
    return rows[:, : plane.width]  # type: ignore[no-any-return]


def _padded(edge: int) -> int:
    """An edge as FFmpeg counts it: whole macroblocks, with room for alignment."""
    return (edge + 63) // 64 * 64


# FFmpeg's H.264 decoder calls monochrome 4:2:0, and fills two gray chroma planes.
_H264_GRAY = {8: ("gray", "yuv420p", "yuvj420p"), 10: ("gray10le", "yuv420p10le")}

_X264_OPTIONS = {"bf": "0", "sc_threshold": "0"}  # packet i is frame i, one key frame

X264 = Engine(
    "libx264",
    "h264",
    {8: "gray", 10: "gray10le"},
    _H264_GRAY,
    _X264_OPTIONS,
    tidy=without_sei,
    units=True,
)
_FFV1_FORMATS = {8: "gray", 10: "gray10le", 12: "gray12le", 16: "gray16le"}
# Level 1 has neither slices, which cost 1 to 3 %, nor checksums, which the block has.
FFV1 = Engine(
    "ffv1",
    "ffv1",
    _FFV1_FORMATS,
    {depth: (name,) for depth, name in _FFV1_FORMATS.items()},
    {"level": "1", "coder": "range_tab"},
    told=True,
)
MPEG4 = Engine(
    "mpeg4", "mpeg4", {8: "yuv420p"}, {8: ("yuv420p",)}, {"bf": "0"}, margin=256
)  # fmt: skip
