import h5py
import numpy as np
import pytest
from frames import SHUFFLE, SWEEP

import h5vidstack
from h5vidstack.hdf5.failures import DamageError
from h5vidstack.layout.pile_table import MOST_OPEN, OpenedOnUse, PileFacts, read_piles, tabulate
from h5vidstack.layout.writer import write_table

FACTS = [
    PileFacts(7, (4, 8, 9), 120, 3, "lpc-fast"),
    PileFacts(0, (16, 8, 9), 0, 0, None),
    PileFacts(1, (1, 4, 9), 5, 11, "lpc-fast"),
]


@pytest.fixture
def packed():
    """A stack of several piles."""
    frames = SWEEP[SHUFFLE]
    h5vidstack.pack(frames, "x.h5", method="groupvideo", chunk_frames=5)
    for part in (frames // 2, frames // 3):
        h5vidstack.pack(part, "x.h5", mode="a", method="groupvideo", chunk_frames=5)
    with h5vidstack.open("x.h5") as stack:
        assert len(stack.groups) > 2
    return np.concatenate([frames, frames // 2, frames // 3])


def rewrite(change):
    """Change the table of piles, and give it a right CRC-32."""
    with h5py.File("x.h5", "r+") as file:
        rows = file["stack/index/piles"][()]
        change(rows)
        write_table(file["stack"], "index/piles", rows)


def test_what_is_written_is_read():
    rows, codings = tabulate(FACTS)
    with h5py.File("t.h5", "w", libver="v110") as file:
        write_table(file, "index/piles", rows.astype(np.uint64))
        write_table(file, "index/codings", np.frombuffer(codings, np.uint8))
        table = read_piles(file, 3)
        assert read_piles(file.create_group("other"), 3) is None
        with pytest.raises(DamageError, match=r"\(3, 7\)"):
            read_piles(file, 2)
    assert table is not None
    assert [table[number] for number in range(len(table))] == FACTS
    assert table.lengths.tolist() == [7, 0, 1]
    assert table.stored_bytes == 125


@pytest.mark.parametrize("codings", [b"no JSON", b"[1]", b"[]", b"7", b"\xff"])
def test_codings_that_are_none(codings):
    with h5py.File("t.h5", "w", libver="v110") as file:
        write_table(file, "index/piles", tabulate(FACTS)[0].astype(np.uint64))
        write_table(file, "index/codings", np.frombuffer(codings, np.uint8))
        with pytest.raises(DamageError, match="codings"):
            read_piles(file, 3)


def test_each_is_opened_once_until_there_are_too_many():
    opened = []
    things = OpenedOnUse(MOST_OPEN + 2, lambda number: opened.append(number) or str(number))
    assert [things[3], things[3], things[-1], *things[1:3]] == [
        "3",
        "3",
        str(MOST_OPEN + 1),
        "1",
        "2",
    ]
    assert opened == [3, MOST_OPEN + 1, 1, 2]
    assert list(things) == list(map(str, range(MOST_OPEN + 2)))
    assert len(opened) > MOST_OPEN
    with pytest.raises(IndexError):
        things[MOST_OPEN + 2]


def test_piles_are_opened_when_they_are_read(packed):
    with h5vidstack.open("x.h5") as stack:
        pile = int(stack.live().file.places[0][5])
        with h5py.File("x.h5") as file:
            names = sorted(name for name in file["stack/groups"] if name != "ordered")
            facts = [file["stack/groups"][name].attrs["typical"] for name in names]
        assert [group.typical for group in stack.groups] == facts
        np.testing.assert_array_equal(stack[5], packed[5])
        assert pile in stack.live().file.piles._open  # private: nothing else shows what is open
        assert stack.verify() == []


def test_a_damaged_table_is_not_needed(packed):
    with h5py.File("x.h5", "r+") as file:
        file["stack/index/piles"].attrs["crc32"] ^= np.uint32(1)
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], packed)
        assert stack.verify() == ["index/piles is damaged: its CRC-32 is wrong"]
    with h5py.File("x.h5", "r+") as file:
        del file["stack/index/piles"]
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], packed)
        assert stack.verify() == []


def test_a_table_of_other_piles(packed):
    rewrite(lambda rows: np.add(rows[0, 1], 1, out=rows[0, 1:2]))
    with h5vidstack.open("x.h5") as stack:  # as if another program had chosen other chunks
        np.testing.assert_array_equal(stack[:], packed)
        assert stack.verify() == ["index/piles is wrong, first at pile 0"]


def test_a_row_that_is_wrong(packed):
    rewrite(lambda rows: np.add(rows[1, 1], 1, out=rows[1, 1:2]))
    with h5vidstack.open("x.h5") as stack:
        with pytest.raises(h5vidstack.FormatError, match="is not what index/piles says"):
            stack[:]
        assert any("index/piles" in problem for problem in stack.verify())


def test_a_wrong_typical_frame_is_found(packed):
    rewrite(lambda rows: np.add(rows[1, 5], 1, out=rows[1, 5:6]))
    assert any("index/piles is wrong" in problem for problem in h5vidstack.verify("x.h5"))


def test_appending_writes_it_anew(packed):
    h5vidstack.pack(SWEEP[::-1] // 2, "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], np.concatenate([packed, SWEEP[::-1] // 2]))
        assert stack.verify() == []
        with h5py.File("x.h5") as file:
            assert len(file["stack/index/piles"]) == len(stack.groups)
