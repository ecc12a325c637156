import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import run
from frames import moving
from terminals import shown

FRAMES = moving((6, 64, 200))
FAST = ("--threads", "--profile", "fast")


@pytest.fixture
def folder():
    Path("in/sub").mkdir(parents=True)
    for name in ("in/a.h5", "in/sub/b.nxs"):
        with h5py.File(name, "w") as file:
            file["data"] = FRAMES
    Path("in/notes.txt").write_text("text")


def damage(name):
    Path(name).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))


def test_a_line_for_each_file_and_totals(folder):
    said = run("repack", "in", "out", "--recursive", "--log", "log", *FAST).output.splitlines()
    assert said[0] == "notes.txt: skipped: not HDF5"
    found = sorted(said[1:3])
    assert found[0].startswith("a.h5: 79 KB -> ")
    assert found[1].startswith("sub/b.nxs: 79 KB -> ")
    assert all(", ratio 1." in line and line.endswith("1 stack coded") for line in found)
    assert said[4].split() == ["files", "before", "after", "ratio"]
    assert said[5].split()[:4] == ["done", "2", "158", "KB"]
    assert said[6].split() == ["skipped", "1"]
    assert said[7].startswith("3 files in ")
    assert "files/s" in said[7]


def test_exit_codes(folder):
    damage("in/bad.h5")
    damaged = ("repack", "in", "out", "--recursive", *FAST)
    assert "bad.h5: FAILED: " in run(*damaged, code=3).output
    assert "exist already" in run(*damaged, code=1).stderr
    assert "the output exists" in run(*damaged, "--skip-existing", code=3).output
    os.remove("in/a.h5")
    os.remove("in/sub/b.nxs")
    run("repack", "in", "new", "--recursive", *FAST, code=1)
    os.remove("in/bad.h5")
    assert "no HDF5 file" in run("repack", "in", "new", "--recursive", *FAST, code=1).stderr


def test_json(folder):
    damage("in/bad.h5")
    facts = json.loads(run("repack", "in", "out", "--recursive", "--json", *FAST, code=3).stdout)
    assert {one["name"]: one["status"] for one in facts["files"]} == {
        "a.h5": "done", "sub/b.nxs": "done", "bad.h5": "failed", "notes.txt": "skipped",
    }  # fmt: skip
    assert facts["totals"]["failed"] == 1
    assert facts["totals"]["after"] < facts["totals"]["before"]
    assert facts["files"][0]["report"]["replaced"][0]["path"] == "/data"


def test_a_dry_run_writes_nothing(folder):
    said = run("repack", "in", "out", "--recursive", "--dry-run", "--log", "log", *FAST).output
    assert "a.h5: 79 KB -> about " in said
    assert said.endswith("nothing was written\n")
    assert os.listdir() == ["in"]


def test_pack_each():
    for name in ("a", "b"):
        np.save(f"{name}.npy", FRAMES)
    said = run("pack", "--each", "a.npy", "b.npy", "out", *FAST).output
    assert "6 x 64 x 200 uint8, lossless" in said
    assert sorted(os.listdir("out")) == ["a.h5", "b.h5"]
    said = run("pack", "--each", "*.npy", "new", "--dry-run", *FAST).output
    assert "a.npy: 77 KB -> about " in said
    Path("b.npy").write_text("no array")
    assert "b.npy: FAILED" in run("pack", "--each", "*.npy", "new", *FAST, code=3).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["repack", "in", "out"], "in is a folder; add --recursive"),
        (["repack", "in/a.h5", "out", "--recursive"], "is a file; --recursive takes a folder"),
        (["repack", "in/a.h5", "x.h5", "--jobs", "2"], "--jobs goes with --recursive"),
        (["repack", "in/a.h5", "x.h5", "--scheduler", "tcp://x:1"], "--scheduler goes with"),
        (["pack", "in/a.h5", "x.h5", "--log", "log"], "--log goes with --each"),
        (["repack", "in", "out", "--recursive", "--jobs", "0"], "0 is not in the range"),
    ],
)
def test_usage(folder, arguments, message):
    assert message in run(*arguments, code=2).stderr


def test_a_bar_counts_files(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    said = shown(monkeypatch, "repack", "in", "out", "--recursive", *FAST)
    assert "repacking" in said
    assert "2/2" in said
    assert "files/s" in said
