"""The names of sources: the file, folder, pattern or place in a file that each names; their order.

The name of something that exists is never a pattern, and never split. So ``scan[1]`` is that folder
if it exists, also in ``scan[1]/*.png``, and ``run::1`` is that file.

Files come in natural order: numbers in names are compared as numbers. A number is a run of digits,
or two runs with one point between them (``t0.25`` comes before ``t0.5``). If there are more points,
as in ``1.2.10``, each run is a number of its own. A minus before a number is a sign only if another
name has a number without one at that place (``t-1`` before ``t0``). Otherwise it is a hyphen, as in
``img-1`` and ``img-2``. The ending of a name is compared last. The package natsort does not fit,
because it takes points and signs in all names one way, whatever the other names are.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from ..errors import SourceError
from ..layout.names import existing_folder, split_target

SHOWN = 3
"""A message gives so many names, and counts the others."""

_NUMBER = re.compile(r"(?<![0-9.])[0-9]+\.[0-9]+(?![0-9]*\.[0-9])(?![0-9])|[0-9]+")
_JUNK = {".ds_store", "thumbs.db", "desktop.ini", "ehthumbs.db"}


@dataclass(frozen=True)
class NamedPath:
    """What the name of a source names.

    Attributes
    ----------
    path
        The file or folder; of a pattern, the pattern.
    inner
        The place inside the file, or None.
    matches
        The files that match a pattern, in no order; empty where the name is no pattern.
    """

    path: Path
    inner: str | None = None
    matches: tuple[Path, ...] = ()


def find_named(name: str) -> NamedPath:
    """Return what a name that is no URL names.

    Raises
    ------
    SourceError
        If nothing has this name.
    """
    if not name:
        raise SourceError("the name of the source is empty; perhaps a variable is not set")
    path, inner = split_target(name)
    if os.path.lexists(path):
        check_paths([path])
        return NamedPath(path, inner)
    if not glob.has_magic(str(path)):
        raise SourceError(f"no such file or folder: {path}")
    matches = match(path)
    if inner is None:
        return NamedPath(path, None, tuple(matches))
    if len(matches) == 1:
        return NamedPath(matches[0], inner)
    raise SourceError(f"{path} matches {len(matches)} files, so {inner} could be in any: name one")


def match(pattern: Path) -> list[Path]:
    """Return the files that match a pattern, in natural order; an existing folder is no pattern.

    Raises
    ------
    SourceError
        If no file matches, or links lead to missing files.
    """
    folder = existing_folder(pattern)
    escaped = os.path.join(glob.escape(str(folder)), str(pattern.relative_to(folder)))
    found = [path for path in map(Path, glob.glob(escaped)) if not is_junk(path)]
    if not found:
        raise SourceError(f"no file matches {pattern}")
    check_paths(found)
    return natural_order(found)[0]


def is_junk(path: Path) -> bool:
    """Return whether a desktop left this file, as ``.DS_Store``, ``._x`` or ``Thumbs.db``."""
    return path.name.startswith("._") or path.name.lower() in _JUNK


def check_paths(paths: Iterable[Path]) -> None:
    """Raise SourceError if any path is a link to a missing file, or a pipe or device."""
    paths = list(paths)
    dangling = [path for path in paths if path.is_symlink() and not path.exists()]
    if dangling:
        dangling = natural_order(dangling)[0]
        raise SourceError(
            f"{some(dangling)}: {'a link' if len(dangling) == 1 else 'links'} to missing files "
            f"({dangling[0]} leads to {os.readlink(dangling[0])}); fetch the files, or remove "
            "the links"
        )
    for path in paths:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise SourceError(
                f"{path} is a pipe or a device, and a source is read more than once: write it to "
                "a file first"
            )


def some(names: Sequence[object]) -> str:
    """Join the first few names for a message, and count the others."""
    shown = ", ".join(map(str, names[:SHOWN]))
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"


def natural_order(paths: Iterable[Path]) -> tuple[list[Path], str | None]:
    """Sort paths as a person would; see the module's docstring.

    Returns
    -------
    paths, note
        `note` is a sentence for the user if names hold decimal numbers, and would be in another
        order if the digits behind the point were a number of their own.
    """
    paths = list(paths)
    unsigned = {before for path in paths for before in _places(path)}

    def key(path: Path, decimals: bool = True) -> tuple[list[tuple[bool, Decimal, str]], str, str]:
        stem, suffix = os.path.splitext(path)
        return _key(stem, unsigned, decimals), suffix, str(path)

    ordered = sorted(paths, key=key)
    otherwise = sorted(paths, key=lambda path: key(path, decimals=False))
    wrong = [pair for pair in zip(ordered, otherwise, strict=True) if pair[0] != pair[1]]
    if not wrong:
        return ordered, None
    return ordered, (
        f"The names hold decimal numbers, and the frames are in their order: {wrong[0][0]} comes "
        f"before {wrong[0][1]}."
    )


def _key(stem: str, unsigned: set[str], decimals: bool) -> list[tuple[bool, Decimal, str]]:
    """Return text and numbers in turn, so that texts meet texts, and numbers meet numbers."""
    key, end = [], 0
    for found in (_NUMBER if decimals else re.compile("[0-9]+")).finditer(stem):
        text, number = stem[end : found.start()], Decimal(found[0])
        if text.endswith("-") and _template(stem[: found.start() - 1]) in unsigned:
            text, number = text[:-1], -number
        key += [(False, Decimal(0), text), (True, number, found[0])]
        end = found.end()
    return [*key, (False, Decimal(0), stem[end:])]


def _places(path: Path) -> Iterable[str]:
    """Yield what stands before each number of a name that has no minus, with numbers as ``#``."""
    stem = os.path.splitext(path)[0]
    for found in _NUMBER.finditer(stem):
        if not stem[: found.start()].endswith("-"):
            yield _template(stem[: found.start()])


def _template(text: str) -> str:
    return re.sub(r"-?#", "#", _NUMBER.sub("#", text))
