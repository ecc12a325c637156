"""A whole HDF5 file, object by object, some of them made anew on the way."""

from __future__ import annotations

from collections.abc import Callable, Collection

import h5py
from h5py import h5a, h5d, h5g, h5o, h5p, h5t

from ..hdf5.failures import damage_as_error
from ..layout.names import STACK_ATTRIBUTES
from ..layout.output import copy_object_creation
from ..repacking import raw
from .memory import has_references, is_flat
from .reference_copy import References
from .tree import ROOT, Link, Objects, walk

Make = Callable[[h5py.HLObject, h5py.File], h5py.HLObject | None]
"""Makes what takes the place of an object in a file, without a name; None: it is copied."""

TYPES = b".h5vidstack-types"
"""Named datatypes are here until they get their names."""


class FileCopy:
    """Copy all that can be reached from the root of a file.

    Groups, datasets, named datatypes, attributes, hard, soft and external links, comments; in
    the order in which they were made where the file keeps that. References point to the
    copies. Chunks are copied as they are, so no filter is needed.

    Parameters
    ----------
    source, target
        The latter is empty, and made with the former's creation properties.
    make
        What takes the place of some objects.
    omitted
        Addresses of objects that are left out, with all that only they lead to.

    Attributes
    ----------
    paths
        Of each object of the source where it is in the target, by its address.
    lost_references
        How many referred to what is not there; they are null.
    """

    def __init__(
        self, source: h5py.File, target: h5py.File, make: Make, omitted: Collection[int] = ()
    ) -> None:
        self._source, self._target, self._make, self._omitted = source, target, make, omitted
        self._given, self._new = Objects(source), Objects(target)
        self.paths: dict[int, bytes] = {h5o.get_info(source.id).addr: ROOT}
        self._referring: list[tuple[bytes, bytes | None]] = []  # path, and name of an attribute
        self._types: dict[int, bytes] = {}
        self._kinds: dict[int, h5t.TypeID] = {}
        self._whole: set[bytes] = set()  # made anew, with all that is in them
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
            raw.copy_comment(self._source["/"], self._target["/"])
            for link in walk(self._source, self._enters):
                self._copy_link(link)
            for address, kind in list(self._kinds.items()):
                if address not in self.paths:  # it has lost its name, and kept its attributes
                    for name in raw.attribute_names(h5py.Datatype(kind)):
                        attribute = h5a.open(kind, name)
                        copy = self._target[self._types[address]]
                        raw.copy_attribute(attribute, copy, self._type(attribute.get_type()))
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
        raw.copy_comment(found, self._new[link.path])

    def _copy_dataset(
        self, found: h5py.Dataset, link: Link, parent: h5g.GroupID, creation: h5p.PropLCID
    ) -> None:
        kind = found.id.get_type()
        if is_flat(kind) and not kind.committed():
            how = h5p.create(h5p.OBJECT_COPY)
            how.set_copy_object(h5o.COPY_WITHOUT_ATTR_FLAG)
            h5o.copy(found.id, b".", parent, link.name, how, creation)
            return
        # H5Ocopy would make a second datatype, without a name, and spoils fill values (and, from
        # files of short addresses, all values) that lie elsewhere, as strings do.
        plist, space = found.id.get_create_plist(), raw.own_space(found.id.get_space())
        made = h5d.create(parent, link.name, self._type(kind), space, plist, creation)
        if found.is_virtual or plist.get_external_count():
            return
        if has_references(kind):
            self._referring.append((link.path, None))
        else:
            raw.copy_values(found, h5py.Dataset(made))

    def _type(self, kind: h5t.TypeID) -> h5t.TypeID:
        """The copy of a datatype: of a named one always the same."""
        if not kind.committed():
            return raw.own_type(kind)
        address = h5o.get_info(kind).addr
        if address not in self._types:
            if not self._types:
                self._target.create_group(TYPES)
            name = TYPES + b"/%d" % len(self._types)
            raw.own_type(kind).commit(self._target.id, name)
            self._types[address], self._kinds[address] = name, kind
        return self._target[self._types[address]].id

    def _copy_attributes(self, path: bytes, but: Collection[str] = ()) -> None:
        owner, copy = self._given[path], self._new[path]
        for name in raw.attribute_names(owner, but):
            attribute = h5a.open(owner.id, name)
            kind = attribute.get_type()
            raw.copy_attribute(attribute, copy, self._type(kind))
            if has_references(kind):
                self._referring.append((path, name))

    def _renew_references(self) -> None:
        references = References(self._source, self._target, self.paths)
        for path, name in self._referring:
            owner, copy = self._source[path], self._target[path]
            if name is None:
                raw.copy_values(owner, copy, references.renew)
            else:
                given, made = h5a.open(owner.id, name), h5a.open(copy.id, name)
                raw.write_attribute(given, made, references.renew)
        self.lost_references = references.lost


def like_group(group: h5py.Group) -> h5p.PropGCID:
    """Creation properties of a group, to make another.

    Not those that HDF5 gives as they are: in them is where in its file the group keeps its links.
    """
    given, how = group.id.get_create_plist(), h5p.create(h5p.GROUP_CREATE)
    how.set_link_creation_order(given.get_link_creation_order())
    copy_object_creation(given, how)
    return how


def files_elsewhere(file: h5py.File) -> list[bytes]:
    """Names of other files in the links and the datasets of a file."""
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
