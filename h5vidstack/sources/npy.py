"""Frames from NumPy's ``.npy`` files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import SourceError
from .arrays import array_source
from .base import Source, SourceOptions


def npy_source(path: Path, options: SourceOptions) -> Source:
    """Open an ``.npy`` array, memory-mapped.

    Raises
    ------
    SourceError
        If it cannot be read, or the file is longer or shorter than its array.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy lets every kind out on damaged headers
        raise SourceError(f"cannot read {path}: {error}") from error
    size, end = path.stat().st_size, array.offset + array.nbytes
    if end != size:
        raise SourceError(
            f"{path} has {size - end} bytes behind its array of shape {array.shape} {array.dtype}: "
            "perhaps more arrays, saved into the one file; save each into its own"
        )
    source = array_source(array, str(path), options)
    source.file_bytes = size
    return source
