"""References to objects and regions, from one file to another."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

import h5py
from h5py import h5i, h5o, h5r, h5s, h5t

from ..errors import UnsupportedError
from .memory import Memory
from .raw import Buffer, hdf5_function, hid_t

_dereference = hdf5_function("H5Rdereference2", hid_t, hid_t, hid_t, ctypes.c_int, ctypes.c_void_p)
_get_region = hdf5_function("H5Rget_region", hid_t, hid_t, ctypes.c_int, ctypes.c_void_p)
_create = hdf5_function(
    "H5Rcreate", ctypes.c_int, ctypes.c_void_p, hid_t, ctypes.c_char_p, ctypes.c_int, hid_t
)
_DEFAULT = 0  # H5P_DEFAULT


class References:
    """What references of a source file are in its copy.

    Parameters
    ----------
    paths
        Of each object of the source that has been copied: where it is, by its address.

    Attributes
    ----------
    lost
        How many pointed to what is not there any more; they are null in the copy.
    """

    def __init__(self, source: h5py.File, target: h5py.File, paths: Mapping[int, bytes]) -> None:
        self._source, self._target, self._paths = source, target, paths
        self.lost = 0

    def renew(self, memory: Memory, values: Buffer) -> None:
        """Change values of the source, as they are in memory, to those of the copy.

        Raises
        ------
        UnsupportedError
            If there are references of the kind that HDF5 1.12 brought.
        """
        count = len(values) // memory.size
        for kind, place in memory.references(ctypes.addressof(values), count):
            length, which = kind.get_size(), kind_of(kind)
            meant = pointed(self._source, kind, place)
            path = None if meant is None else self._paths.get(meant[0])
            if (meant is not None and path is None) or (meant is None and any(_bytes(kind, place))):
                self.lost += 1
            ctypes.memset(place, 0, length)
            if meant is not None and path is not None:
                space = -1 if meant[1] is None else meant[1].id
                if _create(place, self._target.id.id, path, which, space) < 0:
                    self.lost += 1


def kind_of(kind: h5t.TypeID) -> int:
    """Whether references of a type are to objects or to regions, as HDF5's number.

    Raises
    ------
    UnsupportedError
        If they are of the kind that HDF5 1.12 brought, which h5py cannot read either.
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
    """Address in its file, and region, of what a reference in memory means; None: nothing."""
    which = kind_of(kind)
    if not any(_bytes(kind, place)):
        return None
    found = _dereference(file.id.id, _DEFAULT, which, place)
    if found < 0:
        return None
    address: int = h5o.get_info(h5i.wrap_identifier(found)).addr
    if which != h5r.DATASET_REGION:
        return address, None
    region = _get_region(file.id.id, which, place)
    return None if region < 0 else (address, h5s.SpaceID(region))


def _bytes(kind: h5t.TypeID, place: int) -> bytes:
    return ctypes.string_at(place, kind.get_size())
