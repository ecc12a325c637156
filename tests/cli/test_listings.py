import json
import os
import re

import numpy as np
from click.testing import CliRunner
from terminals import FRAMES, SOURCES
from videos import write_video

import h5vidstack
from h5vidstack.cli import main


def test_tables_of_packing_and_benching_are_coloured(packed, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    explained = CliRunner().invoke(main, ["pack", "a.npy", "y.h5", "--explain"], color=True).output
    assert "\x1b[1m" in explained
    assert "\x1b[32m->" in explained


def test_sizes_are_those_on_the_disk():
    np.save("a.npy", np.zeros((5, 20, 20), "u1"))
    result = CliRunner().invoke(main, ["pack", "a.npy", "x.h5"])
    assert f"on disk 2.1 KB -> {os.path.getsize('x.h5') / 1000:.0f} KB" in result.stdout
    assert re.search(r"2.0 KB -> \d+ bytes \(ratio", result.stdout)
    assert "KB are tables and what HDF5 needs" in result.stderr
    before = os.path.getsize("x.h5")
    report = h5vidstack.pack("a.npy", "x.h5::/more")
    assert report.written_bytes == os.path.getsize("x.h5") - before > report.stored_bytes
    before = os.path.getsize("x.h5")
    with h5vidstack.open("x.h5::/more") as stack:
        report = stack.append("a.npy")
    assert report.written_bytes == max(os.path.getsize("x.h5") - before, report.stored_bytes) > 0
    report = h5vidstack.pack("a.npy", "x.h5::/more", overwrite=True)
    assert report.written_bytes >= report.stored_bytes


def test_no_other_coding_is_advised_where_tables_alone_make_it_larger():
    write_video("v.mp4", 20, (160, 192), gop=10, bf="0")
    result = CliRunner().invoke(main, ["pack", "v.mp4", "x.h5", "--gray", "--copy"])
    assert "KB are tables and what HDF5 needs" in result.stderr
    assert "--copy" not in result.stderr


def test_sizes_of_the_source_are_said():
    SOURCES["v.mp4"]()
    SOURCES["d.h5::/chunked"]()
    np.save("a.npy", np.concatenate([FRAMES] * 3))  # structures take some 15 KB
    result = CliRunner().invoke(main, ["pack", "a.npy", "x.h5"])
    assert "% of the source" in result.stdout
    assert result.stderr == ""
    np.save("n.npy", np.random.default_rng(0).integers(0, 256, FRAMES.shape, "u1"))
    h5vidstack.pack("n.npy", "n.h5", preset="raw")
    result = CliRunner().invoke(main, ["pack", "d.h5::/chunked", "y.h5", "--preset", "raw"])
    assert "times the source" in result.stdout
    assert "times the bytes of its source: --profile small" in result.stderr
    result = CliRunner().invoke(
        main, ["pack", "d.h5::/chunked", "z.h5", "--preset", "raw", "--json"]
    )
    facts = json.loads(result.stdout)
    assert facts["written_bytes"] == os.path.getsize("z.h5") > facts["stored_bytes"]
    assert facts["growth"] == facts["written_bytes"] / facts["source_bytes"] > 1
    assert "times the bytes" in result.stderr
