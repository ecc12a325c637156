"""The methods of `pack`: how frames are ordered, and as what they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import h5py

from ..errors import OutputError
from ..hdf5.filter import FILTER_ID


class Ordering(Enum):
    """In which order frames are packed."""

    GIVEN = auto()
    AUTO = auto()
    """Similar ones side by side if a sample shows that it pays."""
    SIMILAR = auto()
    HASHED = auto()
    """In piles of one image hash, or of near ones."""


class Kept(Enum):
    """As what a pile is kept (spec/format.md, "Layout")."""

    VIDEO = auto()
    """Blocks of this package's filter."""
    PLAIN = auto()
    """Pixels in chunks that any HDF5 reads."""
    DIFFERENCE = auto()
    """The pile's mean, and each frame's difference to it in such chunks."""
    PCA = auto()
    """Principal components and each frame's coefficients, and what they leave, if wanted."""


@dataclass(frozen=True)
class Method:
    """A row of the table of methods.

    Attributes
    ----------
    name
        What users write.
    ordering
        In which order frames are packed.
    kept
        As what a pile is kept.
    level
        Level of HDF5's deflate; None: it is not used.
    shuffle
        Whether HDF5's shuffle comes before deflate.
    copies
        Whether it may keep the packets of a video file as they are.
    """

    name: str
    ordering: Ordering
    kept: Kept = Kept.VIDEO
    level: int | None = None
    shuffle: bool = False
    copies: bool = False

    @property
    def filters(self) -> set[int]:
        """The ids of the HDF5 filters that make its chunks."""
        if self.kept == Kept.VIDEO:
            return {FILTER_ID}
        packed = h5py.h5z.FILTER_FLETCHER32 if self.level is None else h5py.h5z.FILTER_DEFLATE
        return {packed} | ({h5py.h5z.FILTER_SHUFFLE} if self.shuffle else set())


LEVEL = 9
"""Of HDF5's deflate, in methods that use it."""
METHODS = {
    method.name: method
    for method in (
        Method("auto", Ordering.AUTO),
        Method("video", Ordering.GIVEN, copies=True),
        Method("groupvideo", Ordering.SIMILAR),
        Method("hdf5", Ordering.GIVEN, Kept.PLAIN),
        Method("hdf5gz", Ordering.GIVEN, Kept.PLAIN, LEVEL),
        Method("hdf5gzshuffle", Ordering.GIVEN, Kept.PLAIN, LEVEL, shuffle=True),
        Method("pca", Ordering.GIVEN, Kept.PCA),
        Method("group", Ordering.HASHED, Kept.DIFFERENCE, LEVEL, shuffle=True),
    )
}


USUAL_METHOD = "auto"
"""The method where the user names none."""
COPYING_METHOD = next(name for name, method in METHODS.items() if method.copies)


def find_method(name: str) -> Method:
    """Return a method by its name.

    Raises
    ------
    OutputError
        If there is none.
    """
    if name not in METHODS:
        raise OutputError(f"no method {name!r}; there is {', '.join(METHODS)}")
    return METHODS[name]
