import h5py
import numpy as np
from whole_files import drifting

from h5vidstack.repacking.repacker import repack


def test_references_to_what_is_gone_are_null():
    with h5py.File("in.h5", "w") as file:
        file["d"], file["gone"] = drifting((20, 64, 64)), 1
        file["refs"] = np.array([file["d"].ref, file["gone"].ref], dtype=h5py.ref_dtype)
        file.attrs.create("ref", file["gone"].ref, dtype=h5py.ref_dtype)
        del file["gone"]
    assert repack("in.h5", "out.h5").lost_references == 2
    with h5py.File("out.h5") as file:
        assert file[file["refs"][0]] == file["d"]
        assert not file["refs"][1]
