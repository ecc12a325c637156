import ctypes

import h5py
import numpy as np
from h5py import h5a, h5d, h5o, h5p, h5s, h5t
from low_level import INT, LIBRARY, POINTER, TEXT, call, there_and_back
from whole_files import drifting

from h5vidstack.repacking.repacker import repack


def of_type(file, name, kind, shape, data=None, plist=None):
    made = h5d.create(file.id, name.encode(), kind, h5s.create_simple(shape), plist)
    if data is not None:
        call("H5Dwrite", made.id, kind.id, 0, 0, 0, data)
    return h5py.Dataset(made)


def raw_bytes(dataset):
    kind = dataset.id.get_type()
    buffer = ctypes.create_string_buffer(kind.get_size() * dataset.size)
    LIBRARY.H5Dread.argtypes = [INT, INT, INT, INT, INT, POINTER]
    assert LIBRARY.H5Dread(dataset.id.id, kind.id, 0, 0, 0, buffer) >= 0
    return bytes(buffer)


def test_types_that_numpy_has_not():
    with h5py.File("in.h5", "w") as file:
        file["d"] = drifting((20, 64, 64))
        of_type(file, "time", h5t.UNIX_D32LE.copy(), (4, 20, 30), bytes(range(240)) * 40)
        of_type(file, "bits", h5t.STD_B64BE, (3,), bytes(range(24)))
        short = h5t.STD_I32LE.copy()
        short.set_size(3)
        of_type(file, "24 bits", short, (10, 60, 70), bytes(range(250)) * 504)
        twelve = h5t.STD_U16LE.copy()
        twelve.set_precision(12)
        of_type(file, "12 bits", twelve, (10, 60, 70), b"\1\2" * 42000)
        h5a.create(file["d"].id, b"time", h5t.UNIX_D32LE.copy(), h5s.create_simple((2,)))
        both = h5t.create(h5t.COMPOUND, 16)
        both.insert(b"when", 0, h5t.UNIX_D64LE)
        both.insert(b"what", 8, h5t.STD_REF_OBJ)
        address = h5o.get_info(file["d"].id).addr
        of_type(file, "both", both, (1,), np.array([5, address], "u8").tobytes())
    for name in there_and_back():
        with h5py.File("in.h5") as one, h5py.File(name) as other:
            for path in ("time", "bits", "24 bits", "12 bits"):
                assert raw_bytes(one[path]) == raw_bytes(other[path])
                assert one[path].id.get_type().equal(other[path].id.get_type())
            when, what = np.frombuffer(raw_bytes(other["both"]), "u8")
            assert (when, what) == (5, h5o.get_info(other["d"].id).addr)


def test_arrays_of_references_and_of_strings():
    with h5py.File("in.h5", "w") as file:
        file["d"] = drifting((20, 64, 64))
        kind = h5t.array_create(h5t.STD_REF_OBJ, (2,))
        refs = np.full(6, h5o.get_info(file["d"].id).addr, "u8").tobytes()
        of_type(file, "refs", kind, (3,), refs)
        made = h5a.create(file["d"].id, b"refs", kind, h5s.create_simple((3,)))
        call("H5Awrite", made.id, kind.id, refs)
        pairs = np.dtype((TEXT, (2,)))
        table = np.dtype([("ragged", h5py.vlen_dtype("i4")), ("pair", pairs)])
        file.create_dataset("table", (4,), table)
        file.create_dataset("pairs", (3,), pairs)[...] = np.array([["a", "b"]] * 3, object)
    for name in there_and_back():
        with h5py.File(name) as file:
            where = h5o.get_info(file["d"].id).addr
            assert set(np.frombuffer(raw_bytes(file["refs"]), "u8")) == {where}
            assert file["pairs"][...].tolist() == [[b"a", b"b"]] * 3


def test_fill_values():
    with h5py.File("in.h5", "w") as file:
        options = {"chunks": (1, 40, 64), "maxshape": (None, 40, 64)}
        file.create_dataset("d", data=drifting((40, 40, 64)), fillvalue=9, **options)
        file.create_dataset("strings", (5,), TEXT, fillvalue="none", chunks=(2,))[0] = "x"
        file.create_dataset("no strings", (5,), TEXT, fillvalue="none")
        plist = h5p.create(h5p.DATASET_CREATE)
        plist.set_chunk((1, 40, 64))
        call("H5Pset_fill_value", plist.id, -1, None)
        frames = drifting((40, 40, 64))
        of_type(file, "undefined", h5t.STD_U8LE, frames.shape, frames.tobytes(), plist)
    for name in there_and_back():
        with h5py.File(name, "r+") as file:
            assert file["strings"][...].tolist() == [b"x", *[b"none"] * 4]
            assert file["no strings"][...].tolist() == [b"none"] * 5
            found = file["undefined"].id.get_create_plist().fill_value_defined()
            assert found == h5d.FILL_VALUE_UNDEFINED
            assert file["d"].fillvalue == 9


def test_a_long_row_is_compared_piece_by_piece():
    with h5py.File("in.h5", "w") as file:
        file["row"] = np.arange(3_000_000, dtype="u4")[None]
        file["deep"] = np.array([["x"] * 40] * 70, TEXT)
    repack("in.h5", "out.h5")
    with h5py.File("out.h5") as file:
        assert np.array_equal(file["row"][0], np.arange(3_000_000))


def test_attributes_of_a_type_that_lost_its_name():
    with h5py.File("in.h5", "w") as file:
        file["gone"] = np.dtype("u4")
        file["gone"].attrs["what"] = "mine"
        file.create_dataset("d", (3,), file["gone"])
        del file["gone"]
    for name in there_and_back():
        with h5py.File(name) as file:
            assert h5py.Datatype(file["d"].id.get_type()).attrs["what"] == "mine"
            assert list(file) == ["d"]
