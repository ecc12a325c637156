"""What a TIFF says of the frames of a series besides their pixels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...metadata.description import FRAME_AXIS, OTHER_SAMPLES_AXIS, SAMPLES_AXIS, Metadata
from .. import picture_records as records
from ..picture_records import NO_RECORD, PictureRecord, PixelSize
from . import imagej, ome
from .directories import (
    DESCRIPTION,
    ICC,
    XMP,
    Directory,
    moment,
    pixel_size,
    read_directory,
    to_json,
)
from .ome import Planes

STRUCTURE = frozenset(
    {254, 255, 256, 257, 258, 259, 266, 273, 277, 278, 279, 284, 288, 289, 317, 322, 323, 324, 325,
     330, 339, 347, *range(512, 522), 529, 530, 531, 532, 32997, 32998}
)  # fmt: skip
"""Tags that say how pixels lie in the file, which words leave out."""
MADE_HERE = 65111
"""The tag that marks images that this program unpacked, so that it may replace them."""
_UNNAMED = ("I", "Q")
"""How tifffile calls axes of pages that nobody named."""


@dataclass(frozen=True)
class TiffDescription:
    """What a TIFF says of a series as a whole.

    Attributes
    ----------
    metadata
        Axes, coordinates and attributes.
    words
        What is said of all pages, by name.
    pixel_size
        How large a pixel is.
    notes
        Where what is said contradicts the pages.
    """

    metadata: Metadata = field(default_factory=Metadata)
    words: Mapping[str, bytes] = field(default_factory=dict)
    pixel_size: PixelSize | None = None
    notes: Sequence[str] = ()


def axis_names(letters: Sequence[str]) -> tuple[str, ...]:
    """Return names of the axes that count frames, from tifffile's letters.

    An axis that nobody named is ``frame`` if it is the only one, otherwise ``axis_0``, ``axis_1``
    and so on, by its place.
    """
    if not letters or (len(letters) == 1 and letters[0] in _UNNAMED):
        return (FRAME_AXIS,)
    often = Counter(letters)
    return tuple(
        f"axis_{number}" if letter in _UNNAMED or often[letter] > 1 else letter
        for number, letter in enumerate(letters)
    )


def describe(
    tiff: Any, series: Any, number: int, letters: Sequence[str], planes: Planes
) -> TiffDescription:
    """Return what a TIFF says of one of its series.

    Parameters
    ----------
    tiff, series
        As tifffile has them.
    number
        Which series of the file it is.
    letters
        Tifffile's letters of the axes that count frames.
    planes
        What the pages are.
    """
    samples = (SAMPLES_AXIS if SAMPLES_AXIS not in planes.lengths else OTHER_SAMPLES_AXIS,)
    named = any(letter not in _UNNAMED for letter in letters)
    dims = (*planes.lengths, "y", "x", *samples[: len(planes.frame) - 2]) if named else ()
    first = tiff.pages.first
    directory = page_directory(first, frozenset())
    label, text = tiff.filehandle.path, (directory.text(DESCRIPTION) or "").rstrip("\0")
    if first.is_ome:
        return _of_ome(text, series, number, dims, planes, label)
    if first.is_imagej and series.kind == "imagej":
        found = imagej.describe(text, directory, planes)
        words = {records.IMAGEJ_DESCRIPTION: _text(directory, DESCRIPTION)}
        if imagej.METADATA in directory.entries:
            words[records.IMAGEJ_METADATA] = directory.entries[imagej.METADATA].data
            counts = directory.values(imagej.BYTE_COUNTS)
            words[records.IMAGEJ_COUNTS] = json.dumps(counts).encode()
        return TiffDescription(
            Metadata(dims, found.coords, found.attrs), words, _size_of(found.coords)
        )
    return TiffDescription(Metadata(dims))


def _of_ome(
    text: str, series: Any, number: int, dims: tuple[str, ...], planes: Planes, label: str
) -> TiffDescription:
    """Return what OME-XML says; of a file whose pages are no series of it only its words."""
    root = ome.parse_ome(text.encode(errors="surrogateescape"))
    words = {records.OME_XML: text.encode(errors="surrogateescape")}
    images = [] if root is None else ome.images(root)
    if series.kind != "ome" or not number < len(images):
        return TiffDescription(Metadata(dims), words)
    if len(images) > 1:
        words[records.OME_IMAGE] = json.dumps(number).encode()
    found = ome.describe(images[number], planes, label)
    metadata = Metadata(dims, found.coords, found.attrs)
    return TiffDescription(metadata, words, found.pixel_size, found.notes)


def _size_of(coords: Mapping[str, Any]) -> PixelSize | None:
    """Return how large a pixel is, from the coordinates of rows and columns."""
    if not {"y", "x"} <= coords.keys() or min(coords["y"].shape[0], coords["x"].shape[0]) < 2:
        return None
    height, width = (float(coords[name].data[1]) for name in "yx")
    return PixelSize(height, width, coords["x"].units or "")


class PageRecords:
    """What the pages of a TIFF say of themselves.

    Parameters
    ----------
    whole
        What the file says of all of its pages.
    """

    def __init__(self, whole: TiffDescription) -> None:
        self._whole = whole
        self._skip = {MADE_HERE, XMP, ICC}
        if records.IMAGEJ_DESCRIPTION in whole.words:
            self._skip |= {imagej.BYTE_COUNTS, imagej.METADATA}
        self._described = [
            whole.words[name]
            for name in (records.OME_XML, records.IMAGEJ_DESCRIPTION)
            if name in whole.words
        ]
        self._last: tuple[Directory, PictureRecord] | None = None

    def read(self, page: Any) -> PictureRecord:
        """Return what a page says, with what the whole file says; its file is open."""
        directory = page_directory(page, STRUCTURE)
        if self._last is None or self._last[0] != directory:
            self._last = directory, self._record(directory)
        return self._last[1]

    def _record(self, directory: Directory) -> PictureRecord:
        words = dict(self._whole.words)
        said = Directory(
            directory.order,
            {
                tag: entry
                for tag, entry in directory.entries.items()
                if tag not in self._skip
                and not (tag == DESCRIPTION and entry.data.rstrip(b"\0") in self._described)
            },
        )
        if said.entries:
            words[records.TIFF_TAGS] = json.dumps(to_json(said)).encode()
        for name, tag in ((records.XMP, XMP), (records.ICC, ICC)):
            if tag in directory.entries:
                words[name] = directory.entries[tag].data
        size = self._whole.pixel_size
        plain = pixel_size(directory)
        if size is None and plain is not None and not self._whole.words:
            size = PixelSize(*plain)
        if not words and size is None:
            return NO_RECORD
        return PictureRecord(words, moment(directory), size)


def page_directory(page: Any, skip: frozenset[int]) -> Directory:
    """Read the tags of a page, whose file is open."""
    tiff, file = page.parent, page.parent.filehandle

    def read(offset: int, size: int) -> bytes:
        file.seek(offset)
        found: bytes = file.read(size)
        return found

    return read_directory(read, tiff.byteorder, page.offset, big=bool(tiff.is_bigtiff), skip=skip)


def _text(directory: Directory, tag: int) -> bytes:
    return directory.entries[tag].data.rstrip(b"\0")
