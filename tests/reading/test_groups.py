import h5py
import numpy as np
import pytest
from frames import SHUFFLE, SWEEP, moving, noise

import h5vidstack


def chunk_sizes(path, number, name="video"):
    with h5py.File(path) as file:
        data = file[f"stack/groups/{number:06d}/{name}"].id
        return [data.get_chunk_info(chunk).size for chunk in range(data.get_num_chunks())]


def test_what_is_said_of_each_pile_is_in_the_file():
    frames = np.concatenate([SWEEP[SHUFFLE], noise((20, 40, 56)), SWEEP[:3]])
    h5vidstack.pack(frames, "x.h5", method="groupvideo", chunk_frames=7)
    with h5vidstack.open("x.h5") as stack:
        piles = stack.groups
    assert [pile.number for pile in piles] == list(range(len(piles)))
    assert sorted(np.concatenate([pile.frames for pile in piles])) == list(range(110))
    for pile in piles:
        sizes = chunk_sizes("x.h5", pile.number)
        assert (pile.blocks, pile.stored_bytes) == (len(sizes), sum(sizes))
        assert pile.raw_bytes == len(pile.frames) * 40 * 56
        assert pile.ratio == pile.raw_bytes / pile.stored_bytes
        assert pile.typical in pile.frames
        with h5py.File("x.h5") as file:
            assert pile.coding == file[f"stack/groups/{pile.number:06d}"].attrs["coding"].decode()


@pytest.mark.parametrize(
    ("options", "codec", "preset"),
    [
        ({"preset": "ffv1"}, "ffv1", "ffv1"),
        ({"preset": "x264-fast"}, "x264", "x264-fast"),
        ({"preset": "deflate-runs"}, "deflate", "deflate-runs"),
        ({"method": "hdf5gz"}, None, None),
        ({"method": "group"}, None, None),
    ],
)
def test_codec_and_preset(options, codec, preset):
    h5vidstack.pack(moving((20, 17, 23)), "x.h5", **{"method": "video", **options})
    with h5vidstack.open("x.h5") as stack:
        assert {(pile.codec, pile.preset) for pile in stack.groups} == {(codec, preset)}
        assert all(pile.coding for pile in stack.groups)


def test_without_words_the_filter_says_it():
    """As in a file that another program wrote."""
    h5vidstack.pack(moving((20, 17, 23)), "x.h5", method="video", preset="x264-slow")
    with h5py.File("x.h5", "r+") as file:
        del file["stack/groups/000000"].attrs["coding"]
    with h5vidstack.open("x.h5") as stack:
        (pile,) = stack.groups
    assert (pile.coding, pile.codec, pile.preset) == (None, "x264", "x264-slow")


@pytest.mark.parametrize("table", ["no numbers", np.zeros(90), np.full(90, 99, "u8"), None])
def test_damaged_members_are_no_bug(table):
    h5vidstack.pack(SWEEP[SHUFFLE], "x.h5", method="groupvideo")
    with h5py.File("x.h5", "r+") as file:
        del file["stack/groups/000000/members"]
        if table is not None:
            file["stack/groups/000000/members"] = table
    with h5vidstack.open("x.h5") as stack, pytest.raises(h5vidstack.FormatError, match="damaged"):
        stack.groups


def test_members_of_frames_in_order_are_not_needed():
    h5vidstack.pack(moving((20, 17, 23)), "x.h5", method="video")
    with h5py.File("x.h5", "r+") as file:
        del file["stack/groups/000000/members"]
    with h5vidstack.open("x.h5") as stack:
        assert stack.groups[0].frames.tolist() == list(range(20))
