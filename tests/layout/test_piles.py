import os
import shutil
from pathlib import Path

import h5py
import pytest
from frames import SHUFFLE, SWEEP, noise
from linked import FRAMES, SHUFFLED, check, parts, run

import h5vidstack


def test_files_are_closed():
    h5vidstack.link(parts(20, 40), "all.h5")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with h5vidstack.open("all.h5") as stack:
            stack[0]
    Path("p3.h5").rename("gone.h5")
    for _ in range(5):
        with pytest.raises(h5vidstack.FormatError):
            h5vidstack.open("all.h5")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_part_that_is_missing():
    h5vidstack.link(parts(20, 40), "all.h5")
    Path("p2.h5").unlink()
    for command in ("verify", "info"):
        said = run(command, "all.h5", code=1).output
        assert "all.h5 needs its part p2.h5: no such file" in said
        assert "Traceback" not in said
    Path("elsewhere").mkdir()
    h5vidstack.pack(FRAMES[20:40], "elsewhere/p2.h5")
    os.chdir("elsewhere")  # where HDF5 would look, too
    with pytest.raises(h5vidstack.FormatError, match="no such file"):
        h5vidstack.open("../all.h5")


def test_a_part_that_grew():
    h5vidstack.link(parts(20, 41), "all.h5")
    h5vidstack.pack(FRAMES[41:], "p2.h5", mode="a")
    h5vidstack.pack(noise((20, 17, 23)), "p1.h5", mode="a", method="groupvideo")
    assert check("all.h5", FRAMES, problems=1)
    (problem,) = h5vidstack.verify("all.h5")
    assert "p2.h5::/stack has 19 more frames than when it was linked" in problem
    assert h5vidstack.recover("all.h5", "saved.h5").lost == ()
    check("saved.h5", FRAMES)
    h5vidstack.link(["p1.h5", "p2.h5"], "all.h5", overwrite=True)
    with h5vidstack.open("all.h5") as stack:
        assert len(stack) == 80
        assert stack.verify() == []


@pytest.mark.parametrize("how", ["other", "order", "piles", "shorter", "shape", "linked", "no"])
def test_a_part_that_became_another(how):
    a, b, _ = parts(20, 40)
    h5vidstack.link([a, b], "all.h5")
    shutil.copy(b, "old.h5")
    other = {
        "other": (noise((20, 17, 23)), "video"),
        "order": (FRAMES[20:40][::-1], "video"),
        "piles": (SHUFFLED[:20], "groupvideo"),
        "shorter": (FRAMES[20:30], "video"),
        "shape": (noise((20, 5, 5)), "video"),
    }
    if how == "linked":
        h5vidstack.link(["old.h5"], b, overwrite=True)
    elif how == "no":
        Path(b).write_bytes(b"no HDF5")
    else:
        h5vidstack.pack(other[how][0], b, method=other[how][1], overwrite=True)
    with pytest.raises(h5vidstack.FormatError, match=r"p2\.h5"):
        h5vidstack.open("all.h5")[25]
    said = run("verify", "all.h5", code=1).output
    assert "p2.h5" in said
    assert "Traceback" not in said
    shutil.copy("old.h5", b)
    check("all.h5", FRAMES[:40])


def test_the_same_frames_packed_otherwise_are_read():
    a, b = parts(20)
    h5vidstack.link([a, b], "all.h5")
    h5vidstack.pack(b, b, method="video", codec="ffv1", overwrite=True)
    assert check("all.h5", FRAMES)


# --- links that lie


def hostile(file, path):
    with h5py.File("all.h5", "r+") as opened:
        group = opened["stack/groups/000001"]
        del group["video"]
        group["video"] = h5py.ExternalLink(file, path)


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("/dev/zero", "/stack/groups/000000/video"),
        ("pipe", "/stack/groups/000000/video"),
        ("all.h5", "/stack/groups/000000/video"),
        ("all.h5", "/stack/groups/000001/video"),
        (".", "/stack/groups/000000/video"),
        ("p1.h5", "/stack/groups/999999/video"),
        ("p1.h5", "/stack/groups/000000/members"),
        ("p1.h5", "/stack/frames"),
        ("p1.h5", "/none/groups/000000/video"),
        ("p1.h5", "/stack/groups/000000/video"),
    ],
)
def test_hostile_links(file, path):
    h5vidstack.link(parts(20), "all.h5")
    os.mkfifo("pipe")
    hostile(file, path)
    with pytest.raises(h5vidstack.FormatError), h5vidstack.open("all.h5") as stack:
        stack[30]
    assert "Traceback" not in run("verify", "all.h5", code=1).output


def test_videos_that_are_none():
    h5vidstack.pack(SWEEP[SHUFFLE], "y.h5", method="groupvideo")
    with h5py.File("y.h5", "r+") as file:
        file.move("stack/frames", "t")
        file.move("stack/groups/000000/video", "stack/frames")
        file.move("t", "stack/groups/000000/video")
    with pytest.raises(h5vidstack.FormatError, match="not chunked"):
        h5vidstack.open("y.h5")
    h5vidstack.pack(noise((20, 8, 9)), "y.h5", method="video", overwrite=True)
    with h5py.File("y.h5", "r+") as file:
        file["stack/frames"].resize(18, axis=0)
    with pytest.raises(h5vidstack.FormatError, match="18 of 20 frames: it was cut"):
        h5vidstack.open("y.h5")
