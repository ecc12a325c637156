"""Multi-page TIFFs of stacks: OME-TIFF, ImageJ hyperstacks, or plain pages with their tags."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from ..metadata.coordinates import Coordinate
from ..metadata.description import Metadata
from ..reading.stack_reader import StackReader
from ..shapes import Pixels, Shape
from ..sources import picture_records as records
from ..sources.picture_records import PixelSize
from ..sources.tiff import imagej
from ..sources.tiff.directories import DESCRIPTION, Directory, Entry, moment, pixel_size
from ..sources.tiff.ome import Planes
from . import left_out, ome_writing
from .image_words import (
    FILE_WORDS,
    PAGE_WORDS,
    SaidReader,
    file_tags,
    imagej_of_some,
    order_of,
    page_tags,
    text_entry,
)
from .left_out import Placed
from .tiff_pages_writer import TiffPages

CLASSIC_BYTES = 4_000_000_000
"""Larger files are written as BigTIFF, because offsets in classic TIFF have 32 bits."""
_SHAPED = '{"shape"'
"""How the description begins that tifffile writes to its first page, of the shape of a file."""

Numbers = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True)
class TiffPlan:
    """What a multi-page TIFF is to say.

    Attributes
    ----------
    kind
        What it is, with its article.
    order
        The order of its bytes.
    first
        Tags of the first page that say what is said of all.
    kept
        What it keeps.
    """

    kind: str = "a plain TIFF"
    order: str = "<"
    first: Mapping[int, Entry] = field(default_factory=dict)
    kept: Placed = field(default_factory=Placed)


@dataclass(frozen=True)
class TiffStack:
    """Frames of a stack that go to one TIFF.

    Attributes
    ----------
    stack
        Where they are.
    numbers
        Which they are.
    whole
        Whether they are all frames, in their order.
    wants_ome
        Whether an OME-TIFF is wanted in any case.
    """

    stack: StackReader
    numbers: Numbers
    whole: bool
    wants_ome: bool = False

    @property
    def leading(self) -> Shape:
        """The lengths of the axes that count the frames."""
        return self.stack.leading_shape if self.whole else (len(self.numbers),)

    def metadata(self) -> Metadata:
        """Return what is known of the frames."""
        known = self.stack.metadata
        return known if self.whole else known.take(self.numbers, self.stack.leading_shape)

    def write(self, file: BinaryIO, frames: Iterator[Pixels]) -> list[str]:
        """Write the frames to an empty file; return what the user must know.

        Raises
        ------
        OutputError
            If OME-TIFF is wanted, and has no such samples.
        """
        metadata = self.metadata()
        plan = self._plan(metadata)
        size = len(self.numbers) * math.prod(self.stack.shape[1:]) * self.stack.dtype.itemsize
        pages = TiffPages(file, big=size > CLASSIC_BYTES, order=plan.order)
        said = SaidReader(self.stack.source.words, PAGE_WORDS)
        converted = conversion(self.stack) is not None
        ends: list[Directory] = []
        for place, (number, pixels) in enumerate(zip(self.numbers.tolist(), frames, strict=True)):
            tags = page_tags(said(number), plan.order, converted)
            entries = dict(tags.entries)
            if not self._keeps_description(tags, bool(plan.first)):
                entries.pop(DESCRIPTION, None)
            pages.add(
                pixels, Directory(plan.order, {**entries, **(plan.first if not place else {})})
            )
            ends[1:] = [tags] if ends else []
            ends = ends or [tags]
        found = self._found(metadata, ends[0], ends[-1]) | dict(plan.kept.coords)
        kept = Placed({*PAGE_WORDS, *plan.kept.words}, found, plan.kept.axes)
        return left_out.notes(metadata, left_out.named_axes(self.stack), kept, plan.kind)

    def _keeps_description(self, tags: Directory, replaced: bool) -> bool:
        """Return whether a page keeps its description: that of a whole file may be wrong now."""
        text = tags.text(DESCRIPTION) or ""
        return not replaced and (self.whole or not text.startswith(_SHAPED))

    def _found(
        self, metadata: Metadata, first: Directory, last: Directory
    ) -> dict[str, Coordinate]:
        size = pixel_size(first)
        return left_out.found_in_words(
            metadata,
            self.stack.shape[1:],
            None if size is None else PixelSize(*size),
            (moment(first), moment(last)),
        )

    def _plan(self, metadata: Metadata) -> TiffPlan:
        words = self.stack.source.words
        whole = {name: words[name] for name in FILE_WORDS if name in words}
        said = {name: value.value for name, value in whole.items() if value.of is None}
        if self.wants_ome or records.OME_XML in said:
            return self._ome(metadata, said)
        if records.IMAGEJ_DESCRIPTION in said:
            return self._imagej(metadata, said)
        return TiffPlan()

    def _planes(self, metadata: Metadata) -> Planes:
        return ome_writing.planes_of(metadata, self.leading, self.stack.shape[1:], self.stack.dtype)

    def _ome(self, metadata: Metadata, said: dict[str, Any]) -> TiffPlan:
        planes = self._planes(metadata)
        text, words = None, [records.OME_IMAGE]
        if self.whole and records.OME_XML in said:
            number = said.get(records.OME_IMAGE, 0)
            text = ome_writing.original_xml(said[records.OME_XML], number, planes, metadata)
        if text is None:
            text, planes = ome_writing.new_xml(metadata, planes)
        else:
            words.append(records.OME_XML)
        found = ome_writing.described_by(text, planes)
        axes = self.whole and self._planes(metadata).lengths == planes.lengths
        return TiffPlan(
            "an OME-TIFF", "<", {DESCRIPTION: text_entry(text)}, Placed(words, found, axes)
        )

    def _imagej(self, metadata: Metadata, said: dict[str, Any]) -> TiffPlan:
        planes = self._planes(metadata)
        if not self.whole:
            said = imagej_of_some(said, self.numbers.tolist())
        order = order_of(said)
        tags = page_tags(SaidReader(self.stack.source.words, PAGE_WORDS)(0), order, True)
        entries = {**tags.entries, **file_tags(said, order)}
        text = said[records.IMAGEJ_DESCRIPTION]
        found = imagej.describe(text, Directory(order, entries), planes)
        kept = Placed(FILE_WORDS if self.whole else (), found.coords, self.whole)
        return TiffPlan("an ImageJ TIFF", order, file_tags(said, order), kept)


def conversion(stack: StackReader) -> str | None:
    """Return what made the samples of a stack, if they are not as its source stored them."""
    settings = stack.attrs.get("settings")
    return settings.get("conversion") if isinstance(settings, Mapping) else None
