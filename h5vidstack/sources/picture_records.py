"""What pictures say of themselves besides their pixels, collected while they are read."""

from __future__ import annotations

import array
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ..metadata.coordinates import Coordinate
from ..metadata.description import FRAME_AXIS, Metadata
from ..metadata.words import Words, WordsCollector, WordsKind
from ..shapes import Shape

EXIF, XMP, ICC, PNG_TEXT, PNG_CHUNKS = "exif", "xmp", "icc", "png_text", "png_chunks"
XMP_EXTENDED, PHOTOSHOP = "xmp_extended", "photoshop"
JPEG_COMMENT, TIFF_TAGS, OME_XML, OME_IMAGE = "jpeg_comment", "tiff_tags", "ome_xml", "ome_image"
IMAGEJ_DESCRIPTION, IMAGEJ_METADATA = "imagej_description", "imagej_metadata"
IMAGEJ_COUNTS = "imagej_metadata_byte_counts"

KINDS = {
    EXIF: WordsKind.BYTES,
    XMP: WordsKind.TEXT,
    ICC: WordsKind.BYTES,
    PNG_TEXT: WordsKind.JSON,
    PNG_CHUNKS: WordsKind.JSON,
    JPEG_COMMENT: WordsKind.TEXT,
    XMP_EXTENDED: WordsKind.TEXT,
    PHOTOSHOP: WordsKind.BYTES,
    TIFF_TAGS: WordsKind.JSON,
    OME_XML: WordsKind.TEXT,
    OME_IMAGE: WordsKind.JSON,
    IMAGEJ_DESCRIPTION: WordsKind.TEXT,
    IMAGEJ_METADATA: WordsKind.BYTES,
    IMAGEJ_COUNTS: WordsKind.JSON,
}
"""The names of what pictures say, and how it is meant."""

TIME = "time"
"""The coordinate that says when a frame was taken."""
_NO_TIME = np.iinfo(np.int64).min
_FINER = (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))


@dataclass(frozen=True)
class PixelSize:
    """Height and width of a pixel, and their unit."""

    y: float
    x: float
    unit: str


@dataclass(frozen=True)
class PictureRecord:
    """What one picture says of itself besides its pixels.

    Attributes
    ----------
    words
        Verbatim, by the names of `KINDS`.
    time
        When it was taken, in nanoseconds since 1970.
    pixel_size
        How large a pixel is.
    """

    words: Mapping[str, bytes] = field(default_factory=dict)
    time: int | None = None
    pixel_size: PixelSize | None = None


NO_RECORD = PictureRecord()


class RecordCollector:
    """Collects the records of pictures, in the order in which they are read."""

    def __init__(self) -> None:
        self._words: dict[str, WordsCollector] = {}
        self._times = array.array("q")
        self._size: PixelSize | None = None

    def __len__(self) -> int:
        return len(self._times)

    def add(self, record: PictureRecord) -> None:
        """Note what the next picture says."""
        for name in record.words:
            if name not in self._words:
                collector = self._words[name] = WordsCollector(KINDS[name])
                for _ in self._times:
                    collector.add(None)
        for name, collector in self._words.items():
            collector.add(record.words.get(name))
        if not self._times:
            self._size = record.pixel_size
        elif record.pixel_size != self._size:
            self._size = None
        self._times.append(_NO_TIME if record.time is None else record.time)

    def metadata(
        self, known: Metadata, frame: Shape, order: npt.NDArray[np.intp] | None = None
    ) -> Metadata:
        """Return what is known already, with what the pictures say.

        Parameters
        ----------
        known
            Its coordinates come before those of the pictures.
        frame
            ``(H, W[, C])``.
        order
            Which picture each frame is; None: they are the frames.
        """
        numbers = np.arange(len(self)) if order is None else order
        words = {}
        for name, collector in self._words.items():
            said = collector.words()
            if said is not None:
                words[name] = said if order is None else _tidied(said.take(numbers))
        coords = scale_coords(self._size, frame)
        times = np.frombuffer(self._times, np.int64)[numbers]
        if len(times) and not (times == _NO_TIME).any():
            axis = known.dims[0] if len(known.dims) == len(frame) + 1 else FRAME_AXIS
            coords[TIME] = Coordinate.of((axis,), _coarsest(times))
        return replace(known, coords={**coords, **known.coords}, words={**words, **known.words})


def scale_coords(size: PixelSize | None, frame: Shape) -> dict[str, Coordinate]:
    """Return the coordinates of rows and columns, if it is known how large a pixel is."""
    if size is None:
        return {}
    steps = {"y": (frame[0], size.y), "x": (frame[1], size.x)}
    return {
        name: Coordinate.of((name,), np.arange(count) * step, {"units": size.unit})
        for name, (count, step) in steps.items()
    }


def _tidied(words: Words) -> Words:
    """Return words that are the same for all frames as such."""
    if words.of is not None and len(words.values) == 1 and not words.of.any():
        return replace(words, of=None)
    return words


def _coarsest(nanoseconds: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    """Return times in the longest unit of which all are multiples."""
    unit, step = next(row for row in _FINER if not (nanoseconds % row[1]).any())
    return (nanoseconds // step).view(f"M8[{unit}]")
