"""What a video file says of itself: tags, rates, colour, rotation, and when frames are shown."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...metadata.coordinates import Coordinate
from ...metadata.description import FRAME_AXIS
from ...metadata.time_stamps import MISSING, TIME_BASE, to_seconds, to_ticks
from ...metadata.words import Words, WordsKind
from ...text import in_words
from .streams import ChosenStream

TIME, PTS = "time", "pts"
"""The coordinates of frames in seconds, and, where those would be inexact, in units of the file."""
CONTAINER_WORDS, STREAM_WORDS = "video_container", "video_stream"
MATRIX_WORDS = "video_display_matrix"

_UNTIMED = ("h264", "hevc", "m4v", "mjpeg", "mpegvideo", "obu", "vc1")
"""Raw streams have no times; FFmpeg invents 25 frames a second."""
_COLOURS = {"color_range": 0, "colorspace": 2, "color_primaries": 2, "color_trc": 2}
"""What FFmpeg knows of colour, as numbers of ITU-T H.273, and what stands for unknown. The range is
1 for 16 to 235, and 2 for 0 to 255."""


def video_words(container: Any, stream: Any, frame: Any) -> dict[str, Words]:
    """Return what an open video file says of itself and of one stream, as FFmpeg reads it.

    Parameters
    ----------
    frame
        The first one that was decoded.
    """
    matrix = _display_matrix(frame)
    said: dict[str, Any] = {
        CONTAINER_WORDS: _of_container(container),
        STREAM_WORDS: _of_stream(stream, frame, matrix is not None),
    }
    words = {
        name: Words.whole(WordsKind.JSON, json.dumps(value, ensure_ascii=False))
        for name, value in said.items()
    }
    if matrix is not None:
        words[MATRIX_WORDS] = Words.whole(WordsKind.BYTES, matrix)
    return words


def _of_container(container: Any) -> dict[str, Any]:
    # PyAV 14 does not have `chapters`.
    chapters = container.chapters() if hasattr(container, "chapters") else []
    return {
        "format": container.format.name,
        "start_time": container.start_time,
        "duration": container.duration,
        "tags": dict(container.metadata),
        "chapters": [
            {
                key: str(value) if isinstance(value, Fraction) else value
                for key, value in one.items()
            }
            for one in chapters
        ],
    }


def _of_stream(stream: Any, frame: Any, turned: bool) -> dict[str, Any]:
    context = stream.codec_context
    said = {
        "index": stream.index,
        "codec": context.name,
        "profile": context.profile,
        "pixel_format": frame.format.name,
        "width": frame.width,
        "height": frame.height,
        "frames": stream.frames,
        "time_base": _fraction(stream.time_base),
        "start_time": stream.start_time,
        "duration": stream.duration,
        "average_rate": _fraction(stream.average_rate),
        "real_rate": _fraction(stream.base_rate),
        "sample_aspect_ratio": _fraction(stream.sample_aspect_ratio or context.sample_aspect_ratio),
        "disposition": int(getattr(stream, "disposition", 0)),  # PyAV 14.0 does not have it
        "tags": dict(stream.metadata),
    }
    for name, unknown in _COLOURS.items():
        # PyAV 14 does not have all of them.
        value = int(getattr(frame, name, getattr(context, name, unknown)))
        said[name] = None if value == unknown else value
    if turned:
        said["rotation"] = getattr(frame, "rotation", None)
    return said


def _fraction(value: Any) -> str | None:
    return str(Fraction(value)) if value else None


def _display_matrix(frame: Any) -> bytes | None:
    """Return the nine numbers by which players turn pictures, as FFmpeg has them in memory."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return bytes(data)
    return None


class FrameTimes:
    """Collects when the frames of a stream are shown, as the file says.

    Parameters
    ----------
    path
        The file.
    chosen
        The stream.
    """

    def __init__(self, path: Path, chosen: ChosenStream) -> None:
        self._path, self._base = path, chosen.time_base
        self._timed = chosen.container not in _UNTIMED and bool(chosen.time_base)
        self._ticks = array("q")
        self._guessed = 0
        self._stamps = np.empty(0, np.int64)

    def add(self, frame: Any) -> None:
        """Note the time of the next frame."""
        ticks = frame.pts
        if ticks is None:
            ticks = frame.dts
            self._guessed += ticks is not None
        self._ticks.append(MISSING if ticks is None else ticks)

    def finish(self, rising: bool) -> None:
        """Complete them when the last frame has come.

        Parameters
        ----------
        rising
            Whether the times of packets rise in the order of decoding. Then all are times of
            decoding, as in AVI, and the frames are shown in the order of these times.
        """
        self._stamps = np.array(self._ticks, np.int64)
        if rising and MISSING not in self._stamps:
            self._stamps.sort()
            self._guessed = 0

    def coordinates(self) -> dict[str, Coordinate]:
        """Return the times of the frames, by the name of the coordinate; none if none is known.

        Until all frames have come, these are the times of those that have.
        """
        ticks = self._stamps if len(self._stamps) else np.array(self._ticks, np.int64)
        if not self._timed or (ticks == MISSING).all():
            return {}
        attrs = {"units": "s", TIME_BASE: str(self._base)}
        seconds = to_seconds(ticks, self._base)
        found = {TIME: Coordinate.of([FRAME_AXIS], seconds, attrs)}
        if to_ticks(seconds, self._base) is None:
            found[PTS] = Coordinate.of([FRAME_AXIS], ticks, {TIME_BASE: attrs[TIME_BASE]})
        return found

    def notes(self) -> Iterator[str]:
        """Yield whole sentences on time stamps that are missing or do not rise."""
        ticks = self._stamps
        missing = np.flatnonzero(ticks == MISSING)
        if not self._timed or len(missing) == len(ticks):
            return
        if self._guessed:
            yield (
                f"{self._path} does not say when {self._guessed} of {len(ticks)} frames are shown; "
                "when they are decoded stands for it."
            )
        if len(missing):
            yield f"{self._path} gives no time for {in_words('frame', missing.tolist())}."
        known = np.flatnonzero(ticks != MISSING)
        falling = known[1:][np.diff(ticks[known]) <= 0]
        if len(falling):
            yield (
                f"The time stamps of {self._path} do not rise at "
                f"{in_words('frame', falling.tolist())}; they are kept as they are."
            )
