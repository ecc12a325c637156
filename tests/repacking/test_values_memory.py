import numpy as np
from h5py import h5t

from h5vidstack.repacking.values import Memory, has_references


def test_sequences_in_memory():
    kind = h5t.vlen_create(h5t.STD_REF_OBJ)
    assert has_references(kind)
    inner = np.array([3, 4], "u8")
    one = np.array([2, inner.ctypes.data, 0, 0], "u8")
    memory = Memory(kind)
    found = [place for _, place in memory.references(one.ctypes.data, 2)]
    assert found == [inner.ctypes.data, inner.ctypes.data + 8]
    other = np.array([2, inner.copy().ctypes.data, 1, inner.ctypes.data], "u8")
    assert not memory.same(one.ctypes.data, other.ctypes.data, 2, lambda *_: True)
