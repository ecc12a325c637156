"""Open HDF5 files for reading, also such that are being recorded."""

from __future__ import annotations

import ctypes
import os

import h5py
from h5py._objects import phil

from .errors import FormatError

READ_ATTEMPTS = 28
"""HDF5 reads again what has a wrong checksum in a file that is being written, and waits twice as
long each time, from a nanosecond on: so often takes 0.3 s. Its own 100 would take for ever."""


def open_hdf5(path: str) -> h5py.File:
    """Open a file for reading.

    Raises
    ------
    FormatError
        If it cannot be opened.
    """
    if not os.path.isfile(path):
        kind = f"{path} is a folder" if os.path.isdir(path) else f"no such file: {path}"
        raise FormatError(kind)
    try:
        return _open_recording(path) if is_recording(path) else h5py.File(path, "r")
    except BlockingIOError as error:
        raise FormatError(f"{path} is open for writing elsewhere") from error
    except OSError as error:
        if "already open for w" in str(error):
            raise FormatError(f"{path} is open for writing elsewhere, or was not closed") from error
        raise FormatError(f"{path} is not an HDF5 file, or is damaged: {error}") from error


def is_recording(path: str) -> bool:
    """Whether the superblock says so, of HDF5's single-writer, multiple-readers mode (SWMR).

    Source: HDF5 File Format Specification, II.A, version 3: byte 11, bit 2.
    """
    with open(path, "rb") as file:
        head = file.read(12)
    return len(head) == 12 and head[:9] == b"\x89HDF\r\n\x1a\n\x03" and bool(head[11] & 4)


def _open_recording(path: str) -> h5py.File:
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    library = ctypes.CDLL(h5py.defs.__file__)  # h5py has no call for this
    with phil:
        library.H5Pset_metadata_read_attempts(ctypes.c_int64(access.id), READ_ATTEMPTS)
    flags = h5py.h5f.ACC_RDONLY | h5py.h5f.ACC_SWMR_READ
    return h5py.File(h5py.h5f.open(os.fsencode(path), flags, access))
