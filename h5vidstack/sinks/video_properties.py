"""What a video file says besides its pictures, as the source of a stack said it."""

from __future__ import annotations

import datetime
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from ..reading.stack_reader import StackReader
from .timing import sole_words

_OWN = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration")
"""Tags that each muxer writes by itself."""
_MP4_TAGS = frozenset(
    (
        "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre",
        "copyright", "grouping", "lyrics", "description", "synopsis", "show", "episode_id",
        "network", "keywords",
    )
)  # fmt: skip
"""Tags that mp4 has places for. Source: libavformat/movenc.c, mov_write_ilst_tag."""
_FULL_RANGE = 2
"""FFmpeg's AVCOL_RANGE_JPEG, by which players show 0 as black and the largest value as white."""
_COLOURS = ("color_primaries", "color_trc", "colorspace")
_NO_LUMA = ("gray", "rgb", "bgr", "gbr", "pal", "mono", "bayer", "argb", "abgr", "ya")
"""How FFmpeg's pixel formats begin whose gray is no luma of limited range."""


@dataclass(frozen=True)
class VideoProperties:
    """What a video file says besides its pictures.

    Attributes
    ----------
    tags, stream_tags
        By name.
    chapters
        As PyAV has them.
    matrix
        The nine numbers by which players turn pictures; None: they do not.
    colours
        FFmpeg's numbers, by the names that PyAV has for them.
    aspect
        The width of a pixel over its height; None: not said.
    notes
        Whole sentences on what cannot be written.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    stream_tags: Mapping[str, str] = field(default_factory=dict)
    chapters: tuple[Mapping[str, Any], ...] = ()
    matrix: tuple[int, ...] | None = None
    colours: Mapping[str, int] = field(default_factory=dict)
    aspect: Fraction | None = None
    notes: tuple[str, ...] = ()

    @staticmethod
    def of(stack: StackReader) -> VideoProperties:
        """Return what the video file said that all frames came from.

        What several files said of some of the frames each cannot be said of one video.
        """
        container = sole_words(stack, "video_container") or {}
        stream = sole_words(stack, "video_stream") or {}
        matrix = sole_words(stack, "video_display_matrix")
        several = "video_stream" in stack.source.words and not stream
        note = "Frames came from several files, so what these say of themselves is left out."
        return VideoProperties(
            _tags(container), _tags(stream),
            tuple(
                {**one, "time_base": Fraction(one["time_base"])}
                for one in container.get("chapters", ())
            ),
            struct.unpack("<9i", matrix) if matrix is not None and len(matrix) == 36 else None,
            _colours(stack, stream),
            Fraction(stream["sample_aspect_ratio"]) if stream.get("sample_aspect_ratio") else None,
            (note,) if several else (),
        )  # fmt: skip

    @property
    def full_range(self) -> bool:
        """Whether players are to show 0 as black and the largest value as white."""
        return self.colours.get("color_range") == _FULL_RANGE

    def options(self, container: str, base: Fraction) -> dict[str, str]:
        """Return the options of a muxer that keeps all of it, and times in units of `base`."""
        if container != "mp4":
            return {}
        known = {"creation_time"} if _whole_seconds(self.tags.get("creation_time")) else set()
        strange = self.tags.keys() - _MP4_TAGS - known
        # Otherwise the time of the first frame is rounded to milliseconds.
        options = {"movie_timescale": str(base.denominator)}
        return options | ({"movflags": "+use_metadata_tags"} if strange else {})

    def apply(self, output: Any, video: Any) -> list[str]:
        """Say all of it of a video that is about to be written.

        Returns
        -------
        list of str
            Whole sentences on what this PyAV cannot write.
        """
        notes = list(self.notes)
        output.metadata.update(self.tags)
        video.metadata.update(self.stream_tags)
        context = video.codec_context
        for name, value in self.colours.items():
            if hasattr(context, name):  # PyAV 14 does not have all of them
                setattr(context, name, value)
        if self.aspect not in (None, 1):
            context.sample_aspect_ratio = self.aspect
            if context.name == "ffv1":  # its packets lack it, and PyAV cannot tell the container
                notes.append(
                    f"The video does not say that pixels are {self.aspect} as wide as high."
                )
        for what, given, name in (
            ("how pictures are turned", self.matrix, "set_display_matrix"),
            ("chapters", self.chapters, "set_chapters"),
        ):
            if not given:
                continue
            to = video if name == "set_display_matrix" else output
            if hasattr(to, name):
                getattr(to, name)(list(given))
            else:
                notes.append(f"The video does not say {what}: this needs a newer PyAV.")
        return notes


def _tags(said: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value
        for name, value in said.get("tags", {}).items()
        if name.lower() not in _OWN and not name.startswith(("DURATION-", "_STATISTICS"))
    }


def _colours(stack: StackReader, stream: Mapping[str, Any]) -> dict[str, int]:
    """Return how values mean light: all of 0 to 255, unless frames are the luma of a video."""
    pixel_format = stream.get("pixel_format", "gray")
    if stack.ndim > 3 or pixel_format.startswith(_NO_LUMA):
        return {"color_range": _FULL_RANGE}
    colours = {name: stream.get(name) for name in _COLOURS}
    known = {name: int(value) for name, value in colours.items() if value is not None}
    return {"color_range": int(stream.get("color_range") or 0)} | known


def _whole_seconds(creation_time: str | None) -> bool:
    """Whether mp4 holds a time where it has a place for it."""
    try:
        time = datetime.datetime.fromisoformat(creation_time or "")
    except ValueError:
        return False
    return not time.microsecond and time.utcoffset() == datetime.timedelta(0)
