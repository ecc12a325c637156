import zlib

import h5py
import numpy as np
import pytest
from frames import moving, noise

import h5vidstack
from h5vidstack.codecs import block
from h5vidstack.codecs.loss import NO_LOSS
from h5vidstack.codecs.recipe import Recipe
from h5vidstack.codecs.registry import Coding
from h5vidstack.hdf5.filter import Video
from h5vidstack.layout.names import write_text
from h5vidstack.layout.writer import Order, Record, StackWriter, write_table
from h5vidstack.similar.fingerprints import fingerprint

FRAMES = np.concatenate([moving((5, 9, 11)), noise((3, 9, 11))])
ORDER = np.array([0, 5, 1, 6, 2, 7, 3, 4])
"""Frames 5 to 7 lie in a pile of their own."""


def write(group, piles, order):
    writer = StackWriter(group, (9, 11), np.dtype("u1"), (4, 9, 11))
    coding, size = Recipe(Coding("raw")), 0
    for frames in piles:
        pile = writer.add_pile("raw", Video("raw"))
        for start in range(0, len(frames), 4):
            data = block.encode(frames[start : start + 4], coding)
            pile.extend(min(start + 4, len(frames)))
            pile.write_block((start, 0, 0), data)
            size += len(data)
    assert writer.stored_bytes == size
    shown = np.concatenate(piles)[order] if len(piles) == 1 else FRAMES[order]
    record = Record("video", {"why": "é"}, (2, 4), NO_LOSS)
    pile = (order >= len(piles[0])).astype(int)
    members = [np.flatnonzero(pile == number) for number in range(len(piles))]
    position = np.zeros(len(order), int)
    for held in members:
        position[held] = np.arange(len(held))
    where = Order(pile, position, members, [int(held[0]) for held in members])
    writer.finish(where, fingerprint(shown), record)
    return shown


def test_one_pile_in_order_is_shown_by_a_hard_link():
    with h5py.File("x.h5", "w") as file:
        write(file.create_group("stack"), [FRAMES], np.arange(8))
        assert file["stack/frames"] == file["stack/groups/000000/video"]
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES, strict=True)
        assert stack.verify() == []
        assert stack.leading_shape == (2, 4)
        assert stack.attrs["settings"] == {"why": "é"}


def test_several_piles_are_shown_by_a_virtual_dataset():
    with h5py.File("x.h5", "w") as file:
        want = write(file.create_group("deep/er"), [FRAMES[:5], FRAMES[5:]], ORDER)
        assert file["deep/er/frames"].is_virtual
    with h5vidstack.open("x.h5::/deep/er") as stack:
        np.testing.assert_array_equal(stack[:], want)
        assert stack.verify() == []
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["deep/er/frames"][...], want)


def test_a_pile_goes_on_and_says_each_coding_once():
    with h5py.File("x.h5", "w") as file:
        writer = StackWriter(file.create_group("s"), (9, 11), np.dtype("u1"), (4, 9, 11))
        pile = writer.add_pile("raw", Video("raw"))
        for coding in ("raw", "ffv1", "raw", "ffv1"):
            assert writer.go_on(coding) is pile
        assert file["s/groups/000000"].attrs["coding"] == b"raw, then ffv1"


@pytest.mark.parametrize("dtype", ["u4", ">u4", ">u8", "f4"])
def test_tables_are_little_endian_with_a_crc(dtype):
    values = np.arange(300).astype(dtype)
    with h5py.File("x.h5", "w") as file:
        write_table(file, "index/t", np.zeros(3, dtype))
        write_table(file, "index/t", values)  # it takes the place of the other
        table = file["index/t"]
        little = values.astype(values.dtype.newbyteorder("<"))
        assert table.dtype == little.dtype
        np.testing.assert_array_equal(table[...], values)
        assert table.attrs["crc32"] == zlib.crc32(little.tobytes())


def test_texts_have_a_fixed_length():
    with h5py.File("x.h5", "w") as file:
        for text in ("", "abc", "µ²"):
            write_text(file, "t", text)
            info = h5py.check_string_dtype(file.attrs.get_id("t").dtype)
            assert info.length == max(1, len(text.encode()))
            assert file.attrs["t"].decode() == text
