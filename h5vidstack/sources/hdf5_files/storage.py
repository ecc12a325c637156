"""The storage of an HDF5 dataset, and whether all of its pixels are there.

If pixels are missing, HDF5 gives its fill value or other bytes without an error.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import h5py
import numpy as np
from h5py import h5f, h5o, h5s

from ...errors import SourceError
from ...hdf5.filter import check_chunks
from ...hdf5.required_filters import require_filters
from ...layout.names import SEPARATOR
from ...shapes import Shape
from ...text import shape_text
from .links import NowhereError, dtype_name, get, open_file, why_absent

SHOWN = 5
"""An error message lists at most so many missing things."""
PROBED = 100
"""Behind a missing source with ``%b`` in its name, so many further numbers are looked for."""

_ALL = h5s.SEL_ALL


def examine(dataset: h5py.Dataset, name: str, keep: ExitStack) -> Storage:
    """See that HDF5 can read a dataset, and all of its sources.

    Parameters
    ----------
    name
        What to call it in error messages.
    keep
        It gets the open files of a virtual dataset's sources. While these are open, HDF5 can open
        them again, however many files are open.

    Raises
    ------
    SourceError
        If files or datasets are missing or too small, or a filter is not installed.
    """
    storage = Storage(name, keep)
    storage.look(dataset, name)
    if storage.missing:
        more = len(storage.missing) - SHOWN
        listed = "; ".join(storage.missing[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise SourceError(
            f"{name} has pixels that are not there, for which HDF5 would give others: {listed}. "
            "Bring the files back to where they were, or name their folder in the environment: "
            f"{' or '.join(sorted(storage.variables))}"
        )
    return storage


@dataclass
class Storage:
    """What is known of a dataset's pixels.

    Attributes
    ----------
    stored_bytes
        What they take in all files. A source of a virtual dataset counts as a whole, even if only
        a part of it is used.
    missing
        What is not there, as parts of a sentence.
    dtypes
        The dtypes of the datasets that hold the pixels.
    variables
        The environment variables that name folders where HDF5 looks for what is missing.
    files
        The other files that hold pixels, with their devices and inodes.
    """

    name: str
    keep: ExitStack
    stored_bytes: int = 0
    missing: list[str] = field(default_factory=list)
    dtypes: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    _chunks: int = 0
    _holes: int = 0
    _unmapped: int = 0
    _empty: list[str] = field(default_factory=list)
    _above: list[tuple[int, int]] = field(default_factory=list)
    _seen: set[tuple[int, int]] = field(default_factory=set)

    def notes(self) -> Iterator[str]:
        """Yield what the user must know, in whole sentences."""
        gives = "HDF5 gives the fill value for them"
        if self._holes:
            yield (
                f"{self._holes} of {self._chunks} chunks of {self.name} were never written: {gives}"
            )
        if self._empty:
            yield f"nothing was ever written to {', '.join(self._empty[:SHOWN])}: {gives}"
        if self._unmapped:
            yield f"{self._unmapped} pixels of {self.name} have no source: {gives}"

    def check(self) -> None:
        """See that the other files are still there, because HDF5 opens each when it first needs it.

        Raises
        ------
        SourceError
            If one was removed, or replaced by another.
        """
        for path, known in self.files.items():
            try:
                found = _identity(path)
            except OSError:
                found = (0, 0)
            if found != known:
                raise SourceError(
                    f"{path} was removed or replaced while {self.name} was read; bring it back"
                )

    def look(self, dataset: h5py.Dataset, name: str) -> None:
        """Examine a dataset, and those of which it is made."""
        info = h5o.get_info(dataset.id)
        key = info.fileno, info.addr
        if key in self._above:
            raise SourceError(f"{name} is a virtual dataset that is made of itself")
        if key in self._seen:
            return
        self._seen.add(key)
        check_chunks(dataset)
        require_filters(dataset, name)
        plist = dataset.id.get_create_plist()
        if dataset.is_virtual:
            self._above.append(key)
            self._look_at_sources(dataset, name, plist)
            self._above.pop()
            return
        self.dtypes.add(dtype_name(dataset))
        if plist.get_external_count():
            self._look_at_files(dataset, plist)
            return
        self.stored_bytes += dataset.id.get_storage_size()
        if dataset.chunks is not None:
            edges = zip(dataset.shape, dataset.chunks, strict=True)
            count = math.prod(math.ceil(edge / step) for edge, step in edges)
            self._chunks += count
            self._holes += count - dataset.id.get_num_chunks()
        elif dataset.size and not dataset.id.get_storage_size():
            self._empty.append(name)

    def _look_at_files(self, dataset: h5py.Dataset, plist: h5py.h5p.PropDCID) -> None:
        """See that the files of an external dataset hold its bytes."""
        left, variable = dataset.nbytes, "HDF5_EXTFILE_PREFIX"
        before = len(self.missing)
        self.stored_bytes += left
        prefix = os.environ.get(variable, "")
        prefix = prefix or dataset.id.get_access_plist().get_efile_prefix().decode()
        here = os.path.dirname(os.path.abspath(dataset.file.filename))
        folder = prefix.replace("${ORIGIN}", here)
        for number in range(plist.get_external_count()):
            given, offset, size = plist.get_external(number)
            wanted = left if size == h5f.UNLIMITED else min(size, left)
            left -= wanted
            path = os.path.join(folder, os.fsdecode(given))
            if not os.path.isfile(path):
                self.missing.append(f"{path} (no such file)")
                continue
            self.files[path] = _identity(path)
            if os.path.getsize(path) < offset + wanted:
                self.missing.append(
                    f"{path} ({os.path.getsize(path)} bytes, but the dataset takes {wanted} from "
                    f"{offset} on)"
                )
        if len(self.missing) > before:
            self.variables.add(variable)

    def _look_at_sources(self, dataset: h5py.Dataset, name: str, plist: h5py.h5p.PropDCID) -> None:
        """See that the sources of a virtual dataset are there, and large enough."""
        access = dataset.id.get_access_plist()
        prefix = access.get_virtual_prefix().decode()
        sources = _Sources(dataset.file, prefix, self.keep)
        needs: dict[tuple[str, str], Need] = {}
        places = []
        for number in range(plist.get_virtual_count()):
            mapping = _Mapping(
                plist.get_virtual_vspace(number), plist.get_virtual_srcspace(number),
                plist.get_virtual_filename(number), plist.get_virtual_dsetname(number),
            )  # fmt: skip
            places.append(mapping.place(dataset.shape))
            for source, need in mapping.needs(dataset.shape, sources):
                needs[source] = need.and_of(needs.get(source, need))
        self._unmapped += _unmapped(dataset.shape, places)
        broken = dict[str, None]()
        for source, need in needs.items():
            try:
                found = sources.get(*source)
            except NowhereError as why:
                broken[str(why)] = None
                continue
            where = f"{found.file.filename}{SEPARATOR}{found.name}"
            if found.file != dataset.file:
                self.files[found.file.filename] = _identity(found.file.filename)
            if need.met_by(found.shape):
                self.look(found, where)
            else:
                has = shape_text(found.shape)
                broken[f"{where} ({has}, but {name} takes {need} of it)"] = None
        if broken:
            self.variables.add("HDF5_VDS_PREFIX")
            self.missing += broken


def _identity(path: str) -> tuple[int, int]:
    """Return what identifies the file that has a name now."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


@dataclass(frozen=True)
class Need:
    """What a virtual dataset needs of one of its sources.

    Attributes
    ----------
    least
        The least shape; None: all of the source is taken.
    pixels
        How many pixels it must then have.
    """

    least: Shape | None
    pixels: int = 0

    def __str__(self) -> str:
        return f"{self.pixels} pixels" if self.least is None else shape_text(self.least)

    def and_of(self, other: Need) -> Need:
        """Return the need that meets both."""
        if self.least is None or other.least is None:
            return self if self.least is None else other
        return Need(tuple(map(max, self.least, other.least)))

    def met_by(self, shape: Shape) -> bool:
        """Return whether a dataset of this shape meets it."""
        if self.least is None:
            return math.prod(shape) == self.pixels
        return len(shape) == len(self.least) and all(map(int.__ge__, shape, self.least))


class _Sources:
    """The sources of one virtual dataset, each looked for once."""

    def __init__(self, file: h5py.File, prefix: str, keep: ExitStack) -> None:
        self._file, self._prefix, self._keep = file, prefix, keep
        self._files: dict[str, h5py.File | NowhereError] = {".": file}

    def get(self, file: str, path: str) -> h5py.Dataset:
        """Return one of them; raise `NowhereError` if it is not there."""
        if file not in self._files:
            try:
                found = open_file(self._file, file, "HDF5_VDS_PREFIX", self._prefix)
                self._files[file] = self._keep.enter_context(found)
            except NowhereError as why:
                self._files[file] = why
        opened = self._files[file]
        if isinstance(opened, NowhereError):
            raise opened
        node = get(opened, path)
        if isinstance(node, h5py.Dataset):
            return node
        link = why_absent(opened, path)
        said = link or ("no such dataset" if node is None else "not a dataset")
        raise NowhereError(f"{opened.filename}{SEPARATOR}/{path.lstrip('/')} ({said})")

    def has(self, file: str, path: str) -> bool:
        """Return whether there is such a source."""
        try:
            self.get(file, path)
        except NowhereError:
            return False
        return True


@dataclass(frozen=True)
class _Axis:
    """The part of an axis in a regular selection: `block` of `stride` entries, `count` times."""

    start: int
    stride: int
    count: int
    block: int

    @property
    def unlimited(self) -> bool:
        return bool(self.count == h5s.UNLIMITED)

    def within(self, edge: int) -> int:
        """Return how many entries of an axis of this length are taken."""
        full, rest = divmod(max(0, edge - self.start), self.stride)
        return full * self.block + min(rest, self.block)

    def least_edge(self, taken: int) -> int:
        """Return how long the axis must be so that so many entries are taken."""
        if not taken:
            return 0
        full, rest = divmod(taken - 1, self.block)
        return self.start + full * self.stride + rest + 1

    def repeats(self, edge: int) -> int:
        """Return how many blocks begin within an axis of this length."""
        return math.ceil(max(0, edge - self.start) / self.stride)

    def clipped(self, edge: int) -> list[tuple[int, int]]:
        """Return the ends of each run within an axis of this length, the last one exclusive."""
        if not self.unlimited and (self.count == 1 or self.stride == self.block):
            return [(self.start, min(edge, self.start + self.count * self.block))]
        count = min(self.count, self.repeats(edge))
        firsts = range(self.start, self.start + count * self.stride, self.stride)
        return [(first, min(edge, first + self.block)) for first in firsts]


def _axes(space: h5s.SpaceID) -> list[_Axis] | None:
    """Return what a selection takes of each axis, or None if it is not regular."""
    kind = space.get_select_type()
    if kind == _ALL:
        return [_Axis(0, max(1, edge), 1, edge) for edge in space.shape]
    if kind != h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        return None
    return [_Axis(*numbers) for numbers in zip(*space.get_regular_hyperslab(), strict=True)]


@dataclass(frozen=True)
class _Mapping:
    """A mapping of a virtual dataset: which part of it is which part of a source."""

    target: h5s.SpaceID
    source: h5s.SpaceID
    file: str
    dataset: str

    def needs(self, shape: Shape, sources: _Sources) -> Iterator[tuple[tuple[str, str], Need]]:
        """Yield sources, and what a virtual dataset of a shape needs of each."""
        target, source = _axes(self.target), _axes(self.source)
        growing = next((n for n, axis in enumerate(target or ()) if axis.unlimited), None)
        if target is None or growing is None:
            yield self._named(0), self._whole(self.target.get_select_npoints(), source)
        elif any("%b" in name.replace("%%", "") for name in (self.file, self.dataset)):
            count = max(1, target[growing].repeats(shape[growing]))
            later = range(count + 1, count + PROBED)
            if any(sources.has(*self._named(number)) for number in later):
                count += 1  # HDF5 stops at the first one that is missing
            once = [axis.block * (1 if axis.unlimited else axis.count) for axis in target]
            for number in range(count):
                yield self._named(number), self._whole(math.prod(once), source)
        else:
            taken = target[growing].within(shape[growing])
            least = (
                axis.least_edge(taken if axis.unlimited else axis.count * axis.block)
                for axis in source or ()
            )
            yield self._named(0), Need(tuple(least))

    def _named(self, number: int) -> tuple[str, str]:
        """Return the names of file and dataset: ``%b`` is a number, ``%%`` a percent sign."""
        made = (
            re.sub("%([%b])", lambda found: "%" if found[1] == "%" else str(number), name)
            for name in (self.file, self.dataset)
        )
        return (next(made), next(made))

    def _whole(self, pixels: int, axes: list[_Axis] | None) -> Need:
        """Return what is needed of a source of which a limited selection is taken."""
        if self.source.get_select_type() == _ALL:  # then its shape is not stored
            return Need(None, pixels)
        if axes is not None:
            return Need(tuple(axis.least_edge(axis.count * axis.block) for axis in axes))
        return Need(tuple(last + 1 for last in self.source.get_select_bounds()[1]))

    def place(self, shape: Shape) -> list[list[list[tuple[int, int]]]]:
        """Return the boxes of the virtual dataset that it fills: runs of entries for each axis."""
        axes = _axes(self.target)
        if axes is not None:
            return [[axis.clipped(edge) for axis, edge in zip(axes, shape, strict=True)]]
        if self.target.get_select_type() != h5s.SEL_HYPERSLABS:
            return []
        blocks = self.target.get_select_hyper_blocklist()
        return [[[(low, high + 1)] for low, high in zip(*ends, strict=True)] for ends in blocks]


def _unmapped(shape: Shape, places: list[list[list[list[tuple[int, int]]]]]) -> int:
    """Return how many pixels of a virtual dataset no mapping fills."""
    boxes = [box for found in places for box in found]
    # The cells between all ends of boxes are filled wholly, or not at all.
    ends = [
        np.unique([0, edge, *(end for box in boxes for run in box[axis] for end in run)])
        for axis, edge in enumerate(shape)
    ]
    empty = np.ones([len(found) - 1 for found in ends], bool)
    for box in boxes:
        cells = []
        for found, runs in zip(ends, box, strict=True):
            between = np.searchsorted(found, runs)
            numbers = [np.arange(first, behind) for first, behind in between]
            cells.append(np.concatenate(numbers) if numbers else np.arange(0))
        empty[np.ix_(*cells)] = False
    sizes = [np.diff(found) for found in ends]
    filled = empty.astype(np.float64)
    for size in sizes:
        filled = np.tensordot(size, filled, (0, 0))
    return int(filled)
