import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from damaging import FRAMES, chunks, damage

import h5vidstack
from h5vidstack.cli import main


def test_destroyed_structure():
    h5vidstack.pack(FRAMES, "bad.h5", method="video")
    damage(0, 600)
    found = h5vidstack.recover("bad.h5", "good.h5")
    assert (found.carved, found.lost) == (True, None)
    with h5vidstack.open("good.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES[:64])  # what is there once
        assert not stack.attrs["lossless"]  # nobody knows
    result = CliRunner().invoke(main, ["recover", "bad.h5", "more.h5"])
    assert (result.exit_code, "lost is not known" in result.output) == (1, True)
    assert "exactness unknown" in CliRunner().invoke(main, ["info", "good.h5"]).output


def test_a_stack_that_is_not_there():
    h5vidstack.pack(FRAMES, "bad.h5")
    with pytest.raises(h5vidstack.FormatError, match="no stack at /typo; stacks in it: /stack"):
        h5vidstack.recover("bad.h5::/typo", "good.h5")


def test_numbers_are_those_of_the_first_stack():
    h5vidstack.pack(FRAMES[:40], "bad.h5", method="hdf5")
    damage(chunks("groups/000000/video")[2][0])
    h5vidstack.recover("bad.h5", "good.h5")
    shutil.copy("good.h5", "bad.h5")
    damage(chunks("groups/000000/video")[10][0])  # frame 11
    h5vidstack.recover("bad.h5", "again.h5")
    h5vidstack.recover("again.h5", "third.h5")
    with h5py.File("third.h5") as file:
        np.testing.assert_array_equal(file["stack/original"][()], np.delete(np.arange(40), [2, 11]))
    with h5py.File("third.h5", "r+") as file:
        table = file["stack/original"].id
        table.write_direct_chunk((0,), table.read_direct_chunk((0,))[1][:-3])
    assert "original" in h5vidstack.verify("third.h5")[0]


def test_destroyed_attributes_leave_the_numbers():
    h5vidstack.pack(FRAMES, "bad.h5", method="groupvideo")
    start, _ = chunks("groups/000000/video")[0]
    with h5py.File("bad.h5", "r+") as file:
        del file["stack"].attrs["dtype"]
        file["stack"].attrs["dtype"] = np.bytes_("nonsense")
    damage(start + 30)
    found = h5vidstack.recover("bad.h5", "good.h5")
    assert found.carved
    kept = np.setdiff1d(np.arange(len(FRAMES)), found.lost)
    with h5vidstack.open("good.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES[kept])
    with h5py.File("good.h5") as file:
        np.testing.assert_array_equal(file["stack/original"][()], kept)


def test_an_old_half_full_block_is_not_found_twice():
    h5vidstack.pack(FRAMES[:20], "bad.h5", method="video", codec="ffv1")
    h5vidstack.pack(FRAMES[20:25], "bad.h5", mode="a")
    with open("bad.h5", "ab") as file, h5py.File("bad.h5") as source:
        h5vidstack.pack(FRAMES[16:20], "tail.h5", codec="ffv1")
        file.write(Path("tail.h5").read_bytes())
        del source
    damage(0, 600)
    found = h5vidstack.recover("bad.h5", "good.h5")
    assert (found.carved, found.saved) == (True, 25)
