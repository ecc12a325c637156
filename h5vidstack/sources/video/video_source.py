"""Frames from video files by PyAV, with checks that none is missing or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from ...codecs import h264
from ...errors import SourceError
from ...metadata.description import Metadata
from ...metadata.files import SourceFiles
from ...metadata.words import Words
from ...shapes import Pixels
from ...text import in_words
from ..frame_source import FrameSource, LabelledFrames
from ..headers import checked
from ..source import SourceFile, SourceOptions
from .ffmpeg_log import listening, logged_errors
from .packet_record import PacketRecord
from .pixel_formats import (
    PixelFormat,
    SampleKind,
    check_use,
    conversion,
    find_format,
    format_notes,
    is_neutral,
    luma_only,
    pixels,
)
from .streams import ChosenStream, choose_stream, open_video, stream_header
from .video_metadata import FrameTimes, video_words
from .video_samples import VideoSamples

_CHECKS = {"err_detect": "crccheck+bitstream+buffer"}
"""The errors that decoders look for. They do not stop at them ("explode"), because the log has
all of them, and in a stream that begins in the middle only some of them are damage."""

_UNALIGNED, _OUTPUT_CORRUPT, _COPY_OPAQUE = 1, 1 << 3, 1 << 7
"""Flags of decoders: crop to the pixel; give doubtful frames, too, and mark them; tell from which
packet a frame is. Source: libavcodec/avcodec.h."""

_AFTER_LEAD_IN = ("h264: mmco: ", "h264: number of reference frames")
"""How messages begin that are ignored up to the second key frame. There they only mean that the
file lacks pictures from before the first one. A lost picture has other messages, too."""

_PATIENCE = 100
"""If damage is accepted and reading fails more often than this in a row, the file is over."""


def video_source(file: SourceFile, options: SourceOptions) -> VideoSource:
    """Open the film of a video file; see `streams.choose_stream` and `VideoSource`."""
    source = VideoSource(file.path, options)
    return checked(source, file.path, stream_header(file.path, source.stream), options)


class VideoSource(FrameSource):
    """The frames of a video stream, which are gray, RGB or RGBA by its pixel format.

    Attributes
    ----------
    path
        The file.
    stream
        The number of the stream among all of the file.
    """

    def __init__(self, path: Path, options: SourceOptions) -> None:
        chosen = choose_stream(path, options.stream)
        self.path, self.stream, self.left_out = path, chosen.index, chosen.others
        self._samples = VideoSamples(path, chosen)
        self._reading = reading = _Reading(path, chosen, options)
        super().__init__(self._all(reading), str(path), chosen.stated or None, options.gray)
        self.conversion = reading.conversion
        self.notes, self.doubtful = reading.notes, reading.doubtful
        self.metadata = Metadata(words=reading.words, files=SourceFiles.of([path]))
        self.file_bytes = path.stat().st_size

    def likely_count(self) -> int | None:
        """Return the number of frames by what the file states, or by its first packets."""
        return self.count or self._samples.likely_count()

    def sample_run(self, share: float, length: int) -> Pixels:
        """Seek to the frames where the file has times, without the checks of a whole reading."""
        found = self._samples.run(share, length, luma=len(self.frame) == 2)
        self.metadata = replace(self.metadata, coords=self._reading.times.coordinates())
        if not found:
            return super().sample_run(share, length)
        label = f"a frame of {self.path}"
        if self.frame[2:] == (4,):  # the palette of another frame may lack alpha
            found = [_opaque(frame) for frame in found]
        return np.stack([self._check(label, frame) for frame in found])

    def _all(self, reading: _Reading) -> LabelledFrames:
        """Yield all frames, and note their times, which are known then."""
        yield from reading.frames()
        self.metadata = replace(self.metadata, coords=reading.times.coordinates())


class _Reading:
    """One pass over a stream.

    Attributes
    ----------
    notes, doubtful, conversion
        As those of a `Source`.
    words
        What the file says of itself; known with the first frame.
    times
        When the frames are shown.
    """

    def __init__(self, path: Path, chosen: ChosenStream, options: SourceOptions) -> None:
        self._path, self._chosen, self._options = path, chosen, options
        self._record = PacketRecord(path, chosen)
        self.times = FrameTimes(path, chosen)
        self.words: dict[str, Words] = {}
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
            # With FFmpeg's own threads, nothing would tell to which frame an error belongs.
            context.thread_count = 1
            context.options = _CHECKS
            context.flags |= _UNALIGNED | _OUTPUT_CORRUPT | _COPY_OPAQUE
            for packet in self._packets(container, stream):
                for frame in self._decode(context, packet):
                    taken = self._take(frame, stream)
                    self.times.add(frame)
                    yield f"frame {self._given} of {self._path}", taken
                    self._given += 1
        self._check_end()

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield the packets, and None at the end."""
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
        """Return the frames that a packet gives, without those before the first whole picture."""
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
            self._spoiled = True  # as all that builds on it, up to the first key frame
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

    def _take(self, frame: Any, stream: Any) -> Pixels:
        """Return the pixels of a frame, which must be of the same kind as the first."""
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
                f"frame {self._given} of {self._path} has colour, though its head states luma "
                "only; --gray (gray=True) keeps the luma"
            )
        taken = pixels(frame, self._format, self._options.gray)
        if self._format.kind is SampleKind.PALETTE:
            taken = self._with_alpha(taken)
        return taken

    def _begin(self, frame: Any, stream: Any) -> PixelFormat:
        """Find out the kind of the first frame, and note what holds for all frames."""
        gray = self._options.gray
        found = find_format(frame.format.name, str(self._path))
        self.words = video_words(stream.container, stream, frame)
        context = stream.codec_context
        head = (context.extradata or b"") if context.name == "h264" else b""
        if found.kind is SampleKind.YUV and h264.is_monochrome(head):
            self._monochrome, found = not gray, luma_only(found)
        if context.name == "mjpeg" and found.alpha:
            raise SourceError(
                f"{self._path} has JPEGs of four inks (CMYK), of which FFmpeg would make colours: "
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
        """Refuse gray that may be stored with 0 for white, because the file does not state it."""
        raw = context.name == "rawvideo" and self._chosen.container == "mov"
        if raw and found.kind in (SampleKind.GRAY, SampleKind.BIT) and found.bits <= 8:
            raise SourceError(
                f"{self._path} is uncompressed gray video of {found.bits} bits in a QuickTime "
                "file. FFmpeg writes it with 0 for white, and reads it as if 0 were black. If a "
                "player shows a negative, convert it first by ffmpeg -i IN -vf negate -c:v ffv1 "
                f"-pix_fmt {found.name} OUT.mkv, else without -vf negate"
            )

    def _with_alpha(self, taken: Pixels) -> Pixels:
        """Give all frames of a palette alpha, if the first has it."""
        if not self._given:
            self._alpha = taken.shape[2] == 4
        return _opaque(taken) if self._alpha else taken

    def _check_end(self) -> None:
        """See that all frames came that the file states, and complete the notes."""
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
        self.times.finish(record.rising)
        self.notes += [*record.notes(), *self.times.notes()]


def _opaque(frame: Pixels) -> Pixels:
    """Return a frame of colour with alpha."""
    if frame.ndim == 3 and frame.shape[2] == 3:
        return np.pad(frame, ((0, 0), (0, 0), (0, 1)), constant_values=255)
    return frame
