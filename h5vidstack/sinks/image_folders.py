"""Folders of images of stacks, under the names that the frames had, with what they said."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import OutputError
from ..metadata.coordinates import Coordinate
from ..metadata.description import FRAME_AXIS
from ..metadata.words import NOTHING, Words
from ..pool import default_workers, in_order
from ..reading.stack_reader import StackReader
from ..shapes import Pixels
from ..sources.images import png_words
from ..sources.picture_records import (
    EXIF,
    IMAGEJ_DESCRIPTION,
    OME_XML,
    PNG_CHUNKS,
    PixelSize,
)
from ..sources.tiff import imagej
from ..sources.tiff.directories import (
    Directory,
    moment,
    pixel_size,
    read_directory,
    read_exif,
)
from ..sources.tiff.ome import Planes
from ..sources.tiff.tiff_metadata import MADE_HERE
from ..sources.tiff.tiff_source import is_tiff
from . import image_names, left_out
from .image_names import ImageName
from .image_words import (
    FILE_WORDS,
    MADE_HERE_CHUNK,
    PAGE_WORDS,
    PNG_WORDS,
    Said,
    SaidReader,
    file_tags,
    made_here,
    order_of,
    page_tags,
    png_with_words,
)
from .left_out import Placed
from .ome_writing import described_by
from .tiff_pages_writer import TiffPages
from .tiff_stacks import conversion

Numbers = np.ndarray[Any, np.dtype[np.intp]]
_MARK_AT = 37
"""Where a PNG that was unpacked has the name of the chunk that says so."""
_ARTICLES = {"png": "a PNG", "tiff": "a TIFF"}


@dataclass(frozen=True)
class ImageFolder:
    """Frames of a stack that go to a folder of images.

    Attributes
    ----------
    stack
        Where they are.
    numbers
        Which they are; each once.
    images
        Where each goes.
    notes
        Why they have not the names of the source, if so.
    """

    stack: StackReader
    numbers: Numbers
    images: Sequence[ImageName]
    notes: Sequence[str] = ()

    @staticmethod
    def of(
        stack: StackReader,
        numbers: Numbers,
        formats: Sequence[str],
        image_format: str | None,
        names: bool | None,
    ) -> ImageFolder:
        """Choose names and formats.

        Parameters
        ----------
        formats
            Those that hold the pixels exactly, the usual one first.
        image_format
            The one that the user wants; None: that of each name.
        names
            Whether the names of the source are used; None: if there are any that can be.

        Raises
        ------
        OutputError
            If the names of the source are wanted and cannot be used.
        """
        notes = []
        known = stack.names if names is not False else None
        if known is None and names:
            raise OutputError(
                f"the frames of {stack.path} have no names: leave out --names (names=True)"
            )
        if known is not None:
            try:
                chosen = image_names.original(known[numbers].tolist(), formats, image_format)
                return ImageFolder(stack, numbers, chosen)
            except OutputError as error:
                if names:
                    raise
                notes.append(f"The images are named by their numbers, since {error}.")
        usual = image_format or formats[0]
        numbered = image_names.numbered(numbers.tolist(), len(stack), usual)
        return ImageFolder(stack, numbers, numbered, notes)

    def write(self, folder: Path, frames: Iterator[Pixels]) -> list[str]:
        """Write the images to an empty folder; return what the user must know."""
        words = self.stack.source.words
        reader = SaidReader(words, (*PNG_WORDS, *PAGE_WORDS, *FILE_WORDS))
        table = self.stack.source.table
        alone = table is not None and table.names(len(self.stack)) is not None
        converted = conversion(self.stack) is not None
        for parent in {Path(image.path).parent for image in self.images}:
            (folder / parent).mkdir(parents=True, exist_ok=True)

        def save(job: tuple[ImageName, Pixels, Said]) -> None:
            image, pixels, said = job
            if image.format == "png":
                data = png_with_words(_png(pixels), said)
            else:
                data = _tiff(pixels, said, converted, alone and image.original)
            with (folder / image.path).open("xb") as file:
                file.write(data)

        said = (reader(number) for number in self.numbers.tolist())
        jobs = zip(self.images, frames, said, strict=True)
        with ThreadPoolExecutor(default_workers(), "h5vidstack-save") as pool:
            for _ in in_order(pool, save, jobs, ahead=64):
                pass  # the results are the files
        return [*self.notes, *self.left_out(reader, alone)]

    def left_out(self, reader: SaidReader, alone: bool = False) -> list[str]:
        """Return what the user must know of what the images have no place for.

        Parameters
        ----------
        reader
            Reads what frames say.
        alone
            Whether each frame came from a file of its own.
        """
        known = self.stack.metadata
        metadata = known.take(self.numbers, self.stack.leading_shape)
        formats = {image.format for image in self.images}
        original = all(image.original for image in self.images)
        kept = {"png": set(PNG_WORDS), "tiff": {*PAGE_WORDS}}
        if alone and original:
            kept["tiff"] |= set(FILE_WORDS)
        words = {
            name
            for name, said in metadata.words.items()
            if all(name in kept[format] for format in self._formats_of(said))
        }
        first, last = (reader(int(self.numbers[place])) for place in (0, -1))
        size, taken = _size_and_time(first, formats)
        ends = taken, _size_and_time(last, formats)[1]
        found = left_out.found_in_words(metadata, self.stack.shape[1:], size, ends)
        if alone and original:
            found |= self._found_in_file(first)
        if "name" in metadata.coords and not self.images[0].path.startswith("frame_"):
            found["name"] = metadata.coords["name"]
        article = " or ".join(_ARTICLES[name] for name in sorted(formats))
        return left_out.notes(
            metadata, left_out.named_axes(self.stack), Placed(words, found), article
        )

    def _formats_of(self, said: Words) -> set[str]:
        """Return the formats of the images of which something is said."""
        if said.of is None:
            return {image.format for image in self.images}
        places = zip(self.images, said.of.tolist(), strict=True)
        return {image.format for image, place in places if place != NOTHING}

    def _found_in_file(self, said: Said) -> dict[str, Coordinate]:
        """Return the coordinates of rows and columns that a reader finds in a TIFF of one image."""
        planes = Planes({FRAME_AXIS: 1}, self.stack.shape[1:], self.stack.dtype)
        found: Mapping[str, Coordinate] = {}
        if OME_XML in said:
            found = described_by(said[OME_XML], planes)
        elif IMAGEJ_DESCRIPTION in said:
            tags = {**page_tags(said, "<", True).entries, **file_tags(said, "<")}
            found = imagej.describe(said[IMAGEJ_DESCRIPTION], Directory("<", tags), planes).coords
        return {name: found[name] for name in ("y", "x") if name in found}


def check_folder(path: Path) -> None:
    """Raise OutputError for a folder that holds anything but unpacked frames.

    Other programs use such names for frames, too. So each image must have the mark of this one.
    """
    for folder, _, names in os.walk(path):
        for name in names:
            found = Path(folder, name)
            if found.is_symlink() or not found.is_file() or not _made_here(found):
                raise OutputError(
                    f"{path} holds {found.relative_to(path)}, which is no frame unpacked by "
                    "h5vidstack; unpack to another folder, or remove this one if nobody needs it"
                )


def png_file(stack: StackReader, number: int, pixels: Pixels) -> tuple[bytes, list[str]]:
    """Return a frame as a PNG file, with what it says; and what the user must know."""
    reader = SaidReader(stack.source.words, PNG_WORDS)
    numbers = np.array([number], np.intp)
    folder = ImageFolder(stack, numbers, image_names.numbered([number], len(stack), "png"))
    return png_with_words(_png(pixels), reader(number)), folder.left_out(reader)


def _made_here(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_MARK_AT + 4)
        if not is_tiff(head):
            return head[_MARK_AT:] == MADE_HERE_CHUNK
        order = "<" if head[:2] == b"II" else ">"

        def read(offset: int, size: int) -> bytes:
            file.seek(offset)
            return file.read(size)

        at = int.from_bytes(head[4:8], "little" if order == "<" else "big")
        return MADE_HERE in read_directory(read, order, at).entries


def _png(pixels: Pixels) -> bytes:
    out = io.BytesIO()
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    Image.fromarray(native).save(out, "PNG")
    return out.getvalue()


def _tiff(pixels: Pixels, said: Said, converted: bool, with_file: bool) -> bytes:
    out = io.BytesIO()
    order = order_of(said) if with_file else "<"
    entries = dict(page_tags(said, order, converted).entries)
    if with_file:
        entries |= file_tags(said, order)
    TiffPages(out, order=order).add(pixels, Directory(order, {**entries, **made_here()}))
    return out.getvalue()


def _size_and_time(said: Said, formats: set[str]) -> tuple[PixelSize | None, int | None]:
    """Return how large a pixel is, and when the image was taken, as a reader finds it there."""
    if formats == {"tiff"}:
        tags = page_tags(said, "<", False)
        found = pixel_size(tags)
        return None if found is None else PixelSize(*found), moment(tags)
    chunks = said.get(PNG_CHUNKS) or {}
    exif = read_exif(said[EXIF]) if EXIF in said else None
    size = png_words.pixel_size(base64.b64decode(chunks["pHYs"])) if "pHYs" in chunks else None
    if size is None and exif is not None and (found := pixel_size(exif)) is not None:
        size = PixelSize(*found)
    return size, moment(exif)
