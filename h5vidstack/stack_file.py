"""An open file and one stack in it: its piles, and where each frame is."""

from __future__ import annotations

import contextlib

from .chunks import Chunks, DifferenceChunks, PcaChunks
from .geometry import Numbers, Shape
from .hashing import Hashes
from .layout import SEPARATOR, damage_as_error, open_layout
from .opening import open_hdf5
from .parts import Checks
from .piles import Pile


class StackFile:
    """One open file handle and one stack.

    Parameters
    ----------
    path
        The HDF5 file.
    stack
        Path of the stack's group, or of a dataset, in the file.

    Attributes
    ----------
    piles
        The coded datasets, by number.
    shape, dtype
        Of the stack.

    Raises
    ------
    FormatError
        If the file or the stack is missing, damaged, or of a newer format.
    """

    def __init__(self, path: str, stack: str) -> None:
        self.name = f"{path}{SEPARATOR}{stack}"
        self._cleanup = contextlib.ExitStack()
        file = self._cleanup.enter_context(contextlib.closing(open_hdf5(path)))
        try:
            with damage_as_error(self.name):
                self.layout = open_layout(file, stack)
                self._cleanup.callback(self.layout.close)
                piles = self.layout.piles
                only = len(piles) == 1 and not self.layout.linked
                names = [self.name] if only else [_name(pile, path) for pile in piles]
                bare = self.layout.group is None
                self.piles = [
                    _open_pile(pile, name, bare) for pile, name in zip(piles, names, strict=True)
                ]
            self._checks = Checks(self.layout)
            self.shape: Shape = self.layout.shape
            self._places: tuple[tuple[Numbers, Numbers] | None] | None = None
            self._hashes: dict[str, Hashes] = {}
            self.dtype = self.piles[0].dtype
        except BaseException:
            self.close()
            raise

    @property
    def places(self) -> tuple[Numbers, Numbers] | None:
        """Pile and position of each frame; None where one pile holds all in order."""
        # No cached_property: up to Python 3.11 that has a lock, which a fork may leave locked.
        if self._places is None:
            self._places = (self.layout.places(),)
        return self._places[0]

    def pile(self, number: int) -> Chunks:
        """A pile to read frames from.

        Raises
        ------
        FormatError
            If it is in another file, and not the one that was linked.
        """
        self._checks.check(number)
        return self.piles[number]

    def hashes(self, name: str) -> Hashes:
        """The table of one image hash, read once; see `Layout.hashes`."""
        if name not in self._hashes:
            self._hashes[name] = self.layout.hashes(name)
        return self._hashes[name]

    def close(self) -> None:
        """Close the file, and those of its parts."""
        self._cleanup.close()


def _name(pile: Pile, path: str) -> str:
    """What to call one of many piles."""
    file = path if pile.part is None else pile.part.path
    return f"{file}{SEPARATOR}{pile.data.name}"


def _open_pile(pile: Pile, name: str, bare: bool) -> Chunks:
    if pile.pca is not None:
        return PcaChunks(pile.data, pile.pca, pile.dtype, name)
    if pile.mean is not None:
        return DifferenceChunks(pile.data, pile.mean, name)
    chunks = Chunks(pile.data, name, holes=bare)
    chunks.shape = pile.shape  # of a recording, what is there; of a part, what was linked
    return chunks
