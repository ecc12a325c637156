"""Names inside the HDF5 file (spec/format.md, "Layout"), and the small things that need them.

Only this package knows them.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from ..errors import FormatError
from ..hdf5 import standard_filters
from ..hdf5.opening import refuse_url

FORMAT = "1.0"
"""The version of the format."""
DEFAULT_STACK = "/stack"
BESIDE = "/h5vidstack"
"""The stack of a dataset that was replaced at its path is in this group, at the same path."""
SEPARATOR = "::"

HDF5_ERRORS = (OSError, RuntimeError, LookupError, TypeError, ValueError, MemoryError)
"""What h5py raises on a damaged file; no memory is enough for some claims."""

FORMAT_ATTRIBUTE = "h5vidstack_format"
STACK_ATTRIBUTES = (
    FORMAT_ATTRIBUTE, "shape", "leading_shape", "dtype", "method", "lossless", "max_error", "mse",
    "psnr", "created", "creator", "settings", "frames_crc32",
)  # fmt: skip
"""What a stack says of itself (spec/format.md, "Layout"); other attributes are its users'."""
STACK_MEMBERS = ("frames", "groups", "hashes", "index", "original")
"""What is in a stack's group; other objects are its users'."""
TABLE_CRC = "crc32"
MAPPINGS_CRC = "frames_crc32"


def split_target(target: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """Split ``file.h5::/path`` into the file and the path inside it (None if not given).

    What exists is never split: a file or a folder may have the two colons in its very name.

    Raises
    ------
    UnsupportedError
        For a URL.
    """
    refuse_url(target)
    name = os.fsdecode(target)
    if SEPARATOR not in name or os.path.lexists(name):
        return Path(name), None
    folder = existing_folder(Path(name))
    rest = str(Path(name).relative_to(folder))
    places = [found.start() for found in re.finditer(SEPARATOR, rest)]
    if not places:  # the colons are in the folder's name
        return Path(name), None
    existing = (place for place in reversed(places) if os.path.lexists(folder / rest[:place]))
    place = next(existing, places[0])
    return folder / rest[:place], "/" + rest[place + len(SEPARATOR) :].strip("/")


def existing_folder(path: Path) -> Path:
    """Return the longest beginning of a path that is an existing folder, perhaps ``.``."""
    return next((parent for parent in path.parents if parent.is_dir()), Path(path.anchor))


def read_table(group: h5py.Group | None, name: str, length: int) -> Any:
    """All of a table of unsigned numbers; ValueError says what is wrong with it."""
    table = group.get(name) if group is not None else None
    if not isinstance(table, h5py.Dataset):
        raise ValueError(f"{name} is missing")  # noqa: TRY004
    if table.shape != (length,) or table.dtype.kind != "u":
        raise ValueError(f"{name} has shape {table.shape} {table.dtype}, not ({length},) unsigned")
    try:
        values = standard_filters.read(table)
    except HDF5_ERRORS as error:
        raise ValueError(f"{name} is damaged: {error}") from error
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    if TABLE_CRC in table.attrs and zlib.crc32(little.tobytes()) != table.attrs[TABLE_CRC]:
        raise ValueError(f"{name} is damaged: its CRC-32 is wrong")
    return values


@contextlib.contextmanager
def damage_as_error(name: str) -> Iterator[None]:
    """Turn what h5py raises on a damaged file into a FormatError."""
    try:
        yield
    except HDF5_ERRORS as error:
        raise FormatError(f"{name} is damaged: {error}") from error


def is_stack(node: Any) -> bool:
    """Whether a node of an HDF5 file is a stack's group."""
    return isinstance(node, h5py.Group) and FORMAT_ATTRIBUTE in node.attrs


def text(value: Any) -> str:
    """A string attribute; it is of fixed length, since HDF5 keeps no checksum of others."""
    if not isinstance(value, bytes):
        raise TypeError(f"the attribute {value!r} is no string of fixed length")
    return value.decode()


def find_stacks(file: h5py.Group) -> list[str]:
    """Paths of the stacks in a file or a group of it, from there."""
    found = []

    def visit(name: str | bytes, node: h5py.HLObject) -> None:
        if is_stack(node):
            found.append("/" + os.fsdecode(name))

    with damage_as_error(file.file.filename):
        file.visititems(visit)
    return found
