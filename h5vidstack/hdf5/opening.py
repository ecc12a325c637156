"""Open HDF5 files for reading, also those that are being recorded, and remote ones."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import h5py
from h5py._objects import phil

from ..errors import AccessError, FormatError, UnsupportedError
from .failures import system_errors
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
    """
    if not os.path.isfile(path):
        kind = f"{path} is a folder" if os.path.isdir(path) else f"no such file: {path}"
        raise FormatError(kind)
    try:
        with system_errors(path):
            return _open_recording(path) if is_recording(path) else h5py.File(path, "r")
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

    Attributes
    ----------
    size
        In bytes.
    identity
        What changes when the file does.
    """

    def __init__(self, path: str) -> None:
        self._file = open_hdf5(path)
        status = os.stat(path)
        self.size = status.st_size
        self.identity: tuple[object, ...] = (status.st_mtime_ns, status.st_size)

    def ask(self, question: Callable[[h5py.File], Answer]) -> Answer:
        """Give what a function finds in the open file."""
        return question(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_file(path: str, options: Mapping[str, Any]) -> LocalFile | RemoteFile:
    """Open a path or a URL for questions.

    Raises
    ------
    FormatError, RemoteError, MissingError
        If it cannot be opened.
    """
    return RemoteFile(path, options) if is_url(path) else LocalFile(path)
