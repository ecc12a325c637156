"""Frames from NumPy's ``.npy`` files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import SourceError
from .base import ArraySource, Source, SourceOptions


def npy_source(path: Path, options: SourceOptions) -> Source:
    """Open an ``.npy`` array, memory-mapped."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read {path}: {error}") from error
    source = ArraySource(array, str(path), gray=options.gray)
    source.file_bytes = path.stat().st_size
    return source
