"""The PyAV engine: frames to packets and back, without swscale ever touching a pixel.

One thread a codec context: blocks are the unit of parallelism, and FFmpeg's own
threads add latency. Contexts cost 0.05 ms to open, so each call opens its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from ..errors import BlockError

_X264_PRESETS = {"x264-fast": "veryfast", "x264-interm": "medium", "x264-slow": "veryslow"}

# What FFmpeg's H.264 decoder calls monochrome 8-bit (it fills two gray chroma planes).
_GRAY_IN_PLANE_0 = ("gray", "yuv420p", "yuvj420p")


def encode_x264(frames: npt.NDArray[np.uint8], preset: str) -> list[bytes]:
    """Encode ``(n, H, W)`` uint8 frames as one closed lossless H.264 GOP.

    ``qp=0`` is x264's lossless mode (``crf=0`` is not). No B-frames and no scene
    cuts: packet i holds frame i, and the only key frame is the first.

    Returns
    -------
    list of bytes
        n packets; end to end they are an H.264 Annex B elementary stream.
    """
    n, height, width = frames.shape
    context = VideoCodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = width, height, "gray"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.thread_count = 1
    context.gop_size = n
    context.options = {
        "preset": _X264_PRESETS[preset],
        "qp": "0",
        "bf": "0",
        "sc_threshold": "0",
    }
    packets: list[bytes] = []
    for pts, pixels in enumerate(frames):
        frame = VideoFrame(width, height, "gray")
        _plane(frame)[...] = pixels
        frame.pts = pts
        packets += [bytes(packet) for packet in context.encode(frame)]
    packets += [bytes(packet) for packet in context.encode(None)]
    packets[0] = _without_sei(packets[0])
    return packets


def decode_h264(
    packets: Sequence[bytes | memoryview], extradata: bytes, out: npt.NDArray[np.uint8]
) -> None:
    """Decode the first ``len(out)`` frames of a gray H.264 stream into ``out`` (uint8).

    Raises
    ------
    BlockError
        If the stream is damaged, or is not 8-bit gray of ``out``'s height and width.
    """
    n, height, width = out.shape
    context = VideoCodecContext.create("h264", "r")
    context.thread_count = 1
    # A hostile stream may name another size: FFmpeg shall refuse it before it allocates.
    context.options = {"max_pixels": str(_padded(height) * _padded(width))}
    if extradata:
        context.extradata = extradata
    done = 0
    try:
        for frame in _decoded(context, packets):
            if (frame.height, frame.width) != (height, width):
                raise BlockError(
                    f"a stream of {frame.height}x{frame.width} stands where "
                    f"{height}x{width} was promised"
                )
            # Asking costs 10 us a frame, and only a key frame can change it.
            if frame.key_frame and frame.format.name not in _GRAY_IN_PLANE_0:
                raise BlockError(f"a stream of pixel format {frame.format.name}, not 8-bit gray")
            out[done] = _plane(frame)
            done += 1
            if done == n:
                return
    except av.FFmpegError as error:
        raise BlockError(f"FFmpeg cannot decode frame {done} of a stream: {error}") from error
    raise BlockError(f"a stream ends after {done} of {n} frames")


def library_versions() -> dict[str, Any]:
    """Versions of PyAV and of the FFmpeg libraries it carries."""
    libraries = {name: ".".join(map(str, v)) for name, v in av.library_versions.items()}
    return {"PyAV": av.__version__, **libraries}


def _decoded(
    context: VideoCodecContext, packets: Sequence[bytes | memoryview]
) -> Iterator[VideoFrame]:
    """Feed packets only while the caller still asks for frames; drain at the end."""
    for data in packets:
        yield from context.decode(av.Packet(data))  # type: ignore[arg-type]
    yield from context.decode(None)


def _plane(frame: VideoFrame) -> npt.NDArray[np.uint8]:
    """Writable ``(height, width)`` view of plane 0; rows are ``line_size`` bytes apart."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
    return rows[:, : plane.width]  # type: ignore[no-any-return]


def _padded(edge: int) -> int:
    """An edge as FFmpeg counts it: whole macroblocks, with room for alignment."""
    return (edge + 63) // 64 * 64


def _without_sei(packet: bytes) -> bytes:
    """Drop the SEI NAL units (type 6) of an Annex B packet.

    x264 writes half a kilobyte of its settings into every key frame; a block keeps
    them once, in the stack's attributes. Source: ITU-T H.264, 7.3.1 and annex B.
    """
    start_code = b"\x00\x00\x01"
    head, *units = packet.split(start_code)
    # The zero byte that may precede a start code stays with the unit before it.
    return head + b"".join(start_code + unit for unit in units if unit[0] & 0x1F != 6)
