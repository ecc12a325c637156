"""The conversion of some objects of a file on the way to its copy: what both directions share."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ..codecs import block
from ..codecs.recipe import Recipe
from ..errors import NotExactError
from ..pool import Progress, Step
from ..reading.stack_reader import StackReader
from ..shapes import Numbers, Pixels, split_axes, window_frames
from .candidates import Left
from .file_comparison import Equal
from .values import parts, steps_of

_EXACT = Recipe()


@dataclass(frozen=True, kw_only=True)
class Repacked:
    """A dataset that `repack` made anew, or would make anew in a dry run.

    Attributes
    ----------
    path
        Its path in the file.
    shape, dtype
        Its shape and dtype.
    before, after
        The bytes of its chunks in either file. A dry run estimates `after` from a sample.
    coding
        How it is stored, in words.
    max_error
        The largest difference of a pixel to what it was; in a dry run the one that is allowed, or
        None where that is in units of each pixel's noise.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    before: int
    after: int
    coding: str
    max_error: float | None = 0.0

    @property
    def lossless(self) -> bool:
        """Whether every pixel is as it was."""
        return self.max_error == 0


class Conversion(ABC):
    """Says which objects of a file are made anew, makes them, and compares them in the end.

    Attributes
    ----------
    replaced, left
        The datasets that are made anew, and those that are copied as they are.
    omitted
        Addresses of objects that have no place in the copy.
    """

    def __init__(self, file: h5py.File, progress: Progress | None) -> None:
        self.file, self._progress = file, progress
        self.replaced: list[Repacked] = []
        self.left: list[Left] = []
        self.omitted: set[int] = set()
        self._done = self._count = 0

    @property
    def changed(self) -> set[int]:
        """Addresses of groups that become something else in the copy."""
        return set()

    @abstractmethod
    def make(self, node: h5py.HLObject, new: h5py.File) -> h5py.HLObject | None:
        """Make the replacement of an object, without a name; None means that it is copied."""

    @abstractmethod
    def finish(self, new: h5py.File) -> None:
        """Add to the copy what the source has no object for."""

    @abstractmethod
    def comparisons(self, path: Path) -> Mapping[int, Equal]:
        """Return how each object that was made anew is compared, by its address in the source.

        Parameters
        ----------
        path
            The path of the copy.
        """

    def _more(self, frames: int) -> None:
        self._done += frames
        if self._progress is not None:
            self._progress(Step(self._done, self._count))

    def _same_pixels(
        self, plain: h5py.Dataset, stack: StackReader, recipe: Recipe = _EXACT
    ) -> bool:
        """Return whether a plain dataset holds the frames of a stack, bit for bit.

        Parameters
        ----------
        recipe
            How the stack was coded, if not exactly: then its frames may differ as far as that says.
        """
        for numbers, place in frame_slabs(plain):
            frames, given = stack.read(numbers), plain[place]
            if recipe.lossless:
                if given.tobytes() != frames.tobytes():
                    return False
            elif not _near(given.reshape(frames.shape), frames, recipe):
                return False
            self._more(len(numbers))
        return True


def _near(given: Pixels, frames: Pixels, recipe: Recipe) -> bool:
    """Return whether frames differ from those that were given no more than a recipe promises."""
    native = frames.dtype.newbyteorder("=")
    try:
        block.check(given.astype(native), frames.astype(native), recipe)
    except NotExactError:
        return False
    return True


def open_stack(path: str | os.PathLike[str], inner: bytes) -> StackReader:
    """Open a stack or a dataset by its path in bytes, as HDF5 keeps it."""
    return StackReader(path, os.fsdecode(inner))


def frame_slabs(dataset: h5py.Dataset) -> Iterator[tuple[Numbers, tuple[slice, ...]]]:
    """Yield numbers of frames, in C order, with their place in a dataset.

    Each slab is whole chunks on the axes that count frames, so that each chunk is read or written
    once. A slab has about as many frames as `window_frames` says, and at least one chunk.
    """
    leading, frame = split_axes(dataset.shape)
    chunk = dataset.chunks[: len(leading)] if dataset.chunks else (1,) * len(leading)
    most = window_frames(frame, dataset.dtype.itemsize)
    numbers = np.arange(math.prod(leading)).reshape(leading)
    for place in parts(leading, steps_of(leading, chunk, most)):
        yield numbers[place].ravel(), place
