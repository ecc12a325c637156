"""OME-XML: what it says of one series of a TIFF, and where it contradicts the pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ...metadata.coordinates import Coordinate
from ...metadata.description import FRAME_AXIS
from ...shapes import Shape
from ..picture_records import TIME, PixelSize

Element = ElementTree.Element

SIZE_UNIT, TIME_UNIT, POSITION_UNIT = "µm", "s", "reference frame"
"""The units of the OME schema where a file leaves them out."""
PLANE_COLUMNS = (
    ("DeltaT", TIME, TIME_UNIT),
    ("ExposureTime", "exposure", TIME_UNIT),
    ("PositionX", "position_x", POSITION_UNIT),
    ("PositionY", "position_y", POSITION_UNIT),
    ("PositionZ", "position_z", POSITION_UNIT),
)
"""Attributes of a Plane, the coordinates that they become, and their default units."""
TYPES = {
    "b1": "bit", "i1": "int8", "i2": "int16", "i4": "int32", "u1": "uint8", "u2": "uint16",
    "u4": "uint32", "f4": "float", "f8": "double",
}  # fmt: skip
"""What OME calls NumPy's types."""
ACQUISITION_DATE = "acquisition_date"


@dataclass(frozen=True)
class Planes:
    """The pages of a series, as OME's terms have them.

    Attributes
    ----------
    lengths
        The axes that count frames, in order, and their lengths.
    frame
        ``(H, W[, C])``.
    dtype
        Of the samples.
    """

    lengths: Mapping[str, int]
    frame: Shape
    dtype: np.dtype[Any]

    @property
    def frame_axis(self) -> str:
        """The axis along which all frames are counted."""
        return next(iter(self.lengths)) if len(self.lengths) == 1 else FRAME_AXIS


@dataclass(frozen=True)
class OmeDescription:
    """What OME-XML says of one series.

    Attributes
    ----------
    coords, attrs
        As of `Metadata`.
    pixel_size
        How large a pixel is.
    notes
        Where it contradicts the pages.
    """

    coords: dict[str, Coordinate] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)
    pixel_size: PixelSize | None = None
    notes: list[str] = field(default_factory=list)


def parse_ome(text: bytes | str) -> Element | None:
    """Return the root of OME-XML; None if it is none."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  (expat bounds what entities become)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    return root if _name(root) == "OME" else None


def images(root: Element) -> list[Element]:
    """Return the images that have pixels."""
    return [image for image in _children(root, "Image") if pixels_of(image) is not None]


def pixels_of(image: Element) -> Element | None:
    """Return the element of an image that describes its pixels."""
    return next(_children(image, "Pixels"), None)


def other_files(text: str, own: str) -> bool:
    """Return whether OME-XML names files besides its own, which hold pages, too."""
    return bool(set(re.findall(r'FileName="([^"]*)"', text)) - {own})


def describe(image: Element, planes: Planes, label: str) -> OmeDescription:
    """Return what an image of OME-XML says of the pages of a series.

    Parameters
    ----------
    planes
        What the pages are; they are right where the two differ.
    label
        The file's name, for notes.
    """
    pixels = pixels_of(image)
    if pixels is None:
        return OmeDescription()
    found = OmeDescription(pixel_size=_pixel_size(pixels))
    wrong = list(contradictions(pixels, planes))
    if wrong:
        found.notes.append(
            f"The OME metadata of {label} contradict its pages ({'; '.join(wrong)}); the pages "
            "were taken."
        )
    _add_scales(found, pixels, planes)
    _add_channels(found, pixels, planes)
    _add_planes(found, pixels, planes, label)
    date = next(_children(image, "AcquisitionDate"), None)
    if date is not None and date.text:
        found.attrs[ACQUISITION_DATE] = date.text.strip()
    return found


def contradictions(pixels: Element, planes: Planes) -> Iterator[str]:
    """Yield what the pixels are said to be, and are not."""
    samples = planes.frame[2] if len(planes.frame) == 3 else 1
    true: dict[str, Any] = {"X": planes.frame[1], "Y": planes.frame[0]}
    if {axis for axis, length in planes.lengths.items() if length > 1} <= set("TCZ"):
        true |= {axis: planes.lengths.get(axis, 1) for axis in "TCZ"}
        true["C"] *= samples
    for axis, size in true.items():
        said = pixels.get(f"Size{axis}")
        if said is not None and said.strip() != str(size):
            yield f"Size{axis} is {size}, not {said}"
    kind = TYPES.get(f"{planes.dtype.kind}{planes.dtype.itemsize}")
    said = pixels.get("Type") or pixels.get("PixelType")
    if said is not None and said.lower() != kind:
        yield f"samples are {planes.dtype}, not {said}"


def _pixel_size(pixels: Element) -> PixelSize | None:
    width, height = (finite_number(pixels.get(f"PhysicalSize{axis}")) for axis in "XY")
    units = {pixels.get(f"PhysicalSize{axis}Unit", SIZE_UNIT) for axis in "XY"}
    if not width or not height or len(units) > 1:
        return None
    return PixelSize(height, width, units.pop())


def _add_scales(found: OmeDescription, pixels: Element, planes: Planes) -> None:
    """Add the coordinates of axes whose steps are stated."""
    lengths = {"x": planes.frame[1], "y": planes.frame[0], **planes.lengths}
    for axis, attribute, default in (
        ("x", "PhysicalSizeX", SIZE_UNIT),
        ("y", "PhysicalSizeY", SIZE_UNIT),
        ("Z", "PhysicalSizeZ", SIZE_UNIT),
        ("T", "TimeIncrement", TIME_UNIT),
    ):
        step = finite_number(pixels.get(attribute))
        if step and axis in lengths:
            unit = pixels.get(f"{attribute}Unit", default)
            found.coords[axis] = Coordinate.of(
                (axis,), np.arange(lengths[axis]) * step, {"units": unit}
            )


def _add_channels(found: OmeDescription, pixels: Element, planes: Planes) -> None:
    names = [channel.get("Name", "") for channel in _children(pixels, "Channel")]
    if not any(names):
        return
    if planes.lengths.get("C") == len(names):
        found.coords["C"] = Coordinate.of(("C",), names)
    elif "C" not in planes.lengths and len(names) == 1:
        found.coords["C"] = Coordinate.of((), np.array(names[0]))


def _add_planes(found: OmeDescription, pixels: Element, planes: Planes, label: str) -> None:
    """Add what is said of each plane as columns."""
    if not set(planes.lengths) <= {*"TCZ", FRAME_AXIS}:
        return
    edges = tuple(planes.lengths.values())
    elements = list(_children(pixels, "Plane"))
    numbers = [_plane_number(plane, tuple(planes.lengths), edges) for plane in elements]
    for attribute, name, default in PLANE_COLUMNS:
        values = np.full(int(np.prod(edges)), np.nan)
        units = set()
        for plane, number in zip(elements, numbers, strict=True):
            value = finite_number(plane.get(attribute))
            if number is not None and value is not None:
                values[number] = value
                units.add(plane.get(f"{attribute}Unit", default))
        if len(units) > 1:
            found.notes.append(
                f"{attribute} of the planes of {label} is in several units "
                f"({', '.join(sorted(units))}), and is kept in the OME-XML only."
            )
        elif units:
            found.coords[name] = Coordinate.of((planes.frame_axis,), values, {"units": units.pop()})


def _plane_number(plane: Element, axes: Sequence[str], edges: Shape) -> int | None:
    """Return the number of the frame that a plane is; None if there is no such frame."""
    places = []
    for axis, edge in zip(axes, edges, strict=True):
        text = plane.get("TheT" if axis == FRAME_AXIS else f"The{axis}", "0").strip()
        if not text.isdecimal() or int(text) >= edge:
            return None
        places.append(int(text))
    return int(np.ravel_multi_index(places, edges)) if places else 0


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _name(child) == name)


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def finite_number(text: str | None) -> float | None:
    """Return the number that a text says; None if it says none, or no finite one."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None
