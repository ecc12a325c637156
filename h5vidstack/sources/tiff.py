"""Frames from TIFF files, by tifffile.

A TIFF holds *series*, each of many pages, or of one page that stands for many planes; frames are
those of a series, and a pyramid is its full level. Samples are as they are stored: no inversion of
MinIsWhite, no colour map, no turning by Orientation, no division by alpha. What is not as a viewer
shows it is told in `TiffFrames.notes`. The only conversion is that of YCbCr in JPEG, to RGB; what
decoders of JPEG would take for YCbCr, though it is not, is refused.

Samples of a pixel that lie side by side are a frame's channels where they are 3 or 4; others are
refused. Samples that lie in planes (PlanarConfiguration 2) are channels where they are colours, 3
or 4 of them; else each plane is a frame.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MissingError, SourceError
from ..layout.names import SEPARATOR
from ..shapes import Shape
from .base import Access, Array, Source, SourceOptions, tidy_bools, to_gray

SUFFIXES = frozenset({".tif", ".tiff", ".btf", ".tf8", ".lsm", ".stk", ".svs", ".ndpi", ".scn"})
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PAGES = "/pages"
"""The place in a file that is all of its pages, whatever metadata say."""

_METADATA = ("shaped", "ome", "imagej", "mmstack", "ndtiff", "fluoview", "scanimage", "nih", "eer")
"""Kinds of series that come from metadata, by tifffile's names."""
_LISTED = ("ome", "mmstack", "ndtiff")
"""Kinds whose metadata list the pages, so that one can be missing."""
_PATCHED = ("lsm", "ndpi")
"""Kinds whose pages tifffile mends when it opens the file, so that they are not read again."""
_HARMLESS = ("TiffTag", "missing data ByteCounts tag", "raised KeyError")
"""What tifffile logs as an error of tags that no frame needs; what these need is checked here."""
_COLOURS = {2, 5, 6, 8, 9, 10}
_JPEG = {6, 7, 34892}
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
"""What its samples are, by PhotometricInterpretation, where that is neither gray nor RGB."""


def is_tiff(head: bytes) -> bool:
    """Whether a file that begins so is a TIFF, or a BigTIFF."""
    return head[:4] in MAGIC


class TiffFrames:
    """The frames of one series of a TIFF file, by number.

    Parameters
    ----------
    path
        The file.
    inner
        ``/1``: series 1 of those that the file has; ``/pages``: all of its pages; None: the only
        one that is no thumbnail.

    Attributes
    ----------
    count, frame, dtype
        How many there are, and what each is.
    leading_shape
        The axes of the series before those of a frame.
    contiguous
        Whether the file holds all frames, one after another, as they are in memory.
    files
        All files that hold pages of the series.
    notes, conversion
        As of a `Source`.

    Raises
    ------
    SourceError
        If it is damaged, says what it does not hold, or has samples that no stack holds.
    MissingError
        If it needs imagecodecs, which is not there.
    """

    def __init__(self, path: Path, inner: str | None = None) -> None:
        self.path, self.notes = path, list[str]()
        self.conversion: str | None = None
        self._held = contextlib.ExitStack()
        self._other: Any = None  # another file of the series, the one that is open
        self._last: tuple[int, Array] | None = None
        self._sparse: set[int] = set()
        try:
            with _errors(path) as self._log:
                self._open(inner)
            self.notes += self._log.warnings()
        except BaseException:
            self.close()
            raise

    def _open(self, inner: str | None) -> None:
        import tifffile  # here, as it takes longer than all else to import

        plain = inner == PAGES
        flags: dict[str, Any] = {f"is_{kind}": False for kind in _METADATA} if plain else {}
        tiff = self._held.enter_context(tifffile.TiffFile(self.path, **flags))
        self._tiff = tiff
        if plain:
            tiff.is_uniform = False
        series = _all_series(tiff)
        self._series = self._choose(series, None if plain else inner)
        self._key = self._series.keyframe
        self._check_samples()
        self._pages = _page_count(self._series)
        self._check_count(series)
        self._arrange()
        self._describe()
        self.files = sorted(set(self._parents()))

    def _choose(self, series: list[Any], inner: str | None) -> Any:
        """The series that was asked for, or the only one that is a picture."""
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
        pictures = [one for one in series if not _is_thumbnail(one)] or series
        if len(pictures) > 1:
            raise SourceError(f"{self.path} holds {len(series)} series, choose one: {listed}")
        if len(series) > 1:
            self.notes.append(
                f"{self.path} also holds {len(series) - 1} thumbnails or masks, which were passed "
                f"over: {listed}."
            )
        return pictures[0]

    def _check_samples(self) -> None:
        """Refuse what no stack holds, or tifffile would convert."""
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
        elif _would_be_transformed(key):
            why = (
                f"its JPEG has {key.samplesperpixel} samples a pixel that are no YCbCr by its "
                f"PhotometricInterpretation {int(key.photometric)}, but decoders would make RGB or "
                "CMYK of them as if they were: write it anew by tiffcp -c none IN OUT"
            )
        if why is not None:
            raise SourceError(f"cannot read {self.path}: {why}")

    def _check_count(self, series: list[Any]) -> None:
        """Compare the pages that are there with those that the metadata tell of."""
        there, kind = len(self._tiff.pages), self._series.kind
        cure = f"to read each page, whatever they say, name it {self.path}{SEPARATOR}{PAGES}"
        absent = [page is None for page in self._series] if kind in _LISTED else []
        if any(absent):
            raise SourceError(
                f"{sum(absent)} of the {self._pages} images of {self.path}, from number "
                f"{absent.index(True)} on, are in no file that is there "
                f"({self._log.of_series() or 'by its metadata'}); {cure}"
            )
        self._run = kind not in _LISTED and self._key.index + self._pages > there
        if self._run and self._series.dataoffset is None:
            raise SourceError(
                f"{self.path} tells of {self._pages} images in its {kind} metadata, but has "
                f"{there} pages; {cure}"
            )
        told = (self._tiff.imagej_metadata or {}).get("images", 0) if kind == "imagej" else 0
        if told > self._pages * math.prod(self._key.shaped[:2]):
            raise SourceError(
                f"{self.path} tells of {told} images in its imagej metadata, but {self._pages} "
                f"were found; {cure}"
            )
        used = sum(_own_pages(level, self._tiff) for one in series for level in one.levels)
        left = there - used
        if left > 0 and kind in (*_METADATA, "stk"):
            raise SourceError(
                f"{self.path} has {there} pages, of which {left} are in no series by its {kind} "
                f"metadata; {cure}"
            )
        if left > 0:
            self.notes.append(f"{left} of the {there} pages of {self.path} are in no series.")
        spare = self._tiff.filehandle.size - sum(self._key.databytecounts)
        alone = there == 1 and not self._run and not self._key.subifds
        if alone and int(self._key.compression) == 1 and spare > self._key.nbytes:
            self.notes.append(
                f"{self.path} has one page, and {spare} bytes besides its pixels: if these are "
                "more frames, they were not read."
            )
        if self._tiff.is_ome and kind not in ("ome", "mmstack"):
            self.notes.append(
                f"The OME metadata of {self.path} were not used (they are in another file, or not "
                "valid): frames are its pages in their order."
            )

    def _arrange(self) -> None:
        """Find out which axes of a page are frames, and which are a frame's."""
        planes, depth, height, width, samples = self._key.shaped
        colours = planes in (3, 4) and int(self._key.photometric) in _COLOURS
        self._colour_planes = colours
        channels = planes if colours else samples
        self.frame: Shape = (height, width) if channels == 1 else (height, width, channels)
        self._in_page = depth if colours else planes * depth
        self.count = self._pages * self._in_page
        names, shape = self._series.axes, self._series.shape
        dropped = "YXS" if channels > 1 else "YX"
        leading = tuple(
            int(edge) for name, edge in zip(names, shape, strict=True) if name not in dropped
        )
        fits = len(leading) > 1 and math.prod(leading) == self.count
        self.leading_shape: Shape | None = leading if fits else None
        self.contiguous = False
        self._memory: npt.NDArray[Any] | None = None
        if self._run:
            self._map()

    def _map(self) -> None:
        """Map frames of which all but the first have no page of their own."""
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
        """Say what is kept as stored, and what is not."""
        key = self._key
        photometric, compression = int(key.photometric), int(key.compression)
        jpeg = compression in _JPEG and int(key.planarconfig) == 1 and key.samplesperpixel == 3
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
                f"{self.path} tells of a scale for its samples ({self._series.kind}); they are "
                "kept as stored."
            )

    def _parents(self) -> Iterator[str]:
        if not self._series.is_multifile:
            yield os.path.realpath(self.path)
            return
        for page in self._series:
            if page is not None:
                yield os.path.realpath(page.parent.filehandle.path)

    def read(self, number: int) -> Array:
        """Return a frame by its number, ``(H, W[, C])``, in the machine's byte order."""
        page, place = divmod(number, self._in_page)
        if self._memory is not None:
            pixels = self._memory[page]
        elif self._last is not None and self._last[0] == page:
            pixels = self._last[1]
        else:
            with _errors(self.path, f"page {page} of "):
                pixels = self._decode(page)
            self._last = (page, pixels) if self._in_page > 1 else None
        planes, depth, height, width, _ = self._key.shaped
        if self._colour_planes:
            pixels = np.moveaxis(pixels.reshape(planes, depth, height, width), 0, -1)
        frame = pixels.reshape(self._in_page, *self.frame)[place]
        return np.ascontiguousarray(frame, self.dtype)

    def _decode(self, number: int) -> Array:
        import tifffile  # here, as it takes longer than all else to import

        page = self._series[number]
        if page is None:
            raise SourceError("no file holds it")
        file = page.parent.filehandle
        if file is not self._tiff.filehandle and file is not self._other:
            self._close_other()
            file.open()
            self._other = file
        if isinstance(page, tifffile.TiffFrame) and not page.is_virtual:
            full = page.aspage()
            if full.hash != self._key.hash and full.parent is self._tiff:
                raise SourceError(
                    f"it is of another kind than page 0 ({full.shape} {full.dtype}, compression "
                    f"{int(full.compression)}; page 0 is {self._key.shape} {self._key.dtype}, "
                    f"{int(self._key.compression)}); {self.path}{SEPARATOR}{PAGES} tells them apart"
                )
            page = page if self._series.kind in _PATCHED else full
        if page.shape != self._key.shape or page.dtype != self._key.dtype:
            raise SourceError(f"it is {page.shape} {page.dtype}, page 0 is not")
        if _check_segments(page, self._series.kind):
            self._sparse.add(number)
            self._say_sparse()
        decoded: Array = page.asarray()
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
        self.file_bytes = sum(os.stat(file).st_size for file in frames.files)
        cheap = frames.contiguous and not self._to_gray
        self.access = Access.CHEAP if cheap else Access.RANDOM

    def batches(self, size: int) -> Iterator[Array]:  # noqa: D102
        count = self._frames.count
        for start in range(0, count, size):
            yield self.take(np.arange(start, min(start + size, count)))

    def take(self, numbers: npt.NDArray[np.intp]) -> Array:  # noqa: D102
        frames = np.empty((len(numbers), *self.frame), self.dtype)
        for frame, number in zip(frames, numbers.tolist(), strict=True):
            pixels = self._frames.read(number)
            frame[...] = to_gray(pixels) if self._to_gray else pixels
        return tidy_bools(frames)

    def close(self) -> None:  # noqa: D102
        self._frames.close()


def _all_series(tiff: Any) -> list[Any]:
    """The series of a file; pages that differ are series of their own."""
    try:
        series = tiff.series
    except RuntimeError:  # pages that looked alike are not
        tiff.is_uniform = False
        series = tiff.series
    alike: dict[Any, list[Any]] = {}
    for one in series:
        key = one.keyframe
        # What is stored in other ways (compression, strips) is one series all the same.
        kind = (key.shaped, key.axes, key.dtype, key.photometric, key.extrasamples, key.subfiletype)
        alike.setdefault(kind if one.kind == "generic" else id(one), []).append(one)
    return [_join(same) for same in alike.values()]


def _join(series: list[Any]) -> Any:
    """Make one series of several, with the pages in their order in the file."""
    import tifffile  # here, as it takes longer than all else to import

    if len(series) == 1:
        return series[0]
    pages = sorted((page for one in series for page in one), key=lambda page: page.treeindex)
    shape = (len(pages), *pages[0].shape)
    return tifffile.TiffPageSeries(
        pages, shape, pages[0].dtype, f"I{pages[0].axes}", kind="generic"
    )


def _is_thumbnail(series: Any) -> bool:
    return bool(series.keyframe.is_reduced or series.keyframe.is_mask)


def _page_count(series: Any) -> int:
    """How many pages, or planes that stand for such, a series has."""
    return int(math.prod(series.get_shape(False)) // math.prod(series.keyframe.shape))


def _own_pages(series: Any, tiff: Any) -> int:
    """How many pages of a file's own chain a series takes."""
    if series.keyframe.is_subifd:
        return 0
    if series.is_multifile:
        return sum(page is not None and page.parent is tiff for page in series)
    return min(len(series), _page_count(series))


def _check_segments(page: Any, kind: str) -> bool:
    """Refuse a page of which the file lacks data; say whether some were never written."""
    size = page.parent.filehandle.size
    offsets, counts = page.dataoffsets, page.databytecounts
    key = page.keyframe
    if key.is_contiguous:
        needed, start = math.prod(key.shaped) * key.dtype.itemsize, offsets[0]
        if not start:
            raise SourceError("its pixels were never written")
        if start + needed > size:
            raise SourceError(
                f"it ends at byte {start + needed}, but the file at {size}: cut short"
            )
        if sum(counts) < needed and kind not in ("stk", *_PATCHED):
            raise SourceError(f"its strips hold {sum(counts)} of the {needed} bytes that it needs")
        return False
    needed = math.prod(key.chunked)
    if min(len(offsets), len(counts)) < needed:
        raise SourceError(f"it has {min(len(offsets), len(counts))} of {needed} strips or tiles")
    jpeg = int(key.compression) in (7, 34892) and key.jpegheader is None
    empty = False
    for number, (start, count) in enumerate(zip(offsets[:needed], counts[:needed], strict=True)):
        if not (start and count):
            empty = True
        elif start + count > size:
            raise SourceError(
                f"strip or tile {number} ends at byte {start + count}, but the file at {size}: it "
                "was cut short"
            )
        elif jpeg and not _ends_as_jpeg(page.parent.filehandle, start, count):
            raise SourceError(f"strip or tile {number} is a JPEG without its end")
    return empty


def _would_be_transformed(key: Any) -> bool:
    """Whether a decoder of JPEG would change samples that are stored as what they are to be."""
    if int(key.compression) not in _JPEG or int(key.planarconfig) != 1 or key.samplesperpixel == 1:
        return False
    lossless, adobe = _jpeg_heads(key)
    if lossless:
        return False
    if key.samplesperpixel == 3:
        return bool(int(key.photometric) not in (2, 6) or key.extrasamples)
    return adobe


def _jpeg_heads(key: Any) -> tuple[bool, bool]:
    """Whether a page's first JPEG is lossless, and whether it asks for a change of colours."""
    file = key.parent.filehandle
    heads, lossless, adobe = [key.jpegtables or b""], False, False
    for start, count in zip(key.dataoffsets, key.databytecounts, strict=False):
        if start and count:
            file.seek(start)
            heads.append(file.read(min(count, 1 << 16)))
            break
    for head in heads:
        at = 2
        while head[at : at + 1] == b"\xff" and head[at + 1 : at + 2] not in (b"\xda", b""):
            mark, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
            lossless = lossless or mark == 0xC3
            if mark == 0xEE and head[at + 4 : at + 9] == b"Adobe":
                adobe = head[at + 15 : at + 16] != b"\0"
            at += 1 if mark == 0xFF else 2 + length
    return lossless, adobe


def _ends_as_jpeg(file: Any, start: int, count: int) -> bool:
    tail = min(count, 64)  # a few bytes may fill it up
    file.seek(start + count - tail)
    return b"\xff\xd9" in file.read(tail)


class _Log(logging.Filter):
    """What tifffile logs in this thread, which goes no further."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self.records: list[tuple[int, str]] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return record.levelno >= _levels.wanted
        self.records.append((record.levelno, record.getMessage()))
        return False

    def failure(self) -> str | None:
        """The first that is an error of what frames need."""
        for level, message in self.records:
            if level >= logging.ERROR and not any(word in message for word in _HARMLESS):
                return _words(message)
        return None

    def of_series(self) -> str | None:
        """The first that it says of series."""
        return next((_words(message) for _, message in self.records if "series" in message), None)

    def warnings(self) -> list[str]:
        """What else it says of series, as sentences."""
        said = [
            _words(message)
            for level, message in self.records
            if "series" in message or level >= logging.ERROR
        ]
        return [f"tifffile says: {message.rstrip('.')}." for message in dict.fromkeys(said)]


class _Levels:
    """The level of tifffile's logger, which is lowered while any thread listens to it."""

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self.wanted = self._set = logging.NOTSET

    def enter(self, logger: logging.Logger) -> None:
        with self._lock:
            if not self._users:
                self._set, self.wanted = logger.level, logger.getEffectiveLevel()
                if self.wanted > logging.WARNING:
                    logger.setLevel(logging.WARNING)
            self._users += 1

    def leave(self, logger: logging.Logger) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                logger.setLevel(self._set)


_levels = _Levels()


@contextlib.contextmanager
def _errors(path: Path, part: str = "") -> Iterator[_Log]:
    """Turn all that tifffile raises, and the errors that it only logs, into errors that name it."""
    logger, log = logging.getLogger("tifffile"), _Log()
    _levels.enter(logger)
    logger.addFilter(log)
    try:
        yield log
        logged = log.failure()
        if logged is not None:
            raise SourceError(logged)
    except SourceError as error:
        message = str(error)
        named = message if str(path) in message else f"{part}{path}: {message}"
        raise SourceError(
            named if part == "" else f"cannot read {part}{path}: {message}"
        ) from error
    except Exception as error:  # tifffile lets every kind out on damaged files
        logged = log.failure()
        message = f"{error or type(error).__name__}" + (f" ({logged})" if logged else "")
        if "imagecodecs" in message:
            raise MissingError(
                f'cannot read {part}{path}: {message}: pip install "h5vidstack[imagecodecs]"'
            ) from error
        raise SourceError(f"cannot read {part}{path}: {message}") from error
    finally:
        logger.removeFilter(log)
        _levels.leave(logger)


def _words(message: str) -> str:
    """A message of tifffile without the object that it begins with."""
    head, found, rest = message.partition("> ")
    return rest if found and head.startswith("<tifffile") else message
