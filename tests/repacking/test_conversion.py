import h5py
import numpy as np
import pytest
from low_level import there_and_back
from whole_files import drifting

import h5vidstack
from h5vidstack.repacking.repacker import repack


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
