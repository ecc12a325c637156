"""The comparison of an HDF5 file with its copy: every link, attribute and dataset."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import h5py
from h5py import h5a, h5o, h5s, h5t

from ..errors import NotExactError
from ..hdf5.failures import damage_as_error
from ..hdf5.filter import pipeline
from ..layout.names import BESIDE, STACK_ATTRIBUTES
from . import values
from .file_copy import pointed
from .tree import ROOT, Link, Objects, address, is_hard, join, names, shown, walk
from .values import Buffer, Memory, is_flat

Equal = Callable[[Any, Any], bool]
"""Tells whether an object that was made anew holds the same as the original."""


class FileComparison:
    """The comparison of every link, attribute and dataset of a file with its copy.

    Copied chunks are compared without decoding, so no filter is needed.

    Parameters
    ----------
    source, copy
        Both files, open for reading.
    paths
        The path in the copy of each object of the source, by the object's address.
    made
        How each object that was made anew is compared, by the object's address in the source.
    changed
        Addresses of groups among them that became something else.
    omitted
        Addresses of objects that are not in the copy.

    Attributes
    ----------
    datasets
        How many datasets were compared.
    """

    def __init__(
        self,
        source: h5py.File,
        copy: h5py.File,
        paths: Mapping[int, bytes],
        made: Mapping[int, Equal],
        changed: Collection[int],
        omitted: Collection[int],
    ) -> None:
        self._source, self._copy, self._paths = source, copy, paths
        self._made, self._changed, self._omitted = made, changed, omitted
        self._given, self._new = Objects(source), Objects(copy)
        self.datasets = 0

    def run(self) -> None:
        """Compare everything.

        Raises
        ------
        NotExactError
            If something differs.
        """
        seen = {address(self._source)}
        with damage_as_error(f"{self._source.filename}, or its copy,"):
            self._compare_object(ROOT)
            for link in walk(self._source, self._enters):
                if link.address in self._omitted:
                    continue
                self._compare_link(link)
                if link.address is not None and link.address not in seen:
                    seen.add(link.address)
                    self._compare_object(link.path)

    def _enters(self, link: Link) -> bool:
        return link.address not in self._omitted and link.address not in self._changed

    def _compare_link(self, link: Link) -> None:
        source, copy = self._given.group(link.group), self._new.group(link.group)
        links = copy.id.links  # they do not keep the group open; `copy` does
        if not links.exists(link.name):
            raise _differs(link.path, "is missing")
        given = source.id.links.get_info(link.name)
        found = links.get_info(link.name)
        if (found.type, found.cset) != (given.type, given.cset):
            raise _differs(link.path, "is another kind of link")
        if link.target is not None and links.get_val(link.name) != link.target:
            raise _differs(link.path, "leads elsewhere")
        if link.address is not None:
            expected = address(self._copy[self._paths[link.address]])
            if h5o.get_info(copy.id, link.name).addr != expected:
                raise _differs(link.path, "is another object")

    def _compare_object(self, path: bytes) -> None:
        """Compare an object with its copy, but not the members of a group."""
        node, copy = self._given[path], self._new[path]
        if address(node) in self._changed:
            self.datasets += 1
            if not self._made[address(node)](node, copy):
                raise _differs(path, "holds other values")
            self._compare_attributes(node, copy, path, STACK_ATTRIBUTES)
            return
        if type(node) is not type(copy):
            raise _differs(path, f"is a {type(copy).__name__}")
        if isinstance(node, h5py.Group):
            held = [name for name in names(node) if not self._left_out(node, name)]
            kept = set(held)
            found = [name for name in names(copy) if name in kept or not _is_added(path, name)]
            if found != held:
                raise _differs(path, "holds other names, or in another order")
        elif isinstance(node, h5py.Dataset):
            self._compare_dataset(node, copy, path)
        elif not node.id.equal(copy.id):
            raise _differs(path, "is another type")
        self._compare_attributes(node, copy, path)

    def _compare_attributes(
        self, node: h5py.HLObject, copy: h5py.HLObject, path: bytes, but: Collection[str] = ()
    ) -> None:
        given = values.attribute_names(node, but)
        if given != values.attribute_names(copy):
            raise _differs(path, "has other attributes, or in another order")
        for name in given:
            self._compare_attribute(h5a.open(node.id, name), h5a.open(copy.id, name), path)

    def _left_out(self, group: h5py.Group, name: bytes) -> bool:
        hard = self._omitted and is_hard(group, name)
        return bool(hard and h5o.get_info(group.id, name).addr in self._omitted)

    def _compare_attribute(self, given: h5a.AttrID, found: h5a.AttrID, path: bytes) -> None:
        what = f"attribute {shown(given.get_name())}"
        kind, space = given.get_type(), given.get_space()
        if not self._same_type(kind, found.get_type()) or not _same_space(space, found.get_space()):
            raise _differs(path, f"{what} is of another type or shape")
        with values.attribute_values(given) as these, values.attribute_values(found) as those:
            same = self._same(Memory(kind), these, those)
        if not same:
            raise _differs(path, f"{what} differs")

    def _compare_dataset(self, node: h5py.Dataset, copy: h5py.Dataset, path: bytes) -> None:
        self.datasets += 1
        same = self._same_type(node.id.get_type(), copy.id.get_type())
        if not same or not _same_space(_space(node), _space(copy)):
            raise _differs(path, "is of another type or shape")
        if not self._same_fill_value(node, copy):
            raise _differs(path, "has another fill value")
        equal = self._made.get(address(node), self._same_values)
        if not equal(node, copy):
            raise _differs(path, "holds other values")

    def _same_type(self, given: h5t.TypeID, found: h5t.TypeID) -> bool:
        if given.committed() != found.committed():
            return False
        if given.committed():
            path = self._paths.get(h5o.get_info(given).addr)
            named = None if path is None else self._copy[path]
            if named is not None and address(named) != h5o.get_info(found).addr:
                return False
        return bool(given.equal(found))

    @staticmethod
    def _same_fill_value(node: h5py.Dataset, copy: h5py.Dataset) -> bool:
        plists = node.id.get_create_plist(), copy.id.get_create_plist()
        if plists[0].fill_value_defined() != plists[1].fill_value_defined():
            return False
        if not is_flat(node.id.get_type()):  # HDF5 does not give these fill values
            return True
        return values.fill_value(node) == values.fill_value(copy)

    def _same_values(self, node: h5py.Dataset, copy: h5py.Dataset) -> bool:
        kind = node.id.get_type()
        if node.is_virtual:
            return copy.is_virtual and _same_mappings(
                node.virtual_sources(), copy.virtual_sources()
            )
        if node.id.get_create_plist().get_external_count():
            return bool(node.external == copy.external)
        memory = Memory(kind)
        if node.chunks is not None and memory.flat:
            return _same_chunks(node, copy)
        if node.chunks is not None and not _same_places(node, copy):
            return False
        both = zip(values.pieces(node, kind), values.pieces(copy, copy.id.get_type()), strict=True)
        return all(self._same(memory, one, other) for (_, one), (_, other) in both)

    def _same(self, memory: Memory, one: Buffer, other: Buffer) -> bool:
        """Return whether values are the same, and references lead to the copies."""
        if len(one) != len(other):
            return False
        count = len(one) // memory.size
        places = ctypes.addressof(one), ctypes.addressof(other)
        return memory.same(*places, count, self._same_reference)

    def _same_reference(self, kind: h5t.TypeID, one: int, other: int) -> bool:
        given, found = pointed(self._source, kind, one), pointed(self._copy, kind, other)
        path = None if given is None else self._paths.get(given[0])
        if given is None or path is None or found is None:
            return found is None and path is None
        if found[0] != address(self._copy[path]):
            return False
        if given[1] is None or found[1] is None:
            return given[1] is found[1]
        return _same_selection(given[1], found[1])


def _is_added(group: bytes, name: bytes) -> bool:
    """Return whether a name may be one that `repack` added to the copy."""
    beside = BESIDE.encode()
    return join(group, name) == beside or (group + b"/").startswith(beside + b"/")


def _same_chunks(node: h5py.Dataset, copy: h5py.Dataset) -> bool:
    """Return whether two datasets have the same chunks, byte for byte."""
    if node.chunks != copy.chunks or pipeline(node) != pipeline(copy):
        return False
    return _same_places(node, copy) and all(
        node.id.read_direct_chunk(place) == copy.id.read_direct_chunk(place)
        for place in values.chunk_offsets(node)
    )


def _same_places(node: h5py.Dataset, copy: h5py.Dataset) -> bool:
    """Return whether the same chunks were written in two datasets."""
    given, found = (sorted(values.chunk_offsets(one)) for one in (node, copy))
    return bool(node.chunks == copy.chunks and given == found)


def _same_mappings(these: Sequence[Any], those: Sequence[Any]) -> bool:
    """Return whether two virtual datasets map the same pixels to the same places."""
    return len(these) == len(those) and all(
        one[1:3] == other[1:3]
        and _same_selection(one.vspace, other.vspace)
        and _same_selection(one.src_space, other.src_space)
        for one, other in zip(these, those, strict=True)
    )


def _same_selection(one: h5s.SpaceID, other: h5s.SpaceID) -> bool:
    """Return whether two dataspaces select the same, however each is encoded."""
    if one.encode() == other.encode():
        return True
    try:
        bounds = one.get_select_bounds() == other.get_select_bounds()
    except (ValueError, RuntimeError):  # an empty or an unlimited selection has none
        return False
    return bool(bounds and one.select_shape_same(other))


def _space(node: h5py.Dataset) -> h5s.SpaceID:
    """Return the dataspace of a dataset; a null one if its sources give its length and are lost.

    HDF5 2.0 gives an error then. Older versions say that a virtual dataset is 0 long.
    """
    try:
        return node.id.get_space()
    except RuntimeError:
        if not node.is_virtual:
            raise
        return h5s.create(h5s.NULL)


def _same_space(one: h5s.SpaceID, other: h5s.SpaceID) -> bool:
    if one.get_simple_extent_type() != other.get_simple_extent_type():
        return False
    if one.get_simple_extent_type() == h5s.NULL:
        return True
    extents = (
        (space.get_simple_extent_dims(), space.get_simple_extent_dims(maxdims=True))
        for space in (one, other)
    )
    first, second = extents
    return bool(first == second)


def _differs(path: bytes, how: str) -> NotExactError:
    return NotExactError(f"{shown(path)} {how} in the copy; nothing was written")
