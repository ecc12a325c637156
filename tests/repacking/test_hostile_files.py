"""`repack`: types, fill values and files that few programs make; stacks that were changed since."""

import ctypes

import h5py
import numpy as np
import pytest
from h5py import h5a, h5d, h5f, h5o, h5p, h5s, h5t
from test_repacker import drifting

import h5vidstack
from h5vidstack.repacking.repacker import repack
from h5vidstack.repacking.values import Memory, has_references

LIBRARY = ctypes.CDLL(h5py.defs.__file__)
INT, POINTER = ctypes.c_int64, ctypes.c_void_p
TEXT = h5py.string_dtype()


def call(name, *values):
    function = getattr(LIBRARY, name)
    function.argtypes = [POINTER if isinstance(one, (bytes, type(None))) else INT for one in values]
    assert function(*values) >= 0


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


def there_and_back():
    repack("in.h5", "out.h5")
    repack("out.h5", "plain.h5", restore=True)
    return "out.h5", "plain.h5"


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


def test_references_of_the_new_kind_are_told():
    with h5py.File("in.h5", "w", libver="latest") as file:
        data = file.create_dataset("d", data=drifting((20, 64, 64)))
        kind = INT.in_dll(LIBRARY, "H5T_STD_REF_g").value
        LIBRARY.H5Acreate2.restype = INT
        LIBRARY.H5Acreate2.argtypes = [INT, ctypes.c_char_p, INT, INT, INT, INT]
        space, refs = h5s.create_simple((1,)), ctypes.create_string_buffer(64)
        call("H5Rcreate_object", file.id.id, b"/d", 0, ctypes.addressof(refs))
        made = LIBRARY.H5Acreate2(data.id.id, b"refs", kind, space.id, 0, 0)
        call("H5Awrite", made, kind, ctypes.addressof(refs))
        call("H5Aclose", made)
    with pytest.raises(h5vidstack.UnsupportedError, match="H5T_STD_REF"):
        repack("in.h5", "out.h5")


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


def test_messages_that_a_file_shares_and_short_addresses():
    plist = h5p.create(h5p.FILE_CREATE)
    plist.set_sizes(4, 4)
    call("H5Pset_shared_mesg_nindexes", plist.id, 1)
    call("H5Pset_shared_mesg_index", plist.id, 0, 0x1F, 1)
    with h5py.File(h5f.create(b"in.h5", h5f.ACC_EXCL, plist)) as file:
        file.create_dataset("d", data=drifting((20, 64, 64)), fillvalue=3)
        file["strings"] = np.array(["a", "bc"], TEXT)
        file["named"] = np.dtype([("a", "i4"), ("s", TEXT)])
        for number in range(5):
            file.create_group(f"g{number}").attrs["same"] = "the same text"
            file.create_dataset(f"g{number}/d", (2,), file["named"])
            file[f"g{number}/d"].attrs["ref"] = file["d"].ref
    for name in there_and_back():
        with h5py.File(name) as file:
            assert file["strings"][...].tolist() == [b"a", b"bc"]
            for number in range(5):
                assert file[f"g{number}"].attrs["same"] == "the same text"
                assert file[file[f"g{number}/d"].attrs["ref"]] == file["d"]


def test_a_comment_of_the_root():
    with h5py.File("in.h5", "w") as file:
        h5o.set_comment(file["/"].id, b"all of it")
    repack("in.h5", "out.h5")
    with h5py.File("out.h5") as file:
        text, root = ctypes.create_string_buffer(20), file["/"]
        LIBRARY.H5Oget_comment.argtypes = [INT, POINTER, ctypes.c_size_t]
        LIBRARY.H5Oget_comment(root.id.id, text, 20)
        assert text.value == b"all of it"


def test_a_long_row_is_compared_piece_by_piece():
    with h5py.File("in.h5", "w") as file:
        file["row"] = np.arange(3_000_000, dtype="u4")[None]
        file["deep"] = np.array([["x"] * 40] * 70, TEXT)
    repack("in.h5", "out.h5")
    with h5py.File("out.h5") as file:
        assert np.array_equal(file["row"][0], np.arange(3_000_000))


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


@pytest.mark.parametrize(
    "path", ["h5vidstack", "h5vidstack/entry", "h5vidstack/entry/data", "h5vidstack/entry/data/x"]
)
@pytest.mark.parametrize("what", [1, h5py.SoftLink("/nowhere")])
def test_what_is_in_the_way_is_told(path, what):
    with h5py.File("in.h5", "w") as file:
        file["entry/data"] = drifting((20, 64, 64))
        file[path] = what
    with pytest.raises(h5vidstack.OutputError, match="something else at /h5vidstack"):
        repack("in.h5", "out.h5")


def test_what_users_have_beside_our_stacks_is_kept():
    with h5py.File("in.h5", "w") as file:
        file["h5vidstack/mine/d"] = drifting((20, 64, 64))
        file["h5vidstack/note"] = "mine"
        file["d"] = drifting((20, 64, 64))
    there_and_back()
    with h5py.File("plain.h5") as file:
        assert np.array_equal(file["h5vidstack/mine/d"], drifting((20, 64, 64)))
        assert list(file["h5vidstack"]) == ["mine", "note"]
    h5vidstack.pack(drifting((9, 20, 30)), "s.h5::/s")
    with h5py.File("s.h5", "r+") as file:
        file["s"].attrs["ref"] = file["s"].ref
        file["s/note"] = "mine"
    with pytest.raises(h5vidstack.OutputError, match="also holds note"):
        repack("s.h5", "plain.h5", restore=True, overwrite=True)
    with h5py.File("s.h5", "r+") as file:
        del file["s/note"]
    repack("s.h5", "again.h5", restore=True)
    with h5py.File("again.h5") as file:
        assert file[file["s"].attrs["ref"]] == file["s"]


def moved(file):
    file.move("e/d", "e/q")


def replaced(file):
    del file["e/d"]
    file["e/d"] = drifting((50, 40, 64))


def swapped(file):
    file.move("e/d", "t")
    file.move("e/v", "e/d")
    file.move("t", "e/v")


def removed(file):
    del file["e/d"]


@pytest.mark.parametrize("change", [moved, replaced, swapped, removed])
def test_a_file_that_was_changed_since(change):
    def pixels(name):
        found = {}
        with h5py.File(name) as file:
            for path, node in file["e"].items():
                found[path] = node[...]
        return found

    with h5py.File("in.h5", "w") as file:
        file["e/d"], file["e/v"] = drifting((40, 40, 64)), drifting((5, 8, 40, 64))
    repack("in.h5", "packed.h5")
    with h5py.File("packed.h5", "r+") as file:
        change(file)
    repack("packed.h5", "again.h5")
    repack("packed.h5", "plain.h5", restore=True)
    for name in ("again.h5", "plain.h5"):
        np.testing.assert_equal(pixels(name), pixels("packed.h5"))
    with h5py.File("plain.h5") as file:
        assert list(file) == ["e"]
    if change is replaced:
        with h5vidstack.open("again.h5::/e/d") as stack:
            assert stack.verify() == []


RECORDS = [
    "garbage", "[1]", '{"original": {"chunks": [0, 1], "filters": 7}}',
    '{"original": {"chunks": [999999999, 40, 64], "filters": []}}',
    '{"original": {"chunks": [1, 40, 1e400], "filters": []}}',
    '{"original": {"chunks": [1, 40, 64], "filters": [[1, [99999999999999]]]}}',
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS)
def test_a_damaged_record_of_chunks(record):
    with h5py.File("in.h5", "w") as file:
        file["d"] = drifting((20, 64, 64))
    repack("in.h5", "out.h5")
    with h5py.File("out.h5", "r+") as file:
        file["h5vidstack/d"].attrs["settings"] = np.bytes_(record)
    repack("out.h5", "plain.h5", restore=True)
    with h5py.File("plain.h5") as file:
        assert np.array_equal(file["d"], drifting((20, 64, 64)))


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
