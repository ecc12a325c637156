"""The links of an HDF5 file, group after group."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import h5py
from h5py import h5, h5l, h5o, h5p, h5t

from ..errors import UnsupportedError

ROOT = b"/"


@dataclass(frozen=True)
class Link:
    """A name in a group.

    Attributes
    ----------
    group, name
        The path of the group, and the name in it.
    ascii
        Whether the name is marked as ASCII, else as UTF-8.
    address
        Of the object, if it is a hard link.
    target
        Of a soft link its path, of an external one its file and path.
    """

    group: bytes
    name: bytes
    ascii: bool
    address: int | None
    target: bytes | tuple[bytes, bytes] | None

    @property
    def path(self) -> bytes:
        """From the root."""
        return join(self.group, self.name)


def join(group: bytes, name: bytes) -> bytes:
    """The path of a name in a group."""
    return group.rstrip(b"/") + b"/" + name


def shown(path: bytes) -> str:
    """A path for people."""
    return path.decode(errors="backslashreplace")


class Objects:
    """The objects of a file by their paths.

    The group that was used last stays open: from the root the way may be long.
    """

    def __init__(self, file: h5py.File) -> None:
        self._file, self._path, self._group = file, ROOT, file["/"]

    def group(self, path: bytes) -> h5py.Group:
        """A group."""
        if path != self._path:
            self._path, self._group = path, self._file[path]
        return self._group

    def __getitem__(self, path: bytes) -> h5py.HLObject:
        if path == ROOT:
            return self._file["/"]
        parent, _, name = path.rpartition(b"/")
        return self.group(parent or ROOT)[name]


def walk(file: h5py.File, enter: Callable[[Link], bool] = lambda link: True) -> Iterator[Link]:
    """Yield all links, those of a group together, in the order that it keeps.

    Each group is entered once, by the first path that leads to it.

    Parameters
    ----------
    enter
        Asked, after a link was yielded, whether to go into the group that it leads to.

    Raises
    ------
    UnsupportedError
        If there is a link of a kind that only its own program knows.
    """
    entered = {h5o.get_info(file.id).addr}
    groups = deque([ROOT])
    while groups:
        path = groups.popleft()
        group = file[path]
        for name in names(group):
            link = _link(group, path, name)
            yield link
            if link.address is None or link.address in entered or not enter(link):
                continue
            if h5o.get_info(group.id, name).type == h5o.TYPE_GROUP:
                entered.add(link.address)
                groups.append(link.path)


def names(group: h5py.Group) -> list[bytes]:
    """The names in a group, in the order in which they were made where it keeps that."""
    tracked = group.id.get_create_plist().get_link_creation_order() & h5p.CRT_ORDER_TRACKED
    found: list[bytes] = []
    if group.id.get_num_objs():
        index = h5.INDEX_CRT_ORDER if tracked else h5.INDEX_NAME
        group.id.links.iterate(found.append, idx_type=index)
    return found


def is_hard(group: h5py.Group, name: bytes) -> bool:
    """Whether a name in a group is a hard link."""
    return bool(group.id.links.get_info(name).type == h5l.TYPE_HARD)


def _link(group: h5py.Group, path: bytes, name: bytes) -> Link:
    links = group.id.links
    info = links.get_info(name)
    is_ascii = info.cset == h5t.CSET_ASCII
    if info.type == h5l.TYPE_HARD:
        return Link(path, name, is_ascii, h5o.get_info(group.id, name).addr, None)
    if info.type in (h5l.TYPE_SOFT, h5l.TYPE_EXTERNAL):
        return Link(path, name, is_ascii, None, links.get_val(name))
    raise UnsupportedError(
        f"{shown(join(path, name))} is a link of kind {info.type}, which only the program that "
        "made it can follow; remove it first"
    )
