"""The names of the images that a stack is unpacked to, inside the folder that they go to."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..errors import OutputError
from ..sources.images.image_source import IMAGE_SUFFIXES

FORMATS_OF_ENDINGS = {".png": "png", ".tif": "tiff", ".tiff": "tiff"}


@dataclass(frozen=True)
class ImageName:
    """Where an image goes.

    Attributes
    ----------
    path
        Relative to the folder, with ``/``.
    format
        ``"png"`` or ``"tiff"``.
    original
        Whether that is the name that the frame had.
    """

    path: str
    format: str
    original: bool = False


def numbered(numbers: Sequence[int], count: int, image_format: str) -> list[ImageName]:
    """Name frames by their numbers, of which the stack has `count`."""
    digits = max(6, len(str(count - 1)))
    return [
        ImageName(f"frame_{number:0{digits}d}.{image_format}", image_format) for number in numbers
    ]


def original(names: Sequence[str], formats: Sequence[str], wanted: str | None) -> list[ImageName]:
    """Give images the names that frames had; only the ending changes where the format does.

    Parameters
    ----------
    names
        May have slashes, which make folders inside the folder.
    formats
        Those that hold the pixels exactly, the usual one first.
    wanted
        The format that the user wants; None: that of the name, if it holds the pixels.

    Raises
    ------
    OutputError
        If a name is none inside the folder, or names are not unique.
    """
    found = [_image_name(name, formats, wanted) for name in names]
    often = Counter(image.path for image in found)
    found = [
        image
        if often[image.path] == 1 or image.original
        else ImageName(f"{name}.{image.format}", image.format)
        for name, image in zip(names, found, strict=True)
    ]
    _check(found)
    nameless = [name for name in names if not name or name.endswith("/")]
    if nameless:
        raise OutputError(f"the name {nameless[0]!r} names no file inside a folder")
    return found


def _image_name(name: str, formats: Sequence[str], wanted: str | None) -> ImageName:
    ending = PurePosixPath(name).suffix
    own = FORMATS_OF_ENDINGS.get(ending.lower())
    if own is not None and own == (wanted or own) and own in formats:
        return ImageName(name, own, original=True)
    chosen = wanted or formats[0]
    stem = name.removesuffix(ending) if ending.lower() in IMAGE_SUFFIXES else name
    return ImageName(f"{stem}.{chosen}", chosen)


def _check(found: Sequence[ImageName]) -> None:
    """Raise OutputError if names lead out of the folder, or two images would be at one place."""
    paths, folders = set[str](), set[str]()
    for image in found:
        parts = image.path.split("/")
        strange = any(part in ("", ".", "..") or "\0" in part for part in parts)
        if strange or (os.sep != "/" and any(mark in image.path for mark in "\\:")):
            raise OutputError(f"the name {image.path!r} names no file inside a folder")
        if image.path in paths:
            raise OutputError(f"two frames are named {image.path!r}")
        paths.add(image.path)
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    both = paths & folders
    if both:
        raise OutputError(f"the name {min(both)!r} is that of a frame and of a folder of frames")
