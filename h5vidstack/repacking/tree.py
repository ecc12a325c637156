"""The objects of an HDF5 file and the links between them, group after group."""

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
        The path of the group and the name in it.
    ascii
        Whether the name is marked as ASCII; otherwise it is marked as UTF-8.
    address
        The address of the object, for a hard link.
    target
        The path that a soft link holds, or the file and path that an external link holds.
    """

    group: bytes
    name: bytes
    ascii: bool
    address: int | None
    target: bytes | tuple[bytes, bytes] | None

    @property
    def path(self) -> bytes:
        """The path of the link from the root."""
        return join(self.group, self.name)


def address(node: h5py.HLObject) -> int:
    """Return the address of an object inside its file."""
    found: int = h5o.get_info(node.id).addr
    return found


def join(group: bytes, name: bytes) -> bytes:
    """Return the path of a name in a group."""
    return group.rstrip(b"/") + b"/" + name


def shown(path: bytes) -> str:
    """Return a path as text for people."""
    return path.decode(errors="backslashreplace")


class Objects:
    """The objects of a file by their paths.

    The group that was used last stays open, because the way from the root may be long.
    """

    def __init__(self, file: h5py.File) -> None:
        self._file, self._path, self._group = file, ROOT, file["/"]

    def group(self, path: bytes) -> h5py.Group:
        """Return a group."""
        if path != self._path:
            self._path, self._group = path, self._file[path]
        return self._group

    def __getitem__(self, path: bytes) -> h5py.HLObject:
        if path == ROOT:
            return self._file["/"]
        parent, _, name = path.rpartition(b"/")
        return self.group(parent or ROOT)[name]


def walk(file: h5py.File, enter: Callable[[Link], bool] = lambda link: True) -> Iterator[Link]:
    """Yield all links group by group, each group's in the order that it keeps.

    Each group is entered once, by the first path that leads to it.

    Parameters
    ----------
    enter
        Asked after each link was yielded: whether to enter the group that the link leads to.

    Raises
    ------
    UnsupportedError
        If there is a link of a kind that only the program that made it can follow.
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
    """Return the names in a group, in the order of their making where the group keeps it."""
    tracked = group.id.get_create_plist().get_link_creation_order() & h5p.CRT_ORDER_TRACKED
    found: list[bytes] = []
    if group.id.get_num_objs():
        index = h5.INDEX_CRT_ORDER if tracked else h5.INDEX_NAME
        group.id.links.iterate(found.append, idx_type=index)
    return found


def is_hard(group: h5py.Group, name: bytes) -> bool:
    """Return whether a name in a group is a hard link."""
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
