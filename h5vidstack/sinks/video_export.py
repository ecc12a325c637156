"""The export of a stack, bit for bit, to a video file that any player opens."""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.video.frame import VideoFrame

from ..codecs.av_planes import plane_items
from ..codecs.block_format import Block, Stream
from ..codecs.transforms import Colour, Predictor
from ..errors import BlockError, NotExactError, OutputError, UnsupportedError
from ..layout.names import SEPARATOR
from ..layout.output import complete_or_absent
from ..pool import Progress, Step
from ..reading.chunk_grid import Chunks
from ..reading.stack_file import StackFile
from ..reading.stack_reader import StackReader
from ..shapes import MAX_EDGE, Pixels, Shape
from ..sources.overlap import refuse_source
from .timing import Timing, timing_of
from .video_properties import VideoProperties

CONTAINERS = {".mkv": "matroska", ".mp4": "mp4"}
MAX_FPS = 1000
"""The highest frame rate, because Matroska counts milliseconds."""

_COPIED = {"mp4": ("h264",), "matroska": ("h264", "ffv1")}
"""The codecs whose packets each container takes as they are, by FFmpeg's names."""
_OPTIONS = {
    "libx264": {"preset": "medium", "qp": "0"},
    "libx264rgb": {"preset": "medium", "qp": "0"},
    "ffv1": {"level": "1", "g": "16"},  # FFmpeg 7 codes tiny frames of level 3 wrongly
}
_PACKED = {"rgb24": (3, (0, 1, 2)), "bgr0": (4, (2, 1, 0)), "bgra": (4, (2, 1, 0, 3))}
"""The bytes of a pixel, and the places of R, G, B and A in them."""
_GBR = (2, 0, 1, 3)
"""The planes of R, G, B and A."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What `export` did.

    Attributes
    ----------
    path
        The video file.
    frames
        The number of frames.
    bytes
        The size of the file.
    copied
        Whether the file holds the stack's own packets. Otherwise the frames were coded again,
        losslessly.
    codec
        The codec of the video: ``"h264"`` or ``"ffv1"``.
    notes
        Whole sentences on what the video says otherwise than the stack.
    """

    path: str
    frames: int
    bytes: int
    copied: bool
    codec: str
    notes: tuple[str, ...] = ()


def export(
    source: StackReader | str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    fps: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write a stack as a video file, which is decoded and compared before it gets its name.

    The packets of a gray stack that is one H.264 or FFV1 video in order are copied. Other frames
    are coded again, losslessly: with H.264 for gray of up to 10 bits and for RGB in mp4, otherwise
    with FFV1, which only mkv takes.

    Frames are shown when the coordinate ``time`` says, also where they do not follow one another
    evenly. What the video file said that the frames came from is said again: tags, how pictures
    are turned, colour range, chapters. `Exported.notes` names what cannot be kept.

    Parameters
    ----------
    source
        A stack, or where it is: ``file.h5`` or ``file.h5::/path``.
    target
        ``x.mkv`` or ``x.mp4``.
    fps
        Frames a second, at most 1000, instead of the times of the stack. None: these, else what
        the source stated, else 25.
    overwrite
        Replace an existing target.
    progress
        Called with a `Step` as frames are written, and again as they are compared.

    Returns
    -------
    Exported

    Raises
    ------
    UnsupportedError
        If no video can hold the pixels exactly, or none in a file of that kind.
    OutputError
        If the target exists, cannot be written, or has an unknown ending.
    NotExactError
        If the file did not give back the stack's frames. The file is then removed.
    BlockError
        If a block is damaged.
    """
    if not isinstance(source, StackReader):
        with StackReader(source) as stack:
            return export(stack, target, fps=fps, overwrite=overwrite, progress=progress)
    path = Path(os.fsdecode(target))
    container = CONTAINERS.get(path.suffix.lower())
    if container is None or SEPARATOR in str(path):
        raise OutputError(f"cannot export to {path}: name it x.mkv or x.mp4")
    if fps is not None and not (math.isfinite(fps) and 1 / MAX_FPS <= fps <= MAX_FPS):
        raise OutputError(f"fps is {fps}; it must be {1 / MAX_FPS} to {MAX_FPS}")
    refuse_source(path, f"{source.path}{SEPARATOR}{source.stack}")
    _refuse_what_no_video_holds(source)
    video = _VideoExport(
        source, container, timing_of(source, container, fps), VideoProperties.of(source),
        progress or (lambda step: None),
    )  # fmt: skip
    with complete_or_absent(path, overwrite=overwrite) as temporary:
        copied = video.copy(temporary) and video.first_wrong(temporary) is None
        if not copied:
            video.encode(temporary)
            wrong = video.first_wrong(temporary)
            if wrong is not None:
                raise NotExactError(
                    f"frame {wrong} of {path} is not the stack's, so the file was removed; "
                    f"try {'x.mkv' if container == 'mp4' else 'unpack'}"
                )
    return Exported(
        path=str(path),
        frames=len(source),
        bytes=path.stat().st_size,
        copied=copied,
        codec=video.codec,
        notes=(*video.timing.notes, *video.notes),
    )


def _refuse_what_no_video_holds(stack: StackReader) -> None:
    """Raise UnsupportedError for frames that no video can hold."""
    if stack.dtype.kind == "f":
        raise UnsupportedError(
            f"no video holds {stack.dtype} pixels exactly; unpack to x.npy or "
            f"x.h5{SEPARATOR}/path, or as images (x.tif)"
        )
    if not len(stack):
        raise UnsupportedError("the stack has no frames yet; a video needs at least one")
    if max(stack.shape[1:3]) > MAX_EDGE:
        raise UnsupportedError(
            f"frames of {stack.shape[1]}x{stack.shape[2]} are larger than the {MAX_EDGE} "
            f"pixels that a video takes; unpack to x.npy or x.h5{SEPARATOR}/path"
        )


@dataclass
class _VideoExport:
    """The export of one stack to one file."""

    stack: StackReader
    container: str
    timing: Timing
    properties: VideoProperties
    progress: Progress
    codec: str = ""
    notes: list[str] = field(default_factory=list)

    def copy(self, path: Path) -> bool:
        """Write the stack's packets as they are; return whether they make one video."""
        stack = self.stack
        opened = StackFile(stack.path, stack.stack, stack.storage_options)
        with contextlib.closing(opened) as file:
            blocks = _blocks_in_order(file)
            if not blocks or file.shape != self.stack.shape:
                return False
            kinds, orders = set(), list[list[int]]()
            try:
                for stream in _streams(file, blocks):
                    kinds.add((stream.codec.ffmpeg, stream.depth) if stream else (None, 0))
                    orders.append(_display_order(stream))
            except BlockError:
                return False  # decoding then says which frames are damaged
            if len(kinds) != 1 or kinds.pop()[0] not in _COPIED[self.container]:
                return False
            self._mux(path, _streams(file, blocks), orders)
        return True

    def _mux(self, path: Path, streams: Iterator[Stream | None], orders: list[list[int]]) -> None:
        number, rate = 0, self.timing.rate
        # Decoding times are earlier, because no frame is shown before it is decoded.
        delay = max(at - shown for order in orders for at, shown in enumerate(order))
        with self._writing(path) as output, contextlib.ExitStack() as cleanup:
            target: Any = None
            stamp = self._stamping(delay)
            ranged: Callable[[bytes], Any] = _as_it_is
            for stream, order in zip(streams, orders, strict=True):
                if stream is None:  # never, because `copy` has looked at all streams
                    continue
                if target is None:
                    self.codec = str(stream.codec.ffmpeg)
                    like, ranged = self._like(cleanup, stream)
                    target = output.add_stream_from_template(like.streams.video[0])
                    target.time_base = self.timing.base
                    # PyAV 14 opens the encoder, which would refuse odd sizes of 4:2:0.
                    target.pix_fmt = _gray(stream.depth)
                    # Otherwise Matroska gets the 25 from the parameter sets of x264.
                    target.codec_context.framerate = rate
                    self.notes = self.properties.apply(output, target)
                first = number
                for place, data in enumerate(stream.packets):
                    packet: Any = (_as_it_is if place else ranged)(bytes(data))
                    packet.stream, packet.is_keyframe = target, place == 0
                    stamp(packet, first + order[place], number)
                    output.mux(packet)
                    number += 1
                    self.progress(Step(number, len(self.stack)))

    def _stamping(self, delay: int) -> Callable[[Any, int, int], None]:
        """Return a function that says when a packet is decoded, and when its frame is shown.

        Parameters
        ----------
        delay
            How many packets are decoded before the first frame is shown.
        """
        timing = self.timing
        shown, lasting = timing.ticks.tolist(), timing.durations().tolist()
        decoded = timing.decoding(delay).tolist()

        def stamp(packet: Any, frame: int, place: int) -> None:
            packet.pts, packet.dts, packet.duration = shown[frame], decoded[place], lasting[frame]
            packet.time_base = timing.base

        return stamp

    def _writing(self, path: Path) -> AbstractContextManager[Any]:
        options = self.properties.options(self.container, self.timing.base)
        return _writing(path, self.container, options)

    def _like(
        self, cleanup: contextlib.ExitStack, stream: Stream
    ) -> tuple[Any, Callable[[bytes], Any]]:
        """Open a video with the parameters of a block's stream, as a template for PyAV.

        Returns
        -------
        tuple
            The video, and a function that makes the packet of a block's first frame.
        """
        if self.codec != "h264":
            return cleanup.enter_context(self._like_ffv1(stream)), _as_it_is
        options = {"framerate": str(self.timing.rate)}
        first = bytes(stream.packets[0])
        like: Any = av.open(io.BytesIO(first), format="h264", options=options)
        cleanup.enter_context(like)
        told = like.streams.video[0].codec_context.color_range
        if told or not self.properties.full_range:
            return like, _as_it_is
        # mp4 itself has no place for the range alone, but the parameter sets do.
        template = like.streams.video[0]

        def ranged(data: bytes) -> Any:
            change = BitStreamFilterContext("h264_metadata=video_full_range_flag=1", template)
            (packet,) = [*change.filter(av.Packet(data)), *change.filter(None)]
            return packet

        told_so = av.open(io.BytesIO(bytes(ranged(first))), format="h264", options=options)
        return cleanup.enter_context(told_so), ranged

    def _like_ffv1(self, stream: Stream) -> Any:
        """Open a video of one frame of FFV1."""
        height, width = self.stack.shape[1:3]
        pixel_format = _gray(stream.depth)
        memory = io.BytesIO()
        with av.open(memory, "w", format=self.container) as output:
            video: Any = output.add_stream("ffv1", rate=self.timing.rate, options={"level": "1"})
            video.width, video.height, video.pix_fmt = width, height, pixel_format
            frame = VideoFrame(width, height, pixel_format)
            frame.pts = 0
            output.mux(video.encode(frame) + video.encode(None))
        memory.seek(0)
        return av.open(memory, format="matroska")

    def encode(self, path: Path) -> None:
        """Write all frames, coded again losslessly."""
        encoder, pixel_format = self._coding()
        self.codec = "ffv1" if encoder == "ffv1" else "h264"
        height, width = self.stack.shape[1:3]
        with self._writing(path) as output:
            rate = self.timing.rate
            video: Any = output.add_stream(encoder, rate=rate, options=_OPTIONS[encoder])
            video.width, video.height, video.pix_fmt = width, height, pixel_format
            # Frames are numbered for the encoder, and packets get their times from the numbers.
            video.codec_context.time_base, video.time_base = 1 / rate, self.timing.base
            self.notes = self.properties.apply(output, video)
            stamp: Callable[[Any, int, int], None] | None = None
            pictures = self._pictures(width, height, pixel_format)
            packets = itertools.chain.from_iterable(map(video.encode, pictures))
            for place, packet in enumerate(packets):
                stamp = stamp or self._stamping(max(0, -packet.dts))
                stamp(packet, packet.pts, place)
                output.mux(packet)

    def _pictures(self, width: int, height: int, pixel_format: str) -> Iterator[Any]:
        """Yield all frames as pictures, which are numbered, and None at the end."""
        for number, pixels in enumerate(self.stack):
            frame = VideoFrame(width, height, pixel_format)
            for view, channel in zip(_views(frame), _channels(pixels), strict=True):
                view[...] = channel
            frame.pts = number
            yield frame
            self.progress(Step(number + 1, len(self.stack)))
        yield None

    def _coding(self) -> tuple[str, str]:
        """Return FFmpeg's encoder and pixel format for the stack's frames."""
        bits = 8 if self.stack.dtype.itemsize == 1 and self.stack.dtype.kind != "i" else 16
        if bits > 8:
            bits = self._bits()
        channels = self.stack.shape[3] if self.stack.ndim == 4 else 1
        if channels == 1 and bits <= 10:
            return "libx264", _gray(8 if bits <= 8 else 10)
        if self.container == "mp4":
            if channels == 3 and bits <= 8:
                return "libx264rgb", "rgb24"
            raise UnsupportedError(
                f"mp4 does not hold {channels} channel{'s' * (channels > 1)} of {bits} bits "
                "exactly; export to x.mkv"
            )
        if channels == 1:
            return "ffv1", _gray(12 if bits <= 12 else 16)
        if bits <= 8:
            return "ffv1", "bgr0" if channels == 3 else "bgra"
        return "ffv1", "gbrp16le" if channels == 3 else "gbrap16le"

    def _bits(self) -> int:
        """Return the bits of the largest value, which takes a pass over all frames."""
        low = high = 0
        for frame in self.stack:
            low, high = min(low, int(frame.min())), max(high, int(frame.max()))
        if low < 0 or high >= 1 << 16:
            raise UnsupportedError(
                f"no video holds values from {low} to {high}, only 0 to 65535; unpack to x.npy or "
                f"x.h5{SEPARATOR}/path"
            )
        return high.bit_length()

    def first_wrong(self, path: Path) -> int | None:
        """Return the first frame of the file that is not the stack's, or None."""
        try:
            with av.open(f"file:{path}", format=self.container) as video:
                pairs = zip_longest(video.decode(video=0), self.stack)
                for number, (frame, pixels) in enumerate(pairs):
                    if frame is None or pixels is None or not _same(frame, pixels):
                        return number
                    self.progress(Step(number + 1, len(self.stack)))
        except av.FFmpegError:
            return 0
        return None


def _as_it_is(data: bytes) -> Any:
    return av.Packet(data)


def _blocks_in_order(file: StackFile) -> list[tuple[Chunks, Shape]]:
    """Return the blocks in the order of their frames; none unless each holds a run of frames."""
    if any(pile.chunks[1:] != pile.shape[1:] for pile in file.piles):
        return []
    if file.places is None:
        count = -(-file.piles[0].shape[0] // file.piles[0].chunks[0])
        return [(file.piles[0], (number, *(0 for _ in file.shape[1:]))) for number in range(count)]
    piles, positions = file.places
    lengths = np.array([pile.chunks[0] for pile in file.piles])[piles]
    starts = np.flatnonzero(positions % lengths == 0)
    follows = (np.diff(positions) == 1) & (np.diff(piles) == 0)
    follows[starts[1:] - 1] = True
    found = [
        (
            file.pile(int(piles[start])),
            (int(positions[start] // lengths[start]), *(0 for _ in file.shape[1:])),
        )
        for start in starts
    ]
    runs = np.diff([*starts, len(piles)]).tolist()
    whole = [pile.extent(chunk)[0] for pile, chunk in found]
    return found if follows.all() and starts[:1].tolist() == [0] and runs == whole else []


def _streams(file: StackFile, blocks: Sequence[tuple[Chunks, Shape]]) -> Iterator[Stream | None]:
    """Yield the stream of each block, or None where a block is not just one stream."""
    for pile, chunk in itertools.chain.from_iterable(file.fetched(blocks, lambda one: [one])):
        block = pile.block(chunk)
        if block is None or (block.frames, block.height, block.width) != pile.extent(chunk)[:3]:
            yield None
            return
        yield _only_stream(block)


def _display_order(stream: Stream | None) -> list[int]:
    """Return the place of each packet's picture in its block.

    It differs from the packet's own place only in H.264 that another program made.
    """
    if stream is None:
        return []
    if stream.codec.display_order is None:
        return list(range(len(stream.packets)))
    return stream.codec.display_order(list(map(bytes, stream.packets)))


def _only_stream(block: Block) -> Stream | None:
    """Return the stream whose values are the pixels, or None."""
    steps = (block.colour, block.predictor) != (Colour.NONE, Predictor.NONE)
    if steps or not block.mapping.trivial or block.channels > 1 or len(block.streams) != 1:
        return None
    stream = block.streams[0]
    return None if stream.low else stream


@contextlib.contextmanager
def _writing(path: Path, container: str, options: dict[str, str]) -> Iterator[Any]:
    """Make a video file, and turn FFmpeg's errors into ours."""
    try:
        with av.open(
            f"file:{path}", "w", format=container, container_options=options,
            metadata_errors="surrogateescape",
        ) as output:  # fmt: skip
            yield output
    except av.FFmpegError as error:
        if isinstance(error, OSError) and error.errno and not isinstance(error, ValueError):
            raise OutputError(f"cannot write the video: {error.strerror}") from error
        raise UnsupportedError(
            f"FFmpeg cannot make a {container} video of these frames: {error.strerror}; unpack them"
        ) from error


def _views(frame: Any) -> list[Pixels]:
    """Return ``(H, W)`` views of a picture: gray, or R, G, B[, A], without any conversion."""
    name, dtype = frame.format.name, np.uint16 if frame.format.name.endswith("le") else np.uint8
    if name in _PACKED:
        values, places = _PACKED[name]
        items = plane_items(frame.planes[0], dtype, values)
        pixels = items.reshape(frame.height, frame.width, values)
        return [pixels[..., place] for place in places]
    if name.startswith("gb"):
        return [plane_items(frame.planes[plane], dtype) for plane in _GBR[: len(frame.planes)]]
    return [plane_items(frame.planes[0], dtype)]


def _gray(depth: int) -> str:
    return "gray" if depth == 8 else f"gray{depth}le"


def _channels(pixels: Pixels) -> list[Pixels]:
    return [pixels] if pixels.ndim == 2 else list(np.moveaxis(pixels, -1, 0))


def _same(frame: Any, pixels: Pixels) -> bool:
    views, channels = _views(frame), _channels(pixels)
    return len(views) == len(channels) and all(map(np.array_equal, views, channels))
