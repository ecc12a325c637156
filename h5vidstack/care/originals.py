"""Compare a stack with the files that its frames came from, one file after another."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import Error, MetadataError
from ..layout.names import SEPARATOR
from ..metadata.files import SourceFiles
from ..pool import Progress, Step
from ..reading.stack_reader import StackReader
from ..shapes import Numbers, window_frames
from ..sources.openers import open_source
from ..sources.second_decoders import second_source
from ..sources.source import Source, SourceOptions
from ..sources.tiff.tiff_source import PAGES, TiffSource
from ..writing.provenance import file_digest


@dataclass(frozen=True, kw_only=True)
class Original:
    """A file that frames came from, compared with the stack.

    Attributes
    ----------
    path
        Where it was found, or where it should be.
    frames
        How many frames of the stack are from it.
    digest
        Whether its SHA-256 is that of the file that was packed; None if one is not known.
    pixels
        Whether each of its images equals its frame bit for bit; None if they were not compared.
    reason
        Why it must be kept, a sentence; empty if the stack can stand for it.
    """

    path: str
    frames: int
    digest: bool | None
    pixels: bool | None
    reason: str = ""

    @property
    def replaceable(self) -> bool:
        """Whether the file may be deleted: its digest and its pixels are those of the stack."""
        return bool(self.digest and self.pixels) and not self.reason

    @property
    def agreement(self) -> str:
        """What of the file agrees with the stack, in words."""
        if self.digest and self.pixels:
            return "digest and pixels agree"
        digest = {True: "agrees", False: "differs", None: "is not known"}[self.digest]
        pixels = {True: "agree", False: "differ", None: "were not compared"}[self.pixels]
        return f"digest {digest}, pixels {pixels}" + (f": {self.reason}" if self.reason else "")


def compare_originals(
    stack: StackReader,
    against: str | os.PathLike[str] | list[str] | None = None,
    *,
    options: SourceOptions | None = None,
    progress: Progress | None = None,
) -> Iterator[Original]:
    """Compare the files that frames came from with the stack, pixel by pixel and by digest.

    Images are read by decoders that `pack` does not use, where imagecodecs is installed.

    Parameters
    ----------
    stack
        An open stack.
    against
        What the stack was packed from, wherever it is now. None: the files that the stack names.
    options
        How the files are read. None: as they were when they were packed.
    progress
        Called with a `Step` as it goes: frames compared, and of all.

    Yields
    ------
    Original
        One for each file.

    Raises
    ------
    MetadataError
        If the stack names no files.
    SourceError
        If `against` cannot be read.
    """
    settings = stack.attrs.get("settings", {})
    options = options or _as_packed(settings)
    packed, count = stack.source.table, len(stack)
    if against is None:
        if packed is None or not len(packed):
            raise MetadataError(
                f"{stack.path} names no files that its frames came from: give them by --against"
            )
        table, names = packed, _names(packed, settings.get("source"), Path(stack.path).parent)
    else:
        with contextlib.closing(open_source(against, options)) as source:
            found = source.metadata.files
            if found is None or not len(found):
                raise MetadataError(f"{source.name} is no file, so that it has no digest")
            table = found
            names = [source.name] if len(found) == 1 else [record.path for record in found]
            count = count if source.count is None else source.count
    done = 0
    for name, numbers, images in _frames_of(table, names, count):
        digest = _expected(packed, numbers, len(stack))
        yield _compared(stack, name, numbers, images, digest, options)
        done += len(numbers)
        if progress is not None:
            progress(Step(done, count))


def _as_packed(settings: dict[str, object]) -> SourceOptions:
    """Return how the source was read when it was packed."""
    known = settings.get("reading")
    known = known if isinstance(known, dict) else {}
    stream = known.get("stream")
    return SourceOptions(
        bool(known.get("gray")),
        stream if isinstance(stream, int) else None,
        bool(known.get("accept_damaged")),
    )


def _names(table: SourceFiles, source: object, folder: Path) -> list[str]:
    """Return what to open for each file: its path as given, or as seen from the stack's folder."""
    found = []
    for record in table:
        there = os.path.lexists(record.path)
        found.append(record.path if there else str(folder / record.path))
    inside = len(table) == 1 and isinstance(source, str) and source.startswith(table[0].path)
    return [found[0] + str(source)[len(table[0].path) :]] if inside else found


def _frames_of(
    table: SourceFiles, names: list[str], count: int
) -> Iterator[tuple[str, Numbers, Numbers]]:
    """Yield what to open, and which frames are from it, and which images of it these are."""
    file, image = table.places(count)
    order = np.lexsort((image, file))
    starts = np.searchsorted(file[order], np.arange(len(table) + 1))
    for number, name in enumerate(names):
        frames = order[starts[number] : starts[number + 1]]
        yield name, frames, image[frames].astype(np.intp)


def _expected(packed: SourceFiles | None, numbers: Numbers, count: int) -> str:
    """Return the digest of the file that frames were packed from, in hexadecimal, if known."""
    if packed is None or not len(numbers) or numbers[0] >= count:
        return ""
    place, _ = packed.place(int(numbers[0]), count)
    return "" if place is None else str(packed[place].sha256)


def _compared(
    stack: StackReader,
    name: str,
    numbers: Numbers,
    images: Numbers,
    digest: str,
    options: SourceOptions,
) -> Original:
    """Compare one file."""
    path = name.split("::")[0] if not os.path.lexists(name) else name
    if not os.path.lexists(path):
        return Original(
            path=path, frames=len(numbers), digest=None, pixels=None, reason="it is not there"
        )
    same: bool | None = None
    try:
        same = file_digest(path).hex() == digest if digest else None
        source, _ = second_source(_opened(name, options), options)
        with contextlib.closing(source):
            difference = _difference(stack, source, numbers, images)
            leftover = source.leftover
    except Error as error:
        return Original(
            path=path, frames=len(numbers), digest=same, pixels=None,
            reason=f"it cannot be compared: {error}",
        )  # fmt: skip
    reason = difference or leftover or ""
    if not reason and same is None:
        reason = "the stack has no digest of it"
    elif not reason and not same:
        reason = "its bytes are others than those that were packed, though its pixels are equal"
    return Original(
        path=path, frames=len(numbers), digest=same, pixels=not difference, reason=reason
    )


def _opened(name: str, options: SourceOptions) -> Source:
    """Open one file; of an OME-TIFF made of several files only its own pages."""
    source = open_source(name, options)
    files = source.metadata.files
    if isinstance(source, TiffSource) and files is not None and len(files) > 1:
        source.close()
        return open_source(f"{name}{SEPARATOR}{PAGES}", options)
    return source


def _difference(
    stack: StackReader, source: Source, numbers: Numbers, images: Numbers
) -> str | None:
    """Return how the images of a file differ from their frames, a sentence; None if they do not."""
    if (source.frame, source.dtype) != (stack.shape[1:], stack.dtype.newbyteorder("=")):
        return (
            f"its images are {source.frame} {source.dtype}, frames are {stack.shape[1:]} "
            f"{stack.dtype}"
        )
    first = 0
    for batch in source.batches(window_frames(source.frame, source.dtype.itemsize)):
        low, high = np.searchsorted(images, (first, first + len(batch)))
        if high - low != len(batch) or (images[low:high] != first + np.arange(len(batch))).any():
            return f"it holds images, from {first} on, that the stack does not hold"
        kept = numbers[low:high]
        if kept[-1] >= len(stack):
            return f"it holds more images than the stack, which has {len(stack)} frames"
        frames = stack.read(kept).astype(batch.dtype, copy=False)
        wrong = [
            int(number)
            for number, one, other in zip(kept, frames, batch, strict=True)
            if one.tobytes() != other.tobytes()
        ]
        if wrong:
            return f"its pixels differ from those of frame {wrong[0]}"
        first += len(batch)
    return None if first == len(images) else f"it holds {first} of {len(images)} images"
