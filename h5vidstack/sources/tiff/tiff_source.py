"""Frames from TIFF files, by tifffile.

A TIFF holds *series*. Each has many pages, or one page that stands for many planes. The frames of
a source are those of one series; of a pyramid the full level is read.

Samples are taken as they are stored. MinIsWhite is not inverted, a colour map is not applied,
Orientation does not turn them, and alpha does not divide them. `TiffFrames.notes` tells what is not
as a viewer shows it. Only YCbCr in JPEG is converted, to RGB. Samples that decoders of JPEG would
take for YCbCr by mistake are refused.

If the samples of a pixel lie side by side, they are a frame's channels; they must be 1, 3 or 4. If
samples lie in planes (PlanarConfiguration 2), 3 or 4 planes of colours are channels; otherwise each
plane is a frame.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import SourceError
from ...layout.names import SEPARATOR
from ...metadata.files import SourceFiles
from ...metadata.words import NOTHING
from ...shapes import Pixels, Shape
from ..foreign_arrays import tidy_bools, to_gray
from ..headers import checked, read_header
from ..picture_records import PictureRecord, RecordCollector
from ..source import Access, Source, SourceFile, SourceOptions
from .ome import Planes, other_files
from .tiff_metadata import PageRecords, axis_names, describe
from .tiff_pages import (
    JPEG,
    PATCHED,
    all_series,
    check_segments,
    is_thumbnail,
    load_tifffile,
    own_pages,
    page_count,
    would_be_transformed,
)
from .tifffile_log import tifffile_errors

TIFF_SUFFIXES = frozenset(
    {".tif", ".tiff", ".btf", ".tf8", ".lsm", ".stk", ".svs", ".ndpi", ".scn"}
)
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PAGES = "/pages"
"""The place in a file that means all of its pages, whatever metadata say."""

_METADATA = ("shaped", "ome", "imagej", "mmstack", "ndtiff", "fluoview", "scanimage", "nih", "eer")
"""Kinds of series that metadata define, by tifffile's names."""
_LISTED = ("ome", "mmstack", "ndtiff")
"""Kinds whose metadata list the pages, so that one can be missing."""
_COLOURS = {2, 5, 6, 8, 9, 10}
_PHOTOMETRIC = {
    0: "say that 0 is white (MinIsWhite); they are kept as stored",
    3: "are numbers of colours in a colour map; the numbers are kept, the map is not",
    5: "are inks (CMYK, or others); they are kept as stored",
    6: "are YCbCr; they are kept as stored",
    8: "are CIE L*a*b*; they are kept as stored",
    9: "are CIE L*a*b* (ICC); they are kept as stored",
    10: "are CIE L*a*b* (ITU); they are kept as stored",
    32803: "are the mosaic of a colour filter (CFA); they are kept as stored",
}
"""What samples are that are neither gray nor RGB, by PhotometricInterpretation."""


def is_tiff(head: bytes) -> bool:
    """Return whether a file that begins so is a TIFF, or a BigTIFF."""
    return head[:4] in MAGIC


def is_tiff_file(file: SourceFile) -> bool:
    """Return whether a file begins as a TIFF."""
    return is_tiff(file.head)


def tiff_source(file: SourceFile, options: SourceOptions) -> Source:
    """Open a TIFF, or one series of it, or all of its pages."""
    source = TiffSource(file.path, file.inner, file.name, options)
    header = None if file.inner else read_header(file.path)
    return checked(source, file.path, header, options)


class TiffFrames:
    """The frames of one series of a TIFF file, by number.

    Parameters
    ----------
    path
        The file.
    inner
        ``/1``: series 1 of those in the file; ``/pages``: all of its pages; None: the only series
        that is no thumbnail.

    Attributes
    ----------
    count, frame, dtype
        How many frames there are, their shape and their dtype.
    leading_shape
        The axes of the series before those of a frame.
    contiguous
        Whether the file holds all frames one after another, as memory would.
    files
        All files that hold pages of the series.
    metadata
        What the file says of the frames as a whole: axes, coordinates and attributes.
    record_count
        How many records there are: one for each page, or one for all frames.
    notes, conversion
        As of a `Source`.
    durations
        Empty: a TIFF does not say how long pages are shown.

    Raises
    ------
    SourceError
        If it is damaged, lacks what its metadata state, or has samples that no stack holds.
    MissingError
        If it needs imagecodecs, which is not installed.
    """

    durations: Sequence[Fraction] = ()

    def __init__(self, path: Path, inner: str | None = None) -> None:
        self.path, self.notes = path, list[str]()
        self.conversion: str | None = None
        self._held = contextlib.ExitStack()
        self._other: Any = None  # another file of the series, the one that is open
        self._last: tuple[int, Pixels] | None = None
        self._sparse: set[int] = set()
        try:
            with tifffile_errors(path) as self._log:
                self._open(inner)
            self.notes += self._log.warnings()
        except BaseException:
            self.close()
            raise

    def _open(self, inner: str | None) -> None:
        series = self._load(inner == PAGES)
        if inner is None and self._contradicted(series):
            self._held.close()
            series = self._load(plain=True)
        self._series = self._choose(series, None if inner == PAGES else inner)
        self._key = self._series.keyframe
        self._check_samples()
        self._pages = page_count(self._series)
        self._check_count(series)
        self._arrange()
        self._describe()
        self._describe_frames(series.index(self._series))
        self.files = sorted(set(self._parents()))

    def _load(self, plain: bool) -> list[Any]:
        """Open the file and return its series; plain: all pages, whatever metadata say."""
        flags: dict[str, Any] = {f"is_{kind}": False for kind in _METADATA} if plain else {}
        tiff = self._held.enter_context(load_tifffile().TiffFile(self.path, **flags))
        self._tiff = tiff
        if plain:
            tiff.is_uniform = False
        return all_series(tiff)

    def _contradicted(self, series: list[Any]) -> bool:
        """Return whether OME-XML of this file alone states fewer or more pages than it has."""
        if len(series) != 1 or series[0].kind != "ome":
            return False
        text, there = self._tiff.pages.first.description, len(self._tiff.pages)
        if other_files(text, self._tiff.filename):
            return False
        stated = page_count(series[0])
        used = sum(own_pages(level, self._tiff) for level in series[0].levels)
        if stated <= there <= used and not any(page is None for page in series[0]):
            return False
        self.notes.append(
            f"The OME metadata of {self.path} state {stated} images, but it has {there} pages: "
            "frames are its pages in their order."
        )
        return True

    def _choose(self, series: list[Any], inner: str | None) -> Any:
        """Return the series that was asked for, or the only one that is a picture."""
        listed = "; ".join(
            f"{self.path}{SEPARATOR}/{number} has shape {one.shape} {one.dtype}"
            + (f" ({one.name})" if one.name else "")
            for number, one in enumerate(series)
        )
        if not series:
            raise SourceError(f"{self.path} holds no pages")
        if inner is not None:
            number = inner.strip("/")
            if not (number.isdecimal() and int(number) < len(series)):
                raise SourceError(f"{self.path} has no series {number!r}; there are: {listed}")
            return series[int(number)]
        pictures = [one for one in series if not is_thumbnail(one)] or series
        if len(pictures) > 1:
            raise SourceError(f"{self.path} holds {len(series)} series, choose one: {listed}")
        if len(series) > 1:
            self.notes.append(
                f"{self.path} also holds {len(series) - 1} thumbnails or masks, which were left "
                f"out: {listed}."
            )
        return pictures[0]

    def _check_samples(self) -> None:
        """Refuse samples that no stack holds, or that tifffile would convert."""
        key, dtype = self._key, self._key.dtype
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        bits, kind = key.bitspersample, int(key.sampleformat)
        why = None
        if isinstance(bits, tuple):
            why = f"its samples have different numbers of bits {bits}"
        elif kind in (5, 6):
            why = "its samples are complex: pack their real and imaginary parts as two stacks"
        elif dtype is None:
            why = f"numpy has no type for samples of {bits} bits of SampleFormat {kind}"
        elif 0 in key.shaped:
            why = f"its pages are of shape {key.shape}: they hold nothing"
        elif key.shaped[4] not in (1, 3, 4):
            why = (
                f"each pixel has {key.shaped[4]} samples, and a frame holds 1, 3 or 4: pack them "
                f"as frames of their own, np.moveaxis(tifffile.imread({str(self.path)!r}), -1, -3)"
            )
        elif would_be_transformed(key):
            why = (
                f"its JPEG has {key.samplesperpixel} samples a pixel that are no YCbCr by its "
                f"PhotometricInterpretation {int(key.photometric)}, but decoders would make RGB or "
                "CMYK of them as if they were: write it anew by tiffcp -c none IN OUT"
            )
        if why is not None:
            raise SourceError(f"cannot read {self.path}: {why}")

    def _check_count(self, series: list[Any]) -> None:
        """Compare the pages that are there with those that the metadata state."""
        there, kind = len(self._tiff.pages), self._series.kind
        cure = f"to read each page, whatever they say, name it {self.path}{SEPARATOR}{PAGES}"
        absent = [page is None for page in self._series] if kind in _LISTED else []
        if any(absent):
            raise SourceError(
                f"{sum(absent)} of the {self._pages} images of {self.path}, from number "
                f"{absent.index(True)} on, are in files that are missing "
                f"({self._log.of_series() or 'by its metadata'}); {cure}"
            )
        self._run = kind not in _LISTED and self._key.index + self._pages > there
        if self._run and self._series.dataoffset is None:
            raise SourceError(
                f"{self.path} states {self._pages} images in its {kind} metadata, but has "
                f"{there} pages; {cure}"
            )
        told = (self._tiff.imagej_metadata or {}).get("images", 0) if kind == "imagej" else 0
        if told > self._pages * math.prod(self._key.shaped[:2]):
            raise SourceError(
                f"{self.path} states {told} images in its imagej metadata, but {self._pages} "
                f"were found; {cure}"
            )
        used = sum(own_pages(level, self._tiff) for one in series for level in one.levels)
        left = there - used
        if left > 0 and kind in (*_METADATA, "stk"):
            raise SourceError(
                f"{self.path} has {there} pages, of which {left} are in no series by its {kind} "
                f"metadata; {cure}"
            )
        if left > 0:
            self.notes.append(f"{left} of the {there} pages of {self.path} are in no series.")
        said = sum(int(tag.valuebytecount) for tag in self._key.tags)
        spare = self._tiff.filehandle.size - sum(self._key.databytecounts) - said
        alone = there == 1 and not self._run and not self._key.subifds
        if alone and int(self._key.compression) == 1 and spare > self._key.nbytes:
            self.notes.append(
                f"{self.path} has one page, and {spare} bytes besides its pixels: if these are "
                "more frames, they were not read."
            )
        told_already = any(note.startswith("The OME metadata") for note in self.notes)
        if self._tiff.pages.first.is_ome and kind not in ("ome", "mmstack") and not told_already:
            self.notes.append(
                f"The OME metadata of {self.path} were not used (they are in another file, or not "
                "valid): frames are its pages in their order."
            )

    def _arrange(self) -> None:
        """Find out which axes of a page count frames, and which belong to a frame."""
        planes, depth, height, width, samples = self._key.shaped
        colours = planes in (3, 4) and int(self._key.photometric) in _COLOURS
        self._colour_planes = colours
        channels = planes if colours else samples
        self.frame: Shape = (height, width) if channels == 1 else (height, width, channels)
        self._in_page = depth if colours else planes * depth
        self.count = self._pages * self._in_page
        names, shape = self._series.axes, self._series.shape
        dropped = "YXS" if channels > 1 else "YX"
        outer = [
            (name, int(edge))
            for name, edge in zip(names, shape, strict=True)
            if name not in dropped
        ]
        if math.prod(edge for _, edge in outer) != self.count:
            outer = []
        leading = tuple(edge for _, edge in outer)
        self.leading_shape: Shape | None = leading if len(outer) > 1 else None
        self._letters = tuple(name for name, _ in outer)
        self._lengths = dict(zip(axis_names(self._letters), leading or (self.count,), strict=True))
        self.contiguous = False
        self._memory: npt.NDArray[Any] | None = None
        if self._run:
            self._map()

    def _map(self) -> None:
        """Map the file to memory, if only the first frame has a page of its own."""
        shape = (self._pages, *self._key.shaped)
        dtype = self.dtype.newbyteorder(self._tiff.byteorder)
        offset = self._series.dataoffset
        end = offset + math.prod(shape) * dtype.itemsize
        size = self._tiff.filehandle.size
        if end > size:
            raise SourceError(
                f"{self.path} was cut short: its {self._pages} images end at byte {end}, the file "
                f"at {size}"
            )
        self._memory = np.memmap(self.path, dtype, "r", offset, shape)
        self.contiguous = not self._colour_planes and dtype.isnative

    def _describe(self) -> None:
        """Note what is kept as it is stored, and what is not."""
        key = self._key
        photometric, compression = int(key.photometric), int(key.compression)
        jpeg = compression in JPEG and int(key.planarconfig) == 1 and key.samplesperpixel == 3
        if jpeg and (photometric == 6 or (photometric == 2 and key.is_jfif)):
            self.conversion = "RGB made by imagecodecs from the YCbCr of JPEG"
        elif photometric in _PHOTOMETRIC:
            self.notes.append(f"The samples of {self.path} {_PHOTOMETRIC[photometric]}.")
        orientation = key.tags.valueof(274, 1)
        if orientation != 1:
            self.notes.append(
                f"{self.path} is to be turned or mirrored when it is shown (Orientation "
                f"{orientation}); its pixels are kept as stored."
            )
        if 1 in key.extrasamples:
            self.notes.append(
                f"The colours of {self.path} are multiplied by its alpha (ExtraSamples 1); they "
                "are kept as stored."
            )
        planes = key.shaped[0]
        if planes > 1 and not self._colour_planes:
            self.notes.append(f"Each of the {planes} sample planes of {self.path} is a frame.")
        if self._series.transform is not None:
            self.notes.append(
                f"{self.path} states a scale for its samples ({self._series.kind}); they are "
                "kept as stored."
            )

    def _describe_frames(self, number: int) -> None:
        """Find what the file says of the frames of its series of this number."""
        planes = Planes(self._lengths, self.frame, self.dtype)
        found = describe(self._tiff, self._series, number, self._letters, planes)
        self.metadata = found.metadata
        self.notes += found.notes
        self._records = PageRecords(found)
        self.record_count = 1 if self._memory is not None else self._pages

    def record_of(self, number: int) -> int:
        """Return which record is that of a frame."""
        return 0 if self._memory is not None else number // self._in_page

    def record(self, number: int) -> PictureRecord:
        """Return what a frame's page says besides its pixels; the frame was just read."""
        page = self._series[self.record_of(number)]
        if page is None or not page.offset:
            page = self._key
        return self._records.read(page)

    def place(self, number: int) -> tuple[str, int]:
        """Return the file that holds a frame, and which page of it that is on."""
        page = self._series[self.record_of(number)]
        parent = self._tiff if page is None else page.parent
        return os.path.realpath(parent.filehandle.path), number if page is None else page.index

    def _parents(self) -> Iterator[str]:
        if not self._series.is_multifile:
            yield os.path.realpath(self.path)
            return
        for page in self._series:
            if page is not None:
                yield os.path.realpath(page.parent.filehandle.path)

    def read(self, number: int) -> Pixels:
        """Return a frame by its number, ``(H, W[, C])``, in the machine's byte order."""
        page, place = divmod(number, self._in_page)
        if self._memory is not None:
            pixels = self._memory[page]
        elif self._last is not None and self._last[0] == page:
            pixels = self._last[1]
        else:
            with tifffile_errors(self.path, f"page {page} of "):
                pixels = self._decode(page)
            self._last = (page, pixels) if self._in_page > 1 else None
        planes, depth, height, width, _ = self._key.shaped
        if self._colour_planes:
            pixels = np.moveaxis(pixels.reshape(planes, depth, height, width), 0, -1)
        frame = pixels.reshape(self._in_page, *self.frame)[place]
        return np.ascontiguousarray(frame, self.dtype)

    def _decode(self, number: int) -> Pixels:
        page = self._series[number]
        if page is None:
            raise SourceError("the file that holds it is missing")
        file = page.parent.filehandle
        if file is not self._tiff.filehandle and file is not self._other:
            self._close_other()
            file.open()
            self._other = file
        if isinstance(page, load_tifffile().TiffFrame) and not page.is_virtual:
            full = page.aspage()
            if full.hash != self._key.hash and full.parent is self._tiff:
                raise SourceError(
                    f"it is {full.shape} {full.dtype} of compression {int(full.compression)}, but "
                    f"page 0 is {self._key.shape} {self._key.dtype} of compression "
                    f"{int(self._key.compression)}; {self.path}{SEPARATOR}{PAGES} makes each kind "
                    "a series of its own"
                )
            page = page if self._series.kind in PATCHED else full
        if page.shape != self._key.shape or page.dtype != self._key.dtype:
            raise SourceError(
                f"it is {page.shape} {page.dtype}, but page 0 is {self._key.shape} "
                f"{self._key.dtype}"
            )
        if check_segments(page, self._series.kind):
            self._sparse.add(number)
            self._say_sparse()
        decoded: Pixels = page.asarray()
        return decoded

    def _say_sparse(self) -> None:
        ending = "have strips or tiles that were never written; there the frames are 0."
        self.notes[:] = [note for note in self.notes if not note.endswith(ending)]
        pages = f"{len(self._sparse)} of the {self._pages} pages of {self.path}"
        self.notes.append(f"{pages} {ending}")

    def _close_other(self) -> None:
        if self._other is not None:
            self._other.close()
            self._other = None

    def close(self) -> None:
        """Close the files."""
        self._close_other()
        self._memory = None
        self._held.close()


class TiffSource(Source):
    """The frames of one series of a TIFF file."""

    def __init__(self, path: Path, inner: str | None, name: str, options: SourceOptions) -> None:
        self._frames = frames = TiffFrames(path, inner)
        self.path, self.inner = path, inner
        self.name, self._gray = name, options.gray
        self.dtype, self.count, self.leading_shape = (
            frames.dtype,
            frames.count,
            frames.leading_shape,
        )
        self._to_gray = options.gray and len(frames.frame) == 3
        self.frame = frames.frame[:2] if self._to_gray else frames.frame
        self.notes, self.conversion = frames.notes, frames.conversion
        self._collector = RecordCollector()
        self._places = np.full(frames.record_count, NOTHING, np.uint32)
        files = self._source_files()
        self.metadata = replace(frames.metadata, files=files)
        self.file_bytes = int(files.sizes.sum())
        cheap = frames.contiguous and not self._to_gray
        self.access = Access.CHEAP if cheap else Access.RANDOM

    def _source_files(self) -> SourceFiles:
        """Return the files of the series, and of several also which frame is in which."""
        if len(self._frames.files) == 1:
            return SourceFiles.of([self.path])
        files = SourceFiles.of(self._frames.files)
        numbers = {name: number for number, name in enumerate(self._frames.files)}
        places = [self._frames.place(number) for number in range(self._frames.count)]
        return replace(
            files,
            file=np.array([numbers[name] for name, _ in places], np.uint32),
            image=np.array([page for _, page in places], np.uint32),
        )

    def _collect(self, number: int) -> None:
        """Take the record of a frame that was just read; the last one completes the metadata."""
        place = self._frames.record_of(number)
        if self._places[place] != NOTHING:
            return
        self._places[place] = len(self._collector)
        self._collector.add(self._frames.record(number))
        if len(self._collector) == len(self._places):
            count = self._frames.count
            repeats = count if len(self._places) == 1 else count // len(self._places)
            order = np.repeat(self._places.astype(np.intp), repeats)
            self.metadata = self._collector.metadata(self.metadata, self.frame, order)

    def batches(self, size: int) -> Iterator[Pixels]:  # noqa: D102
        count = self._frames.count
        for start in range(0, count, size):
            yield self.take(np.arange(start, min(start + size, count)))

    def take(self, numbers: npt.NDArray[np.intp]) -> Pixels:  # noqa: D102
        frames = np.empty((len(numbers), *self.frame), self.dtype)
        for frame, number in zip(frames, numbers.tolist(), strict=True):
            pixels = self._frames.read(number)
            self._collect(number)
            frame[...] = to_gray(pixels) if self._to_gray else pixels
        return tidy_bools(frames)

    def sample_run(self, share: float, length: int) -> Pixels:
        """Return frames as every source does, and collect what their pages say."""
        frames = super().sample_run(share, length)
        self.metadata = self._collector.metadata(self.metadata, self.frame)
        return frames

    def close(self) -> None:  # noqa: D102
        self._frames.close()
