"""Frames from NumPy's ``.npy`` files; ``.npz`` files are refused."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

from ..errors import SourceError
from ..metadata.description import Metadata
from ..metadata.files import SourceFiles
from .array_source import array_source
from .headers import checked, read_header
from .source import Source, SourceFile, SourceOptions

MOST_MAPPED = 16 << 20
"""So many bytes are read of a mapped file before its memory is given back."""
_DONTNEED: int | None = getattr(mmap, "MADV_DONTNEED", None)  # not on Windows


class MappedArray(np.memmap):
    """An array in a file that is mapped into memory, which gives back memory as it is read.

    Otherwise all that was read once counts as memory of this process. Pieces that were taken
    stay as they are: the system reads their pages again if they are used.
    """

    _taken_bytes = 0

    def __getitem__(self, index: Any) -> Any:
        """Take a piece."""
        piece = super().__getitem__(index)
        self._taken_bytes += getattr(piece, "nbytes", 0)
        if self._taken_bytes > MOST_MAPPED and _DONTNEED is not None:
            self._mmap.madvise(_DONTNEED)  # type: ignore[attr-defined]
            self._taken_bytes = 0
        return piece


def is_npy(file: SourceFile) -> bool:
    """Return whether a file begins as an ``.npy`` file."""
    return file.head.startswith(b"\x93NUMPY")


def npy_source(file: SourceFile, options: SourceOptions) -> Source:
    """Open an ``.npy`` array, memory-mapped.

    Raises
    ------
    SourceError
        If it cannot be read, or the file is longer or shorter than its array.
    """
    path = file.path
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy raises every kind of exception on damaged headers
        raise SourceError(f"cannot read {path}: {error}") from error
    size, end = path.stat().st_size, array.offset + array.nbytes
    if end != size:
        raise SourceError(
            f"{path} has {size - end} bytes behind its array of shape {array.shape} {array.dtype}. "
            "If several arrays were saved into this file, save each into its own"
        )
    source = array_source(array.view(MappedArray), str(path), options)
    source.file_bytes = size
    source.metadata = Metadata(files=SourceFiles.of([path]))
    return checked(source, path, read_header(path), options)


def is_npz(file: SourceFile) -> bool:
    """Return whether a file is a ZIP archive that is named as one of arrays."""
    return file.head.startswith(b"PK\x03\x04") and file.path.suffix.lower() == ".npz"


def refuse_npz(file: SourceFile, options: SourceOptions) -> Source:
    """Raise SourceError, because an ``.npz`` file holds several arrays."""
    raise SourceError(
        f"{file.path} holds several arrays: pass one, as numpy.load({file.name!r})['name']"
    )
