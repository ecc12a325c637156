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

from .errors import FormatError
from .geometry import Numbers
from .opening import open_hdf5
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
    name
        Of the file, relative to the folder of the file that links it.
    stack, number
        The stack in it, and which of its piles.
    layout
        That stack, open.
    """

    name: str
    stack: str
    number: int
    layout: Layout

    @property
    def path(self) -> str:
        """Of the file."""
        return str(self.layout.file.filename)

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
        if self._open_layout is None:
            raise FormatError(f"{self._name} itself links other files: link the parts anew")
        target = _TARGET.fullmatch(link.path)
        if target is None:
            raise ValueError(f"{group.name} links {link.path}, which is in no pile of a stack")
        stack, number = target[1], int(target[2])
        layout = self._layout(link.filename, stack, self._open_layout)
        part = Part(link.filename, stack, number, layout)
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
    """What is wrong with a part, and what to do."""
    return (
        f"{part} was changed after {name} was made of it; link the parts again, or bring the "
        "old file back"
    )


def check(pile: Pile, crc32: Numbers, name: str) -> None:
    """See that the pile of a part holds the frames that it held when it was linked.

    Parameters
    ----------
    crc32
        ``(n,)``, of its frames, as the stack has them.
    name
        Of the stack's file.

    Raises
    ------
    FormatError
        If it holds others.
    """
    part = pile.part
    if part is None:
        return
    own, members = part.layout.crc32(), part.layout.members(part.number)[: pile.length]
    known = own is not None and len(members) == pile.length and members.max(initial=0) < len(own)
    if own is None or not known or not np.array_equal(own[members], crc32):
        raise FormatError(changed(part, name))
