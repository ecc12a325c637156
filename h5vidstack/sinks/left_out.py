"""What is known of frames and has no place in the format that they are unpacked to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..metadata.coordinates import Coordinate
from ..metadata.description import Metadata, default_dims
from ..reading.stack_reader import StackReader
from ..shapes import Shape
from ..sources.picture_records import TIME, PixelSize, scale_coords
from ..sources.tiff import ome
from .ome_writing import same_values

_OF_SOURCES = (ome.ACQUISITION_DATE, "display_range")
"""Attributes that a source's own words say, too."""


@dataclass(frozen=True)
class Placed:
    """What a format keeps.

    Attributes
    ----------
    words
        The names of the source's words.
    coords
        The coordinates that a reader of the output finds.
    axes
        Whether it names axes.
    """

    words: Collection[str] = ()
    coords: Mapping[str, Coordinate] = field(default_factory=dict)
    axes: bool = False


def notes(metadata: Metadata, axes: Sequence[str], kept: Placed, target: str) -> list[str]:
    """Return a sentence that names what is left out, if anything is.

    Parameters
    ----------
    metadata
        What is known of the frames that were unpacked.
    axes
        The names of the axes that count frames in the stack, if anybody named them.
    kept
        What the format keeps.
    target
        The format, with its article.
    """
    coords = [
        name
        for name, coordinate in metadata.coords.items()
        if not same_values(coordinate, kept.coords.get(name))
    ]
    attrs = [
        name
        for name in metadata.attrs
        if not (name in _OF_SOURCES and "ome_xml" in kept.words)
        and not (name == "display_range" and "imagej_description" in kept.words)
    ]
    parts = {
        "axes": [] if kept.axes else list(axes),
        "coordinates": coords,
        "attributes": attrs,
        "words of the source": [name for name in metadata.words if name not in kept.words],
    }
    said = "; ".join(f"{what} {', '.join(names)}" for what, names in parts.items() if names)
    return [f"What {target} has no place for was left out: {said}."] if said else []


def named_axes(stack: StackReader) -> tuple[str, ...]:
    """Return the names of the axes that count the frames of a stack; none by default."""
    count = len(stack.leading_shape)
    axes = stack.dims[:count]
    return () if axes == default_dims(count, 0) else axes


def found_in_words(
    metadata: Metadata, frame: Shape, size: PixelSize | None, ends: tuple[int | None, int | None]
) -> dict[str, Coordinate]:
    """Return the coordinates that a reader finds in the words of images.

    Parameters
    ----------
    size
        How large a pixel is, by the first image.
    ends
        When the first image and the last one were taken, in nanoseconds since 1970.
    """
    found = scale_coords(size, frame)
    time = metadata.coords.get(TIME)
    if time is not None and time.dtype.kind == "M" and None not in ends:
        own = time.data.astype("M8[ns]").view(np.int64)
        if len(own) and (int(own[0]), int(own[-1])) == ends:
            found[TIME] = time
    return found
