"""The values of HDF5 datasets and attributes, read, written and compared as they lie in memory.

h5py turns values into numpy arrays and back, and not all types come back as they were. So the
values of a whole file are copied through ctypes, by HDF5's own functions.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
from h5py import h5, h5a, h5d, h5i, h5o, h5p, h5s, h5t
from h5py._objects import phil

from ..errors import FormatError
from ..shapes import Shape
from .tree import shown

SameReference = Callable[[h5t.TypeID, int, int], bool]
"""Tells whether two references, given by their type and two addresses, mean the same object."""


class Memory:
    """How HDF5 lays out values of one type in memory.

    Parameters
    ----------
    kind
        The type, as an open dataset or attribute returns it.

    Attributes
    ----------
    size
        The bytes of one value.
    flat
        Whether a value is only its bytes, without pointers to other memory.
    """

    def __init__(self, kind: h5t.TypeID) -> None:
        self.size: int = kind.get_size()
        self.flat = is_flat(kind)
        self._fields = [] if self.flat else list(_fields(kind, 0))

    def same(self, one: int, other: int, count: int, same_reference: SameReference) -> bool:
        """Return whether values at two addresses are equal, whatever lies between their fields."""
        if self.flat:
            length = count * self.size
            return ctypes.string_at(one, length) == ctypes.string_at(other, length)
        return all(
            field.same(one + start, other + start, same_reference)
            for start in range(0, count * self.size, self.size)
            for field in self._fields
        )

    def references(self, values: int, count: int) -> Iterator[tuple[h5t.TypeID, int]]:
        """Yield the type and address of each reference in values at an address."""
        for start in range(values, values + count * self.size, self.size):
            for field in self._fields:
                yield from field.references(start)


@dataclass(frozen=True)
class _Field:
    """A part of a value: flat, or a sequence, a string of variable length or a reference."""

    offset: int
    kind: h5t.TypeID
    inner: Memory | None
    """The items of a sequence, or the flat value; None for a string or a reference."""

    def same(self, one: int, other: int, same_reference: SameReference) -> bool:
        one, other = one + self.offset, other + self.offset
        if isinstance(self.kind, h5t.TypeReferenceID):
            return same_reference(self.kind, one, other)
        if isinstance(self.kind, h5t.TypeStringID) and self.inner is None:
            return _text(one) == _text(other)
        if self.inner is None or not isinstance(self.kind, h5t.TypeVlenID):
            return self.inner is not None and self.inner.same(one, other, 1, same_reference)
        (count, these), (twin, those) = _sequence(one), _sequence(other)
        return count == twin and self.inner.same(these, those, count, same_reference)

    def references(self, value: int) -> Iterator[tuple[h5t.TypeID, int]]:
        if isinstance(self.kind, h5t.TypeReferenceID):
            yield self.kind, value + self.offset
        elif isinstance(self.kind, h5t.TypeVlenID) and self.inner is not None:
            count, values = _sequence(value + self.offset)
            yield from self.inner.references(values, count)


def _fields(kind: h5t.TypeID, offset: int) -> Iterator[_Field]:
    if is_flat(kind):
        yield _Field(offset, kind, Memory(kind))
    elif isinstance(kind, h5t.TypeCompoundID):
        for number in range(kind.get_nmembers()):
            inside = offset + kind.get_member_offset(number)
            yield from _fields(kind.get_member_type(number), inside)
    elif isinstance(kind, h5t.TypeArrayID):
        item = kind.get_super()
        for number in range(math.prod(kind.get_array_dims())):
            yield from _fields(item, offset + number * item.get_size())
    elif isinstance(kind, h5t.TypeVlenID):
        yield _Field(offset, kind, Memory(kind.get_super()))
    else:
        yield _Field(offset, kind, None)


def _sequence(place: int) -> tuple[int, int]:
    """Return the length and address of the sequence that an ``hvl_t`` describes."""
    pointer = ctypes.c_void_p.from_address(place + ctypes.sizeof(ctypes.c_size_t))
    return ctypes.c_size_t.from_address(place).value, pointer.value or 0


def _text(place: int) -> bytes | None:
    pointer = ctypes.c_void_p.from_address(place).value
    return None if pointer is None else ctypes.string_at(pointer)


def has_references(kind: h5t.TypeID) -> bool:
    """Return whether values of a type hold references, at any depth."""
    return bool(kind.detect_class(h5t.REFERENCE))


def is_flat(kind: h5t.TypeID) -> bool:
    """Return whether values of a type are only their bytes, without pointers to other memory."""
    if kind.detect_class(h5t.REFERENCE) or kind.detect_class(h5t.VLEN):
        return False
    # H5Tdetect_class does not tell strings of variable length from others.
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


Buffer = ctypes.Array[ctypes.c_char]
"""Values as HDF5 has them in memory, where those of variable length are pointers."""

Change = Callable[[Memory, Buffer], None]
"""Changes values in place."""

PIECE_BYTES = 4 << 20
"""The largest piece of values that is read at a time."""

hid_t = ctypes.c_int64
_BUFFER = ctypes.c_void_p
_DEFAULT = 0  # H5P_DEFAULT


def hdf5_function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Return a function of the HDF5 library that h5py lacks; each call holds h5py's lock."""
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


def steps_of(shape: Sequence[int], chunk: Sequence[int], most: int) -> Shape:
    """Return the lengths of the largest parts that are whole chunks and follow one another.

    Parameters
    ----------
    most
        About how many items a part may hold.
    """
    steps = list(map(min, chunk, shape))
    for axis in reversed(range(len(shape))):
        steps[axis] = min(shape[axis], steps[axis] * max(1, most // math.prod(steps)))
        if steps[axis] < shape[axis]:
            break
    return tuple(steps)


def parts(shape: Sequence[int], steps: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Cut a shape, which is at least 1 on all axes, into parts of these lengths."""
    starts = (range(0, edge, step) for edge, step in zip(shape, steps, strict=True))
    for corner in itertools.product(*starts):
        ends = map(min, shape, map(int.__add__, corner, steps))
        yield tuple(map(slice, corner, ends))


def slabs(dataset: h5py.Dataset, most: int) -> Iterator[h5s.SpaceID]:
    """Yield a dataset's space with one part of it selected, then the next part.

    Each part is whole chunks.

    Parameters
    ----------
    most
        About how many values a part may hold.
    """
    space = dataset.id.get_space()
    if space.get_simple_extent_type() == h5s.NULL or not space.get_simple_extent_npoints():
        return
    if not dataset.shape:
        yield space
        return
    chunk = dataset.chunks or (1,) * len(dataset.shape)
    for part in parts(dataset.shape, steps_of(dataset.shape, chunk, most)):
        corner = tuple(one.start for one in part)
        space.select_hyperslab(corner, tuple(one.stop - one.start for one in part))
        yield space


def attribute_names(owner: h5py.HLObject, but: Collection[str] = ()) -> list[bytes]:
    """Return the names of an object's attributes, except some, in the order that it keeps."""
    plist = owner.id.get_create_plist()
    tracked = plist.get_attr_creation_order() & h5p.CRT_ORDER_TRACKED
    found: list[bytes] = []
    h5a.iterate(owner.id, found.append, index_type=h5.INDEX_CRT_ORDER if tracked else h5.INDEX_NAME)
    return [name for name in found if shown(name) not in but]


def copy_comment(node: h5py.HLObject, copy: h5py.HLObject) -> None:
    """Give an object the comment of another object, if there is one."""
    length = _get_comment(node.id.id, None, 0)
    if length > 0:
        text = ctypes.create_string_buffer(length + 1)
        _get_comment(node.id.id, text, length + 1)
        h5o.set_comment(copy.id, text.value)


@contextlib.contextmanager
def attribute_values(attribute: h5a.AttrID) -> Iterator[Buffer]:
    """Give all values of an attribute; HDF5 frees their variable parts when the context ends.

    Raises
    ------
    FormatError
        If the values cannot be read.
    """
    space = attribute.get_space()
    with _filled(attribute.get_type(), space) as (buffer, kind):
        if len(buffer):
            _checked(_read(attribute.id, kind.id, buffer), attribute.get_name())
        yield buffer


@contextlib.contextmanager
def _filled(kind: h5t.TypeID, space: h5s.SpaceID) -> Iterator[tuple[Buffer, h5t.TypeID]]:
    """Give room for all that is selected in a space, and free what the values point to."""
    count = 0 if space.get_simple_extent_type() == h5s.NULL else space.get_select_npoints()
    buffer = ctypes.create_string_buffer(count * kind.get_size())
    try:
        yield buffer, kind
    finally:
        if count and not is_flat(kind):
            memory = h5s.create_simple((count,))
            _free(kind.id, memory.id, _DEFAULT, buffer)


def fill_value(dataset: h5py.Dataset) -> bytes:
    """Return the fill value of a dataset of flat values, or nothing if none was set.

    Raises
    ------
    FormatError
        If the fill value cannot be read.
    """
    plist, kind = dataset.id.get_create_plist(), dataset.id.get_type()
    if plist.fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED:
        return b""
    buffer = ctypes.create_string_buffer(kind.get_size())
    _checked(_get_fill_value(plist.id, kind.id, buffer), h5i.get_name(dataset.id))
    return bytes(buffer)


def set_no_fill_value(plist: h5p.PropDCID) -> None:
    """Declare that a dataset has no fill value."""
    _checked(_set_fill_value(plist.id, -1, None), b"fill value")


def pieces(dataset: h5py.Dataset, kind: h5t.TypeID) -> Iterator[tuple[h5s.SpaceID, Buffer]]:
    """Yield the values of a dataset in pieces, each with its place in the dataset.

    Each piece is freed before the next one is read.

    Raises
    ------
    FormatError
        If the values cannot be read.
    """
    most = PIECE_BYTES // kind.get_size()
    # Chunks that were not written are skipped, because HDF5 cannot read the strings of a fill
    # value in a file that is open only for reading.
    for space in slabs(dataset, most) if dataset.chunks is None else _written(dataset):
        memory = h5s.create_simple((space.get_select_npoints(),))
        with _filled(kind, space) as (buffer, _):
            place = (memory.id, space.id, _DEFAULT)
            done = _read_dataset(dataset.id.id, kind.id, *place, buffer)
            _checked(done, h5i.get_name(dataset.id))
            yield space, buffer


def _written(dataset: h5py.Dataset) -> Iterator[h5s.SpaceID]:
    """Yield a dataset's space with one written chunk selected, then the next one."""
    space = dataset.id.get_space()
    for corner in sorted(chunk_offsets(dataset)):
        ends = map(min, dataset.shape, map(int.__add__, corner, dataset.chunks))
        space.select_hyperslab(corner, tuple(map(int.__sub__, ends, corner)))
        yield space


def chunk_offsets(dataset: h5py.Dataset) -> list[tuple[int, ...]]:
    """Return where the written chunks of a dataset begin."""
    found: list[tuple[int, ...]] = []
    dataset.id.chunk_iter(lambda info: found.append(info.chunk_offset))
    return found


def copy_values(
    source: h5py.Dataset, target: h5py.Dataset, change: Change = lambda memory, values: None
) -> None:
    """Write all values of a dataset to another one of the same shape, type and chunks.

    Chunks of flat values are copied without decoding. Chunks that were never written stay so.

    Parameters
    ----------
    change
        Called with values before they are written, but not for chunks that are copied as they are.

    Raises
    ------
    FormatError
        If the values cannot be read or written.
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
    """Return a copy of a type for use in another file.

    A shared type names its place in its own file, and HDF5 would write that place.
    """
    return h5t.decode(kind.encode())


def own_space(space: h5s.SpaceID) -> h5s.SpaceID:
    """Return a copy of a dataspace for use in another file; see `own_type`."""
    return h5s.decode(space.encode())


def copy_attribute(attribute: h5a.AttrID, owner: h5py.HLObject, kind: h5t.TypeID) -> None:
    """Give an object a copy of an attribute; references are left for `write_attribute`.

    Parameters
    ----------
    kind
        The attribute's type in the object's file.

    Raises
    ------
    FormatError
        If the attribute cannot be read or written.
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
    """Give an attribute the values of another one, changed on the way.

    Raises
    ------
    FormatError
        If the values cannot be read or written.
    """
    kind = attribute.get_type()
    with attribute_values(attribute) as found:
        if len(found):
            change(Memory(kind), found)
            _checked(_write(copy.id, kind.id, found), attribute.get_name())


def _checked(result: int, name: bytes) -> int:
    if result < 0:
        raise FormatError(
            f"HDF5 cannot read or write the values of {shown(name)}; the file may be damaged"
        )
    return result
