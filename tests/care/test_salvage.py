"""`recover` saves what is intact of a damaged file, and nothing else; `--resume` goes on."""

import json
import os
import shutil
from pathlib import Path
from unittest.mock import Mock

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving, noise

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.codecs import block

FRAMES = np.concatenate(
    [moving((44, 20, 30)), noise((20, 20, 30)) // 2, moving((44, 20, 30))[10:14]]
)
METHODS = ["video", "groupvideo", "hdf5", "hdf5gz", "group", "pca"]


def chunks(name):
    """Where the chunks of a dataset lie in the file: offset in the file, and size."""
    with h5py.File("bad.h5") as file:
        data = file["stack"][name].id
        found = [data.get_chunk_info(number) for number in range(data.get_num_chunks())]
    return [(info.byte_offset, info.size) for info in found]


def damage(start, length=1):
    with open("bad.h5", "r+b") as file:
        file.seek(start)
        old = file.read(length)
        file.seek(start)
        file.write(bytes(byte ^ 0x5A for byte in old))


def check(lost, **expected):
    """What is saved is what was not lost, under its old numbers."""
    found = h5vidstack.recover("bad.h5", "good.h5", overwrite=True)
    assert (set(found.lost), found.saved) == (set(lost), len(FRAMES) - len(lost))
    for name, value in expected.items():
        assert getattr(found, name) == value
    kept = np.setdiff1d(np.arange(len(FRAMES)), lost)
    with h5vidstack.open("good.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES[kept], strict=True)
        assert stack.verify() == []
        stack.find(FRAMES[kept[0]], 1)
    with h5py.File("good.h5") as file:
        if len(lost) and not found.carved:
            np.testing.assert_array_equal(file["stack/original"][()], kept)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_frames_before_the_damage_are_saved(method):
    how = {"exact": True} if method == "pca" else {}
    if method in ("video", "groupvideo"):
        how["codec"] = "ffv1"
    h5vidstack.pack(FRAMES, "bad.h5", method=method, **how)
    before = Path("bad.h5").read_bytes()
    check([])
    name = {"group": "difference", "pca": "residual"}.get(method, "video")
    start, length = chunks(f"groups/000000/{name}")[2]
    damage(start + length * 2 // 3)
    damaged = Path("bad.h5").read_bytes()
    found = h5vidstack.recover("bad.h5", "good.h5", overwrite=True)
    block = 1 if name == "difference" or method.startswith("hdf5") else 16
    assert 1 <= len(found.lost) <= block + 4  # copies are lost with their frame
    if block > 1:
        assert len(found.lost) < 12
    check(list(found.lost))
    assert Path("bad.h5").read_bytes() == damaged != before


def test_sound_blocks_are_copied_as_they_are():
    h5vidstack.pack(FRAMES, "bad.h5", method="video", codec="x264")
    start, _ = chunks("groups/000000/video")[1]
    damage(start)
    found = h5vidstack.recover("bad.h5", "good.h5")
    assert not set(found.lost) - set(range(16, 32))
    with h5py.File("bad.h5") as bad, h5py.File("good.h5") as good:
        old, new = (file["stack/groups/000000/video"].id for file in (bad, good))
        assert new.read_direct_chunk((0, 0, 0)) == old.read_direct_chunk((0, 0, 0))
        assert new.read_direct_chunk((16, 0, 0)) == old.read_direct_chunk((32, 0, 0))


def test_lossy_stacks_stay_as_lossy_as_they_are():
    h5vidstack.pack(FRAMES, "bad.h5", method="video", crf=20)
    with h5vidstack.open("bad.h5") as stack:
        pixels, attrs = stack[:], stack.attrs
    start, length = chunks("groups/000000/video")[1]
    damage(start + length - 3)
    found = h5vidstack.recover("bad.h5", "good.h5")
    with h5vidstack.open("good.h5") as stack:
        kept = np.setdiff1d(np.arange(len(FRAMES)), found.lost)
        np.testing.assert_array_equal(stack[:], pixels[kept])
        for name in ("lossless", "max_error", "mse", "psnr"):
            assert stack.attrs[name] == attrs[name]


@pytest.mark.parametrize(
    "tables",
    [
        ["index/group"],
        ["index/position", "groups/000000/members"],
        ["index/crc32"],
        ["hashes/phash"],
        ["index/group", "hashes/ahash", "groups/000000/members"],
    ],
)
def test_damaged_tables(tables):
    h5vidstack.pack(FRAMES, "bad.h5", method="groupvideo")
    for name in tables:
        ((start, length),) = chunks(name)
        damage(start + length // 2)
    found = check([])
    assert found.notes


@pytest.mark.parametrize("method", ["video", "groupvideo", "hdf5", "group", "pca"])
def test_a_destroyed_superblock_is_made_anew(method):
    h5vidstack.pack(FRAMES, "bad.h5", method=method, **({"exact": True} if method == "pca" else {}))
    damage(0, 48)
    check([], carved=False)


def test_a_superblock_of_tiles_of_two_stacks_and_of_what_is_lossy():
    h5vidstack.pack(FRAMES, "bad.h5", tile=(16, 16))
    h5vidstack.pack(FRAMES[:5] ^ 1, "bad.h5::/other", crf=20)
    with h5vidstack.open("bad.h5::/other") as stack:
        pixels, attrs = stack[:], stack.attrs
    damage(20)
    check([], carved=False)
    h5vidstack.recover("bad.h5::/other", "other.h5")
    with h5vidstack.open("other.h5::/other") as stack:
        np.testing.assert_array_equal(stack[:], pixels)
        assert stack.attrs["max_error"] == attrs["max_error"]


def test_a_truncated_file():
    h5vidstack.pack(FRAMES, "bad.h5", method="video", codec="ffv1")
    start, _ = chunks("groups/000000/video")[2]
    os.truncate("bad.h5", start)
    found = h5vidstack.recover("bad.h5", "good.h5")
    with h5vidstack.open("good.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES[:32])
    assert found.lost is None or len(found.lost) == len(FRAMES) - 32


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


def test_differences_are_not_saved_as_frames():
    h5vidstack.pack(FRAMES, "bad.h5", method="pca", exact=True)
    ((start, length), *_) = chunks("groups/000000/pca/components")
    damage(start + length // 2)
    with pytest.raises(h5vidstack.FormatError, match="no intact"):
        h5vidstack.recover("bad.h5", "good.h5")
    assert not Path("good.h5").exists()


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


def test_nothing_to_save():
    Path("text.h5").write_text("nothing here")
    with pytest.raises(h5vidstack.FormatError, match="no intact block"):
        h5vidstack.recover("text.h5", "good.h5")
    Path("empty.h5").touch()
    with pytest.raises(h5vidstack.FormatError, match="empty"):
        h5vidstack.recover("empty.h5", "good.h5")
    with pytest.raises(h5vidstack.FormatError, match="no such file"):
        h5vidstack.recover("none.h5", "good.h5")
    h5vidstack.pack(FRAMES, "bad.h5")
    h5vidstack.pack(FRAMES[:2], "good.h5")
    before = Path("good.h5").read_bytes()
    with pytest.raises(h5vidstack.OutputError, match="overwrite"):
        h5vidstack.recover("bad.h5", "good.h5")
    with pytest.raises(h5vidstack.OutputError, match="itself"):
        h5vidstack.recover("bad.h5", "bad.h5", overwrite=True)
    assert Path("good.h5").read_bytes() == before


def test_command():
    h5vidstack.pack(FRAMES, "bad.h5", method="hdf5")
    start, _ = chunks("groups/000000/video")[2]
    damage(start)
    run = CliRunner().invoke
    result = run(main, ["recover", "bad.h5", "good.h5"])
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "lost 1 frame: 2")
    result = run(main, ["recover", "bad.h5", "more.h5", "--json"])
    assert json.loads(result.output)["lost"] == [2]
    result = run(main, ["recover", "good.h5", "again.h5"])
    assert (result.exit_code, result.output) == (0, f"saved {len(FRAMES) - 1} frames to again.h5\n")


class Stopped(Exception):
    """Somebody pulled the plug."""


@pytest.mark.parametrize("method", ["video", "groupvideo"])
def test_an_interrupted_pack_goes_on(method, monkeypatch):
    done = []

    def stop(step):
        if step.frames > 40 and len(done) < 1:
            done.append(step.frames)
            raise Stopped

    how = {"method": method, "resume": True, "codec": "ffv1", "workers": 1}
    with pytest.raises(Stopped):
        h5vidstack.pack(FRAMES, "x.h5", progress=stop, **how)
    if method == "groupvideo":  # stopped in the first pass: once more in the second
        done.clear()
        calls = []

        def stop_late(step):
            calls.append(step.frames)
            if calls.count(32) == 2:
                raise Stopped

        with pytest.raises(Stopped):
            h5vidstack.pack(FRAMES, "x.h5", progress=stop_late, **how)
    assert [path.name for path in Path().iterdir()] == [".x.h5.stack.resume"]
    kept = Path(".x.h5.stack.resume").read_bytes()
    shutil.copy(".x.h5.stack.resume", "journal")
    for cut in (0, 1, 40, len(kept) // 2):  # the last record was not written to its end
        Path(".x.h5.stack.resume").write_bytes(kept[: len(kept) - cut])
        encoder = Mock(side_effect=block.encode)
        with monkeypatch.context() as patch:
            patch.setattr(block, "encode", encoder)
            h5vidstack.pack(FRAMES, "x.h5", overwrite=True, **how)
        with h5vidstack.open("x.h5") as stack:
            blocks = sum(group.blocks for group in stack.groups)
        assert encoder.call_count < blocks or cut > 40
        assert not Path(".x.h5.stack.resume").exists()
        with h5vidstack.open("x.h5") as stack:
            np.testing.assert_array_equal(stack[:], FRAMES)
            assert stack.verify() == []
    h5vidstack.pack(FRAMES, "y.h5", **how)
    with h5vidstack.open("x.h5") as one, h5vidstack.open("y.h5") as other:
        assert [group.coding for group in one.groups] == [group.coding for group in other.groups]


def test_a_journal_of_other_frames_or_of_a_liar_does_no_harm():
    def stop(step):
        raise Stopped

    for _ in range(2):
        with pytest.raises(Stopped):
            h5vidstack.pack(FRAMES, "x.h5", method="video", resume=True, progress=stop)
    other = FRAMES ^ 1
    h5vidstack.pack(other, "x.h5", method="video", resume=True)
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], other)


def test_one_pack_resumes_at_a_time():
    with (
        h5vidstack.writing.journal.resumable(Path("x.h5").resolve(), "/stack"),
        pytest.raises(h5vidstack.OutputError, match="open for writing elsewhere"),
    ):
        h5vidstack.pack(FRAMES, "x.h5", resume=True)
    with pytest.raises(h5vidstack.UnsupportedError, match="takes no resume"):
        h5vidstack.pack(FRAMES, "x.h5", method="group", resume=True)


def test_what_killed_programs_left_is_removed():
    from h5vidstack.layout.output import _HOST

    names = {  # which, and whether it is removed
        f".x.h5.{_HOST}-999999999-abcd1234.tmp": True,
        f".x.h5.{_HOST}-{os.getpid()}-abcd1234.tmp": False,
        ".x.h5.00000000-999999999-abcd1234.tmp": False,
        f".other.h5.{_HOST}-999999999-abcd1234.tmp": False,
        ".x.h5.mine.tmp": False,
    }
    for name in names:
        Path(name).touch()
    h5vidstack.pack(FRAMES[:3], "x.h5")
    assert {name: not Path(name).exists() for name in names} == names
    for name in names:
        Path(name).unlink(missing_ok=True)
