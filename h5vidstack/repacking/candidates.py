"""The datasets of a file that are stacks of images, and why others are not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import h5py
from h5py import h5t

from ..codecs import block
from ..errors import OutputError, UnsupportedError
from ..hdf5.filter import stored_coding
from ..hdf5.required_filters import require_filters
from ..layout.names import SEPARATOR, is_stack
from ..shapes import split_axes
from .tree import Objects, shown, walk

LEAST_EDGE = 16
"""Images with a shorter edge are taken for tables of numbers, unless they are selected."""
LEAST_BYTES = 1 << 16
"""Smaller stacks are left as they are, unless they are selected."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """A dataset that is copied as it is.

    Attributes
    ----------
    path
        Its path in the file.
    why
        The reason, in words.
    """

    path: str
    why: str


class PathPatterns:
    """The paths that a user named by patterns.

    Parameters
    ----------
    patterns
        Patterns as of a shell, in which ``*`` also stands for ``/``.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._matched: set[str] = set()

    def names(self, paths: Sequence[bytes]) -> bool:
        """Return whether a pattern matches one of an object's paths."""
        found = {
            pattern
            for pattern in self._patterns
            for path in paths
            if fnmatchcase(shown(path), "/" + pattern.lstrip("/"))
        }
        self._matched |= found
        return bool(found)

    def takes(self, paths: Sequence[bytes]) -> bool:
        """Return whether a pattern matches one of these paths, or there are no patterns."""
        return self.names(paths) or not self._patterns

    def check(self, file: str) -> None:
        """Raise OutputError if a pattern matched nothing."""
        for pattern in self._patterns:
            if pattern not in self._matched:
                raise OutputError(
                    f"--select {pattern} matches no dataset of {file} that could be converted; "
                    "`h5vidstack repack --dry-run` without --select lists those that can"
                )


def image_stacks(file: h5py.File, select: Sequence[str]) -> tuple[list[bytes], list[Left]]:
    """Return the paths of the datasets to be packed, and the datasets that are not packed.

    Parameters
    ----------
    select
        Patterns of paths; without any, all datasets that look like stacks of images are taken.

    Raises
    ------
    OutputError
        If a pattern matches no dataset.
    SourceError
        If a dataset needs a filter that is not installed.
    """
    chosen: list[bytes] = []
    left: list[Left] = []
    patterns, objects = PathPatterns(select), Objects(file)
    for paths in datasets(file):
        dataset, named = objects[paths[0]], patterns.names(paths)
        why = None if named or not select else "it is not selected"
        why = why or why_not(dataset) or (None if named else _too_small(dataset))
        if why is None:
            require_filters(dataset, f"{file.filename}{SEPARATOR}{shown(paths[0])}")
            chosen.append(paths[0])
        else:
            left.append(Left(path=shown(paths[0]), why=why))
    patterns.check(file.filename)
    return chosen, left


def datasets(file: h5py.File) -> Iterator[list[bytes]]:
    """Yield all paths of each dataset that is not part of a stack."""
    found: dict[int, list[bytes]] = {}
    objects = Objects(file)
    for link in walk(file, lambda link: not is_stack(objects[link.path])):
        if link.address is not None and isinstance(objects[link.path], h5py.Dataset):
            found.setdefault(link.address, []).append(link.path)
    return iter(found.values())


def why_not(dataset: h5py.Dataset) -> str | None:
    """Return why a dataset cannot be packed as a stack, or None if it can."""
    plist = dataset.id.get_create_plist()
    kind = dataset.id.get_type()
    if kind.get_class() not in (h5t.INTEGER, h5t.FLOAT, h5t.ENUM):  # numpy lacks some types
        return "its values are no plain numbers"
    if stored_coding(dataset) is not None:
        return "it is packed already"
    if dataset.shape is None or dataset.ndim < 3:
        return "it has fewer than three axes"
    if dataset.is_virtual:
        return "it is a virtual dataset, and its pixels are in other datasets"
    if plist.get_external_count():
        return "its pixels are in other files"
    if not dataset.size:
        return "it is empty"
    if kind.committed():
        return "it has a named datatype"
    try:
        block.check_dtype(dataset.dtype)
    except UnsupportedError as error:
        return str(error)
    except TypeError:  # for example integers of 24 bits
        return "numpy has no dtype for its type"
    if not kind.equal(h5t.py_create(dataset.dtype, logical=True)):
        return f"numpy has no dtype that is exactly its type (nearest: {dataset.dtype})"
    return None


def _too_small(dataset: h5py.Dataset) -> str | None:
    height, width = split_axes(dataset.shape)[1][:2]
    if min(height, width) < LEAST_EDGE:
        return f"its last axes, {height}x{width}, are too small for an image"
    if math.prod(dataset.shape) * dataset.dtype.itemsize < LEAST_BYTES:
        return f"it is smaller than {LEAST_BYTES >> 10} KiB"
    return None
