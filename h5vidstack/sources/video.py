"""Frames from video files, by PyAV, and whether they are all of them and sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..codecs import h264
from ..errors import SourceError
from ..text import in_words
from .base import Array, FrameSource, LabelledFrames, SourceOptions
from .ffmpeg_log import listening, logged_errors
from .packet_record import PacketRecord
from .pixel_formats import (
    Kind,
    PixelFormat,
    check_use,
    conversion,
    find_format,
    format_notes,
    is_neutral,
    luma_only,
    pixels,
)
from .streams import Choice, choose_stream, open_video

_CHECKS = {"err_detect": "crccheck+bitstream+buffer"}
"""What decoders look for. They do not stop at it ("explode"): the log tells all of it, and of a
stream that begins in the middle only some errors are damage."""

_UNALIGNED, _OUTPUT_CORRUPT, _COPY_OPAQUE = 1, 1 << 3, 1 << 7
"""Flags of decoders: cut edges off to the pixel; give doubtful frames, too, and mark them; say
which packet a frame is of. Source: libavcodec/avcodec.h."""

_AFTER_LEAD_IN = ("h264: mmco: ", "h264: number of reference frames")
"""Beginnings of messages that, up to the second key frame, say no more than that pictures before
the first are not in the file, which need not be needed. A lost picture has other messages, too."""

_PATIENCE = 100
"""How often reading may fail in a row, where damage is accepted, until the file counts as over."""


def video_source(path: Path, options: SourceOptions) -> VideoSource:
    """Open the film of a video file; see `streams.choose_stream` and `VideoSource`."""
    return VideoSource(path, options)


class VideoSource(FrameSource):
    """The frames of a video stream, each gray, RGB or RGBA by its pixel format.

    Attributes
    ----------
    path
        The file.
    stream
        Number of the stream among all of the file.
    """

    def __init__(self, path: Path, options: SourceOptions) -> None:
        chosen = choose_stream(path, options.stream)
        self.path, self.stream = path, chosen.index
        reading = _Reading(path, chosen, options)
        super().__init__(reading.frames(), str(path), chosen.stated or None, options.gray)
        self.conversion = reading.conversion
        self.notes, self.doubtful = reading.notes, reading.doubtful
        self.file_bytes = path.stat().st_size


class _Reading:
    """One pass over a stream.

    Attributes
    ----------
    notes, doubtful, conversion
        As of `Source`.
    """

    def __init__(self, path: Path, chosen: Choice, options: SourceOptions) -> None:
        self._path, self._chosen, self._options = path, chosen, options
        self._record = PacketRecord(path, chosen)
        self._format: PixelFormat | None = None
        self._shape: tuple[str, int, int] | None = None
        self._alpha = self._monochrome = False
        self._given = 0
        self._spoiled = False
        self._causes: list[str] = []
        self.notes = list(chosen.notes)
        self.doubtful: list[int] = []
        self.conversion: str | None = None

    def frames(self) -> LabelledFrames:
        """Yield the frames, and see that none is damaged or missing."""
        with listening(), open_video(self._path) as container:
            stream = container.streams[self._chosen.index]
            context = stream.codec_context
            # FFmpeg's own threads would make it unknown to which frame an error belongs.
            context.thread_count = 1
            context.options = _CHECKS
            context.flags |= _UNALIGNED | _OUTPUT_CORRUPT | _COPY_OPAQUE
            for packet in self._packets(container, stream):
                for frame in self._decode(context, packet):
                    yield f"frame {self._given} of {self._path}", self._take(frame, stream)
                    self._given += 1
        self._check_end()

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield the packets, and None at the end."""
        import av

        failures = 0
        packets = container.demux(stream)
        while failures <= _PATIENCE:
            packet, failure = None, ""
            with logged_errors() as errors:
                try:
                    packet = next(packets, None)
                except av.FFmpegError as error:
                    failure = str(error.strerror)
            if errors or failure:
                self._damaged(self._record.newest + 1, (errors or [failure])[0])
            if failure:
                packets = container.demux(stream)
                failures += 1
                continue
            if packet is None:
                break
            failures = 0
            if packet.size:
                yield packet
            elif packet.dts is not None:
                self._record.add_empty()
        yield None

    def _decode(self, context: Any, packet: Any) -> list[Any]:
        """The frames that come of a packet, without those before the first whole picture."""
        import av

        record, frames, failure = self._record, [], ""
        if packet is not None:
            record.add(packet)
            packet.opaque = record.newest
        with logged_errors() as errors:
            try:
                frames = context.decode(packet)
            except av.FFmpegError as error:
                failure = str(error.strerror)
        if packet is not None and packet.is_corrupt:
            errors.append("the file itself marks it as damaged or incomplete")
        trouble = [*errors, failure] if failure else errors
        if record.first_group:
            trouble = [one for one in trouble if not one.startswith(_AFTER_LEAD_IN)]
        if trouble and record.leads_in(record.newest):
            self._spoiled = True  # and so is all that builds on it, up to the first key frame
        elif trouble:
            self._damaged(record.newest, trouble[0])
            record.doubt(record.newest)
        sound: list[Any] = []
        for frame in frames:
            number = record.newest if frame.opaque is None else frame.opaque
            bad = bool(frame.is_corrupt)
            if (bad or self._spoiled) and record.leads_in(number):
                continue
            if bad:
                self._damaged(number, "FFmpeg decoded it with errors")
                record.doubt(number)
            record.give(number, self._given + len(sound))
            sound.append(frame)
        return sound

    def _damaged(self, packet: int, why: str) -> None:
        """Refuse damage, or remember it."""
        if not self._options.accept_damaged:
            raise SourceError(
                f"frame {self._record.place(packet)} of {self._path} is damaged: {why}. "
                "--accept-damaged (accept_damaged=True) packs what can be decoded"
            )
        self._causes.append(why)

    def _take(self, frame: Any, stream: Any) -> Array:
        """The pixels of a frame, which must be of one kind with the first."""
        shape = frame.format.name, frame.width, frame.height
        if self._format is None or self._shape is None:
            self._format, self._shape = self._begin(frame, stream), shape
        elif shape != self._shape:
            now, first = (f"{one[1]}x{one[2]} {one[0]}" for one in (shape, self._shape))
            raise SourceError(
                f"frame {self._given} of {self._path} is {now}, but frame 0 is {first}: all frames "
                "must be of one size and pixel format"
            )
        if self._monochrome and not is_neutral(frame):
            raise SourceError(
                f"frame {self._given} of {self._path} has colour, though its head tells of luma "
                "only; --gray (gray=True) keeps the luma"
            )
        taken = pixels(frame, self._format, self._options.gray)
        if self._format.kind is Kind.PALETTE:
            taken = self._with_alpha(taken)
        return taken

    def _begin(self, frame: Any, stream: Any) -> PixelFormat:
        """See what the first frame is, and say what is to be said of all."""
        gray = self._options.gray
        found = find_format(frame.format.name, str(self._path))
        context = stream.codec_context
        head = (context.extradata or b"") if context.name == "h264" else b""
        if found.kind is Kind.YUV and h264.is_monochrome(head):
            self._monochrome, found = not gray, luma_only(found)
        if context.name == "mjpeg" and found.alpha:
            raise SourceError(
                f"{self._path} has JPEGs of four inks (CMYK), and FFmpeg makes colours of them: "
                "read it by another library and pack the array"
            )
        check_use(found, gray, str(self._path))
        self._refuse_negative(found, context)
        self.conversion = conversion(found, gray)
        self.notes += format_notes(found, gray)
        turned = getattr(frame, "rotation", 0)  # PyAV 14.0 does not have it
        if turned:
            self.notes.append(
                f"{self._path} asks players to turn its pictures by {turned} degrees; "
                "frames are kept as they are stored."
            )
        if stream.metadata.get("alpha_mode") == "1" and not found.alpha:
            self.notes.append(
                f"The alpha of {self._path}, a stream within its stream, was left out."
            )
        return found

    def _refuse_negative(self, found: PixelFormat, context: Any) -> None:
        """Refuse gray that may be stored with 0 for white, without a word of that."""
        raw = context.name == "rawvideo" and self._chosen.container == "mov"
        if raw and found.kind in (Kind.GRAY, Kind.BIT) and found.bits <= 8:
            raise SourceError(
                f"{self._path} is uncompressed gray video of {found.bits} bits in a QuickTime "
                "file. FFmpeg writes it with 0 for white, and reads it as if 0 were black. If a "
                "player shows a negative, convert it first by ffmpeg -i IN -vf negate -c:v ffv1 "
                f"-pix_fmt {found.name} OUT.mkv, else without -vf negate"
            )

    def _with_alpha(self, taken: Array) -> Array:
        """Make all frames of a palette like the first: without alpha, or with it."""
        import numpy as np

        if not self._given:
            self._alpha = taken.shape[2] == 4
        if self._alpha and taken.shape[2] == 3:
            return np.pad(taken, ((0, 0), (0, 0), (0, 1)), constant_values=255)
        return taken

    def _check_end(self) -> None:
        """See that all came that the file says it holds, and say what is to be said."""
        path, record = self._path, self._record
        self.doubtful += record.doubtful()
        missing = record.missing()
        if missing:
            if not self._options.accept_damaged:
                end = f"after frame {self._given - 1}" if self._given else "before the first frame"
                raise SourceError(
                    f"{path} {missing}: it is cut off or was never finished, {end}. "
                    "--accept-damaged (accept_damaged=True) packs what there is"
                )
            self.notes.append(f"{path} {missing}: it is cut off or was never finished.")
        if self.doubtful:
            self.notes.append(
                f"Doubtful, because FFmpeg decoded them from damaged data ({self._causes[0]}): "
                f"{in_words('frame', self.doubtful)}."
            )
        elif self._causes:
            self.notes.append(f"{path} is damaged ({self._causes[0]}), but no frame is doubtful.")
        self.notes += record.notes()
