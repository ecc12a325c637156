"""The conversion of coded stacks to plain pixels that any HDF5 reads, stored as before."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
from h5py import h5d, h5g, h5p, h5s, h5t, h5z

from ..errors import OutputError
from ..hdf5.filter import pipeline, stored_coding
from ..layout import metadata_names, metadata_reading
from ..layout.dataset_metadata import describe_dataset
from ..layout.names import BESIDE, SEPARATOR, find_stacks, is_member, is_stack
from ..pool import Progress
from ..reading.stack_reader import StackReader
from ..shapes import Pixels, Shape, split_axes
from .candidates import Left, PathPatterns, datasets
from .conversion import Conversion, Repacked, frame_slabs, open_stack
from .file_comparison import Equal
from .file_copy import like_group
from .filtered import copy_creation
from .tree import address, is_hard, names, shown
from .values import own_space, own_type

_KEPT = (h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32)
"""The filters that every HDF5 has; no others are restored."""

_LARGEST = (1 << 32) - 1
"""The largest chunk that every HDF5 reads, in bytes."""

_Filters = list[tuple[int, tuple[int, ...]]]


def layout_record(dataset: h5py.Dataset) -> dict[str, Any]:
    """Return the chunks and filters of a dataset, from which `ToPlain` restores it."""
    filters = [[code, list(values)] for code, _, values, _ in pipeline(dataset) if code in _KEPT]
    return {"chunks": dataset.chunks, "filters": filters}


class ToPlain(Conversion):
    """The conversion of coded datasets and stacks to plain datasets.

    Datasets that `repack` coded get back their chunks and filters, if the filters are HDF5's own.
    Other datasets are stored frame by frame, with shuffle and gzip. A stack that `pack` made
    becomes a group at its path, with the dataset ``frames``.

    Parameters
    ----------
    select
        Patterns of paths of datasets and stacks; without any, all are converted.
    """

    def __init__(self, file: h5py.File, select: Sequence[str], progress: Progress | None) -> None:
        super().__init__(file, progress)
        self._found: dict[int, bytes] = {}
        self._made: dict[int, h5py.Dataset] = {}
        chosen = PathPatterns(select)
        coded = [paths for paths in datasets(file) if stored_coding(file[paths[0]]) is not None]
        stacks = [os.fsencode(path) for path in find_stacks(file)]
        self._beside = _stacks_beside(file, stacks)
        apart = [[path] for path in stacks if path not in self._beside]
        for paths in [*coded, *apart]:
            if not chosen.takes(paths):
                self.left.append(Left(path=shown(paths[0]), why="it is not selected"))
                continue
            if paths in apart:
                _check_nothing_else(file, paths[0])
            self._found[address(file[paths[0]])] = paths[0]
            with open_stack(file.filename, paths[0]) as stack:
                self._note(paths[0], stack, file[paths[0]], stack.nbytes)
                self._count += 2 * len(stack)
        chosen.check(file.filename)
        self._omit(bool(select))

    def _omit(self, some: bool) -> None:
        """Omit the stacks beside datasets that are made anew, and groups that hold nothing else.

        Parameters
        ----------
        some
            Whether only selected datasets are made anew.
        """
        for path, data in self._beside.items():
            if data in self._found or (data is None and not some):
                _check_nothing_else(self.file, path)
                self.omitted.add(address(self.file[path]))
        if self.omitted:
            self._omit_group(self.file[BESIDE])

    def _omit_group(self, group: h5py.Group) -> None:
        inside = [group[name] for name in names(group) if is_hard(group, name)]
        for node in inside:
            if isinstance(node, h5py.Group) and not is_stack(node):
                self._omit_group(node)
        ours = inside and all(address(node) in self.omitted for node in inside)
        if ours and len(inside) == len(group) and not len(group.attrs):
            self.omitted.add(address(group))

    @property
    def changed(self) -> set[int]:
        """See `Conversion`."""
        return {found for found, path in self._found.items() if is_stack(self.file[path])}

    def make(self, node: h5py.HLObject, new: h5py.File) -> h5py.HLObject | None:
        """See `Conversion`."""
        path = self._found.get(address(node))
        if path is None:
            return None
        if not self._made:
            self.replaced = []  # until now it held estimates
        with open_stack(self.file.filename, path) as stack:
            if isinstance(node, h5py.Dataset):
                given = node.id.get_create_plist()
                made = self._create(new, stack, node.id.get_type(), node.id.get_space(), given)
                group = None
            else:
                kind = h5t.py_create(stack.dtype, logical=True)
                space = h5s.create_simple((*stack.leading_shape, *stack.shape[1:]))
                made = self._create(new, stack, kind, space, None)
                group = h5py.Group(h5g.create(new.id, None, gcpl=like_group(node)))
                group["frames"] = made
                self._describe(node, group, stack)
            for numbers, place in frame_slabs(made):
                frames = stack.read(numbers)
                made[place] = _shaped(frames, made, place)
                self._more(len(numbers))
            self._note(path, stack, node, made.id.get_storage_size())
        self._made[address(node)] = made
        return made if group is None else group

    def finish(self, new: h5py.File) -> None:
        """See `Conversion`."""

    @staticmethod
    def _describe(stack_group: h5py.Group, group: h5py.Group, stack: StackReader) -> None:
        """Give plain pixels what is known of them; attributes are copied with the group."""
        frame = stack.shape[1:]
        metadata = stack.metadata.checked(stack.leading_shape, frame)
        metadata = replace(metadata, attrs={})
        describe_dataset(group, group["frames"], metadata, stack.leading_shape, frame)
        source = metadata_names.SOURCE
        if source in stack_group:
            stack_group.copy(source, group)

    def _create(
        self,
        new: h5py.File,
        stack: StackReader,
        kind: h5t.TypeID,
        space: h5s.SpaceID,
        given: h5p.PropDCID | None,
    ) -> h5py.Dataset:
        """Make a dataset without a name, with the chunks and filters that it once had."""
        plist = h5p.create(h5p.DATASET_CREATE)
        shape = space.get_simple_extent_dims()
        chunks, filters = _recorded(stack, shape)
        if chunks is None and space.get_simple_extent_dims(True) != shape:  # it can grow
            chunks = (1,) * (len(shape) - len(stack.shape) + 1) + stack.shape[1:]
        if chunks is not None:
            plist.set_chunk(chunks)
        for code, values in filters:
            plist.set_filter(code, h5z.FLAG_OPTIONAL, values)
        if given is not None:
            copy_creation(given, plist, stack.dtype)
        return h5py.Dataset(h5d.create(new.id, None, own_type(kind), own_space(space), plist))

    def comparisons(self, path: Path) -> Mapping[int, Equal]:
        """See `Conversion`."""

        def equal(node: h5py.HLObject, copy: h5py.HLObject) -> bool:
            pixels = copy if isinstance(copy, h5py.Dataset) else copy["frames"]
            with open_stack(self.file.filename, self._found[address(node)]) as stack:
                return self._same_pixels(pixels, stack)

        return dict.fromkeys(self._made, equal)

    def _note(self, path: bytes, stack: StackReader, node: h5py.HLObject, after: int) -> None:
        shape = (*stack.leading_shape, *stack.shape[1:])
        shape = node.shape if isinstance(node, h5py.Dataset) else shape
        chunks, filters = _recorded(stack, shape)
        words = {1: "gzip", 2: "shuffle", 3: "fletcher32"}
        named = ", ".join(words[code] for code, _ in filters)
        coding = named or ("in chunks" if chunks else "as it is")
        before = sum(group.stored_bytes for group in stack.groups)
        self.replaced.append(
            Repacked(
                path=shown(path),
                shape=shape,
                dtype=stack.dtype.name,
                before=before,
                after=after,
                coding=coding,
            )
        )


def _stacks_beside(file: h5py.File, stacks: Iterable[bytes]) -> dict[bytes, int | None]:
    """Return the stacks that are beside datasets, each with the address of its dataset.

    The address is None if the dataset was removed, renamed, or replaced by one that is not coded.

    Parameters
    ----------
    stacks
        Paths of stacks in the file.
    """
    inside = BESIDE.encode() + b"/"
    found: dict[bytes, int | None] = {}
    for path in stacks:
        if path.startswith(inside) and not is_hard(file[path]["groups/000000"], b"video"):
            data = file[path].get("groups/000000/video")
            coded = isinstance(data, h5py.Dataset) and stored_coding(data) is not None
            found[path] = address(data) if coded else None
    return found


def _check_nothing_else(file: h5py.File, path: bytes) -> None:
    """Raise OutputError if a stack's group holds what its pixels do not replace."""
    own = metadata_reading.member_names(file[path])
    more = [
        name
        for name in names(file[path])
        if name == b"original"  # frame numbers of a recovery
        or not (is_member(os.fsdecode(name)) or os.fsdecode(name) in own)
    ]
    if more:
        raise OutputError(
            f"{file.filename}{SEPARATOR}{shown(path)} is a stack that also holds {shown(more[0])}, "
            "which would be lost: move it elsewhere, or leave the stack out by --select"
        )


def _recorded(stack: StackReader, shape: tuple[int, ...]) -> tuple[Shape | None, _Filters]:
    """Return the chunks and filters of a dataset before it was coded.

    Without a record, a chunk is one frame, and the filters are shuffle and gzip.
    """
    leading, frame = split_axes(shape)
    usual = (1,) * len(leading) + frame
    by_gzip: list[tuple[int, tuple[int, ...]]] = [
        (h5z.FILTER_SHUFFLE, ()),
        (h5z.FILTER_DEFLATE, (4,)),
    ]
    record = stack.attrs.get("settings", {}).get("original")
    try:
        chunks = record["chunks"]
        filters = [(int(code), tuple(map(int, values))) for code, values in record["filters"]]
        if chunks is not None:
            chunks = tuple(map(int, chunks))
            size = math.prod(chunks) * stack.dtype.itemsize
            if len(chunks) != len(shape) or min(chunks) < 1 or size > _LARGEST:
                return usual, by_gzip
        for number in itertools.chain.from_iterable(values for _, values in filters):
            number.to_bytes(4, "little")  # HDF5 takes only such numbers
    except (TypeError, KeyError, ValueError, OverflowError):  # no record, or an edited one
        return usual, by_gzip
    known = [(code, values) for code, values in filters if code in _KEPT]
    return chunks, known if chunks is not None else []


def _shaped(frames: Pixels, dataset: h5py.Dataset, place: tuple[slice, ...]) -> Pixels:
    """Return frames in the shape of the part of a dataset that they fill."""
    counts = (
        len(range(*part.indices(edge))) for part, edge in zip(place, dataset.shape, strict=False)
    )
    return frames.reshape((*counts, *dataset.shape[len(place) :]))
