"""Values of any HDF5 type as they lie in memory: where in them references are, are two the same."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from h5py import h5t

SameReference = Callable[[h5t.TypeID, int, int], bool]
"""Whether two references, of a type and at two addresses in memory, mean the same."""


class Memory:
    """How values of a type lie in memory.

    Parameters
    ----------
    kind
        The type, as an open dataset or attribute gives it.

    Attributes
    ----------
    size
        Bytes of a value.
    flat
        Whether values are their bytes, and nothing elsewhere.
    """

    def __init__(self, kind: h5t.TypeID) -> None:
        self.size: int = kind.get_size()
        self.flat = is_flat(kind)
        self._parts = [] if self.flat else list(_parts(kind, 0))

    def same(self, one: int, other: int, count: int, same_reference: SameReference) -> bool:
        """Whether values at two addresses are the same; what is between fields does not count."""
        if self.flat:
            length = count * self.size
            return ctypes.string_at(one, length) == ctypes.string_at(other, length)
        return all(
            part.same(one + start, other + start, same_reference)
            for start in range(0, count * self.size, self.size)
            for part in self._parts
        )

    def references(self, values: int, count: int) -> Iterator[tuple[h5t.TypeID, int]]:
        """Type and address of each reference in values at an address."""
        for start in range(values, values + count * self.size, self.size):
            for part in self._parts:
                yield from part.references(start)


@dataclass(frozen=True)
class _Part:
    """A part of a value, of a type that is no compound and no array unless it is flat."""

    offset: int
    kind: h5t.TypeID
    inner: Memory | None
    """Of what it is a sequence, or of what it consists; None: a long string or a reference."""

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


def _parts(kind: h5t.TypeID, offset: int) -> Iterator[_Part]:
    if is_flat(kind):
        yield _Part(offset, kind, Memory(kind))
    elif isinstance(kind, h5t.TypeCompoundID):
        for number in range(kind.get_nmembers()):
            inside = offset + kind.get_member_offset(number)
            yield from _parts(kind.get_member_type(number), inside)
    elif isinstance(kind, h5t.TypeArrayID):
        item = kind.get_super()
        for number in range(math.prod(kind.get_array_dims())):
            yield from _parts(item, offset + number * item.get_size())
    elif isinstance(kind, h5t.TypeVlenID):
        yield _Part(offset, kind, Memory(kind.get_super()))
    else:
        yield _Part(offset, kind, None)


def _sequence(place: int) -> tuple[int, int]:
    """Length and address of the sequence that an ``hvl_t`` describes."""
    pointer = ctypes.c_void_p.from_address(place + ctypes.sizeof(ctypes.c_size_t))
    return ctypes.c_size_t.from_address(place).value, pointer.value or 0


def _text(place: int) -> bytes | None:
    pointer = ctypes.c_void_p.from_address(place).value
    return None if pointer is None else ctypes.string_at(pointer)


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
