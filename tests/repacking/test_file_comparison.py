from pathlib import Path

import h5py
import numpy as np
import pytest
from whole_files import rich

import h5vidstack
from h5vidstack.hdf5.opening import open_hdf5
from h5vidstack.layout.output import like_hdf5_file
from h5vidstack.repacking.file_comparison import FileComparison
from h5vidstack.repacking.file_copy import FileCopy


def edited(name, row, field, value):
    def edit(file):
        rows = file[name][...]
        rows[field][row] = value(file)
        file[name][...] = rows

    return edit


CHANGES = {
    "a value": lambda file: file["scalar"].__setitem__((), 4.0),
    "a pixel": lambda file: file["entry/data/data"].__setitem__((3, 4, 5), 99),
    "a string": lambda file: file["strings"].__setitem__(0, "uno"),
    "a ragged value": lambda file: file["ragged"].__setitem__(2, [-2]),
    "a field": edited("table", 1, "name", lambda file: b"zz"),
    "an attribute": lambda file: file.attrs.__setitem__("default", "other"),
    "the type of an attribute": lambda file: file["entry/data/data"].attrs.__setitem__("typed", 0.0),
    "one attribute more": lambda file: file["entry"].attrs.__setitem__("more", 1),
    "one attribute less": lambda file: file["entry/data/data"].attrs.__delitem__("attribute 3"),
    "a name": lambda file: file.move("bits", "bites"),
    "one name more": lambda file: file.__setitem__("more", 1),
    "one name less": lambda file: file.__delitem__("complex"),
    "a link": lambda file: (file["entry"].__delitem__("external"),
                            file["entry"].__setitem__("external", h5py.ExternalLink("x", "/x"))),
    "a soft link": lambda file: (file["entry"].__delitem__("soft"),
                                 file["entry"].__setitem__("soft", h5py.SoftLink("/x"))),
    "a hard link to another": lambda file: (file["entry/a/b"].__delitem__("same"),
                                            file["entry/a/b"].__setitem__("same", file["bits"])),
    "a reference": edited("table", 0, "ref", lambda file: file["bits"].ref),
    "a reference in an attribute": lambda file: file["entry"].attrs.create(
        "refs", [file["bits"].ref, file["entry/data"].ref], dtype=h5py.ref_dtype),
    "a region": lambda file: file["regions"].__setitem__(0, file["entry/data/data"].regionref[3:6, ::2]),
    "a type": lambda file: (file.__delitem__("scalar"), file.__setitem__("scalar", np.float32(3.5))),
    "a shape": lambda file: file["empty"].resize((1, 50, 60)),
    "a mapping": lambda file: (file.__delitem__("virtual"), shifted(file)),
}  # fmt: skip


def shifted(file):
    layout = h5py.VirtualLayout((40, 40, 64), "u1")
    layout[1:] = h5py.VirtualSource(".", "entry/data/data", (40, 40, 64))[:-1]
    file.create_virtual_dataset("virtual", layout)


@pytest.mark.parametrize("what", CHANGES)
def test_the_proof_sees(what):
    rich()
    with open_hdf5("in.h5") as file:
        with like_hdf5_file(Path("out.h5"), file) as new:
            copy = FileCopy(file, new, lambda node, new: None)
            copy.run()
        with h5py.File("out.h5") as new:
            FileComparison(file, new, copy.paths, {}, (), ()).run()
        with h5py.File("out.h5", "r+") as new:
            CHANGES[what](new)
        with h5py.File("out.h5") as new, pytest.raises(h5vidstack.NotExactError):
            FileComparison(file, new, copy.paths, {}, (), ()).run()
