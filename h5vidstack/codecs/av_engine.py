"""The PyAV engine, which runs FFmpeg's codecs on gray frames.

FFmpeg's scaler (swscale) never touches a pixel: values are copied into and out of the planes of
pictures. Each codec context has one thread, because blocks are coded in parallel already, and
FFmpeg's own threads add delay. Each call opens a context of its own, which takes 0.05 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from ..errors import BlockError, UnsupportedError
from .av_planes import plane_items, plane_rows
from .codec import Encoded, Packet, Plane
from .h264 import MAX_UNITS, START_CODE


@dataclass(frozen=True)
class Engine:
    """How FFmpeg runs one codec for gray frames.

    Attributes
    ----------
    encoder, decoder
        FFmpeg's names.
    formats
        FFmpeg's pixel format for encoding, by bit depth.
    decoded
        The pixel formats in which the decoder may give gray (in plane 0), by bit depth.
    options
        Options of the encoder, whatever the preset.
    told
        The decoder must be told size and pixel format, which are not in its packets.
    margin
        How many pixels the decoder adds to each edge of a picture when it checks ``max_pixels``.
    tidy
        What is done to the first packet.
    units
        Packets are NAL units in Annex B form.
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

    @property
    def depths(self) -> tuple[int, ...]:
        """The bit depths that it codes, ascending."""
        return tuple(sorted(self.formats))

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
                f"with {dict(options)}: {error.strerror}; choose another codec"
            ) from error
        if len(packets) != n:
            raise UnsupportedError(
                f"FFmpeg's {self.encoder} made {len(packets)} packets of {n} frames; choose "
                "another codec"
            )
        if self.tidy is not None:
            packets[0] = self.tidy(packets[0])
        return packets, context.extradata or b""

    def decode(
        self,
        packets: Sequence[Packet],
        configuration: bytes,
        depth: int,
        out: Plane,
        first: int = 0,
    ) -> None:
        """Decode ``len(out)`` frames of a stream into ``out``, from frame `first` on.

        Raises
        ------
        BlockError
            If the stream is damaged, or is not gray of ``out``'s size and this depth.
        """
        n, height, width = out.shape
        # Each block gets a new decoder. Otherwise what a hostile stream leaves in it would show
        # in the next block.
        context = self._decoder((height, width), depth, configuration)
        done = -first
        try:
            for frame in _decoded(context, packets, self.units):
                if (frame.height, frame.width) != (height, width):
                    raise BlockError(
                        f"a stream of {frame.height}x{frame.width} stands where "
                        f"{height}x{width} was promised"
                    )
                if done == -first and not frame.key_frame:
                    raise BlockError("a stream does not begin with a key frame")
                # Only a key frame can change the format, and asking for it costs 10 us a frame.
                if frame.key_frame and frame.format.name not in self.decoded[depth]:
                    raise BlockError(
                        f"a stream has pixel format {frame.format.name}, not {depth}-bit gray"
                    )
                if done >= 0:
                    out[done] = plane_items(frame.planes[0], out.dtype)
                done += 1
                if done == n:
                    return
        except av.FFmpegError as error:
            raise BlockError(
                f"FFmpeg cannot decode frame {done + first} of a stream: {error}"
            ) from error
        except ValueError as error:  # a picture of another depth than its key frame
            raise BlockError(
                f"frame {done + first} of a stream has another depth than the first"
            ) from error
        raise BlockError(f"a stream ends after {done + first} of {n + first} frames")

    def _encoder(self, shape: tuple[int, ...], depth: int, options: Mapping[str, str]) -> Any:
        n, height, width = shape
        context: Any = VideoCodecContext.create(self.encoder, "w")
        context.width, context.height, context.pix_fmt = width, height, self.formats[depth]
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.thread_count = 1
        context.gop_size = n
        context.options = {**self.options, **options}
        return context

    def _decoder(self, edges: tuple[int, int], depth: int, configuration: bytes) -> Any:
        height, width = edges
        context: Any = VideoCodecContext.create(self.decoder, "r")
        context.thread_count = 1
        context.options = {
            # A hostile stream may name another size. FFmpeg must refuse it before it allocates.
            "max_pixels": str((_padded(height) + self.margin) * (_padded(width) + self.margin)),
            # Without this, FFmpeg up to 7 interpolates MPEG-4 by code that is sometimes off by 1.
            "flags": "+bitexact",
        }
        if self.told:
            context.width, context.height = width, height
            context.pix_fmt = self.formats[depth]
        if configuration:
            context.extradata = configuration
        return context

    def _picture(self, pixels: Plane, depth: int, pts: int) -> VideoFrame:
        height, width = pixels.shape
        frame = VideoFrame(width, height, self.formats[depth])
        plane_items(frame.planes[0], pixels.dtype)[...] = pixels
        for chroma in frame.planes[1:]:  # MPEG-4 has no gray pixel format
            plane_rows(chroma)[...] = 128
        frame.pts = pts
        return frame


def library_versions() -> dict[str, Any]:
    """Return the versions of PyAV and of the FFmpeg libraries in it."""
    libraries = {name: ".".join(map(str, v)) for name, v in av.library_versions.items()}
    return {"PyAV": av.__version__, **libraries}


def _decoded(
    context: VideoCodecContext, packets: Sequence[Packet], units: bool
) -> Iterator[VideoFrame]:
    """Feed packets only while the caller still asks for frames; drain at the end."""
    for data in packets:
        if units and bytes(data).count(START_CODE) > MAX_UNITS:
            raise BlockError(f"a packet has more than {MAX_UNITS} NAL units")
        # The data are copied into the packet, because FFmpeg's decoders may read the zeros that
        # it has behind them.
        packet = av.Packet(len(data))
        packet.update(data)  # type: ignore[arg-type]
        yield from context.decode(packet)
    yield from context.decode(None)


def _padded(edge: int) -> int:
    """Return an edge as FFmpeg counts it: whole macroblocks, with room for alignment."""
    return (edge + 63) // 64 * 64
