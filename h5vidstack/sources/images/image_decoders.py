"""The decoders of images, which get only what the parsers of their formats kept."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from typing import Any

import av
import numpy as np

from ...codecs.av_planes import plane_items
from ...errors import SourceError
from ...shapes import Pixels
from .image_header import WAY_OUT, ImageHeader

Decoder = Callable[[ImageHeader], Callable[[int], Pixels]]
"""Gets what an image file says, and returns what decodes a frame by its number."""


def by_pillow(plugin: str, mode: str) -> Decoder:
    """Return a decoder by one of Pillow's plugins, in a mode that holds all of the pixels."""

    def decode(header: ImageHeader) -> Callable[[int], Pixels]:
        module = importlib.import_module(f"PIL.{plugin}ImagePlugin")
        wanted = "RGBA" if header.alpha else mode
        # `Image.open` is not used, because it has a limit of pixels and tries other formats.
        opener = getattr(module, f"{plugin}ImageFile")
        image = opener(io.BytesIO(header.data))

        def read(number: int) -> Pixels:
            nonlocal image
            if header.count > 1:
                if number < image.tell():  # in a PNG, Pillow goes back only to the first frame
                    image = opener(io.BytesIO(header.data))
                image.seek(number)
            _check_numbers(image, header.colours)
            return np.asarray(image if image.mode == wanted else image.convert(wanted))

        return read

    return decode


def _check_numbers(image: Any, colours: int | None) -> None:
    """Refuse numbers beyond the end of a palette, for which decoders give any colour."""
    # Pillow calls the numbers gray (L) if each equals its colour.
    if colours is not None and image.mode in ("P", "L"):
        most = int(np.asarray(image).max())
        if most >= colours:
            raise SourceError(f"it is damaged: colour {most} of a palette of {colours}")


def by_ffmpeg(header: ImageHeader) -> Callable[[int], Pixels]:
    """Decode a PNG of 16 bits, of which Pillow would keep 8."""

    def read(_number: int) -> Pixels:
        codec = av.CodecContext.create("png", "r")
        pictures = [*codec.decode(av.Packet(header.data)), *codec.decode(None)]
        if len(pictures) != 1 or pictures[0].is_corrupt:
            raise SourceError("it is damaged: FFmpeg decodes no picture of it")
        channels = _DEEP.get(pictures[0].format.name)
        if channels is None:
            name = pictures[0].format.name
            raise SourceError(f"FFmpeg decodes it as {name}, which is not known here; {WAY_OUT}")
        plane = pictures[0].planes[0]
        items = plane_items(plane, ">u2", channels)
        pixels: Pixels = items.reshape(plane.height, plane.width, channels).astype(np.uint16)
        if channels == 2:  # gray with alpha
            pixels = pixels[..., [0, 0, 0, 1]]
        return pixels[..., 0] if channels == 1 else pixels

    return read


_DEEP = {"gray16be": 1, "ya16be": 2, "rgb48be": 3, "rgba64be": 4}
"""FFmpeg's formats of PNGs of 16 bits, and how many channels they have."""
