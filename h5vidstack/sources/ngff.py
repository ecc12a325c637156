"""OME-NGFF, images in Zarr: which arrays are images, and their axes, scales and channels.

Source: the specification of OME-NGFF, versions 0.4 and 0.5, "multiscales" and "omero".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..metadata.words import WordsKind
from .array_description import ArrayDescription

WORDS = "ngff"
"""What the group says of its images, verbatim."""


def largest(attrs: Mapping[str, Any]) -> str | None:
    """Return the path of the largest image of a group; None if it is no group of OME-NGFF."""
    return next((str(found.get("path")) for _, found in _datasets(attrs)), None)


def describes(attrs: Mapping[str, Any], path: str) -> bool:
    """Return whether a group with these attributes says what the axes of an array are."""
    return any(found.get("path") == path for _, found in _datasets(attrs))


def describe(attrs: Mapping[str, Any], path: str, description: ArrayDescription) -> None:
    """Add the axes, scales and channels of an image, and what its group says, verbatim."""
    ome = _ome(attrs)
    image, dataset = next(pair for pair in _datasets(attrs) if pair[1].get("path") == path)
    axes = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in image.get("axes", ())]
    description.name_axes(axis.get("name") for axis in axes)
    if description.dims:
        scales, offsets = _transformed(image, dataset, len(axes))
        for number, axis in enumerate(axes):
            _add_axis(description, number, axis, scales[number], offsets[number], ome)
    description.add_words(WORDS, WordsKind.JSON, json.dumps(ome))


def _ome(attrs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is said of images: version 0.5 has it one level deeper than 0.4."""
    deeper = attrs.get("ome")
    return deeper if isinstance(deeper, Mapping) else attrs


def _datasets(attrs: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield each image of a group with each of its arrays, the largest first."""
    images = _ome(attrs).get("multiscales")
    for image in images if isinstance(images, list) else ():
        for dataset in image.get("datasets", ()) if isinstance(image, Mapping) else ():
            if isinstance(dataset, Mapping):
                yield image, dataset


def _transformed(
    image: Mapping[str, Any], dataset: Mapping[str, Any], count: int
) -> tuple[Any, Any]:
    """Return scale and offset of each axis: the array's own transformations, then the image's."""
    scales, offsets = np.ones(count), np.zeros(count)
    key = "coordinateTransformations"
    for step in (*(dataset.get(key) or ()), *(image.get(key) or ())):
        values = step.get(step.get("type")) if isinstance(step, Mapping) else None
        if not isinstance(values, list) or len(values) != count:
            continue
        if step["type"] == "scale":
            scales, offsets = scales * values, offsets * values
        elif step["type"] == "translation":
            offsets = offsets + values
    return scales, offsets


def _add_axis(
    description: ArrayDescription,
    number: int,
    axis: Mapping[str, Any],
    scale: float,
    offset: float,
    ome: Mapping[str, Any],
) -> None:
    """Add the values along an axis: names of channels, or places with their unit."""
    dim, length = description.dims[number], description.shape[number]
    labels = _channels(ome) if axis.get("type") == "channel" else []
    unit = axis.get("unit")
    attrs = {"units": unit} if isinstance(unit, str) else {}
    if labels and len(labels) == length:
        description.add_coordinate(dim, (dim,), labels, {})
    elif attrs or scale != 1 or offset:
        description.add_coordinate(dim, (dim,), np.arange(length) * scale + offset, attrs)


def _channels(ome: Mapping[str, Any]) -> list[str]:
    """Return the names of the channels; none if any has no name."""
    omero = ome.get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    labels = [
        channel.get("label") if isinstance(channel, Mapping) else None for channel in channels or ()
    ]
    named = [label for label in labels if isinstance(label, str)]
    return named if len(named) == len(labels) else []
