"""Values of any type from one HDF5 object to another, through ctypes.

h5py turns them into numpy arrays and back, and not all types come back as they were.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Collection, Iterator
from typing import Any

import h5py
from h5py import h5, h5a, h5d, h5i, h5o, h5p, h5s, h5t
from h5py._objects import phil

from ..errors import FormatError
from .memory import Memory, has_references, is_flat
from .slabs import slabs
from .tree import shown

Buffer = ctypes.Array[ctypes.c_char]
"""Values as HDF5 has them in memory: those of variable length are pointers."""

Change = Callable[[Memory, Buffer], None]
"""Changes values where they lie."""

PIECE_BYTES = 4 << 20
"""Values that are read together."""

hid_t = ctypes.c_int64
_BUFFER = ctypes.c_void_p
_DEFAULT = 0  # H5P_DEFAULT


def hdf5_function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """A function of the HDF5 library that h5py has not; it holds h5py's lock."""
    function = getattr(_library, name)
    function.restype, function.argtypes = result, arguments

    def locked(*values: Any) -> Any:
        with phil:
            return function(*values)

    return locked


_library = ctypes.CDLL(h5py.defs.__file__)
_get_plist = hdf5_function("H5Aget_create_plist", hid_t, hid_t)
_create = hdf5_function("H5Acreate2", hid_t, hid_t, ctypes.c_char_p, hid_t, hid_t, hid_t, hid_t)
_read = hdf5_function("H5Aread", ctypes.c_int, hid_t, hid_t, _BUFFER)
_write = hdf5_function("H5Awrite", ctypes.c_int, hid_t, hid_t, _BUFFER)
_PLACE = (hid_t, hid_t, hid_t, hid_t, hid_t, _BUFFER)
_read_dataset = hdf5_function("H5Dread", ctypes.c_int, *_PLACE)
_write_dataset = hdf5_function("H5Dwrite", ctypes.c_int, *_PLACE)
_free = hdf5_function("H5Dvlen_reclaim", ctypes.c_int, hid_t, hid_t, hid_t, _BUFFER)
_get_comment = hdf5_function(
    "H5Oget_comment", ctypes.c_ssize_t, hid_t, ctypes.c_char_p, ctypes.c_size_t
)
_close_plist = hdf5_function("H5Pclose", ctypes.c_int, hid_t)
_get_fill_value = hdf5_function("H5Pget_fill_value", ctypes.c_int, hid_t, hid_t, _BUFFER)
_set_fill_value = hdf5_function("H5Pset_fill_value", ctypes.c_int, hid_t, hid_t, _BUFFER)


def attribute_names(owner: h5py.HLObject, but: Collection[str] = ()) -> list[bytes]:
    """The names of an object's attributes, but for some; in the order that it keeps, if any."""
    plist = owner.id.get_create_plist()
    tracked = plist.get_attr_creation_order() & h5p.CRT_ORDER_TRACKED
    found: list[bytes] = []
    h5a.iterate(owner.id, found.append, index_type=h5.INDEX_CRT_ORDER if tracked else h5.INDEX_NAME)
    return [name for name in found if shown(name) not in but]


def copy_comment(node: h5py.HLObject, copy: h5py.HLObject) -> None:
    """Give an object the comment of another, if that has one."""
    length = _get_comment(node.id.id, None, 0)
    if length > 0:
        text = ctypes.create_string_buffer(length + 1)
        _get_comment(node.id.id, text, length + 1)
        h5o.set_comment(copy.id, text.value)


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


def fill_value(dataset: h5py.Dataset) -> bytes:
    """What a dataset of flat values holds where nothing was written; empty if nobody said that.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    plist, kind = dataset.id.get_create_plist(), dataset.id.get_type()
    if plist.fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED:
        return b""
    buffer = ctypes.create_string_buffer(kind.get_size())
    _checked(_get_fill_value(plist.id, kind.id, buffer), h5i.get_name(dataset.id))
    return bytes(buffer)


def set_no_fill_value(plist: h5p.PropDCID) -> None:
    """Say that what was not written may be anything."""
    _checked(_set_fill_value(plist.id, -1, None), b"fill value")


def pieces(dataset: h5py.Dataset, kind: h5t.TypeID) -> Iterator[tuple[h5s.SpaceID, Buffer]]:
    """The values of a dataset, a piece at a time, and where in it each is.

    Each is freed before the next one.

    Raises
    ------
    FormatError
        If they cannot be read.
    """
    most = PIECE_BYTES // kind.get_size()
    # Of files open for reading HDF5 cannot read strings that only a fill value says.
    for space in slabs(dataset, most) if dataset.chunks is None else _written(dataset):
        memory = h5s.create_simple((space.get_select_npoints(),))
        with _filled(kind, space) as (buffer, _):
            place = (memory.id, space.id, _DEFAULT)
            done = _read_dataset(dataset.id.id, kind.id, *place, buffer)
            _checked(done, h5i.get_name(dataset.id))
            yield space, buffer


def _written(dataset: h5py.Dataset) -> Iterator[h5s.SpaceID]:
    """A dataset's space with one chunk selected that was written, then the next."""
    space = dataset.id.get_space()
    for corner in sorted(chunk_offsets(dataset)):
        ends = map(min, dataset.shape, map(int.__add__, corner, dataset.chunks))
        space.select_hyperslab(corner, tuple(map(int.__sub__, ends, corner)))
        yield space


def chunk_offsets(dataset: h5py.Dataset) -> list[tuple[int, ...]]:
    """Where the chunks of a dataset begin that were written."""
    found: list[tuple[int, ...]] = []
    dataset.id.chunk_iter(lambda info: found.append(info.chunk_offset))
    return found


def copy_values(
    source: h5py.Dataset, target: h5py.Dataset, change: Change = lambda memory, values: None
) -> None:
    """Write all values of a dataset to another of its shape, type and chunks.

    Chunks of flat values are not decoded; what was never written is not.

    Parameters
    ----------
    change
        Called with values before they are written; not with chunks that are copied.

    Raises
    ------
    FormatError
        If they cannot be read, or written.
    """
    kind = source.id.get_type()
    if not source.id.get_storage_size():
        return
    memory = Memory(kind)
    if source.chunks is not None and memory.flat:
        for place in chunk_offsets(source):
            mask, data = source.id.read_direct_chunk(place)
            target.id.write_direct_chunk(place, data, mask)
        return
    for space, buffer in pieces(source, kind):
        change(memory, buffer)
        room = h5s.create_simple((space.get_select_npoints(),))
        place = (room.id, space.id, _DEFAULT)
        done = _write_dataset(target.id.id, kind.id, *place, buffer)
        _checked(done, h5i.get_name(source.id))


def own_type(kind: h5t.TypeID) -> h5t.TypeID:
    """A type for another file: HDF5 would write where the first one keeps it, if that shares it."""
    return h5t.decode(kind.encode())


def own_space(space: h5s.SpaceID) -> h5s.SpaceID:
    """A space for another file; see `own_type`."""
    return h5s.decode(space.encode())


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
    name = attribute.get_name()
    space = own_space(attribute.get_space())
    plist = _checked(_get_plist(attribute.id), name)
    try:
        made = _checked(_create(owner.id.id, name, kind.id, space.id, plist, _DEFAULT), name)
    finally:
        _close_plist(plist)
    copy = h5i.wrap_identifier(made)
    if not has_references(attribute.get_type()):
        write_attribute(attribute, copy)


def write_attribute(
    attribute: h5a.AttrID, copy: h5a.AttrID, change: Change = lambda memory, values: None
) -> None:
    """Give an attribute the values of another, changed on the way.

    Raises
    ------
    FormatError
        If they cannot be read, or written.
    """
    kind = attribute.get_type()
    with values(attribute) as found:
        if len(found):
            change(Memory(kind), found)
            _checked(_write(copy.id, kind.id, found), attribute.get_name())


def _checked(result: int, name: bytes) -> int:
    if result < 0:
        raise FormatError(f"HDF5 cannot read or write the values of {shown(name)}")
    return result
