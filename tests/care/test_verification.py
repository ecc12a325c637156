"""`verify` finds what is wrong and says where."""

import random
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.codecs import block
from h5vidstack.codecs.recipe import Recipe

FRAMES = moving((40, 20, 30))


@pytest.fixture(autouse=True)
def _packed():
    h5vidstack.pack(FRAMES, "x.h5", method="video")


def problems(against=None):
    return h5vidstack.verify("x.h5", against=against)


def change(work):
    with h5py.File("x.h5", "r+") as file:
        work(file["stack"])


def test_sound():
    assert problems() == []
    assert problems(FRAMES) == []
    assert problems(iter(FRAMES)) == []


def test_damaged_and_missing_block():
    def work(stack):
        stack["frames"].id.write_direct_chunk((16, 0, 0), b"garbage")

    change(work)
    (problem,) = problems(FRAMES)
    assert "frames 16-31" in problem


def test_a_sound_block_with_other_pixels():
    def work(stack):
        other = FRAMES[:16].copy()
        other[5, 3, 3] ^= 1
        other[7] = 0
        stack["frames"].id.write_direct_chunk((0, 0, 0), block.encode(other, Recipe()))

    change(work)
    assert problems() == ["frames 5, 7: CRC-32 is wrong"]
    assert problems(FRAMES)[1:] == ["frames 5, 7: pixels differ from the source"]


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
    assert "hard link" in " ".join(problems())
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


def test_random_damage_is_an_error_or_a_problem_never_another_exception():
    """Bytes flipped anywhere in the file: HDF5's own structures too."""
    h5vidstack.pack(FRAMES[:5, :8, :9], "x.h5", overwrite=True)
    data = Path("x.h5").read_bytes()
    chance = random.Random(0)
    for trial in range(400):
        damaged = bytearray(data)
        for _ in range(chance.randrange(1, 5)):
            damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if trial % 8 == 0:
            del damaged[chance.randrange(len(data)) :]
        Path("x.h5").write_bytes(damaged)
        result = CliRunner().invoke(main, ["verify", "x.h5"])
        assert result.exit_code in (0, 1)
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            f"trial {trial}: {result.exception!r}"
        )
        CliRunner().invoke(main, ["info", "x.h5"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("against", "words"),
    [
        (FRAMES[:39], "has 39 frames, the stack 40"),
        (np.concatenate([FRAMES, FRAMES]), "has 80 frames, the stack 40"),
        (FRAMES[:, :19], "frames of (19, 30)"),
        (FRAMES.astype(np.uint16), "uint16"),
        (FRAMES ^ (np.arange(40) == 33).astype(np.uint8)[:, None, None], "frame 33: pixels differ"),
    ],
)
def test_against(against, words):
    (problem,) = problems(against)
    assert words in problem


def test_progress():
    calls = []
    with h5vidstack.open("x.h5") as stack:
        stack.verify(progress=lambda step: calls.append((step.frames, step.total)))
    assert calls == [(16, 40), (32, 40), (40, 40)]


def test_tiled_damage_names_the_tile():
    h5vidstack.pack(FRAMES, "x.h5", tile=(10, 10), overwrite=True)
    change(lambda stack: stack["frames"].id.write_direct_chunk((32, 10, 20), b"x"))
    (problem,) = problems()
    assert "frames 32-39 at (10, 20)" in problem


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
