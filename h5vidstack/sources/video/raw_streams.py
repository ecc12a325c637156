"""Checks whether a file is the video that FFmpeg takes it for.

Some of FFmpeg's demuxers look for pictures anywhere: to them, a ZIP archive, a PDF or a database
with JPEGs in it is raw MJPEG. So a file must begin as its format does, and raw MJPEG must be JPEGs
from end to end.
"""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from ...errors import SourceError
from ..images.jpeg import jpeg_parts

UNKNOWN = "is no input that h5vidstack knows (images, .npy, HDF5, video)"
"""What is said of a file that no kind of source takes; video is the last one that is asked."""

_BEGINNINGS: dict[str, bytes] = {
    "dv": rb"\x1f\x07\x00[\x3f\xbf]",
    "h264": rb"\x00{2,9}\x01[\x01-\x0c\x21-\x2c\x41-\x4c\x61-\x6c]",  # types of NAL units
    "hevc": rb"\x00{2,9}\x01[\x40-\x51]",  # parameter sets, delimiters, SEI
    "m4v": rb"\x00\x00\x01(?:[\xb0\xb5\x20-\x2f]|[\x00-\x1f]\x00\x00\x01)",
    "mjpeg": rb"\xff\xd8\xff",
    "mpeg": rb"\x00\x00\x01\xba",
    "mpegts": rb"(?:.{4})?G(?:.{187}|.{191}|.{203})G",
    "mpegvideo": rb"\x00\x00\x01\xb3",
    "mxf": rb"\x06\x0e\x2b\x34",
    "nsv": rb"NSV[fs]",
    "nut": rb"nut/multimedia container",
    "obu": rb"\x12\x00",
    "vc1": rb"\x00\x00\x01\x0f",
}
"""How files begin, for the formats that FFmpeg also finds behind the beginning of a file."""


def check_beginning(path: Path, container: str) -> None:
    """Raise SourceError if a file is not of the format that FFmpeg found in it.

    Parameters
    ----------
    path
        The file.
    container
        FFmpeg's (first) name of the format.
    """
    beginning = _BEGINNINGS.get(container)
    if beginning is None:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if re.compile(beginning, re.DOTALL).match(data) is None:
            raise SourceError(
                f"{path} {UNKNOWN}: FFmpeg "
                f"finds {container} in it, but it does not begin as such a file. If it is an "
                "archive or a document, take its pictures out of it first; if it is a video, "
                "ffmpeg -i IN -c copy OUT.mkv makes a proper file of it"
            )
        if container == "mjpeg":
            _check_jpegs(path, data)


def _check_jpegs(path: Path, data: mmap.mmap) -> None:
    """See that nothing is between the JPEGs of a file, and none ends early."""
    at, number = 0, 0
    while at < len(data):
        try:
            for _, _, end in jpeg_parts(data, at):
                at = end
        except SourceError as error:
            raise SourceError(
                f"{path} is no file of JPEGs from end to end, as raw MJPEG is: at byte {at}, in "
                f"or behind picture {number}, {error}. If it is a video, ffmpeg -i IN -c copy "
                "OUT.mkv keeps the pictures that FFmpeg finds"
            ) from error
        number += 1
