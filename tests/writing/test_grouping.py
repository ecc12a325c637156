"""Packing in similarity order: piles, copies, spooling, and what `auto` decides."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.cli.demonstration import generate_uint8
from h5vidstack.sources import base, spool
from h5vidstack.sources.base import Access, FrameSource
from h5vidstack.sources.kinds import open_source
from h5vidstack.writing import packer

METHODS = ["auto", "video", "groupvideo"]
SWEEP = generate_uint8((90, 1, 1), (40, 56))
SHUFFLE = np.random.default_rng(0).permutation(90)


def scenes(count=2, length=40):
    """Static scenes with a little motion, each unlike the others; `(count * length, 40, 56)`."""
    parts = []
    for scene in range(count):
        background = noise((1, 5, 7), scene).repeat(8, axis=1).repeat(8, axis=2)
        steps = np.arange(length)[:, None, None]
        parts.append(np.where(np.arange(56) < steps, background // 2, background))
    return np.concatenate(parts).astype(np.uint8)


def content(path="x.h5"):
    with h5vidstack.open(path) as opened:
        assert opened.verify() == []
        return opened[:]


def stored(frames, method, **options):
    return h5vidstack.pack(frames, "size.h5", method=method, overwrite=True, **options).stored_bytes


def test_similarity_order_is_as_good_as_the_original():
    shuffled = SWEEP[SHUFFLE]
    assert stored(shuffled, "video") > 1.1 * stored(SWEEP, "video")
    assert stored(shuffled, "groupvideo") <= 1.05 * stored(SWEEP, "video")


def test_auto_reorders_where_it_pays_and_only_there():
    report = h5vidstack.pack(SWEEP[SHUFFLE], "a.h5")
    assert report.method == "groupvideo"
    assert "% smaller in a sample" in report.order
    with h5py.File("a.h5") as file:
        assert file["stack/frames"].is_virtual
    for frames in (SWEEP, noise((40, 20, 20)), SWEEP[:1], SWEEP[:2]):
        report = h5vidstack.pack(frames, "b.h5", overwrite=True)
        assert report.method == "video"
        assert report.order.startswith("time order")
        with h5py.File("b.h5") as file:
            assert file["stack/frames"] == file["stack/groups/000000/video"]
            assert file["stack"].attrs["method"] == b"video"


def test_scenes_are_told_apart():
    frames = scenes(3)
    order = np.random.default_rng(0).permutation(len(frames))
    report = h5vidstack.pack(frames[order], "x.h5", method="groupvideo")
    assert report.piles == 3
    with h5vidstack.open("x.h5") as stack:
        for pile in stack.groups:
            assert len({scene // 40 for scene in order[pile.frames]}) == 1
            assert pile.typical in pile.frames
            assert pile.raw_bytes == len(pile.frames) * 40 * 56
        assert sum(pile.stored_bytes for pile in stack.groups) == report.stored_bytes
        np.testing.assert_array_equal(stack[:], frames[order])
    apart = sum(stored(frames[i : i + 40], "video") for i in (0, 40, 80))
    assert report.stored_bytes <= 1.01 * apart


def test_each_pile_chooses_its_preset():
    # Noise gains nothing from effort; motion does.
    drifting = moving((120, 40, 56)) // 16
    frames = np.concatenate([noise((60, 40, 56)), drifting + np.uint8(200)])
    h5vidstack.pack(frames, "x.h5", method="groupvideo")
    with h5vidstack.open("x.h5") as stack:
        presets = {pile.preset for pile in stack.groups}
        assert len(presets) == 2
    for preset in ("x264-fast", "x264-slow"):
        h5vidstack.pack(frames, "x.h5", method="groupvideo", preset=preset, overwrite=True)
        with h5vidstack.open("x.h5") as stack:
            assert {pile.preset for pile in stack.groups} == {preset}


@pytest.mark.parametrize("method", METHODS)
def test_copies_are_stored_once(method):
    frames = noise((50, 12, 15))
    frames[[7, 20, 49]] = frames[3]
    frames[21:30] = frames[20]
    frames[30], frames[31] = frames[0], frames[48]
    report = h5vidstack.pack(frames, "x.h5", method=method, chunk_frames=4)
    assert report.copies == 14
    np.testing.assert_array_equal(content(), frames)
    with h5py.File("x.h5") as file:
        group = file["stack"]
        assert sum(pile["members"].shape[0] for pile in group["groups"].values()) == 36
        places = np.stack([group["index/group"], group["index/position"]], axis=1)
        for copy in (7, 20, 49, 25):
            assert (places[copy] == places[3]).all()
        np.testing.assert_array_equal(group["frames"][...], frames)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [iter, np.asarray], ids=["iterable", "array"])
def test_equal_crcs_are_no_copies(make, method, monkeypatch):
    """Frames count as equal by their pixels, whatever their CRC says."""
    from h5vidstack.similar import fingerprints

    monkeypatch.setattr(fingerprints, "frame_crcs", lambda frames: np.zeros(len(frames), np.uint32))
    frames = noise((60, 9, 8))
    frames[[33, 44]] = frames[2]
    report = h5vidstack.pack(make(frames), "x.h5", method=method, chunk_frames=4)
    assert report.copies == 2
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)


@pytest.mark.parametrize("method", METHODS)
def test_all_frames_identical(method):
    frames = np.tile(noise((1, 12, 15)), (300, 1, 1))
    report = h5vidstack.pack(iter(frames), "x.h5", method=method)
    assert report.copies == 299
    np.testing.assert_array_equal(content(), frames)
    with h5vidstack.open("x.h5") as stack:
        assert [list(group) for group in stack.near_duplicates(0)] == [list(range(300))]
        assert [match.rmse for match in stack.find(frames[5], 3)] == [0, 0, 0]
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][5:250:60], frames[:5])


def test_copies_in_large_tiled_colour_frames():
    frames = moving((9, 40, 70, 3))
    frames = np.concatenate([frames, frames[::-1], frames[[4] * 5]])
    for method in METHODS:
        report = h5vidstack.pack(
            iter(frames), "x.h5", method=method, tile=(16, 32), chunk_frames=2, overwrite=True
        )
        assert report.copies == 14
        np.testing.assert_array_equal(content(), frames)


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=60),
    st.sampled_from(METHODS),
    st.booleans(),
)
def test_any_order_and_copies(numbers, method, once):
    frames = (moving((10, 9, 12)) + np.arange(10, dtype=np.uint8)[:, None, None])[numbers]
    source = iter(frames) if once else frames
    h5vidstack.pack(
        source, "x.h5", method=method, chunk_frames=3, preset="x264-fast", overwrite=True
    )
    np.testing.assert_array_equal(content(), frames, strict=True)
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["stack/frames"][...], frames, strict=True)


KEYS = [
    np.s_[:], np.s_[5:60:7], np.s_[60:5:-7], np.s_[-1], np.s_[17], np.s_[17, 3:9, ::-2], np.s_[..., 4],
    [3, 80, 80, -1, 0], np.s_[[5, 6], [1, 2]], np.s_[[5, 70, 5], 2:9, [1, 2, 3]], np.s_[2:80:5, [1, 2, 2]],
    np.s_[2:80:5, [1, 2, 2], [5, 5, 0]], np.s_[2:4, 1:3, [[0, 1], [2, 3]]], np.s_[:, 5, [1]], np.s_[[], :],
    np.s_[5:5], np.s_[3, [1, 2], 5], np.s_[None, 4:6], np.s_[10:14, [1, 2], None, 3:5], np.s_[[[1, 2], [3, 40]]],
]  # fmt: skip


@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_reordered_stacks_are_indexed_as_numpy(cache_bytes):
    frames = np.concatenate([SWEEP[SHUFFLE], SWEEP[3:6], scenes(2)])
    h5vidstack.pack(frames, "x.h5", method="groupvideo", chunk_frames=5, tile=(16, 32))
    with h5vidstack.open("x.h5", cache_bytes=cache_bytes) as stack:
        assert stack.shape == frames.shape
        mask = np.random.default_rng(0).random(len(frames)) < 0.3
        for key in [*KEYS, mask, np.s_[mask, 3], frames > 200]:
            np.testing.assert_array_equal(stack[key], frames[key], strict=True)
        out = np.zeros((2, 173, 40, 56), np.uint8)[1]
        stack.read(np.s_[:], out)
        np.testing.assert_array_equal(out, frames)
        for found, frame in zip(stack, frames, strict=True):
            np.testing.assert_array_equal(found, frame)


@given(st.data())
def test_any_index_of_a_reordered_stack(data):
    from hypothesis.extra import numpy as hnp

    if not Path("any.h5").exists():
        h5vidstack.pack(SWEEP[SHUFFLE][:, :9, :8], "any.h5", method="groupvideo", chunk_frames=7)
    key = data.draw(
        hnp.basic_indices((90, 9, 8), allow_newaxis=True)
        | hnp.integer_array_indices((90, 9, 8))
        | st.tuples(st.slices(90), hnp.integer_array_indices((9,)).map(lambda key: key[0]))
    )
    frames = SWEEP[SHUFFLE][:, :9, :8]
    with h5vidstack.open("any.h5") as stack:
        np.testing.assert_array_equal(stack[key], frames[key], strict=True)


def test_a_slice_decodes_each_block_once(monkeypatch):
    from h5vidstack.reading.chunk_grid import Chunks

    h5vidstack.pack(SWEEP[SHUFFLE], "x.h5", method="groupvideo", chunk_frames=5)
    loaded = []
    load = Chunks.load
    monkeypatch.setattr(
        Chunks, "load", lambda self, chunk, *a: loaded.append(chunk) or load(self, chunk, *a)
    )
    with h5vidstack.open("x.h5", cache_bytes=0) as stack:
        for key in (np.s_[:], np.s_[10:40], [5, 5, 80, 3]):
            loaded.clear()
            stack[key]
            assert len(loaded) == len(set(loaded))
        loaded.clear()
        list(stack)
        assert len(loaded) == 18


def test_spooled_read_again_or_kept_in_order():
    frames = SWEEP[SHUFFLE]
    Path("images").mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(f"images/{number:03}.png")
    Image.fromarray(frames[0]).save(
        "pages.tif", save_all=True, append_images=[Image.fromarray(f) for f in frames[1:]]
    )
    np.save("a.npy", frames)
    with h5py.File("s.h5", "w") as file:
        file.create_dataset("d", data=frames, chunks=(8, 40, 56), compression="gzip")
        file["contiguous"] = frames
    h5vidstack.pack(frames, "stack.h5", method="video")
    cases = {
        "images": ("spooled", "read again"),
        "pages.tif": ("spooled", "read again"),
        "s.h5::/d": ("spooled", "read again"),
        "stack.h5": ("spooled", "read again"),
        "s.h5::/contiguous": ("read again", "read again"),
        "a.npy": ("read again", "read again"),
        "iterable": ("spooled", "time order: the source runs only once"),
    }
    for name, sentences in cases.items():
        for limit, words in zip((packer.SPOOL_BYTES, 100_000), sentences, strict=True):
            for method in ("groupvideo", "auto"):
                source = iter(frames) if name == "iterable" else name
                report = h5vidstack.pack(
                    source, "x.h5", method=method, spool_bytes=limit, overwrite=True
                )
                assert words in report.order, (name, limit, report.order)
                np.testing.assert_array_equal(content(), frames, err_msg=name)
    assert sorted(os.listdir()) == sorted(
        ["a.npy", "images", "pages.tif", "s.h5", "stack.h5", "x.h5"]
    )


def test_a_disk_that_fills_up_while_spooling(monkeypatch):
    class Full:
        def __init__(self, file):
            self._file = file

        def write(self, data):
            if self._file.tell() > 50_000:
                raise OSError(28, "No space left on device")
            self._file.write(data)

        def __getattr__(self, name):
            return getattr(self._file, name)

    make = spool.tempfile.TemporaryFile
    monkeypatch.setattr(spool.tempfile, "TemporaryFile", lambda **options: Full(make(**options)))
    frames = np.concatenate([SWEEP[SHUFFLE], SWEEP[:9]])
    report = h5vidstack.pack(iter(frames), "x.h5", method="groupvideo")
    assert "too large to be spooled" in report.order
    assert report.copies == 9
    np.testing.assert_array_equal(content(), frames)


def test_levels_of_access():
    np.save("a.npy", SWEEP)
    assert open_source("a.npy").access == Access.CHEAP
    assert open_source(SWEEP).access == Access.CHEAP
    assert isinstance(open_source(iter(SWEEP)), FrameSource)
    assert open_source(iter(SWEEP)).access == Access.ONCE
    source = base.ArraySource(SWEEP.reshape(9, 10, 40, 56), "x")
    np.testing.assert_array_equal(source.take(np.array([89, 3, 3])), SWEEP[[89, 3, 3]])


def test_without_hashes():
    h5vidstack.pack(SWEEP, "x.h5", hashes=False)
    with h5vidstack.open("x.h5") as stack:
        assert stack.verify() == []
        with pytest.raises(h5vidstack.FormatError, match="h5vidstack rehash"):
            stack.find(SWEEP[0])


def test_command_line_says_which_order():
    np.save("a.npy", np.concatenate([SWEEP[SHUFFLE], SWEEP[:5]]))
    done = CliRunner().invoke(main, ["pack", "a.npy", "x.h5", "--method", "groupvideo"])
    assert "similarity order, 1 pile; frames were read again in that order; 5 copies" in done.output
    done = CliRunner().invoke(main, ["info", "x.h5"])
    words = (
        "similarity order, 1 pile; frames were read again in that order, 5 copies of other frames"
    )
    assert f"order      {words}" in done.output
    done = CliRunner().invoke(main, ["info", "x.h5", "--groups"])
    assert "typical" in done.output
    done = CliRunner().invoke(main, ["pack", "a.npy", "y.h5", "--spool-limit", "12X"])
    assert done.exit_code == 2


def test_verify_and_unpack_of_reordered_stacks():
    frames = np.concatenate([SWEEP[SHUFFLE], SWEEP[:5]])
    h5vidstack.pack(frames, "x.h5", method="groupvideo")
    other = frames.copy()
    other[[7, 90], 3, 3] ^= 1
    for make in (np.asarray, iter):
        assert h5vidstack.verify("x.h5", against=make(frames)) == []
        found = " ".join(h5vidstack.verify("x.h5", against=make(other)))
        assert "frame 7: pixels differ" in found or "frames 7, 90: pixels differ" in found
        assert "94 frames, the stack 95" in h5vidstack.verify("x.h5", against=make(frames[:94]))[-1]
        assert "96 frames" in h5vidstack.verify("x.h5", against=make(frames[[*range(95), 3]]))[-1]
    h5vidstack.unpack("x.h5", "y.npy")
    np.testing.assert_array_equal(np.load("y.npy"), frames)
    h5vidstack.pack("x.h5", "z.h5")
    np.testing.assert_array_equal(content("z.h5"), frames)


def test_damaged_index_of_a_reordered_stack():
    h5vidstack.pack(SWEEP[SHUFFLE], "x.h5", method="groupvideo")

    def change(name, values):
        with h5py.File("x.h5", "r+") as file:
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
        assert words in " ".join(h5vidstack.verify("x.h5")), name
        if values is far:
            with (
                h5vidstack.open("x.h5") as stack,
                pytest.raises(h5vidstack.FormatError, match="frame 5"),
            ):
                stack[5]
        change(name, lambda values, before=before: before)
    assert h5vidstack.verify("x.h5") == []
    with h5py.File("x.h5", "r+") as file:
        file["stack/groups"].move("000000", "000007")
    with pytest.raises(h5vidstack.FormatError, match="damaged"):
        h5vidstack.open("x.h5")


def test_a_frame_that_shares_a_place_it_should_not():
    frames = noise((20, 8, 9))
    frames[10] = frames[4]
    h5vidstack.pack(frames, "x.h5", method="video")
    with h5py.File("x.h5", "r+") as file:
        table = file["stack/index/position"]
        table[10] = 5
        del table.attrs["crc32"]
    found = " ".join(h5vidstack.verify("x.h5"))
    assert "the index is wrong at 1 of 20 frames, first at 10" in found
    assert "frames is wrong at 1 of 20" in found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [np.asarray, iter], ids=["array", "iterable"])
def test_verify_compares_copies_too(make, method):
    frames = np.zeros((40, 20, 30), np.uint8)
    frames[::2] = 9
    h5vidstack.pack(frames, "x.h5", method=method)
    assert h5vidstack.verify("x.h5", against=make(frames)) == []
    other = frames.copy()
    other[7], other[30] = 200, 111
    assert h5vidstack.verify("x.h5", against=make(other)) == [
        "frames 7, 30: pixels differ from the source"
    ]


def test_videos_that_are_none():
    h5vidstack.pack(SWEEP[SHUFFLE], "x.h5", method="groupvideo")
    with h5py.File("x.h5", "r+") as file:
        file.move("stack/frames", "t")
        file.move("stack/groups/000000/video", "stack/frames")
        file.move("t", "stack/groups/000000/video")
    with pytest.raises(h5vidstack.FormatError, match="not chunked"):
        h5vidstack.open("x.h5")
    h5vidstack.pack(noise((20, 8, 9)), "x.h5", method="video", overwrite=True)
    with h5py.File("x.h5", "r+") as file:
        file["stack/frames"].resize(18, axis=0)
    with pytest.raises(h5vidstack.FormatError, match="18 of 20 frames: it was cut"):
        h5vidstack.open("x.h5")
