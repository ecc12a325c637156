"""Open HDF5 files for reading, also those that are being recorded, and remote ones."""

from __future__ import annotations

import ctypes
import os
import re
import stat
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import h5py
from h5py._objects import phil

from ..errors import AccessError, ClosedError, FileChangedError, FormatError, UnsupportedError
from .failures import system_errors
from .file_stamp import Stamp, changed_words, of_status
from .remote import local_copy
from .remote_pages import RemoteFile, marks_recording

Answer = TypeVar("Answer")

READ_ATTEMPTS = 28
"""How often HDF5 reads what has a wrong checksum in a file that is being recorded.

It waits a nanosecond, then twice as long each time. So many attempts take 0.3 s, and HDF5's own
100 would never end."""


def open_hdf5(path: str) -> h5py.File:
    """Open a file for reading.

    Raises
    ------
    FormatError
        If there is no such file, it is not HDF5, or it is open for writing.
    AccessError
        If the system refuses it.
    FileChangedError
        If this process has the file open, and it was written to since. HDF5 keeps what it knows
        of a file, and would mix that with what is there now.
    """
    try:
        with system_errors(path):
            if not stat.S_ISREG(os.stat(path).st_mode):
                kind = "a folder" if os.path.isdir(path) else "no file, but a device or a pipe"
                raise FormatError(f"{path} is {kind}")
            file = _open_recording(path) if is_recording(path) else h5py.File(path, "r")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FormatError(f"no such file: {path}") from error
    except AccessError:
        raise
    except BlockingIOError as error:
        raise FormatError(f"{path} is open for writing elsewhere; close it there first") from error
    except OSError as error:
        if "already open for w" in str(error):
            raise FormatError(
                f"{path} is open for writing elsewhere, or was not closed; close it there first"
            ) from error
        raise FormatError(f"{path} is not an HDF5 file, or is damaged: {error}") from error
    try:
        for guard in [reference() for reference in list(_guards.values())]:
            if guard is not None:
                guard.refuse(file)
    except FileChangedError:
        file.close()
        raise
    return file


def is_recording(path: str) -> bool:
    """Whether a file's superblock says that a recorder writes it."""
    with open(path, "rb") as file:
        return marks_recording(file.read(12))


def _open_recording(path: str) -> h5py.File:
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    library = ctypes.CDLL(h5py.defs.__file__)  # h5py has no call for this
    with phil:
        library.H5Pset_metadata_read_attempts(ctypes.c_int64(access.id), READ_ATTEMPTS)
    flags = h5py.h5f.ACC_RDONLY | h5py.h5f.ACC_SWMR_READ
    return h5py.File(h5py.h5f.open(os.fsencode(path), flags, access))


def is_url(target: str | os.PathLike[str]) -> bool:
    """Whether fsspec must open this: ``https://...``, ``s3://...``, also chained by ``::``."""
    name = os.fsdecode(target)
    return re.match(r"[A-Za-z][\w+.-]*(::|://)", name) is not None and "://" in name


def refuse_url(target: str | os.PathLike[str]) -> None:
    """Raise UnsupportedError for what only a file of this machine can be."""
    if is_url(target):
        raise UnsupportedError(
            f"{os.fsdecode(target)} is a URL; stacks can be read there, but this takes a file of "
            "this machine: give its path (and copy it, before or after)"
        )


class LocalFile:
    """An HDF5 file of this machine; stays open.

    Parameters
    ----------
    file
        Its path, or the file itself, which is then closed together with this.
    copied
        It is a copy of another file: the time of its making says nothing.

    Attributes
    ----------
    size
        In bytes.
    stamp
        What changes when the file does.
    inode
        The system's number of the file; 0 for a copy.
    guard
        Tells whether the file was changed.
    """

    def __init__(self, file: str | h5py.File, *, copied: bool = False) -> None:
        self._file = open_hdf5(file) if isinstance(file, str) else file
        found = os.fstat(self._file.id.get_vfd_handle())
        self.size, self.inode = found.st_size, 0 if copied else found.st_ino
        self.stamp = Stamp(self.size) if copied else stamp_of(self._file)
        self.guard = FileGuard()
        self.guard.add(self._file)

    def again(self) -> LocalFile | None:
        """Return the file that is open, opened once more; None if it is closed.

        That works also where another file is at its path now, and after a fork.
        """
        return LocalFile(h5py.File(self._file.id.reopen())) if self._file else None

    def ask(self, question: Callable[[h5py.File], Answer]) -> Answer:
        """Give what a function finds in the open file."""
        return question(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


_guards: dict[int, weakref.ref[FileGuard]] = {}
"""All that watch files in this process."""


class FileGuard:
    """Whether open files were written to since; such a write may come from any program.

    HDF5 keeps other programs from writing a file that is open, but only where there are locks, and
    only if they use HDF5. Files that are being recorded may change.
    """

    def __init__(self) -> None:
        self._files: list[tuple[h5py.File, int, Stamp]] = []
        watching = weakref.ref(self, lambda gone: _guards.pop(id(gone), None))
        _guards[id(watching)] = watching

    def add(self, file: h5py.File) -> None:
        """Watch a file from now on."""
        if not file.swmr_mode:
            self._files.append((file, file.id.get_vfd_handle(), stamp_of(file)))

    def refuse(self, file: h5py.File) -> None:
        """Raise FileChangedError if a file that was opened now is watched, and has changed."""
        place = os.fstat(file.id.get_vfd_handle())
        for other, descriptor, stamp in self._files:
            if other and os.path.samestat(os.fstat(descriptor), place) and stamp_of(file) != stamp:
                raise FileChangedError(
                    f"{file.filename} was written over while this program has it open: close "
                    "what reads it, then open it again"
                )

    def check(self) -> None:
        """Raise FileChangedError or ClosedError if what was read just now may be wrong."""
        for file, descriptor, stamp in self._files:
            try:
                status = os.fstat(descriptor)
            except OSError:  # it is closed
                status = None
            # After each read, so as fast as can be: a stamp is made only if something differs.
            if status is not None and stamp.is_of(status):
                continue
            # The descriptor's number may already be that of another file.
            if status is None or not file:
                raise ClosedError("the stack was closed while it was read")
            change = stamp.difference(of_status(status))
            raise FileChangedError(changed_words(file.filename, str(change)))


def stamp_of(file: h5py.File) -> Stamp:
    """Return the stamp of an open file of this machine."""
    return of_status(os.fstat(file.id.get_vfd_handle()))


def open_file(path: str, options: Mapping[str, Any]) -> LocalFile | RemoteFile:
    """Open a path or a URL for questions.

    Raises
    ------
    FormatError, RemoteError, MissingError
        If it cannot be opened.
    UnsupportedError
        If a part of the URL does what cannot be right.
    """
    if not is_url(path):
        return LocalFile(path)
    copy = local_copy(path, options)
    return RemoteFile(path, options) if copy is None else LocalFile(copy, copied=True)
