"""A few frames from all over a video file, for estimates: by seeking, without checks of damage."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path

import av

from ...shapes import Pixels
from .ffmpeg_log import logged_errors
from .pixel_formats import find_format, pixels
from .streams import ChosenStream, open_video

MOST_PASSED = 120
"""Frames that are decoded at most from a key frame to those that are wanted."""
MOST_PACKETS = 2000
"""Packets from which the number of all is estimated, where the file states nothing of it."""


class VideoSamples:
    """Runs of frames of a stream, from places where one can begin to decode.

    Parameters
    ----------
    path
        The file.
    chosen
        The stream.
    """

    def __init__(self, path: Path, chosen: ChosenStream) -> None:
        self._path, self._chosen = path, chosen
        self._sought = True  # until a key frame turns out to need frames before it

    def likely_count(self) -> int | None:
        """Return about how many frames the stream has; None if nothing tells."""
        duration, rate = self._duration(), self._chosen.rate
        if duration and rate:
            return max(1, round(duration * rate))
        packets, end, size = 0, 0, os.stat(self._path).st_size
        with logged_errors(), contextlib.suppress(av.FFmpegError), open_video(self._path) as file:
            for packet in file.demux(file.streams[self._chosen.index]):
                packets += packet.size > 0
                end = max(end, (packet.pos or 0) + packet.size)
                if packets == MOST_PACKETS:
                    return round(packets * size / end) if end else None
        return packets or None

    def run(self, share: float, length: int, luma: bool) -> list[Pixels]:
        """Return sound frames that follow each other; none if decoding can only begin at the start.

        Parameters
        ----------
        share
            Where they begin, as a share of the time that the stream lasts.
        length
            How many are wanted.
        luma
            Whether only the luma of YUV is wanted.
        """
        duration, base = self._duration(), self._chosen.time_base
        if not self._sought or not duration or not base:
            return []
        lasts = Fraction(length) / self._chosen.rate if self._chosen.rate else Fraction(0)
        found: list[Pixels] = []
        with logged_errors(), contextlib.suppress(av.FFmpegError), open_video(self._path) as file:
            stream = file.streams[self._chosen.index]
            stream.codec_context.thread_count = (
                1  # threads of FFmpeg would log, and wait for Python
            )
            begin = stream.start_time or 0
            target = begin + int(Fraction(share) * max(Fraction(0), duration - lasts) / base)
            file.seek(target, stream=stream)
            for passed, frame in enumerate(file.decode(stream)):
                if frame.is_corrupt:
                    self._sought = self._sought and not frame.key_frame
                    if self._sought:
                        continue
                    return []
                early = frame.pts is not None and frame.pts < target and passed < MOST_PASSED
                if early and not found:
                    continue
                found.append(pixels(frame, find_format(frame.format.name, str(self._path)), luma))
                if len(found) == length:
                    break
        return found

    def _duration(self) -> Fraction | None:
        """Return how many seconds the stream lasts, by what the file states or FFmpeg estimates."""
        if self._chosen.duration:
            return self._chosen.duration
        with open_video(self._path) as file:
            stream = file.streams[self._chosen.index]
            if stream.duration and stream.time_base:
                return Fraction(stream.duration) * Fraction(stream.time_base)
            return Fraction(file.duration, 1_000_000) if file.duration else None
