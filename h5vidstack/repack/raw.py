"""Values of any type from one HDF5 object to another, through ctypes.

h5py turns them into numpy arrays and back, and not all types come back as they were.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
from collections.abc import Callable, Iterator
from typing import Any

import h5py
from h5py import h5, h5a, h5i, h5o, h5p, h5s, h5t
from h5py._objects import phil

from ..errors import FormatError
from .tree import shown

Buffer = ctypes.Array[ctypes.c_char]
"""Values as HDF5 has them in memory: those of variable length are pointers."""

PIECE_BYTES = 4 << 20
"""Values that are read together."""

_hid_t = ctypes.c_int64
_BUFFER = ctypes.c_void_p
_DEFAULT = 0  # H5P_DEFAULT


def _function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    function = getattr(_library, name)
    function.restype, function.argtypes = result, arguments

    def locked(*values: Any) -> Any:
        with phil:
            return function(*values)

    return locked


_library = ctypes.CDLL(h5py.defs.__file__)
_get_plist = _function("H5Aget_create_plist", _hid_t, _hid_t)
_create = _function("H5Acreate2", _hid_t, _hid_t, ctypes.c_char_p, _hid_t, _hid_t, _hid_t, _hid_t)
_read = _function("H5Aread", ctypes.c_int, _hid_t, _hid_t, _BUFFER)
_write = _function("H5Awrite", ctypes.c_int, _hid_t, _hid_t, _BUFFER)
_PLACE = (_hid_t, _hid_t, _hid_t, _hid_t, _hid_t, _BUFFER)
_read_dataset = _function("H5Dread", ctypes.c_int, *_PLACE)
_write_dataset = _function("H5Dwrite", ctypes.c_int, *_PLACE)
_free = _function("H5Dvlen_reclaim", ctypes.c_int, _hid_t, _hid_t, _hid_t, _BUFFER)
_get_comment = _function(
    "H5Oget_comment", ctypes.c_ssize_t, _hid_t, ctypes.c_char_p, ctypes.c_size_t
)
_close_attribute = _function("H5Aclose", ctypes.c_int, _hid_t)
_close_plist = _function("H5Pclose", ctypes.c_int, _hid_t)


def attribute_names(owner: h5py.HLObject) -> list[bytes]:
    """The names of an object's attributes, in the order in which they were made if that is kept."""
    plist = owner.id.get_create_plist()
    tracked = plist.get_attr_creation_order() & h5p.CRT_ORDER_TRACKED
    found: list[bytes] = []
    h5a.iterate(owner.id, found.append, index_type=h5.INDEX_CRT_ORDER if tracked else h5.INDEX_NAME)
    return found


def copy_comment(node: h5py.HLObject, copy: h5py.HLObject) -> None:
    """Give an object the comment of another, if that has one."""
    length = _get_comment(node.id.id, None, 0)
    if length > 0:
        text = ctypes.create_string_buffer(length + 1)
        _get_comment(node.id.id, text, length + 1)
        h5o.set_comment(copy.id, text.value)


def has_references(kind: h5t.TypeID) -> bool:
    """Whether values of a type hold references to objects, wherever in them."""
    return bool(kind.detect_class(h5t.REFERENCE))


def is_flat(kind: h5t.TypeID) -> bool:
    """Whether values of a type are their bytes, and nothing elsewhere."""
    if kind.detect_class(h5t.REFERENCE) or kind.detect_class(h5t.VLEN):
        return False
    # H5Tdetect_class calls strings of variable length strings.
    return not _has_long_strings(kind)


def _has_long_strings(kind: h5t.TypeID) -> bool:
    if isinstance(kind, h5t.TypeStringID):
        return bool(kind.is_variable_str())
    if isinstance(kind, h5t.TypeArrayID):
        return _has_long_strings(kind.get_super())
    if isinstance(kind, h5t.TypeCompoundID):
        members = range(kind.get_nmembers())
        return any(_has_long_strings(kind.get_member_type(number)) for number in members)
    return False


@contextlib.contextmanager
def values(attribute: h5a.AttrID) -> Iterator[Buffer]:
    """All values of an attribute; what those of variable length point to ends with the context.

    Raises
    ------
    FormatError
        If they cannot be read.
    """
    space = attribute.get_space()
    with _filled(attribute.get_type(), space) as (buffer, kind):
        if len(buffer):
            _checked(_read(attribute.id, kind.id, buffer), attribute.get_name())
        yield buffer


@contextlib.contextmanager
def _filled(kind: h5t.TypeID, space: h5s.SpaceID) -> Iterator[tuple[Buffer, h5t.TypeID]]:
    """Room for all that is selected in a space; freed with what it points to."""
    count = 0 if space.get_simple_extent_type() == h5s.NULL else space.get_select_npoints()
    buffer = ctypes.create_string_buffer(count * kind.get_size())
    try:
        yield buffer, kind
    finally:
        if count and not is_flat(kind):
            memory = h5s.create_simple((count,))
            _free(kind.id, memory.id, _DEFAULT, buffer)


def pieces(dataset: h5py.Dataset, kind: h5t.TypeID) -> Iterator[tuple[h5s.SpaceID, Buffer]]:
    """The values of a dataset, a piece at a time, and where in it each is.

    Each is freed before the next one.

    Raises
    ------
    FormatError
        If they cannot be read.
    """
    for space in slabs(dataset, kind.get_size()):
        memory = h5s.create_simple((space.get_select_npoints(),))
        with _filled(kind, space) as (buffer, _):
            place = (memory.id, space.id, _DEFAULT)
            done = _read_dataset(dataset.id.id, kind.id, *place, buffer)
            _checked(done, h5i.get_name(dataset.id))
            yield space, buffer


def slabs(dataset: h5py.Dataset, itemsize: int) -> Iterator[h5s.SpaceID]:
    """A dataset's space with a piece of it selected, then the next; whole chunks where it may."""
    space = dataset.id.get_space()
    if space.get_simple_extent_type() == h5s.NULL or not space.get_simple_extent_npoints():
        return
    if not dataset.shape:
        yield space
        return
    row = itemsize * math.prod(dataset.shape[1:])
    whole = dataset.chunks[0] if dataset.chunks else 1
    step = max(1, PIECE_BYTES // (row * whole)) * whole
    corner = (0,) * (dataset.ndim - 1)
    for start in range(0, dataset.shape[0], step):
        count = min(step, dataset.shape[0] - start)
        space.select_hyperslab((start, *corner), (count, *dataset.shape[1:]))
        yield space


def chunk_offsets(dataset: h5py.Dataset) -> list[tuple[int, ...]]:
    """Where the chunks of a dataset begin that were written."""
    found: list[tuple[int, ...]] = []
    dataset.id.chunk_iter(lambda info: found.append(info.chunk_offset))
    return found


def copy_values(source: h5py.Dataset, target: h5py.Dataset) -> None:
    """Write all values of a dataset to another of its shape, type and chunks, as they are.

    Chunks are not decoded; what was never written is not.

    Raises
    ------
    FormatError
        If they cannot be read, or written.
    """
    kind = source.id.get_type()
    if not source.id.get_storage_size():
        return
    if source.chunks is not None and is_flat(kind):
        for place in chunk_offsets(source):
            mask, data = source.id.read_direct_chunk(place)
            target.id.write_direct_chunk(place, data, mask)
        return
    for space, buffer in pieces(source, kind):
        memory = h5s.create_simple((space.get_select_npoints(),))
        place = (memory.id, space.id, _DEFAULT)
        done = _write_dataset(target.id.id, kind.id, *place, buffer)
        _checked(done, h5i.get_name(source.id))


def copy_attribute(attribute: h5a.AttrID, owner: h5py.HLObject, kind: h5t.TypeID) -> None:
    """Give an object a copy of an attribute, but no values where those are references.

    Parameters
    ----------
    kind
        Its type, in the object's file.

    Raises
    ------
    FormatError
        If it cannot be read, or written.
    """
    name, given, space = attribute.get_name(), attribute.get_type(), attribute.get_space()
    plist = _checked(_get_plist(attribute.id), name)
    try:
        made = _checked(_create(owner.id.id, name, kind.id, space.id, plist, _DEFAULT), name)
    finally:
        _close_plist(plist)
    try:
        if not has_references(given):
            with values(attribute) as found:
                if len(found):
                    _checked(_write(made, given.id, found), name)
    finally:
        _close_attribute(made)


def _checked(result: int, name: bytes) -> int:
    if result < 0:
        raise FormatError(f"HDF5 cannot read or write the values of {shown(name)}")
    return result
