"""A file, here or remote, and one stack in it: its piles, and where each frame is."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, TypeVar

import h5py
import numpy as np

from ..errors import FileChangedError, UnsupportedError
from ..hdf5.chunk_bytes import RemoteChunks
from ..hdf5.failures import damage_as_error
from ..hdf5.file_stamp import Stamp, changed_words
from ..hdf5.opening import LocalFile, is_url, open_file, stamp_of
from ..hdf5.remote import INSIDE, Prefetch, protocol_of
from ..hdf5.remote_pages import RemoteFile
from ..layout.names import LINEAGE, SEPARATOR, UUID, require_dataset, split_target
from ..layout.pile_table import OpenedOnUse
from ..layout.piles import Checks, Pile
from ..layout.stack_group import Layout, open_layout
from ..layout.stack_list import usual_stack
from ..shapes import Numbers, Shape
from ..similar.fingerprints import Hashes
from .chunk_grid import Chunks, DifferenceChunks, PcaChunks
from .identity import Identity

Answer = TypeVar("Answer")
Wanted = TypeVar("Wanted")
Blocks = Iterable[tuple[Chunks, Shape]]
"""Chunks of piles."""

INDEX_BYTES = 1 << 20
"""Most bytes of a remote stack's index that is read when the stack is opened, not later."""

AHEAD_BYTES = 32 << 20
"""Bytes of blocks of a remote stack that are fetched at a time."""


def split_readable(target: str | os.PathLike[str]) -> tuple[str, str | None]:
    """Split what is only read, as `split_target`: an absolute path, or a URL.

    In a URL the path in the file begins behind the last ``::/``; any other ``::`` is for fsspec,
    which chains file systems by it: ``simplecache::s3://bucket/file.h5::/entry/stack``. It is
    fsspec's, too, where a file system that lies in a file needs that: ``zip://file.h5::/data.zip``.
    """
    if not is_url(target):
        path, inner = split_target(target)
        return os.path.abspath(path), inner
    name = os.fsdecode(target)
    url, found, inner = name.rpartition(f"{SEPARATOR}/")
    found = found if protocol_of(url.rpartition(SEPARATOR)[2]) not in INSIDE else ""
    return (url, "/" + inner.strip("/")) if found else (name, None)


class StackFile:
    """One file and one stack.

    Parameters
    ----------
    path
        The HDF5 file, or its URL.
    stack
        Path of the stack's group, or of a dataset, in the file. None: ``/stack``, or the only
        stack of the file.
    options
        Of fsspec's file system, for a URL.
    held
        The same, open in this process: its file is read, whatever is at the path now.

    Attributes
    ----------
    stack
        The path of the stack.
    piles
        The coded datasets, by number. Of many each is opened when it is first used.
    lengths, steps
        Frames of each pile, and of each pile's chunks.
    block_bytes
        Bytes of the largest block, decoded.
    shape, dtype
        Of the stack.
    attrs, leading_shape, in_order
        See `Layout`.
    bare
        Whether it is a dataset, and no stack.
    live
        Whether it is being recorded; see `Layout`.
    identity
        What changes when the stack or the file does.

    Raises
    ------
    FormatError
        If the file or the stack is missing, damaged, or of a newer format.
    RemoteError, MissingError
        If a URL cannot be read.
    """

    def __init__(
        self,
        path: str,
        stack: str | None = None,
        options: Mapping[str, Any] | None = None,
        held: StackFile | None = None,
    ) -> None:
        self._file = (held and held._again()) or open_file(path, options or {})
        try:
            with damage_as_error(path):
                self.stack = stack or self._file.ask(usual_stack)
        except BaseException:
            self._file.close()
            raise
        self.name = f"{path}{SEPARATOR}{self.stack}"
        self._layout: Layout | None = None
        self._checks: Checks | None = None  # a remote file has no parts
        self._places: tuple[tuple[Numbers, Numbers] | None] | None = None
        self._hashes: dict[str, Hashes] = {}
        try:
            if isinstance(self._file, LocalFile):
                self._layout = self._file.ask(self._open_layout)
                self._checks = Checks(self._layout)
            self.ask(self._describe)
        except BaseException:
            self.close()
            raise

    @property
    def layout(self) -> Layout:
        """That of a file of this machine, which stays open; a remote one can only be asked."""
        if self._layout is None:
            raise UnsupportedError(f"{self.name} is remote: copy it here first")
        return self._layout

    def ask(self, question: Callable[[Layout], Answer]) -> Answer:
        """Give what a function finds in the stack; it may be called several times.

        What it returns must not need the layout any more. If the file has changed meanwhile,
        FileChangedError says so, also where what was found contradicts itself.
        """
        try:
            if self._layout is not None:
                return question(self._layout)
            return self._file.ask(lambda file: question(self._open_layout(file)))
        finally:
            self.check()

    @property
    def stored_bytes(self) -> int:
        """Bytes of the blocks of all piles."""
        return self.ask(lambda layout: layout.stored_bytes)

    @property
    def remote(self) -> bool:
        """Whether each look into it costs a request."""
        return isinstance(self._file, RemoteFile)

    @property
    def raw(self) -> io.RawIOBase | None:
        """The bytes of a remote file, for a question to read beside HDF5."""
        return self._file.view if isinstance(self._file, RemoteFile) else None

    def _open_layout(self, file: h5py.File) -> Layout:
        with damage_as_error(self.name):
            return open_layout(file, self.stack)

    def _describe(self, layout: Layout) -> None:
        """Take what is needed again and again."""
        piles = layout.piles
        path = self.name.removesuffix(f"{SEPARATOR}{self.stack}")
        only = len(piles) == 1 and not layout.linked
        self.bare = layout.group is None
        self.piles: Sequence[Chunks]
        if layout.table is None:
            names = [self.name] if only else [_name(pile, path) for pile in piles]
            with damage_as_error(self.name):
                self.piles = [
                    self._open_pile(pile, name) for pile, name in zip(piles, names, strict=True)
                ]
            chunks = np.array([pile.chunks[:3] for pile in self.piles])
        else:
            self.piles = OpenedOnUse(len(piles), partial(self._open_numbered, path))
            chunks = layout.table.chunks
        self.lengths, self.steps = layout.lengths, chunks[:, 0]
        self.dtype = piles[0].dtype
        channels = math.prod(layout.shape[3:])
        self.block_bytes = int(chunks.prod(axis=1).max()) * channels * self.dtype.itemsize
        self.shape: Shape = layout.shape
        self.identity = self._identify(layout)
        self.attrs, self.in_order, self.live = layout.attrs, layout.in_order, layout.live
        self.leading_shape = layout.leading_shape
        if layout is not self._layout and _index_bytes(layout) <= INDEX_BYTES:
            self._places = (layout.places(),)

    def _identify(self, layout: Layout) -> Identity:
        file = None if layout.live else self._file.stamp
        if layout.group is None:
            data = layout.piles[0].data
            inode = self._file.inode if isinstance(self._file, LocalFile) else 0
            place = str(data.name), inode, int(h5py.h5o.get_info(data.id).addr)
            return Identity(None, None, place, self.shape, self.dtype.str, file)
        parts = {
            pile.part.name: self._watch(pile.data.file)
            for pile in (layout.piles if layout.linked else ())
            if pile.part is not None
        }
        own = layout.attrs[UUID], layout.attrs[LINEAGE]
        return Identity(*own, None, self.shape, self.dtype.str, file, tuple(parts.items()))

    def _watch(self, file: h5py.File) -> Stamp:
        """Watch a part's file from now on, as that of the stack is; return its stamp."""
        if isinstance(self._file, LocalFile):
            self._file.guard.add(file)
        return stamp_of(file)

    def _again(self) -> LocalFile | None:
        return self._file.again() if isinstance(self._file, LocalFile) else None

    @property
    def file_bytes(self) -> int:
        """Bytes of the file."""
        return self._file.size

    def expect(self, wanted: Identity) -> None:
        """See that this is what was opened before, and show no more of it.

        Raises
        ------
        FileChangedError
            If it holds other pixels.
        """
        change = wanted.change(self.identity)
        if change is not None:
            raise FileChangedError(changed_words(self.name, change))
        if self.identity.file is None or wanted.file is None:  # it is being recorded
            self.shape = self.piles[0].shape = wanted.shape
            self.leading_shape = wanted.shape[:1]
            self.identity = wanted

    def expect_growth(self, before: Identity) -> None:
        """See that this is what was opened before, perhaps with more frames.

        Raises
        ------
        FileChangedError
            If it is another stack.
        """
        change = before.growth(self.identity)
        if change is not None:
            raise FileChangedError(
                f"{self.name} has changed since it was opened: {change}; open it again, since only "
                "a stack to which frames were added can be refreshed"
            )

    def check(self) -> None:
        """Raise FileChangedError if what was read just now may be of a changed file."""
        if isinstance(self._file, LocalFile):  # each answer of a server is checked by itself
            self._file.guard.check()

    def _open_numbered(self, path: str, number: int) -> Chunks:
        """Open one of many piles."""

        def open_one(layout: Layout) -> Chunks:
            pile = layout.piles[number]
            return self._open_pile(pile, _name(pile, path))

        with damage_as_error(self.name):
            return self.ask(open_one)

    def _open_pile(self, pile: Pile, name: str) -> Chunks:
        stored = None
        if isinstance(self._file, RemoteFile):
            stored = RemoteChunks(pile.data, self._file)
        if pile.pca is not None:
            return PcaChunks(pile.data, pile.pca, pile.dtype, name, stored)
        if pile.mean is not None:
            return DifferenceChunks(pile.data, pile.mean, name, stored)
        chunks = Chunks(pile.data, name, holes=self.bare, stored=stored)
        chunks.shape = pile.shape  # of a recording, what is there; of a part, what was linked
        return chunks

    @property
    def places(self) -> tuple[Numbers, Numbers] | None:
        """Pile and position of each frame; None where one pile holds all in order."""
        # No cached_property: up to Python 3.11 that has a lock, which a fork may leave locked.
        if self._places is None:
            self._places = (self.ask(Layout.places),)
        return self._places[0]

    def pile(self, number: int) -> Chunks:
        """Return a pile to read frames from.

        Raises
        ------
        FormatError
            If it is in another file, and not the one that was linked.
        """
        if self._checks is not None:
            self._checks.check(number)
        return self.piles[number]

    def hashes(self, name: str) -> Hashes:
        """Return the table of one image hash, which is read once; see `Layout.hashes`."""
        if name not in self._hashes:
            self._hashes[name] = self.ask(lambda layout: layout.hashes(name))
        return self._hashes[name]

    def fetched(
        self, wanted: Sequence[Wanted], blocks: Callable[[Wanted], Blocks]
    ) -> Iterator[Sequence[Wanted]]:
        """Yield `wanted` a run at a time, each while its blocks are being fetched.

        A file that is here has them all already.

        Parameters
        ----------
        blocks
            Those that an entry of `wanted` needs.
        """
        if not isinstance(self._file, RemoteFile):
            yield wanted
            return
        start = 0
        while start < len(wanted):
            size, stop, ranges = 0, start, []
            while stop < len(wanted) and (size < AHEAD_BYTES or stop == start):
                found = _ranges(blocks(wanted[stop]))
                size += sum(end - first for first, end in found)
                ranges += found
                stop += 1
            with closing(self._file.ahead(ranges)):
                yield wanted[start:stop]
            start = stop

    def ahead(self, blocks: Blocks) -> Prefetch | None:
        """Begin to fetch blocks of a remote file; to be closed when they were read."""
        if not isinstance(self._file, RemoteFile):
            return None
        return self._file.ahead(_ranges(blocks))

    def close(self) -> None:
        """Close the file, and those of its parts."""
        if self._layout is not None:
            self._layout.close()
        self._file.close()


def _index_bytes(layout: Layout) -> int:
    """Return how many bytes `Layout.places` has to read."""
    if layout.in_order or layout.group is None:
        return 0
    with damage_as_error(str(layout.group.name)):
        tables = [require_dataset(layout.group, f"index/{name}") for name in ("group", "position")]
        return sum(table.id.get_storage_size() for table in tables)


def _name(pile: Pile, path: str) -> str:
    """Return what to call one of many piles."""
    file = path if pile.part is None else pile.part.path
    return f"{file}{SEPARATOR}{pile.data.name}"


def _ranges(blocks: Blocks) -> list[tuple[int, int]]:
    found = (pile.range(chunk) for pile, chunk in blocks)
    return [where for where in found if where is not None]
