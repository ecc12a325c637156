"""What `repack` makes anew on its way through a file."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
from h5py import h5o

from ..hdf5.filter import stored_coding
from ..layout.names import BESIDE
from ..pool import Progress, Step
from ..reading.stack_reader import StackReader
from .candidates import Left
from .proof import Equal
from .slabs import frame_slabs
from .tree import is_hard


@dataclass(frozen=True)
class Repacked:
    """A dataset that was, or would be, made anew.

    Attributes
    ----------
    path
        In the file.
    shape, dtype
        Of the dataset.
    before, after
        Bytes of its chunks in either file; of a dry run the latter is estimated from a sample.
    coding
        How it is stored, in words.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    before: int
    after: int
    coding: str


class Job(ABC):
    """Which objects of a file are made anew, how, and whether they hold the same in the end.

    Attributes
    ----------
    replaced, left
        Datasets that are made anew, and that are not.
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
        """Addresses of groups that become something else."""
        return set()

    @abstractmethod
    def make(self, node: h5py.HLObject, new: h5py.File) -> h5py.HLObject | None:
        """What takes the place of an object, without a name yet; None: it is copied."""

    @abstractmethod
    def finish(self, new: h5py.File) -> None:
        """Make what else belongs in the copy."""

    @abstractmethod
    def comparisons(self, path: Path) -> Mapping[int, Equal]:
        """How the objects that were made anew are compared, by their address in the source.

        Parameters
        ----------
        path
            Of the copy.
        """

    def _more(self, frames: int) -> None:
        self._done += frames
        if self._progress is not None:
            self._progress(Step(self._done, self._count))

    def _same_pixels(self, plain: h5py.Dataset, stack: StackReader) -> bool:
        """Whether a dataset that HDF5 reads holds the frames of a stack, bit for bit."""
        for numbers, place in frame_slabs(plain):
            frames = stack.read(numbers)
            if plain[place].tobytes() != frames.tobytes():
                return False
            self._more(len(numbers))
        return True


def address(node: h5py.HLObject) -> int:
    """Of an object in its file."""
    found: int = h5o.get_info(node.id).addr
    return found


def open_stack(path: str | os.PathLike[str], inner: bytes) -> StackReader:
    """Open a stack, or a dataset, by its path as HDF5 has it."""
    return StackReader(path, os.fsdecode(inner))


def stacks_beside(file: h5py.File, stacks: Iterable[bytes]) -> dict[bytes, int | None]:
    """Of the stacks among such paths that are beside datasets: the address of each one's dataset.

    None: its dataset has gone, has another name, or is coded no more.
    """
    inside = BESIDE.encode() + b"/"
    found: dict[bytes, int | None] = {}
    for path in stacks:
        if path.startswith(inside) and not is_hard(file[path]["groups/000000"], b"video"):
            data = file[path].get("groups/000000/video")
            coded = isinstance(data, h5py.Dataset) and stored_coding(data) is not None
            found[path] = address(data) if coded else None
    return found
