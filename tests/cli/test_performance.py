import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
from benched import bench, stack


def test_command_with_json_and_page():
    np.save("x.npy", stack())
    said = bench("x.npy", "--methods", "hdf5gz,video x264-fast", "--rounds", 1, "--frames", 47,
               "--json", "x.json", "--html", "x.html").output  # fmt: skip
    facts = json.loads(Path("x.json").read_text())
    assert facts["shape"] == [47, 120, 180]
    assert [row["name"] for row in facts["rows"]] == ["video x264-fast", "hdf5gz"]
    assert all(row["exact"] for row in facts["rows"])
    assert "video x264-fast" in said
    assert facts["rows"][0]["name"] in Path("x.html").read_text()
    before = Path("x.json").read_text()
    assert "exists" in bench("x.npy", "--json", "x.json", code=1).stderr
    assert "exists" in bench("x.npy", "--html", "x.html", code=1).stderr
    assert Path("x.json").read_text() == before


def test_progress_is_shown_on_a_terminal():
    np.save("x.npy", stack())
    master, slave = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "h5vidstack",
        "bench",
        "x.npy",
        "--methods",
        "hdf5",
        "--rounds",
        "2",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 1024)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    assert process.wait() == 0
    assert b"benching" in shown
    assert b"2/2" in shown
    assert b"round 2/2: hdf5" in shown


def test_outputs_that_make_no_sense_are_refused_before_anything_runs(monkeypatch):
    np.save("x.npy", stack())
    os.symlink("x.npy", "link")
    with h5py.File("x.h5", "w") as file:
        file["x"] = stack()
    monkeypatch.setattr("h5vidstack.bench.comparison.open_source", None)
    for source, output in (("x.npy", "x.npy"), ("x.npy", "link"), ("link", "x.npy"),
                           ("x.h5::/x", "x.h5"), ("x.n?y", "x.npy")):  # fmt: skip
        for option in ("--json", "--html"):
            said = bench(source, option, output, "--overwrite", code=1).stderr
            assert "the output is the source" in said
    assert "one file" in bench("x.npy", "--json", "y", "--html", "./y", code=2).stderr

    def read_only(self):
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "touch", read_only)
    said = bench("x.npy", "--json", "p.json", code=1).stderr
    assert (
        said
        == "Error: cannot write p.json: Read-only file system; this disk can only be read; write elsewhere\n"
    )


def test_json_on_standard_output():
    np.save("x.npy", stack())
    found = bench("x.npy", "--methods", "hdf5", "--rounds", 1, "--json", "-")
    facts = json.loads(found.stdout)
    assert facts["rows"][0]["options"] == "--method hdf5"
    assert "pack MB/s" in found.stderr
    assert os.listdir() == ["x.npy"]
