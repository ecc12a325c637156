"""Names inside the HDF5 file (spec/format.md, "Layout"), and how tables and attributes are read."""

from __future__ import annotations

import os
import re
import uuid
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..codecs.loss import NOISE_ATTRIBUTES
from ..hdf5 import standard_filters
from ..hdf5.failures import DamageError, damage_as_error, hdf5_errors
from ..hdf5.opening import refuse_url
from ..shapes import Shape

FORMAT = "1.0"
"""The version of the format."""
DEFAULT_STACK = "/stack"
BESIDE = "/h5vidstack"
"""The stack of a dataset that was replaced at its path is in this group, at the same path."""
SEPARATOR = "::"

FORMAT_ATTRIBUTE = "h5vidstack_format"
UUID = "uuid"
LINEAGE = "lineage"
STACK_ATTRIBUTES = (
    FORMAT_ATTRIBUTE, UUID, LINEAGE, "shape", "leading_shape", "dtype", "method", "lossless",
    "max_error", "mse", "psnr", *NOISE_ATTRIBUTES, "created", "creator", "settings",
    "frames_crc32", "dims", "coords", "attributes",
)  # fmt: skip
"""What a stack says of itself (spec/format.md, "Layout"); other attributes are its users'."""
STACK_MEMBERS = ("frames", "groups", "hashes", "index", "nd", "original", "source")
"""What is in a stack's group, with its alias; other objects are its users'."""
ORDERED = "ordered"
"""In the group of piles: the virtual dataset of all frames in their order, which `frames` shows."""
ND = "nd"
"""The virtual dataset that shows `frames` with all axes, where several count frames."""
_ALIAS = re.compile(r"piles-[0-9a-f]{32}")
HOW_TO_READ = "h5vidstack_how_to_read"
"""At the root of a file that was made for stacks, and at `frames`: what reads it, in words."""
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


def read_table(group: h5py.Group | None, name: str, length: int | Shape | None) -> Any:
    """Return all of a table of unsigned numbers; DamageError says what is wrong with it.

    Parameters
    ----------
    length
        That it must have, or the shape; None: one axis of any length.
    """
    shape = (length,) if isinstance(length, int) else length
    with hdf5_errors(name):
        table = group.get(name) if group is not None else None
        if not isinstance(table, h5py.Dataset):
            raise DamageError(f"{name} is missing")
        if shape is None and len(table.shape or ()) == 1:
            shape = table.shape
        if table.shape != shape or table.dtype.kind != "u":
            raise DamageError(
                f"{name} has shape {table.shape} {table.dtype}, not {shape or '(n,)'} unsigned"
            )
    try:
        with hdf5_errors(name):
            values = standard_filters.read(table)
            stated = table.attrs.get(TABLE_CRC)
    except DamageError as error:
        raise DamageError(f"{name} is damaged: {error}") from error
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    if stated is not None and zlib.crc32(little.tobytes()) != scalar(stated):
        raise DamageError(f"{name} is damaged: its CRC-32 is wrong")
    return values


def require_dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    """Return a dataset of a group that has axes, or raise DamageError."""
    found = group.get(name) if isinstance(group, h5py.Group) else None
    if not isinstance(found, h5py.Dataset) or not found.shape:
        raise DamageError(f"{group.name}/{name} is missing, or holds no numbers")
    return found


def new_alias() -> str:
    """Return a name for the group of piles that no other stack has, nor this one after a change."""
    return f"piles-{uuid.uuid4().hex}"


def aliases(group: h5py.Group) -> list[str]:
    """Return the names of this kind in a stack's group."""
    return [name for name in group if _ALIAS.fullmatch(name)]


def is_member(name: str) -> bool:
    """Whether a name in a stack's group is of the stack itself."""
    return name in STACK_MEMBERS or _ALIAS.fullmatch(name) is not None


def is_stack(node: Any) -> bool:
    """Whether a node of an HDF5 file is a stack's group."""
    return isinstance(node, h5py.Group) and FORMAT_ATTRIBUTE in node.attrs


def text(value: Any) -> str:
    """Return a string attribute, or raise DamageError.

    Ours are of fixed length, because HDF5 keeps no checksum of others. Programs that copy a stack
    may make the length variable; then h5py gives a str.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        raise DamageError(f"the attribute {value!r} is no string")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise DamageError(f"the attribute {value!r} is not UTF-8") from error


def write_text(node: h5py.HLObject, name: str, value: str) -> None:
    """Write a string of fixed length: HDF5 keeps no checksum of those of variable length."""
    data = value.encode()
    node.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", max(1, len(data))))


def scalar(value: Any, kinds: str = "biuf") -> Any:
    """Return an attribute that is one number, as a Python value, or raise DamageError.

    Some programs copy a number as an array of one.

    Parameters
    ----------
    kinds
        NumPy's kinds of numbers that are allowed.
    """
    number = isinstance(value, (np.generic, np.ndarray)) and value.size == 1
    if not number or value.dtype.kind not in kinds:
        raise DamageError(f"the attribute {value!r} is not one number")
    return value.item()


def find_stacks(file: h5py.Group) -> list[str]:
    """Return the paths of the stacks in a file, or in a group and relative to it."""
    found = []

    def visit(name: str | bytes, node: h5py.HLObject) -> None:
        if is_stack(node):
            found.append("/" + os.fsdecode(name))

    with damage_as_error(file.file.filename):
        file.visititems(visit)
    return found
