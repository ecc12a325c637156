"""The names of metadata in the file (spec/format.md, "Metadata"), and what others call so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from .names import STACK_ATTRIBUTES, STACK_MEMBERS, TABLE_CRC

DIMS, COORDS, ATTRIBUTES = "dims", "coords", "attributes"
"""Attributes of a stack: the names of its axes, of its coordinates, and of what pack was given."""
SOURCE, FILES, FRAMES = "source", "files", "frames"
STORED_AS = "h5vidstack_dtype"
"""The attribute of a column that says of which dtype its values are, if not of the stored one."""
PAGE_BYTES = 1 << 20
"""Bytes of a chunk of a column."""
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable."
"""How netCDF-4 calls a dimension scale that has no values of its own."""
HDF5_ATTRIBUTES = (
    "CLASS", "NAME", "DIMENSION_LIST", "DIMENSION_LABELS", "REFERENCE_LIST", "_Netcdf4Dimid",
    "_Netcdf4Coordinates", "_NCProperties", "_nc3_strict",
)  # fmt: skip
"""Attributes by which HDF5 and netCDF-4 say how datasets belong together."""
GROUP_NAMES = (*STACK_ATTRIBUTES, *HDF5_ATTRIBUTES)
"""What no attribute of a user is called in a stack's group."""
AUXILIARY = "coordinates"
"""The attribute of `frames` that names coordinates that are no scales, as in the CF conventions."""
FILE_COLUMNS = {
    "paths": ("path", "S"), "sizes": ("size", "u"), "modified": ("modified", "i"),
    "sha256": ("sha256", "u"), "file": ("file", "u"), "image": ("image", "u"),
}  # fmt: skip
"""The table of files: fields of `SourceFiles`, names of columns, and kinds of their values."""
_UNSAFE = re.compile("[\x00-\x1f\x7f%/\udc80-\udcff]")
"""What does not stand in the name of a link; netCDF-4 takes no control characters."""


def stored_name(name: str, reserved: Sequence[str] = STACK_MEMBERS) -> bytes:
    """Return the name in the file of what the user calls so.

    A slash, a percent sign, control characters, and bytes that are no UTF-8 are written as in URLs,
    and so are the dots of a name of dots. A name that the format has for something else gets an
    underscore.
    """
    if name in (".", ".."):
        return name.replace(".", "%2E").encode()
    safe = _UNSAFE.sub(_escaped, name)
    return unreserved(safe, reserved).encode()


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode(errors="surrogateescape"))


def user_name(stored: str, reserved: Sequence[str] = STACK_MEMBERS) -> str:
    """Undo `stored_name`."""
    return unquote(given_name(stored, reserved), errors="surrogateescape")


def unreserved(name: str, reserved: Sequence[str]) -> str:
    """Return a name with one more underscore, if it is reserved but for underscores behind it."""
    return f"{name}_" if name.rstrip("_") in reserved else name


def given_name(name: str, reserved: Sequence[str]) -> str:
    """Undo `unreserved`."""
    return name[:-1] if name.endswith("_") and name.rstrip("_") in reserved else name


def column_names(marks: Iterable[str]) -> tuple[str, ...]:
    """Return what no attribute of a user is called in a column that has these marks."""
    return (*HDF5_ATTRIBUTES, DIMS, STORED_AS, TABLE_CRC, *marks)
