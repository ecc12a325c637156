"""The video streams of a file: which of them is read, and what the file states of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from ...errors import SourceError
from ..headers import Header
from .ffmpeg_log import logged_errors
from .raw_streams import UNKNOWN, check_beginning

VIDEO_FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,av1,obu,flv,asf,ogg,"
    "mxf,nut,dv,rm,wtv,yuv4mpegpipe,swf,vc1,mjpeg,nsv,roq,smk,bink,cine"
)
"""FFmpeg's names of the containers that are opened."""

_DEFAULT, _ATTACHED_PICTURE, _TIMED_THUMBNAILS, _DEPENDENT = 1, 1 << 10, 1 << 11, 1 << 19
_PASSED_OVER = _ATTACHED_PICTURE | _TIMED_THUMBNAILS | _DEPENDENT
"""FFmpeg's dispositions of streams beside the film. Source: libavformat/avformat.h."""

_STATED_DURATION = ("matroska", "mov", "flv", "asf", "ivf", "mxf")
"""Containers whose head states how long they last. For others, FFmpeg estimates it."""

_STILL_BRANDS = frozenset(("avif", "heic", "heim", "heis", "heix", "mif1", "mif2"))
"""Major brands of ISO media files that hold pictures, often cut into tiles, and no film."""


@dataclass(frozen=True, kw_only=True)
class ChosenStream:
    """The stream of a file that is read, and what the file states of it.

    Attributes
    ----------
    index
        Its number among all streams.
    container, codec
        FFmpeg's names of them; of a container, the first of several.
    stated
        How many frames the file states; 0 if it states nothing.
    duration
        When the last frame ends, in seconds, if the file states it.
    complete
        FFmpeg knows how long the whole file lasts.
    rate
        The usual frames a second; 0 if unknown.
    time_base
        The unit of its time stamps, in seconds.
    notes
        Whole sentences on other video streams.
    others
        What the file holds beside video, in a few words each.
    """

    index: int
    container: str
    codec: str
    stated: int
    duration: Fraction | None
    complete: bool
    rate: Fraction
    time_base: Fraction
    notes: tuple[str, ...]
    others: tuple[str, ...] = ()


def open_video(path: Path, **options: str) -> Any:
    """Open a file as a video, and as nothing else that FFmpeg reads (text, play lists)."""
    options |= {"format_whitelist": VIDEO_FORMATS}
    # "file:" keeps FFmpeg from taking a colon in the name for a protocol. The options are for the
    # container only, because PyAV 14 crashes if it passes them on to streams that come late (FLV).
    return av.open(f"file:{path}", container_options=options, metadata_errors="surrogateescape")


def choose_stream(path: Path, wanted: int | None) -> ChosenStream:
    """Choose the video stream that a player would show.

    Attached pictures and streams of one frame are left out if there are others. A stream that is
    marked as default goes before others.

    Parameters
    ----------
    path
        The file.
    wanted
        The number of a stream that is read instead; None: choose.

    Raises
    ------
    SourceError
        If the file is no video, or has no such stream.
    """
    errors: list[str] = []
    try:
        with logged_errors() as errors, open_video(path) as container:
            if container.metadata.get("major_brand", "").strip() in _STILL_BRANDS:
                raise SourceError(
                    f"{path} is a HEIF or AVIF image, not a video; save it as PNG or TIFF first"
                )
            check_beginning(path, container.format.name.split(",")[0])
            return _chosen(path, container, wanted)
    except av.FFmpegError as error:
        said = f" ({errors[-1]})" if errors else ""
        raise SourceError(f"{path} {UNKNOWN}: {error.strerror}{said}") from error


def stream_header(path: Path, number: int) -> Header | None:
    """Return what FFmpeg finds stated of one of a file's streams; None if that is nothing."""
    with open_video(path) as container:
        context = container.streams[number].codec_context
        if context.format is None or context.format.name.startswith("bayer"):  # bits of 2x2 pixels
            return None
        bits = max(component.bits for component in context.format.components)
        kind = "f" if re.search("f(16|32)", context.format.name) else "u"
        return Header(f"{context.name} stream", (context.height, context.width), bits, kind)


def _chosen(path: Path, container: Any, wanted: int | None) -> ChosenStream:
    videos, streams = container.streams.video, container.streams
    readable = [stream for stream in videos if stream.codec_context is not None]
    if wanted is not None:
        readable = [stream for stream in readable if stream.index == wanted]
        if not readable:
            raise SourceError(
                f"stream {wanted} of {path} is no video that can be read; the file has: "
                f"{'; '.join(map(_describe, streams))}"
            )
    elif not readable:
        known = f"; the file has: {'; '.join(map(_describe, streams))}" if videos else ""
        raise SourceError(f"{path} holds no video stream that can be read{known}")
    main = [one for one in readable if not _disposition(one) & _PASSED_OVER] or readable
    if len(main) > 1:
        lasting = _lasting(path, [stream.index for stream in main])
        main = [stream for stream in main if stream.index in lasting] or main
    found = min(main, key=lambda stream: (not _disposition(stream) & _DEFAULT, stream.index))
    notes = []
    others = [_describe(stream) for stream in videos if stream is not found]
    if others:
        notes.append(
            f"{path} has several video streams. Read: {_describe(found)}; left out: "
            f"{'; '.join(others)}. --stream (stream=) chooses another."
        )
    return ChosenStream(
        index=found.index,
        container=container.format.name.split(",")[0],
        codec=found.codec_context.name,
        stated=max(found.frames, 0),
        duration=_duration(container, found),
        complete=bool(container.duration),
        rate=Fraction(found.average_rate or found.guessed_rate or 0),
        time_base=Fraction(found.time_base or 0),
        notes=tuple(notes),
        others=tuple(_describe(stream) for stream in streams if stream.type != "video"),
    )


def _duration(container: Any, stream: Any) -> Fraction | None:
    """Return what the head of a file states of the end of a stream, in seconds."""
    for key, value in stream.metadata.items():
        if key.partition("-")[0] == "DURATION":  # Matroska
            parts = value.split(":")
            if len(parts) == 3 and all(part.replace(".", "", 1).isdigit() for part in parts):
                hours, minutes, seconds = map(Fraction, parts)
                return (hours * 60 + minutes) * 60 + seconds
    name = container.format.name.split(",")[0]
    if len(container.streams) == 1 and name in _STATED_DURATION and container.duration:
        return Fraction(container.duration, 1_000_000)
    return None


def _disposition(stream: Any) -> int:
    return int(getattr(stream, "disposition", _DEFAULT))  # PyAV 14.0 does not have it


def _lasting(path: Path, indices: list[int]) -> set[int]:
    """Return the streams that have more than one packet, reading as little as that takes."""
    seen = dict.fromkeys(indices, 0)
    with open_video(path) as container:
        for packet in container.demux([container.streams[index] for index in indices]):
            seen[packet.stream.index] += packet.size > 0
            if min(seen.values()) > 1:
                break
    return {index for index, packets in seen.items() if packets > 1}


def _describe(stream: Any) -> str:
    """Describe a stream, as ``stream 1 (h264, 640x480, 24 frames)``."""
    context = stream.codec_context
    what = [stream.type if context is None else context.name]
    if stream.type == "video" and context is not None:
        what.append(f"{context.width}x{context.height}")
        if stream.frames:
            what.append(f"{stream.frames} frame{'s' * (stream.frames > 1)}")
    elif context is not None:
        what.insert(0, stream.type)
    return f"stream {stream.index} ({', '.join(what)})"
