"""Calls of HDF5's own library, for what h5py cannot write."""

import ctypes

import h5py

from h5vidstack.repacking.repacker import repack

LIBRARY = ctypes.CDLL(h5py.defs.__file__)
INT, POINTER = ctypes.c_int64, ctypes.c_void_p
TEXT = h5py.string_dtype()


def call(name, *values):
    function = getattr(LIBRARY, name)
    function.argtypes = [POINTER if isinstance(one, (bytes, type(None))) else INT for one in values]
    assert function(*values) >= 0


def there_and_back():
    repack("in.h5", "out.h5")
    repack("out.h5", "plain.h5", restore=True)
    return "out.h5", "plain.h5"
