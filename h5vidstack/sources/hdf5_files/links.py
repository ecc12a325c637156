"""The links and names in HDF5 files, and the files or objects to which they lead."""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
from collections.abc import Iterator

import h5py
from h5py import h5o

from ...errors import SourceError
from ...layout.names import SEPARATOR, is_stack

SHOWN = 20
"""An error message lists at most so many names."""
FOLLOWED = 1000
"""At most so many links are followed to list what a file holds."""
DEEPEST = 16
"""HDF5 follows so many links in a row."""


class NowhereError(Exception):
    """A file or an object is not there; the message is a part of a sentence."""


def open_file(file: h5py.File, name: str, variable: str, prefix: str = "") -> h5py.File:
    """Open a file that another one names, as HDF5 finds it.

    Source: HDF5's H5F_prefix_open_file (H5Fint.c).

    Parameters
    ----------
    file, name
        The file that names it, and the name.
    variable
        The environment variable with folders in which HDF5 looks first.
    prefix
        The folder that the object's access properties name, if that variable does not.

    Raises
    ------
    NowhereError
        If none of the places has a file that HDF5 opens.
    SourceError
        If the system lets no more files be opened.
    """
    why = "no such file"
    for path in _places(file, name, variable, prefix):
        if not os.path.exists(path):
            continue
        try:
            if os.path.isfile(path):
                return h5py.File(path, "r")
            why = "not a file"
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise SourceError(
                    f"{file.filename} is made of more files than the system lets a program open "
                    "at once: allow more (ulimit -n), or pack it in parts"
                ) from error
            locked = isinstance(error, BlockingIOError) or "already open for w" in str(error)
            why = "open for writing elsewhere" if locked else f"HDF5 cannot open it: {error}"
    raise NowhereError(f"{name} ({why})")


def _places(file: h5py.File, name: str, variable: str, prefix: str) -> Iterator[str]:
    """Yield the places where HDF5 looks for a file that another one names."""
    given = os.path.abspath(file.filename)
    here, actual = os.path.dirname(given), os.path.dirname(os.path.realpath(given))
    if os.path.isabs(name):
        yield name
        name = os.path.basename(name)
    value = os.environ.get(variable, "")
    for folder in filter(None, value.split(os.pathsep)):
        yield os.path.join(folder, name)
    if value or prefix:
        yield os.path.join((value or prefix).replace("${ORIGIN}", here), name)
    yield os.path.join(here, name)
    yield name
    yield os.path.join(actual, name)


def why_absent(file: h5py.File, path: str) -> str | None:
    """Return what is wrong with the first link on the way to a path that leads nowhere.

    Return None if every link leads somewhere; then the path just names nothing.
    """
    try:
        _follow(file, path, 0)
    except NowhereError as broken:
        return str(broken) or None
    return None


def _follow(file: h5py.File, path: str, depth: int) -> None:
    """Follow a path; raise `NowhereError` where it ends, without words if no link is broken."""
    if depth > DEEPEST:
        raise NowhereError("it goes in a circle")
    here = "/"
    for name in filter(None, path.split("/")):
        group = get(file, here)
        link = group.get(name, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            raise NowhereError
        here = posixpath.join(here, name)
        external = isinstance(link, h5py.ExternalLink)
        if not external and not isinstance(link, h5py.SoftLink):
            continue
        goal = f"{link.path} in {link.filename}" if external else link.path
        try:
            if external:
                with open_file(file, link.filename, "HDF5_EXT_PREFIX") as other:
                    _follow(other, link.path, depth + 1)
            else:
                _follow(file, posixpath.join(posixpath.dirname(here), link.path), depth + 1)
        except NowhereError as cause:
            why = str(cause) or "there is none"
            raise NowhereError(f"{here} is a link to {goal}: {why}") from None


def get(file: h5py.File, path: str) -> h5py.HLObject | None:
    """Return the object at a path, or None if none can be reached."""
    with contextlib.suppress(KeyError, OSError, RuntimeError):  # h5py raises these for broken links
        return file[os.fsencode(path)]
    return None


def candidates(file: h5py.File) -> str:
    """List in words what can be packed of a file, also behind links, and which links are broken."""
    found: list[str] = []
    broken: list[str] = []
    for path, node in _objects(file):
        name = f"{SEPARATOR}{path}"
        if node is None:
            broken.append(f"{name} ({why_absent(file, path) or 'leads nowhere'})")
        elif is_stack(node):
            found.append(f"{name} (stack)")
        elif isinstance(node, h5py.Dataset):
            try:
                shape = node.shape or ()
            except RuntimeError:  # of a virtual dataset whose sources HDF5 does not find
                broken.append(f"{name} (a virtual dataset without its sources)")
                continue
            if len(shape) >= 3:
                found.append(f"{name} {shape} {dtype_name(node)}")
    listed = _listed(found) or "none (no dataset has three axes or more)"
    return listed + (f"; broken links: {_listed(broken)}" if broken else "")


def _listed(names: list[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def dtype_name(node: h5py.Dataset) -> str:
    """Return the dtype of a dataset in words."""
    try:
        return str(node.dtype)
    except TypeError:  # NumPy does not have all types
        return "of a type unknown to NumPy"


def _objects(file: h5py.File) -> Iterator[tuple[str, h5py.HLObject | None]]:
    """Yield the paths and objects of a file, each object once, also those behind links.

    The object of a broken link is None. What is inside of stacks is left out.
    """
    seen = {object_key(file["/"])}
    waiting: list[tuple[str, h5py.Group]] = [("/", file["/"])]
    followed = 0
    while waiting:
        path, group = waiting.pop(0)
        for name in group:
            there = posixpath.join(path, name)
            followed += not isinstance(group.get(name, getlink=True), h5py.HardLink)
            if followed > FOLLOWED:
                return
            node = get(file, there)
            if node is None:
                yield there, None
                continue
            if object_key(node) in seen:
                continue
            seen.add(object_key(node))
            yield there, node
            if isinstance(node, h5py.Group) and not is_stack(node):
                waiting.append((there, node))


def object_key(node: h5py.HLObject) -> tuple[int, int]:
    """Return what identifies an object under each of its names."""
    info = h5o.get_info(node.id)
    return info.fileno, info.addr
