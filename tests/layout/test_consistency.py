import h5py
import numpy as np
import pytest
from frames import SHUFFLE, SWEEP, moving, noise
from packing import change, problems

import h5vidstack

FRAMES = moving((40, 20, 30))


@pytest.fixture(autouse=True)
def _packed():
    h5vidstack.pack(FRAMES, "x.h5", method="video")


TABLES = {
    "index/crc32": "frame 3: CRC-32 is wrong",
    "index/group": "index/group is wrong at 1 of 40",
    "index/position": "index/position is wrong",
    "groups/000000/members": "members is wrong",
}


@pytest.mark.parametrize("name", [*TABLES, "hashes/phash", "hashes/ahash", "hashes/dhash"])
def test_every_table_is_checked(name):
    def damage(stack):
        values = stack[name][()]
        values[3] ^= 1
        stack[name][...] = values

    change(damage)
    assert problems()[0] == f"{name} is damaged: its CRC-32 is wrong"

    def without_crc(stack):
        del stack[name].attrs["crc32"]

    change(without_crc)
    if name in TABLES:
        assert TABLES[name] in problems()[0]

    def remove(stack):
        del stack[name]

    change(remove)
    assert f"{name} is missing" in problems()

    def shorten(stack):
        stack[name] = np.zeros(3, np.uint32)

    change(shorten)
    assert f"{name} has shape (3,) uint32, not (40,) unsigned" in problems()


def test_a_video_that_was_extended():
    def work(stack):
        stack["groups/000000/video"].resize(41, axis=0)
        stack.attrs["leading_shape"] = (4, 10)

    change(work)
    found = " ".join(problems())
    assert "the video has shape (41, 20, 30), the attribute (40, 20, 30)" in found
    assert "leading_shape (4, 10) is not 41" in found
    with h5vidstack.open("x.h5") as stack:
        assert stack.leading_shape == (41,)


def test_frames_that_is_no_link():
    def work(stack):
        del stack["frames"]
        stack["frames"] = FRAMES

    change(work)
    assert problems() == []  # as programs copy a stack that know no hard links

    def damage(stack):
        stack["frames"][3] ^= 1

    change(damage)
    assert problems() == ["frames is wrong at 1 of 40 frames, first at 3"]

    def shorten(stack):
        del stack["frames"]
        stack["frames"] = FRAMES[:7]

    change(shorten)
    assert problems() == ["frames has shape (7, 20, 30), not (40, 20, 30)"]
    change(lambda stack: stack.pop("frames"))
    assert "frames is missing" in problems()
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES)


def test_frames_that_is_a_group_and_typical_of_another_kind():
    def work(stack):
        del stack["frames"]
        stack.create_group("frames")

    change(work)
    assert "frames is neither a hard link to the only video nor a map of the videos" in problems()
    for typical, words in ((40, "typical is 40, which is not in the pile"), ("x", "damaged")):
        change(lambda stack, typical=typical: stack["groups/000000"].attrs.update(typical=typical))
        assert words in " ".join(problems())


def test_tables_that_are_no_tables():
    def work(stack):
        del stack["index"], stack["frames"]
        stack["index/crc32/group"] = 1

    change(work)
    found = problems()
    assert "index/crc32 is missing" in found
    assert "index/group is missing" in found


def test_a_damaged_group_of_hashes():
    """Found by flipping bytes: its name is there, but it cannot be opened."""
    with h5py.File("x.h5") as file:
        address = h5py.h5o.get_info(file["stack/hashes"].id).addr
    with open("x.h5", "r+b") as file:
        file.seek(address + 4)  # the version of its header
        file.write(b"\xff")
    assert any("hashes/phash" in problem for problem in problems())
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES)
        with pytest.raises(h5vidstack.FormatError, match="h5vidstack rehash"):
            stack.hashes()


@pytest.mark.parametrize("dtype", ["m8[s/0]", "(,)i4", "O", "<u9", "u1,u1"])
def test_a_hostile_dtype(dtype):
    """Of these numpy.dtype divides by zero, or raises SyntaxError."""
    change(lambda stack: stack.attrs.__setitem__("dtype", np.bytes_(dtype)))
    with pytest.raises(h5vidstack.FormatError, match="damaged: no pixels are of dtype"):
        h5vidstack.open("x.h5")


def test_settings_that_are_too_deep():
    change(lambda stack: stack.attrs.__setitem__("settings", np.bytes_("[" * 50_000)))
    with h5vidstack.open("x.h5") as stack:
        assert stack.attrs["settings"] == {}
        np.testing.assert_array_equal(stack[:], FRAMES)


def test_damaged_index_of_a_reordered_stack():
    h5vidstack.pack(SWEEP[SHUFFLE], "y.h5", method="groupvideo")

    def change(name, values):
        with h5py.File("y.h5", "r+") as file:
            table = file["stack"][name]
            before = table[()]
            table[...] = values(before.copy())
            table.attrs.pop("crc32", None)
        return before

    def swap(values):
        values[[3, 4]] = values[[4, 3]]
        return values

    def far(values):
        values[5] = 10_000
        return values

    for name, values, words in [
        ("index/position", swap, "members is wrong at 2 of 90"),
        ("index/position", far, "frame 5 is in no pile"),
        ("index/group", far, "frame 5 is in no pile"),
        ("groups/000000/members", swap, "members is wrong at 2 of 90"),
    ]:
        before = change(name, values)
        assert words in " ".join(h5vidstack.verify("y.h5")), name
        if values is far:
            with (
                h5vidstack.open("y.h5") as stack,
                pytest.raises(h5vidstack.FormatError, match="frame 5"),
            ):
                stack[5]
        change(name, lambda values, before=before: before)
    assert h5vidstack.verify("y.h5") == []
    with h5py.File("y.h5", "r+") as file:
        file["stack/groups"].move("000000", "000007")
    with pytest.raises(h5vidstack.FormatError, match="damaged"):
        h5vidstack.open("y.h5")


def test_a_frame_that_shares_a_place_it_should_not():
    frames = noise((20, 8, 9))
    frames[10] = frames[4]
    h5vidstack.pack(frames, "y.h5", method="video")
    with h5py.File("y.h5", "r+") as file:
        table = file["stack/index/position"]
        table[10] = 5
        del table.attrs["crc32"]
    found = " ".join(h5vidstack.verify("y.h5"))
    assert "the index is wrong at 1 of 20 frames, first at 10" in found
    assert "frames is wrong at 1 of 20" in found
