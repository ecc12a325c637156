"""Parts of a stack that lie in other files (spec/format.md, "Parts"): found, opened, checked.

HDF5 would follow the links itself, but take a file of that name from the working folder, too,
wait at a pipe, or give zeros for a file that is missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import h5py
import numpy as np
import numpy.typing as npt

from .errors import FormatError
from .opening import is_url, open_hdf5
from .piles import Pile

if TYPE_CHECKING:  # which reads parts
    from .layout import Layout

_DATA = ("video", "difference", "pca")
"""One of them is in each pile."""
_TARGET = re.compile(r"(/.+)/groups/(\d{6,})/(?:video|difference|pca)", re.S)


@dataclass(frozen=True)
class Part:
    """A pile of a stack in another file.

    Attributes
    ----------
    name, path
        Of the file: relative to the folder of the file that links it, and absolute.
    stack, number
        The stack in it, and which of its piles.
    layout
        That stack, open.
    """

    name: str
    path: str
    stack: str
    number: int
    layout: Layout

    def __str__(self) -> str:
        return f"{self.path}::{self.stack}"


class Parts:
    """The files in which a stack's piles lie, each opened once.

    Parameters
    ----------
    file
        The file that links them.
    open_layout
        Opens a stack in one of them; None: there may be none, as in a part.
    """

    def __init__(
        self, file: h5py.File, open_layout: Callable[[h5py.File, str], Layout] | None
    ) -> None:
        self._name, self._open_layout = file.filename, open_layout
        self._files: dict[str, h5py.File] = {}
        self._layouts: dict[tuple[str, str], Layout] = {}

    def pile(self, group: h5py.Group) -> Pile | None:
        """The pile that a group links; None if the group holds it itself.

        Raises
        ------
        FormatError
            If the file is missing, or no longer holds it.
        """
        links = (group.get(name, getclass=True, getlink=True) for name in _DATA)
        found = next((n for n, kind in zip(_DATA, links, strict=True) if kind), None)
        link = group.get(found, getlink=True) if found is not None else None
        if not isinstance(link, h5py.ExternalLink):
            return None
        if is_url(self._name):
            raise FormatError(
                f"{self._name} links parts in other files, which are not read at URLs: copy all of "
                "them here"
            )
        if self._open_layout is None:
            raise FormatError(f"{self._name} itself links other files: link the parts anew")
        target = _TARGET.fullmatch(link.path)
        if target is None:
            raise ValueError(f"{group.name} links {link.path}, which is in no pile of a stack")
        stack, number = target[1], int(target[2])
        layout = self._layout(link.filename, stack, self._open_layout)
        path = self._files[link.filename].filename
        part = Part(link.filename, path, stack, number, layout)
        length = group["members"].shape[0]
        if number >= len(layout.piles) or layout.piles[number].length < length:
            raise FormatError(changed(part, self._name))
        pile = layout.piles[number]
        # More may have been added to it since.
        return replace(pile, shape=(length, *pile.shape[1:]), part=part)

    def _layout(
        self, name: str, stack: str, open_layout: Callable[[h5py.File, str], Layout]
    ) -> Layout:
        if (name, stack) not in self._layouts:
            try:
                if name not in self._files:
                    folder = os.path.dirname(os.path.realpath(self._name))
                    self._files[name] = open_hdf5(os.path.normpath(os.path.join(folder, name)))
                layout = open_layout(self._files[name], stack)
            except FormatError as error:
                raise FormatError(
                    f"{self._name} needs its part {name}: {error}; parts are to stay where they "
                    "were, as seen from the file that links them"
                ) from error
            if layout.live:
                raise FormatError(f"{self._name} needs its part {name}, which is being recorded")
            self._layouts[name, stack] = layout
        return self._layouts[name, stack]

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


def changed(part: Part, name: str) -> str:
    """What is wrong with a part, and what to do; `name` is of the file that links it."""
    return (
        f"{part} was changed after {name} was made of it; link the parts again, or bring the "
        "old file back"
    )


class Checks:
    """Whether the piles in other files hold the frames that they held when they were linked.

    Parameters
    ----------
    layout
        The stack that is made of them.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._sound: set[int] = set()
        self._crc32: dict[str, npt.NDArray[np.uint32] | None] = {}

    def check(self, number: int) -> None:
        """Raise FormatError if a pile holds other frames."""
        pile = self._layout.piles[number]
        if pile.part is None or number in self._sound:
            return
        part = pile.part
        wanted, held = self._table("", self._layout), self._table(str(part), part.layout)
        mine, theirs = self._layout.members(number), part.layout.members(part.number)
        if wanted is None:
            raise FormatError(f"{self._layout.file.filename}: index/crc32 is damaged")
        known = held is not None and theirs.max(initial=0) < len(held)
        if held is None or not known or not np.array_equal(held[theirs[: len(mine)]], wanted[mine]):
            raise FormatError(changed(part, self._layout.file.filename))
        self._sound.add(number)

    def _table(self, name: str, layout: Layout) -> npt.NDArray[np.uint32] | None:
        """CRC-32 of each frame of a stack, read once."""
        if name not in self._crc32:
            self._crc32[name] = layout.crc32()
        return self._crc32[name]
