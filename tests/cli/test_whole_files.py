import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from commands import fails, run
from whole_files import beside, drifting, some_stacks

import h5vidstack
from h5vidstack.cli import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope.h5", "out.h5"], "no such file"),
        (["text.txt", "out.h5"], "not an HDF5 file"),
        (["in.h5", "in.h5"], "exists; use --overwrite"),
        (["in.h5", "out.h5", "--select", "/nope"], "/nope matches no dataset"),
        (["in.h5::/a", "out.h5"], "copies whole files; use --select"),
        (["http://localhost/in.h5", "out.h5"], "is a URL"),
        (["in.h5", "s3://bucket/out.h5"], "is a URL"),
        (["in.h5", "nowhere/out.h5"], "no folder"),
        (["in.h5", "out.h5", "--preset", "mp4"], "lossy"),
        (["live.h5", "out.h5"], "being recorded"),
        (["taken.h5", "out.h5"], "has something else at /h5vidstack"),
    ],
)
def test_bad_input(arguments, message):
    some_stacks()
    Path("text.txt").write_text("text")
    with h5py.File("taken.h5", "w") as file:
        file["h5vidstack"], file["d"] = 1, drifting((20, 64, 64))
    recorder = h5vidstack.create("live.h5", (20, 20), "u1", chunk_frames=1)
    recorder.write(np.zeros((20, 20), "u1"))
    recorder.write(np.zeros((20, 20), "u1"))
    before = sorted(path.name for path in Path().iterdir())
    result = CliRunner().invoke(main, ["repack", *arguments])
    recorder.close()
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert result.output.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == before


def test_what_was_replaced_and_what_was_left_is_said():
    some_stacks()
    said = run("repack", "in.h5", "out.h5").output.splitlines()
    assert [line.partition(":")[0] for line in said[:3]] == ["/a/x", "/a/y", "/b/x"]
    assert all("20 x 64 x 64 uint8, 82 KB -> " in line for line in said[:3])
    left = [line for line in said if "left as" in line]
    assert sum(int(line.split()[0]) for line in left) == 4
    assert "datasets, and all attributes and links, compared and equal" in said[-1]


def test_a_dry_run_says_about_what_comes_and_writes_nothing():
    some_stacks()
    said = run("repack", "in.h5", "out.h5", "--dry-run", "--select", "/a/*").output
    assert said.count("-> about ") == 2
    assert said.rstrip().endswith("about; nothing was written")
    assert os.listdir() == ["in.h5"]


def test_json_there_and_back():
    beside()
    os.remove("out.h5")
    facts = json.loads(run("repack", "in.h5", "out.h5", "--json").stdout)
    assert [one["path"] for one in facts["replaced"]] == ["/entry/data", "/entry/volumes"]
    assert facts["after"] == os.path.getsize("out.h5") < facts["before"]
    back = json.loads(run("repack", "out.h5", "plain.h5", "--restore", "--json").stdout)
    assert [one["path"] for one in back["replaced"]] == ["/entry/data", "/entry/volumes"]
    with h5py.File("plain.h5") as file:
        np.testing.assert_array_equal(file["entry/data"][...], drifting((40, 64, 80)))


def test_how_to_code_goes_not_with_plain_pixels():
    beside()
    said = fails("repack", "out.h5", "plain.h5", "--restore", "--codec", "ffv1", code=2)
    assert "--codec says how to code, but --restore writes plain pixels" in said
    assert not os.path.exists("plain.h5")


def test_places_in_another_folder_are_told():
    os.mkdir("there")
    with h5py.File("in.h5", "w") as file:
        file["d"] = drifting((20, 64, 64))
        file["link"] = h5py.ExternalLink("other.h5", "/x")
    said = run("repack", "in.h5", "there/out.h5").output
    assert "there/out.h5 names other.h5 by a relative path, and is in another folder" in said


def test_what_is_lossy_is_said():
    with h5py.File("in.h5", "w") as file:
        file["data"] = np.random.default_rng(0).normal(100, 9, (20, 64, 64)).astype("u2")
    said = run("repack", "in.h5", "out.h5", "--max-error", "2").output
    assert "; LOSSY, max error 2)" in said
    assert "compared and equal, but for what is lossy, of which each pixel is within" in said
    assert "--max-error says how to code" in fails(
        "repack", "out.h5", "x.h5", "--restore", "--max-error", "2", code=2
    )
