"""`frames` shows the frames of its own stack, wherever that is moved or copied, or none."""

import shutil

import h5py
import numpy as np
import pytest
from frames import SHUFFLE, SWEEP

import h5vidstack
from h5vidstack.layout.names import aliases

MONDAY = SWEEP[SHUFFLE]
TUESDAY = 255 - MONDAY[::-1]


def pack(frames, path):
    h5vidstack.pack(frames, path, method="groupvideo")


def shown(path, stack):
    """What HDF5 shows of a stack: all frames, or None if that is an error, or no frames."""
    with h5py.File(path) as file:
        try:
            frames = file[stack]["frames"][...]
        except (OSError, RuntimeError):  # HDF5 2.0 says that the source is not there
            return None
    return frames if len(frames) else None  # older ones have a length of 0


def moved(path, old, new):
    with h5py.File(path, "r+") as file:
        file.move(old, new)


@pytest.fixture(autouse=True)
def _packed():
    pack(MONDAY, "x.h5")


def test_a_stack_that_was_moved_shows_nothing_until_it_is_mapped_anew():
    moved("x.h5", "stack", "monday")
    pack(TUESDAY, "x.h5::/stack")
    assert shown("x.h5", "monday") is None
    (problem,) = h5vidstack.verify("x.h5::/monday")
    assert "h5vidstack remap" in problem
    assert "at /monday" in problem
    np.testing.assert_array_equal(h5vidstack.open("x.h5", "/monday")[:], MONDAY)
    assert h5vidstack.remap("x.h5::/monday")
    for name, frames in {"monday": MONDAY, "stack": TUESDAY}.items():
        np.testing.assert_array_equal(shown("x.h5", name), frames)
        assert h5vidstack.verify(f"x.h5::/{name}") == []


def test_a_stack_that_was_moved_and_moved_back():
    moved("x.h5", "stack", "monday")
    with h5py.File("x.h5", "r+") as file, pytest.raises((RuntimeError, IndexError)):
        file["monday/frames"][3]
    moved("x.h5", "monday", "stack")
    np.testing.assert_array_equal(shown("x.h5", "stack"), MONDAY)
    assert h5vidstack.verify("x.h5") == []


def test_stacks_of_two_files_in_one():
    pack(TUESDAY, "y.h5")
    with h5py.File("all.h5", "w") as out, h5py.File("x.h5") as x, h5py.File("y.h5") as y:
        y.copy("stack", out, name="stack")
        x.copy("stack", out, name="monday")
    np.testing.assert_array_equal(shown("all.h5", "stack"), TUESDAY)
    assert shown("all.h5", "monday") is None
    assert h5vidstack.verify("all.h5::/stack") == []
    h5vidstack.remap("all.h5::/monday")
    np.testing.assert_array_equal(shown("all.h5", "monday"), MONDAY)


def test_a_copy_beside_the_original_shows_it_as_long_as_it_is_the_same():
    with h5py.File("x.h5", "r+") as file:
        file.copy("stack", "copy")
    np.testing.assert_array_equal(shown("x.h5", "copy"), MONDAY)
    assert "remap" in h5vidstack.verify("x.h5::/copy")[0]
    h5vidstack.pack(TUESDAY, "x.h5::/stack", mode="a")
    assert shown("x.h5", "copy") is None
    np.testing.assert_array_equal(shown("x.h5", "stack"), [*MONDAY, *TUESDAY])
    h5vidstack.pack(TUESDAY, "x.h5::/stack", method="groupvideo", overwrite=True)
    assert shown("x.h5", "copy") is None


def test_every_change_of_a_stack_gives_it_another_name():
    def name():
        with h5py.File("x.h5") as file:
            (found,) = aliases(file["stack"])
            return found

    names = [name()]
    h5vidstack.pack(TUESDAY, "x.h5::/stack", mode="a")
    names.append(name())
    h5vidstack.remap("x.h5")
    names.append(name())
    assert len(set(names)) == 3


def test_the_missing_source_of_an_older_hdf5_and_of_this_one():
    """A group that has the name, but not the dataset: also HDF5 2.0 says 0 frames then."""
    with h5py.File("x.h5", "r+") as file:
        file.move("stack", "monday")
        (name,) = aliases(file["monday"])
        file.create_group(f"stack/{name}")
        assert file["monday/frames"].shape == (0, *MONDAY.shape[1:])
    with pytest.raises(h5vidstack.SourceError, match="not there"):
        h5vidstack.pack("x.h5::/monday/frames", "y.h5")


def test_other_programs_of_ours_say_what_is_missing():
    moved("x.h5", "stack", "monday")
    with pytest.raises(h5vidstack.SourceError, match="pixels are not there.*ordered"):
        h5vidstack.pack("x.h5::/monday/frames", "y.h5")
    with h5py.File("x.h5") as file, pytest.raises(h5vidstack.SourceError, match="not there"):
        h5vidstack.pack(file["monday/frames"], "y.h5")
    with pytest.raises(h5vidstack.SourceError, match="/monday"):
        h5vidstack.pack("x.h5::/nothing", "y.h5")
    h5vidstack.repack("x.h5", "r.h5")
    np.testing.assert_array_equal(h5vidstack.open("r.h5", "/monday")[:], MONDAY)
    h5vidstack.repack("x.h5", "plain.h5", restore=True)
    np.testing.assert_array_equal(shown("plain.h5", "monday"), MONDAY)


def test_damage_to_either_virtual_dataset_is_found():
    with h5py.File("x.h5", "r+") as file:
        file["stack"].attrs["frames_crc32"] = np.uint32(7)
    assert h5vidstack.verify("x.h5") == ["frames is damaged: the CRC-32 of its mappings is wrong"]
    h5vidstack.remap("x.h5")
    assert h5vidstack.verify("x.h5") == []
    with h5py.File("x.h5", "r+") as file:
        file["stack/groups"].pop("ordered")
    assert "neither" in h5vidstack.verify("x.h5")[0]


def test_an_alias_that_leads_elsewhere():
    shutil.copy("x.h5", "y.h5")
    with h5py.File("x.h5", "r+") as file, h5py.File("y.h5") as other:
        stack = file["stack"]
        (name,) = aliases(stack)
        other.copy("stack/groups", stack, name="others")
        del stack[name]
        stack[name] = h5py.SoftLink("others")
    assert "neither" in h5vidstack.verify("x.h5")[0]


def test_a_copy_by_a_program_that_knows_no_virtual_datasets():
    """As PyTables copies it: pixels instead, headers of the oldest form, and no soft links."""
    with h5py.File("x.h5") as file, h5py.File("y.h5", "w", libver="earliest") as copy:

        def put(name, node):
            if isinstance(node, h5py.Group):
                made = copy.require_group(f"stack/{name}")
            else:
                chunks = node.shape if "video" in name else None
                made = copy.create_dataset(f"stack/{name}", data=node[()], chunks=chunks)
            made.attrs.update(node.attrs)

        put("", file["stack"])
        file["stack"].visititems(put)
    np.testing.assert_array_equal(h5vidstack.open("y.h5")[:], MONDAY)
    assert h5vidstack.verify("y.h5") == []
    with h5py.File("y.h5", "r+") as file:
        pixels = file["stack/frames"][5]
        file["stack/frames"][5] = pixels ^ 1
    assert h5vidstack.verify("y.h5") == [
        f"frames is wrong at 1 of {len(MONDAY)} frames, first at 5"
    ]
    assert h5vidstack.remap("y.h5")
    np.testing.assert_array_equal(shown("y.h5", "stack"), MONDAY)
