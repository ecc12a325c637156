"""Frames from image files, also TIFFs, in natural order of their names."""

from __future__ import annotations

import array
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import Error, SourceError
from ...metadata.description import Metadata
from ...metadata.files import SourceFiles
from ...shapes import Pixels
from ..file_names import check_paths, is_junk, natural_order, some
from ..frame_source import FrameSource, LabelledFrames
from ..headers import compare, read_header
from ..picture_records import PictureRecord, RecordCollector
from ..source import Access, Source, SourceFile, SourceOptions
from ..tiff.tiff_source import TIFF_SUFFIXES, TiffFrames, TiffSource, is_tiff
from .animation import timed
from .image_formats import FORMATS, find_image_format, open_frames, read_image_header

IMAGE_SUFFIXES = TIFF_SUFFIXES.union(*(one.endings for one in FORMATS))
_POINTERS = (b"annex/objects/", b"version https://git-lfs")
"""What the files hold that git-annex and Git LFS leave in place of images."""


def list_images(folder: Path) -> tuple[list[Path], list[str]]:
    """List the images directly in a folder, by the endings of their names.

    Returns
    -------
    images, notes
        `notes` are sentences for the user that name what else is there.

    Raises
    ------
    SourceError
        If there are none, the folder cannot be read, or links lead to what is missing.
    """
    try:
        there = sorted(path for path in folder.iterdir() if not is_junk(path))
    except OSError as error:
        raise SourceError(f"cannot read the folder {folder}: {error.strerror}") from error
    hidden = [path for path in there if path.name.startswith(".")]
    there = [path for path in there if path not in hidden]
    named = [path for path in there if path.suffix.lower() in IMAGE_SUFFIXES]
    check_paths(named)
    found = [path for path in named if path.is_file()]
    if not found:
        if any((folder / name).exists() for name in (".zarray", ".zgroup", "zarr.json")):
            raise SourceError(
                f"{folder} is a Zarr store: open an array of it by zarr, and pass that"
            )
        endings = ", ".join(sorted(IMAGE_SUFFIXES))
        raise SourceError(f"the folder {folder} holds no image (no file ends in {endings})")
    known = set(found)
    left = [path.name for path in hidden if is_image(path)]
    note = f"{folder} also holds hidden images, which were left out: {some(left)}."
    notes = [note] if left else []
    left = [path.name for path in there if path not in known]
    note = f"{folder} also holds what is no image, and was left out: {some(left)}."
    return found, [*notes, note] if left else notes


def is_image(path: Path) -> bool:
    """Return whether a file's name ends as an image's."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not is_junk(path)


def is_image_file(file: SourceFile) -> bool:
    """Return whether a file is an image by how it begins, or by its name."""
    found = find_image_format(file.head)
    return (found is not None and found.certain) or is_image(file.path)


def image_source(file: SourceFile, options: SourceOptions) -> Source:
    """Open one image file, whose pictures are the frames."""
    return ImageSource([file.path], file.name, options.gray)


def folder_source(folder: Path, name: str, options: SourceOptions) -> Source:
    """Open the images directly in a folder."""
    paths, notes = list_images(folder)
    images = files_source(paths, name, options)
    images.notes += notes
    return images


def files_source(paths: list[Path], name: str, options: SourceOptions) -> Source:
    """Open several image files; those that are the parts of one OME-TIFF, as that."""
    first = natural_order(paths)[0][0]
    with contextlib.suppress(SourceError), contextlib.closing(open_image(first)) as frames:
        parts = frames.files if isinstance(frames, TiffFrames) else []
        if len(parts) > 1 and set(parts) == {os.path.realpath(path) for path in paths}:
            return TiffSource(first, None, name, options)
    return ImageSource(paths, name, options.gray)


class ImageFrames:
    """The frames of an image file that is no TIFF, by number; attributes are as of `TiffFrames`."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.notes = path, list[str]()
        self.files = [os.path.realpath(path)]
        with _as_source_error(path):
            header = read_image_header(data)
            self._read = open_frames(header)
        self.count, self.conversion = header.count, header.conversion
        self._record, self.durations = header.record, header.durations
        if header.orientation != 1:
            self.notes.append(
                f"{path} is to be turned or mirrored when it is shown (EXIF orientation "
                f"{header.orientation}); its pixels are kept as stored."
            )

    def read(self, number: int) -> Pixels:
        """Return a frame by its number."""
        with _as_source_error(self.path):
            return self._read(number)

    def record(self, _number: int) -> PictureRecord:
        """Return what the file says of a frame besides its pixels."""
        return self._record

    def close(self) -> None:
        """Do nothing: the file was read whole."""


def open_image(path: Path) -> ImageFrames | TiffFrames:
    """Open an image file of any kind.

    Raises
    ------
    SourceError
        If it cannot be read, is of no known kind, or is not whole.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
            data = b"" if is_tiff(head) else head + file.read()
    except OSError as error:
        raise SourceError(f"cannot read the image {path}: {error.strerror}") from error
    if any(mark in data[:100] for mark in _POINTERS):
        raise SourceError(f"{path} is a pointer of git-annex or Git LFS, not an image: fetch it")
    return TiffFrames(path) if is_tiff(head) else ImageFrames(path, data)


class ImageSource(FrameSource):
    """Images in natural order of their paths; each picture of a file is a frame.

    An OME-TIFF made of several files gives the frames of all of them in place of the first.
    """

    access = Access.AGAIN

    def __init__(
        self,
        paths: list[Path],
        name: str,
        gray: bool,
        opener: Callable[[Path], ImageFrames | TiffFrames] | None = None,
    ) -> None:
        self._open = opener or open_image
        ordered, note = natural_order(paths)
        self.notes += [note] if note else []
        # For each frame read so far: the file that gave it, and which picture of that it is.
        self._file, self._image = array.array("I"), array.array("I")
        # The same of frames that another file holds: parts of an OME-TIFF of several files.
        self._elsewhere: dict[int, tuple[int, int]] = {}
        self._records = RecordCollector()
        self._sampled = RecordCollector()
        self._durations: Sequence[Fraction] = ()  # of the pictures of the last animation
        self._held: ImageFrames | TiffFrames | None = None  # what `take` opened last
        # For each note without its file: its place, and how often it came.
        self._told: dict[str, tuple[int, int]] = {}
        try:
            self._files = SourceFiles.of(ordered)
        except OSError as error:
            raise SourceError(f"cannot read {error.filename}: {error.strerror}") from error
        del ordered, paths
        self.file_bytes = int(self._files.sizes.sum())
        self.metadata = Metadata(files=self._files)
        super().__init__(self._read(), name, len(self._files), gray)

    @property
    def paths(self) -> list[Path]:
        """The files, in the order of their frames."""
        return [self._path(number) for number in range(len(self._files))]

    def _path(self, file: int) -> Path:
        return Path(os.fsdecode(bytes(self._files.paths[file])))

    def _read(self) -> LabelledFrames:
        done = set[str]()
        for file in range(len(self._files)):
            path = self._path(file)
            if done and os.path.realpath(path) in done:
                self._count_on(-1)
                continue
            with contextlib.closing(self._open(path)) as frames:
                if isinstance(frames, TiffFrames) and len(frames.files) > 1:
                    done.update(frames.files)
                    self._locate(frames)
                self._count_on(frames.count - 1)
                self.conversion = self.conversion or frames.conversion
                self._durations = frames.durations
                for number in range(frames.count):
                    self._file.append(file)
                    self._image.append(number)
                    pixels = frames.read(number)
                    self._records.add(frames.record(number))
                    if number == 0:
                        header = read_header(path)
                        compare(path, header, pixels.shape, pixels.dtype, frames.count)
                    yield self._label(path, number, frames.count), pixels
                self._tell(path, frames.notes)
        self._finish()

    def _locate(self, frames: TiffFrames) -> None:
        """Note which files of an OME-TIFF hold the frames that follow."""
        numbers = {os.path.realpath(path): file for file, path in enumerate(self.paths)}
        for number in range(frames.count):
            name, page = frames.place(number)
            if name in numbers:
                self._elsewhere[len(self._file) + number] = numbers[name], page

    @staticmethod
    def _label(path: Path, number: int, count: int) -> str:
        return str(path) if count == 1 else f"frame {number} of {path}"

    def _finish(self) -> None:
        """Say which frame is in which file, and what all files say."""
        files = self._files
        file, image = (np.array(row, np.uint32) for row in (self._file, self._image))
        for frame, place in self._elsewhere.items():
            file[frame], image[frame] = place
        if len(file) != len(files) or image.any():
            files = replace(files, file=file, image=image)
        metadata = self._records.metadata(Metadata(files=files), self.frame)
        if len(files) == 1 and 1 < len(file) == len(self._durations):
            metadata = timed(metadata, self._durations)
        self.metadata = metadata

    def _count_on(self, more: int) -> None:
        """Correct the number of frames, which counts a file as one frame until it is opened."""
        self.count = (self.count or 0) + more

    def _tell(self, path: Path, notes: list[str]) -> None:
        """Take over the notes on a file; count those that other files had, too."""
        for note in notes:
            general = note.replace(str(path), "\0")
            place, often = self._told.get(general, (len(self.notes), 0))
            if not often:
                self.notes.append(note)
            else:
                first = self.notes[place].partition(" The same holds for ")[0]
                self.notes[place] = f"{first} The same holds for {often} more."
            self._told[general] = place, often + 1

    def take(self, numbers: npt.NDArray[np.intp]) -> Pixels:  # noqa: D102
        frames = np.empty((len(numbers), *self.frame), self.dtype)
        for place in np.argsort(numbers, kind="stable"):  # animations are decoded from their start
            frame = frames[place]
            number = int(numbers[place])
            path, page = self._path(self._file[number]), self._image[number]
            if self._held is None or path != self._held.path:
                self._release()
                self._held = self._open(path)
            label = self._label(path, page, self._held.count)
            frame[...] = self._check(label, self._held.read(page))
        return frames

    def likely_count(self) -> int:
        """Return the number of frames, if all files hold as many as the first."""
        return len(self._files) * self._in_first()

    def _in_first(self) -> int:
        """Return how many pictures the first file holds."""
        return max(1, self._image[-1] + 1, (self.count or 0) - len(self._files) + 1)

    def sample_run(self, share: float, length: int) -> Pixels:
        """Open only the files that hold these frames."""
        found: list[Pixels] = []
        start = round(share * max(0, self.likely_count() - length))
        file, number = divmod(start, self._in_first())
        while len(found) < length and file < len(self._files):
            path = self._path(file)
            with contextlib.closing(self._open(path)) as frames:
                self.conversion = self.conversion or frames.conversion
                for image in range(number, min(frames.count, number + length - len(found))):
                    label = self._label(path, image, frames.count)
                    found.append(self._check(label, frames.read(image)))
                    self._sampled.add(frames.record(image))
                self._tell(path, frames.notes)
            file, number = file + 1, 0
        self.metadata = self._sampled.metadata(Metadata(files=self._files), self.frame)
        return np.stack(found) if found else np.empty((0, *self.frame), self.dtype)

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def close(self) -> None:  # noqa: D102
        self._release()
        super().close()


@contextlib.contextmanager
def _as_source_error(path: Path) -> Iterator[Any]:
    """Turn whatever goes wrong with an image file into an error of one sentence that names it."""
    try:
        yield
    except Error as error:
        raise SourceError(f"cannot read the image {path}: {error}") from error
    except MemoryError as error:
        raise SourceError(f"cannot read the image {path}: there is not enough memory") from error
    except Exception as error:  # decoders raise every kind of exception on damaged files
        raise SourceError(f"cannot read the image {path}: it is damaged ({error})") from error
