"""The OME-XML of a stack: that of its source, if it fits the frames, or a new one."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from ..errors import OutputError
from ..metadata.coordinates import Coordinate
from ..metadata.description import FRAME_AXIS, Metadata
from ..shapes import Shape
from ..sources.tiff import ome
from ..sources.tiff.ome import Planes
from ..sources.tiff.tiff_pages import load_tifffile

_AXES = {
    "t": "T", "time": "T", "c": "C", "ch": "C", "channel": "C", "channels": "C", "z": "Z",
    "depth": "Z",
}  # fmt: skip
"""Names of axes, in lower case, and what OME calls them."""
_UNITS = {
    "um": "µm", "μm": "µm", "micron": "µm", "microns": "µm", "micrometer": "µm",
    "micrometers": "µm", "nanometer": "nm", "millimeter": "mm", "meter": "m", "inch": "in",
    "sec": "s", "second": "s", "seconds": "s", "msec": "ms", "milliseconds": "ms",
    "minutes": "min", "hours": "h",
}  # fmt: skip
"""Other spellings of the units of OME."""
_SCALES = {
    "x": "PhysicalSizeX", "y": "PhysicalSizeY", "Z": "PhysicalSizeZ", "T": "TimeIncrement",
}  # fmt: skip
_PREFIX = r"(?:[A-Za-z_][\w.-]*:)?"
_IMAGE = re.compile(rf"\s*<{_PREFIX}Image\b(?!Ref).*?</{_PREFIX}Image>", re.DOTALL)
_DATA = re.compile(rf"<({_PREFIX})TiffData\b(?:[^>]*/>|.*?</{_PREFIX}TiffData\s*>)", re.DOTALL)
_UUID = re.compile(r"(<[^>]*\bUUID=[\"'])[^\"']*([\"'])")


def planes_of(metadata: Metadata, leading: Shape, frame: Shape, dtype: np.dtype[Any]) -> Planes:
    """Return the frames of a stack as OME's terms have them."""
    axes = metadata.axes(leading, frame)
    lengths = dict(list(axes.items())[: len(leading)])
    return Planes(lengths, frame, dtype)


def original_xml(text: str, number: int, planes: Planes, metadata: Metadata) -> str | None:
    """Return the OME-XML of the source for a file of these planes alone.

    Only what says where pages are is made anew, other images are left out, and a scale that the
    user gave instead is put in.

    Parameters
    ----------
    text
        The OME-XML.
    number
        Which of its images the planes are of.
    planes
        The frames of the stack.
    metadata
        What is known of them.

    Returns
    -------
    str or None
        None if it does not fit the planes, or has no place for where pages are.
    """
    root = ome.parse_ome(text.encode(errors="surrogateescape"))
    images = [] if root is None else ome.images(root)
    if not number < len(images) or not _fits(images[number], planes):
        return None
    found = list(_IMAGE.finditer(text))
    if len(found) != len(images):
        return None
    own = found[number]
    data = list(_DATA.finditer(own[0]))
    if not data:
        return None
    count = int(np.prod(tuple(planes.lengths.values())))
    here = f'<{data[0][1]}TiffData IFD="0" PlaneCount="{count}"/>'
    image = own[0][: data[0].start()] + here + _DATA.sub("", own[0][data[0].end() :])
    image = _scaled(image, images[number], planes, metadata)
    between = [text[one.end() : other.start()] for one, other in itertools.pairwise(found)]
    head = _UUID.sub(rf"\g<1>urn:uuid:{uuid.uuid4()}\g<2>", text[: found[0].start()], count=1)
    made = "".join([head, image, *between, text[found[-1].end() :]])
    again = ome.parse_ome(made.encode(errors="surrogateescape"))
    return made if again is not None and len(ome.images(again)) == 1 else None


def described_by(text: str, planes: Planes) -> dict[str, Coordinate]:
    """Return the coordinates that a reader finds in OME-XML of one image."""
    root = ome.parse_ome(text.encode(errors="surrogateescape"))
    images = [] if root is None else ome.images(root)
    return ome.describe(images[0], planes, "").coords if len(images) == 1 else {}


def new_xml(metadata: Metadata, planes: Planes) -> tuple[str, Planes]:
    """Return new OME-XML of what is known of frames, and the planes that it describes.

    Axes that OME does not have are counted as times.

    Raises
    ------
    OutputError
        If OME has no such samples.
    """
    if f"{planes.dtype.kind}{planes.dtype.itemsize}" not in ome.TYPES:
        raise OutputError(f"OME-TIFF does not hold {planes.dtype} pixels: unpack to x.tif or x.npy")
    count = int(np.prod(tuple(planes.lengths.values())))
    letters = {name: _AXES.get(name.lower(), "") for name in planes.lengths}
    if "" in letters.values() or len(set(letters.values())) < len(letters):
        letters = dict.fromkeys(planes.lengths, "T") if len(letters) == 1 else {}
    lengths = {letter: planes.lengths[name] for name, letter in letters.items()} or {"T": count}
    samples = planes.frame[2] if len(planes.frame) == 3 else 1
    xml = load_tifffile().OmeXml(Creator="h5vidstack")
    xml.addimage(
        planes.dtype, (*lengths.values(), *planes.frame),
        (count, 1, 1, *planes.frame[:2], samples),
        axes="".join(lengths) + "YX" + ("S" if samples > 1 else ""),
        **_attributes(metadata, letters),
    )  # fmt: skip
    named = Planes(lengths, planes.frame, planes.dtype)
    return str(xml.tostring(declaration=True)), named


def _attributes(metadata: Metadata, letters: Mapping[str, str]) -> dict[str, Any]:
    """Return what tifffile's `OmeXml` is to write."""
    found: dict[str, Any] = {}
    for name, coordinate in metadata.coords.items():
        axis = name if name in ("y", "x") else letters.get(name)
        step = _step(coordinate) if coordinate.dims == (name,) else None
        if axis == "C" and coordinate.dtype.kind == "U":
            found["Channel"] = {"Name": coordinate.values.tolist()}
        elif axis in ("x", "y", "Z") and step and coordinate.units:
            found[f"PhysicalSize{axis.upper()}"] = step
            found[f"PhysicalSize{axis.upper()}Unit"] = unit(coordinate.units)
        elif axis == "T" and step and coordinate.units:
            found["TimeIncrement"], found["TimeIncrementUnit"] = step, unit(coordinate.units)
    planes: dict[str, Any] = {}
    frames = (FRAME_AXIS, *letters) if len(letters) == 1 else (FRAME_AXIS,)
    for attribute, name, _ in ome.PLANE_COLUMNS:
        column = metadata.coords.get(name)
        if (
            column is not None
            and column.dtype.kind == "f"
            and column.dims[:1]
            and (column.dims[0] in frames and column.units and np.isfinite(column.data).all())
        ):
            planes[attribute] = column.data.tolist()
            planes[f"{attribute}Unit"] = [unit(column.units)] * len(column)
    if planes:
        found["Plane"] = planes
    date = metadata.attrs.get(ome.ACQUISITION_DATE)
    return found if date is None else {**found, "AcquisitionDate": date}


def _scaled(image: str, said: ome.Element, planes: Planes, metadata: Metadata) -> str:
    """Return the text of an image with the scales of the stack where these are others."""
    known = ome.describe(said, planes, "").coords
    new: dict[str, str] = {}
    for name, attribute in _SCALES.items():
        coordinate = metadata.coords.get(name)
        if coordinate is None or coordinate.dims != (name,) or not coordinate.units:
            continue
        if same_values(coordinate, known.get(name)) or not (step := _step(coordinate)):
            continue
        new |= {attribute: repr(step), f"{attribute}Unit": unit(coordinate.units)}
    if not new:
        return image

    def changed(found: re.Match[str]) -> str:
        tag = re.sub(rf"\s(?:{'|'.join(new)})=(?:\"[^\"]*\"|'[^']*')", "", found[1])
        return tag + "".join(f" {name}={quoteattr(value)}" for name, value in new.items())

    return re.sub(rf"(<{_PREFIX}Pixels\b[^>]*?)(?=/?>)", changed, image, count=1)


def same_values(one: Coordinate, two: Coordinate | None) -> bool:
    """Return whether two coordinates have the same values, in the same unit, however spelt."""
    if two is None or unit(one.units) != unit(two.units):
        return False
    first, second = one.values, two.values
    return first.shape == second.shape and bool(
        np.array_equal(first, second, equal_nan=one.dtype.kind in "fMm")
    )


def unit(text: str | None) -> str:
    """Return a unit as OME spells it, if it has it."""
    return _UNITS.get(text or "", text or "")


def _step(coordinate: Coordinate) -> float | None:
    """Return the step of values that begin at 0 and are equally far apart."""
    values = coordinate.data
    if values.dtype.kind not in "iuf" or len(values) < 2:
        return None
    step = float(values[1])
    return step if np.array_equal(values, np.arange(len(values)) * step) and step > 0 else None


def _fits(image: ome.Element, planes: Planes) -> bool:
    """Return whether an image has these planes, in this order."""
    pixels = ome.pixels_of(image)
    if pixels is None or any(ome.contradictions(pixels, planes)):
        return False
    samples = planes.frame[2] if len(planes.frame) == 3 else 1
    try:
        planes_said = np.prod([int(pixels.get(f"Size{axis}", "")) for axis in "TCZ"]) // samples
    except ValueError:
        return False
    order = [axis for axis in reversed(pixels.get("DimensionOrder", "")) if axis in "TCZ"]
    own = [axis for axis, length in planes.lengths.items() if length > 1]
    known = [axis for axis in own if axis in "TCZ"]
    return bool(
        planes_said == np.prod(tuple(planes.lengths.values()))
        and known == [axis for axis in order if axis in known]
        and (known == own or len(known) == len([axis for axis in order if axis in own]) > 0)
    )
