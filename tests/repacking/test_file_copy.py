import ctypes

import h5py
import numpy as np
import pytest
from h5py import h5f, h5o, h5p, h5s
from low_level import INT, LIBRARY, POINTER, TEXT, call, there_and_back
from whole_files import drifting

import h5vidstack
from h5vidstack.repacking.repacker import repack


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
