"""Images read by decoders that `pack` does not use, as a proof of what it has read.

A second decoder counts only if it gives samples of the same shape and dtype. Otherwise it means
something else (other channels, or inks made colours), and pack's reader decides.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..shapes import Pixels
from .headers import COMPRESSION, PHOTOMETRIC, page_tags, read_header
from .images.image_source import ImageFrames, ImageSource, open_image
from .source import Source, SourceOptions
from .tiff.tiff_source import TiffFrames, TiffSource
from .video.video_source import VideoSource

Page = Callable[[Any, Any, int], Pixels]
"""Decodes a picture, given imagecodecs, the bytes of the file and the picture's number."""

_KEPT = {0, 1, 2}
"""The values of PhotometricInterpretation for which libtiff leaves samples as they are stored."""
_BITS = {8, 16, 32, 64}
"""The bits of samples that imagecodecs takes from libtiff as they are; it fails at some others."""
_LOSSY = {6, 7, 34892}
"""Compression by JPEG, for which libtiff makes colours in ways of its own."""

_DECODERS: list[tuple[bytes, str, Page]] = [
    (
        rb"II[*+]\x00|MM\x00[*+]",
        "libtiff",
        lambda codecs, data, n: codecs.tiff_decode(data, index=n),
    ),
    (rb"\x89PNG", "libpng", lambda codecs, data, _: codecs.png_decode(data)),
    (rb"\xff\xd8\xff", "libjpeg-turbo", lambda codecs, data, _: codecs.jpeg8_decode(data)),
    (rb"RIFF....WEBP", "libwebp", lambda codecs, data, _: codecs.webp_decode(data)),
]
"""How a file begins, and which decoder of imagecodecs reads it."""


def second_source(source: Source, options: SourceOptions) -> tuple[Source, Callable[[], list[str]]]:
    """Return a source whose image files are read by second decoders, where there are any.

    Parameters
    ----------
    source
        The source as pack opens it. It is closed if another is returned.
    options
        How it was opened.

    Returns
    -------
    source, said
        `said` returns sentences for the user on what read it, once it was read.
    """
    if isinstance(source, VideoSource):
        return source, lambda: ["The video was decoded by PyAV, as pack did; only another program "
                                "can show a fault of that."]  # fmt: skip
    if isinstance(source, TiffSource) and source.inner is None:
        paths = [source.path]
    elif isinstance(source, ImageSource):
        paths = source.paths
    else:
        return source, list
    try:
        import imagecodecs  # optional, and slow to import
    except ImportError:
        advice = 'pip install "h5vidstack[imagecodecs]" for an independent check'
        return source, lambda: [f"The images were decoded as pack did; {advice}."]
    source.close()
    found = Counter[str]()

    def open_second(path: Path) -> ImageFrames | TiffFrames:
        frames = open_image(path)
        return _Second(frames, imagecodecs, found)  # type: ignore[return-value]

    return ImageSource(paths, source.name, options.gray, open_second), lambda: _said(found)


def _said(found: Counter[str]) -> list[str]:
    alone = found.get("", 0)
    told = [
        f"{count} frames were read by {name} (imagecodecs), which pack does not use."
        for name, count in found.items()
        if name
    ]
    if alone:
        told.append(
            f"{alone} frames were read as pack reads them, for no second decoder gives samples of "
            "the same kind."
        )
    return told


class _Second:
    """The frames of a file by its second decoder; attributes are as of those that pack reads."""

    def __init__(self, frames: ImageFrames | TiffFrames, codecs: Any, found: Counter[str]) -> None:
        self._frames, self._codecs, self._found = frames, codecs, found
        self._name, self._decode = "", None
        with frames.path.open("rb") as file:
            head = file.read(12)
        for magic, name, decode in _DECODERS:
            if re.match(magic, head, re.DOTALL) and _fits(frames, name):
                self._name, self._decode = name, decode

    def __getattr__(self, name: str) -> Any:
        return getattr(self._frames, name)

    def read(self, number: int) -> Pixels:
        """Return the second decoder's frame, if it is of the kind of pack's, else pack's."""
        pixels = self._frames.read(number)
        for other in self._others(number):
            if (other.shape, other.dtype) == (pixels.shape, pixels.dtype):
                self._found[self._name] += 1
                return np.ascontiguousarray(other)
        self._found[""] += 1
        return pixels

    def _others(self, number: int) -> Iterator[Pixels]:
        """Yield what the second decoder gives, also with planes of samples last."""
        if self._decode is None:
            return
        # A decoder that cannot read the file raises exceptions of many kinds.
        with (
            contextlib.suppress(Exception),
            self._frames.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            decoded = np.array(self._decode(self._codecs, data, number))
            yield decoded
            if decoded.ndim == 3:
                yield np.moveaxis(decoded, 0, -1)


def _fits(frames: ImageFrames | TiffFrames, name: str) -> bool:
    """Return whether the pictures of a decoder are frames, and its samples are as stored."""
    if name != "libtiff":
        return frames.count == 1
    header, tags = read_header(frames.path), page_tags(frames.path)
    if header is None or header.values is None or not isinstance(frames, TiffFrames):
        return False
    photometric, compression = (tags.get(tag, (1,))[0] for tag in (PHOTOMETRIC, COMPRESSION))
    stored = header.bits in _BITS and photometric in _KEPT and compression not in _LOSSY
    one_each = header.pages == frames.count
    return stored and one_each and header.values == frames.count * math.prod(frames.frame)
