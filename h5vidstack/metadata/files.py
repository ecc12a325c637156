"""The files that frames came from: path, size, time, digest, and which frame is in which."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..shapes import Numbers
from .words import NOTHING

Places = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class FileRecord:
    """One file that frames came from, as it was when it was packed.

    Attributes
    ----------
    path
        As it was given.
    size
        In bytes.
    modified
        Nanoseconds since 1970, UTC.
    sha256
        In hexadecimal; empty if it was not computed.
    """

    path: str
    size: int
    modified: int
    sha256: str = ""

    @property
    def time(self) -> datetime.datetime:
        """When it was last modified, to the microsecond."""
        return datetime.datetime.fromtimestamp(self.modified // 1000 / 1e6, datetime.UTC)


@dataclass(frozen=True, eq=False)
class SourceFiles(Sequence[FileRecord]):
    """The files that frames came from.

    Attributes
    ----------
    paths
        ``(F,)`` as bytes, as the system has them.
    sizes
        ``(F,)`` uint64, in bytes.
    modified
        ``(F,)`` int64, nanoseconds since 1970, UTC.
    sha256
        ``(F, 32)`` uint8; None if they were not computed. A digest of zeros stands for none.
    file
        ``(N,)`` uint32: the file of each frame, `NOTHING` for a frame of no file. None: frame i
        is of file i, or, if there is only one file, of that.
    image
        ``(N,)`` uint32: which image of its file each frame is. None: the first one of a file for
        each frame; of an only file, image i for frame i.
    """

    paths: npt.NDArray[np.bytes_]
    sizes: npt.NDArray[np.uint64] = field(repr=False)
    modified: npt.NDArray[np.int64] = field(repr=False)
    sha256: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    file: Places | None = field(default=None, repr=False)
    image: Places | None = field(default=None, repr=False)

    @staticmethod
    def of(paths: Iterable[str | os.PathLike[str]]) -> SourceFiles:
        """Look up the files at these paths.

        Raises
        ------
        OSError
            If one is not there.
        """
        names, sizes, times = [], [], []
        for path in paths:
            found = os.stat(path)
            names.append(os.fsencode(path))
            sizes.append(found.st_size)
            times.append(found.st_mtime_ns)
        return SourceFiles(
            np.array(names, dtype="S" if names else "S1"),
            np.array(sizes, np.uint64),
            np.array(times, np.int64),
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[place] for place in range(*number.indices(len(self)))]
        digest = b"" if self.sha256 is None else self.sha256[number].tobytes()
        return FileRecord(
            os.fsdecode(bytes(self.paths[number])),
            int(self.sizes[number]),
            int(self.modified[number]),
            digest.hex() if any(digest) else "",
        )

    def __iter__(self) -> Iterator[FileRecord]:
        return (self[number] for number in range(len(self)))

    def places(self, count: int) -> tuple[Places, Places]:
        """Return for each of `count` frames its file, and which image of it it is."""
        numbers = np.arange(count, dtype=np.uint32)
        one = len(self) == 1
        file = self.file
        if file is None:
            file = np.zeros(count, np.uint32) if one else numbers
        image = self.image
        if image is None:
            image = numbers if one else np.zeros(count, np.uint32)
        return file, image

    def place(self, frame: int, count: int) -> tuple[int | None, int | None]:
        """Return the file of one of `count` frames, and which image of it it is, or None twice."""
        one = len(self) == 1
        file = (0 if one else frame) if self.file is None else int(self.file[frame])
        image = (frame if one else 0) if self.image is None else int(self.image[frame])
        return (None, None) if file == NOTHING else (file, image)

    def names(self, count: int) -> npt.NDArray[np.bytes_] | None:
        """Return the name of the file of each frame, if each has one of its own.

        Names are relative to the folder that all files are in.
        """
        file, _ = self.places(count)
        if (len(self) < 2 and count != 1) or len(np.unique(file)) != count or NOTHING in file:
            return None
        folder = common_folder(self.paths)
        return np.array([path[len(folder) :] for path in self.paths[file].tolist()], dtype="S")

    def with_digests(self, digests: npt.NDArray[np.uint8]) -> SourceFiles:
        """Return it with the SHA-256 of each file, ``(F, 32)``."""
        return replace(self, sha256=digests)

    def without_digests(self) -> SourceFiles:
        """Return it with the digests that it has; those that it lacks are not to be computed."""
        none = np.zeros((len(self), 32), np.uint8)
        return self if self.sha256 is not None else self.with_digests(none)

    def take(self, numbers: Numbers, count: int) -> SourceFiles:
        """Return it for some of `count` frames."""
        file, image = self.places(count)
        return replace(self, file=file[numbers], image=image[numbers])


def common_folder(paths: npt.NDArray[np.bytes_]) -> bytes:
    """Return how the paths of all files begin, up to their names; with a separator at its end."""
    folders = {os.path.dirname(path) for path in paths.tolist()}
    if folders == {b""}:
        return b""
    try:
        folder = os.path.commonpath(list(folders))
    except ValueError:  # absolute and relative ones
        return b""
    return folder.rstrip(b"/") + b"/" if folder else b""


def joined_files(
    one: SourceFiles | None, one_count: int, two: SourceFiles | None, two_count: int
) -> SourceFiles | None:
    """Return the files of the frames of two sources, one after another."""
    if one is None and two is None:
        return None
    parts = [(one or _NO_FILES, one_count), (two or _NO_FILES, two_count)]
    places = [
        part.places(count) if len(part) else (np.full(count, NOTHING, np.uint32),) * 2
        for part, count in parts
    ]
    second = places[1][0].astype(np.uint64)
    second[second != NOTHING] += len(parts[0][0])
    digests = None
    if any(part.sha256 is not None for part, _ in parts):
        digests = np.concatenate(
            [
                np.zeros((len(part), 32), np.uint8) if part.sha256 is None else part.sha256
                for part, _ in parts
            ]
        )
    return SourceFiles(
        np.concatenate([part.paths for part, _ in parts]),
        np.concatenate([part.sizes for part, _ in parts]),
        np.concatenate([part.modified for part, _ in parts]),
        digests,
        np.concatenate([places[0][0], second.astype(np.uint32)]),
        np.concatenate([places[0][1], places[1][1]]),
    )


_NO_FILES = SourceFiles.of([])
