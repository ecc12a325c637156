"""The copy of a whole HDF5 file, object by object; some of them are made anew on the way."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Mapping

import h5py
from h5py import h5a, h5d, h5g, h5i, h5o, h5p, h5r, h5s, h5t

from ..errors import UnsupportedError
from ..hdf5.failures import damage_as_error
from ..layout.names import STACK_ATTRIBUTES
from ..layout.output import copy_object_creation
from . import values
from .tree import ROOT, Link, Objects, address, walk
from .values import Buffer, Memory, has_references, hdf5_function, hid_t, is_flat

_dereference = hdf5_function("H5Rdereference2", hid_t, hid_t, hid_t, ctypes.c_int, ctypes.c_void_p)
_get_region = hdf5_function("H5Rget_region", hid_t, hid_t, ctypes.c_int, ctypes.c_void_p)
_create_reference = hdf5_function(
    "H5Rcreate", ctypes.c_int, ctypes.c_void_p, hid_t, ctypes.c_char_p, ctypes.c_int, hid_t
)
_DEFAULT = 0  # H5P_DEFAULT


Make = Callable[[h5py.HLObject, h5py.File], h5py.HLObject | None]
"""Makes the replacement of an object in a file, without a name; None means to copy it."""

TYPES = b".h5vidstack-types"
"""The group that holds named datatypes until they get their names."""


class FileCopy:
    """A copy of everything that can be reached from the root of a file.

    It has the groups, datasets, named datatypes, attributes, comments, and hard, soft and external
    links. They come in the order in which they were made, where the file keeps it. References
    point to the copies. Chunks are copied as they are, so no filter is needed.

    Parameters
    ----------
    source, target
        The target is empty, and was made with the source's creation properties.
    make
        Makes what takes the place of some objects.
    omitted
        Addresses of objects that are left out, with everything that only they lead to.

    Attributes
    ----------
    paths
        The path in the target of each object of the source, by the object's address.
    lost_references
        How many references led to no copied object; they are null in the target.
    """

    def __init__(
        self, source: h5py.File, target: h5py.File, make: Make, omitted: Collection[int] = ()
    ) -> None:
        self._source, self._target, self._make, self._omitted = source, target, make, omitted
        self._given, self._new = Objects(source), Objects(target)
        self.paths: dict[int, bytes] = {address(source): ROOT}
        self._referring: list[tuple[bytes, bytes | None]] = []  # path, and an attribute's name
        self._types: dict[int, bytes] = {}
        self._kinds: dict[int, h5t.TypeID] = {}
        self._whole: set[bytes] = set()  # groups made anew with everything in them
        self.lost_references = 0

    def run(self) -> None:
        """Copy everything.

        Raises
        ------
        FormatError
            If the source is damaged.
        UnsupportedError
            If it holds what cannot be copied.
        """
        with damage_as_error(self._source.filename):
            self._copy_attributes(ROOT)
            values.copy_comment(self._source["/"], self._target["/"])
            for link in walk(self._source, self._enters):
                self._copy_link(link)
            for place, kind in list(self._kinds.items()):
                if place not in self.paths:  # the type lost its name, and kept its attributes
                    for name in values.attribute_names(h5py.Datatype(kind)):
                        attribute = h5a.open(kind, name)
                        copy = self._target[self._types[place]]
                        values.copy_attribute(attribute, copy, self._type(attribute.get_type()))
            if self._types:
                del self._target[TYPES]
            self._renew_references()

    def _enters(self, link: Link) -> bool:
        return link.address not in self._omitted and link.path not in self._whole

    def _copy_link(self, link: Link) -> None:
        parent = self._new.group(link.group).id
        creation = h5p.create(h5p.LINK_CREATE)
        creation.set_char_encoding(h5t.CSET_ASCII if link.ascii else h5t.CSET_UTF8)
        if link.address in self._omitted:
            return
        if isinstance(link.target, tuple):
            parent.links.create_external(link.name, *link.target, creation)
        elif link.target is not None:
            parent.links.create_soft(link.name, link.target, creation)
        elif link.address in self.paths:
            known = self._target[self.paths[link.address]]
            h5o.link(known.id, parent, link.name, creation)
        elif link.address is not None:
            self._copy_object(link, parent, creation)
            self.paths[link.address] = link.path

    def _copy_object(self, link: Link, parent: h5g.GroupID, creation: h5p.PropLCID) -> None:
        """Copy an object by the first link to it."""
        found = self._given[link.path]
        made = self._make(found, self._target)
        if made is not None:
            h5o.link(made.id, parent, link.name, creation)
            if isinstance(found, h5py.Group):
                self._whole.add(link.path)
                self._copy_attributes(link.path, STACK_ATTRIBUTES)
                return
        elif isinstance(found, h5py.Group):
            made = h5g.create(parent, None, gcpl=like_group(found))
            h5o.link(made, parent, link.name, creation)
        elif isinstance(found, h5py.Datatype):
            h5o.link(self._type(found.id), parent, link.name, creation)
        else:
            self._copy_dataset(found, link, parent, creation)
        self._copy_attributes(link.path)
        values.copy_comment(found, self._new[link.path])

    def _copy_dataset(
        self, found: h5py.Dataset, link: Link, parent: h5g.GroupID, creation: h5p.PropLCID
    ) -> None:
        kind = found.id.get_type()
        if is_flat(kind) and not kind.committed():
            how = h5p.create(h5p.OBJECT_COPY)
            how.set_copy_object(h5o.COPY_WITHOUT_ATTR_FLAG)
            h5o.copy(found.id, b".", parent, link.name, how, creation)
            return
        # H5Ocopy would make a second datatype without a name. It also spoils fill values that are
        # pointers, as strings are, and in files of short addresses all such values.
        plist, space = found.id.get_create_plist(), values.own_space(found.id.get_space())
        made = h5d.create(parent, link.name, self._type(kind), space, plist, creation)
        if found.is_virtual or plist.get_external_count():
            return
        if has_references(kind):
            self._referring.append((link.path, None))
        else:
            values.copy_values(found, h5py.Dataset(made))

    def _type(self, kind: h5t.TypeID) -> h5t.TypeID:
        """Return the copy of a datatype; a named one has only one copy."""
        if not kind.committed():
            return values.own_type(kind)
        place = h5o.get_info(kind).addr
        if place not in self._types:
            if not self._types:
                self._target.create_group(TYPES)
            name = TYPES + b"/%d" % len(self._types)
            values.own_type(kind).commit(self._target.id, name)
            self._types[place], self._kinds[place] = name, kind
        return self._target[self._types[place]].id

    def _copy_attributes(self, path: bytes, but: Collection[str] = ()) -> None:
        owner, copy = self._given[path], self._new[path]
        for name in values.attribute_names(owner, but):
            attribute = h5a.open(owner.id, name)
            kind = attribute.get_type()
            values.copy_attribute(attribute, copy, self._type(kind))
            if has_references(kind):
                self._referring.append((path, name))

    def _renew_references(self) -> None:
        references = References(self._source, self._target, self.paths)
        for path, name in self._referring:
            owner, copy = self._source[path], self._target[path]
            if name is None:
                values.copy_values(owner, copy, references.renew)
            else:
                given, made = h5a.open(owner.id, name), h5a.open(copy.id, name)
                values.write_attribute(given, made, references.renew)
        self.lost_references = references.lost


def like_group(group: h5py.Group) -> h5p.PropGCID:
    """Return creation properties to make a group like another one.

    The properties that HDF5 returns cannot be used as they are, because they hold the place in
    the file where that group keeps its links.
    """
    given, how = group.id.get_create_plist(), h5p.create(h5p.GROUP_CREATE)
    how.set_link_creation_order(given.get_link_creation_order())
    copy_object_creation(given, how)
    return how


def files_elsewhere(file: h5py.File) -> list[bytes]:
    """Return the names of other files that the links and datasets of a file mention."""
    found: set[bytes] = set()
    objects = Objects(file)
    for link in walk(file):
        if isinstance(link.target, tuple):
            found.add(link.target[0])
        node = objects[link.path] if link.address is not None else None
        if isinstance(node, h5py.Dataset):
            plist = node.id.get_create_plist()
            if node.is_virtual:
                count = range(plist.get_virtual_count())
                found.update(plist.get_virtual_filename(number).encode() for number in count)
            else:
                count = range(plist.get_external_count())
                found.update(plist.get_external(number)[0] for number in count)
    return sorted(found - {b"."})


class References:
    """References of a source file, turned into those of its copy.

    Parameters
    ----------
    paths
        The path in the copy of each copied object, by its address in the source.

    Attributes
    ----------
    lost
        How many references led to no copied object; they are null in the copy.
    """

    def __init__(self, source: h5py.File, target: h5py.File, paths: Mapping[int, bytes]) -> None:
        self._source, self._target, self._paths = source, target, paths
        self.lost = 0

    def renew(self, memory: Memory, held: Buffer) -> None:
        """Change the references in values of the source to those of the copy, in place.

        Raises
        ------
        UnsupportedError
            If there are references of the kind that HDF5 1.12 introduced.
        """
        count = len(held) // memory.size
        for kind, place in memory.references(ctypes.addressof(held), count):
            length, which = kind.get_size(), kind_of(kind)
            meant = pointed(self._source, kind, place)
            path = None if meant is None else self._paths.get(meant[0])
            if (meant is not None and path is None) or (meant is None and any(_bytes(kind, place))):
                self.lost += 1
            ctypes.memset(place, 0, length)
            if meant is not None and path is not None:
                space = -1 if meant[1] is None else meant[1].id
                if _create_reference(place, self._target.id.id, path, which, space) < 0:
                    self.lost += 1


def kind_of(kind: h5t.TypeID) -> int:
    """Return HDF5's number for the kind of a reference: to an object or to a region.

    Raises
    ------
    UnsupportedError
        If it is of the kind that HDF5 1.12 introduced, which h5py cannot read either.
    """
    if kind.equal(h5t.STD_REF_OBJ):
        return int(h5r.OBJECT)
    if kind.equal(h5t.STD_REF_DSETREG):
        return int(h5r.DATASET_REGION)
    raise UnsupportedError(
        "the file holds references of HDF5 1.12's kind (H5T_STD_REF), which cannot be copied; "
        "store them as H5T_STD_REF_OBJ or H5T_STD_REF_DSETREG"
    )


def pointed(file: h5py.File, kind: h5t.TypeID, place: int) -> tuple[int, h5s.SpaceID | None] | None:
    """Return the address and the region that a reference in memory leads to, or None."""
    which = kind_of(kind)
    if not any(_bytes(kind, place)):
        return None
    found = _dereference(file.id.id, _DEFAULT, which, place)
    if found < 0:
        return None
    place_in_file: int = h5o.get_info(h5i.wrap_identifier(found)).addr
    if which != h5r.DATASET_REGION:
        return place_in_file, None
    region = _get_region(file.id.id, which, place)
    return None if region < 0 else (place_in_file, h5s.SpaceID(region))


def _bytes(kind: h5t.TypeID, place: int) -> bytes:
    return ctypes.string_at(place, kind.get_size())
