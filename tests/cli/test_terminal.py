"""Colour only where a person looks; what goes to standard output, and what is refused there."""

import re

import h5py
import numpy as np
import pytest
from frames import moving
from PIL import Image
from terminals import FRAMES, SOURCES, put_hdf5, shown
from videos import write_video

import h5vidstack
from h5vidstack import Step
from h5vidstack.cli import main, terminal


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_on_a_terminal(source, monkeypatch, capsys):
    SOURCES[source]()
    gray = () if source in ("imgs", "imgs/*.png", "p.tif", "a.npy") else ("--gray",)
    more = [["--method", "pca", "--exact"]] if source in ("a.npy", "v.mkv") else []
    for how in (["--method", "video"], ["--method", "groupvideo"], *more):
        how += ["--preset", "x264-fast"] * ("pca" not in how)
        said = shown(monkeypatch, "pack", source, "o.h5", "--overwrite", *how, *gray)
        assert re.search(r"12(/12| frames)  0:\d\d  .* frames/s  .* MB/s  ratio \d", said), said
        assert said.count("\n") == said.count("times the bytes of its source") + 1
    assert "12/12" in shown(monkeypatch, "verify", "o.h5", "--against", source, *gray)
    assert "12/12" in shown(monkeypatch, "check", "o.h5", "--against", source, *gray)
    assert "adding" in shown(monkeypatch, "append", "o.h5", source, *gray)
    with h5vidstack.open("o.h5") as stack:
        assert len(stack) == 24


def test_every_command_on_a_terminal(monkeypatch, capsys):
    np.save("big.npy", moving((64, 128, 128)))
    np.save("a.npy", FRAMES)
    write_video("v.mp4", 12, (32, 48), gop=4, bf="0")
    Image.fromarray(FRAMES[3]).save("query.png")
    put_hdf5()
    run = {
        "pack": ["pack a.npy x.h5", "pack a.npy y.h5 --resume", "pack v.mp4 z.h5 --gray --copy"],
        "append": ["append x.h5 a.npy"],
        "link": ["link x.h5 y.h5 -o all.h5"],
        "unpack": ["unpack x.h5 out", "unpack x.h5 out.npy", "unpack x.h5 out.tif",
                   "unpack x.h5 plain.h5::/data"],
        "export": ["export x.h5 x.mkv"],
        "repack": ["repack d.h5 r.h5 --select /chunked", "repack r.h5 t.h5 --restore"],
        "recover": ["recover x.h5 good.h5"],
        "rehash": ["rehash x.h5"], "remap": ["remap x.h5"],
        "ls": ["ls x.h5"],
        "view": [],  # which runs until Ctrl-C: see test_looking
        "info": ["info x.h5", "info all.h5 --groups"],
        "find": ["find x.h5 query.png"],
        "contact-sheet": ["contact-sheet x.h5 sheet.png"],
        "verify": ["verify all.h5"],
        "check": ["check x.h5"],
        "references": ["references x.h5 -o refs.json"],
        "bench": ["bench big.npy --methods hdf5 --rounds 1"],
        "demo": ["demo --grid 2x2x2 --size 9x9"],
    }  # fmt: skip
    assert set(run) | {"plugin-path"} == set(main.commands)  # which is not built everywhere
    bars = {"unpack": "unpacking", "export": "exporting", "repack": "repacking", "rehash": "hashing",
            "recover": "looking", "verify": "verifying", "bench": "benching", "demo": "packing"}  # fmt: skip
    for name, lines in run.items():
        for line in lines:
            said = shown(monkeypatch, *line.split())
            assert bars.get(name, "") in said, line


def test_a_recording_that_lost_its_structure_on_a_terminal(monkeypatch, capsys):
    h5vidstack.pack(FRAMES, "bad.h5", method="video")
    with h5py.File("bad.h5", "r+") as file:
        del file["stack"].attrs["dtype"]
    assert "12 frames" in shown(monkeypatch, "recover", "bad.h5", "good.h5")


def test_what_a_bar_says():
    def line(doing, step, seconds, width=79):
        # Private: on a real terminal the time that has passed cannot be chosen.
        return terminal._progress_line(doing, step, seconds, width)

    assert line("packing", Step(0, None), 0) == "packing  0 frames  0:00"
    assert line("choosing", Step(0, 60, "choosing"), 71.4) == "choosing  1:11"
    assert line("packing", Step(0, 60), 1) == f"packing  [{'-' * 24}]  0/60  0:01"
    assert line("packing", Step(7, None), 2) == "packing  7 frames  0:02  3.5 frames/s"
    assert line("packing", Step(60, 60), 0.1) == f"packing  [{'#' * 24}]  60/60  0:00  600 frames/s"
    some = Step(15, 60, "", 3_000_000, 1_500_000)
    rest = "  15/60  0:02, 0:06 left  7.5 frames/s  1.5 MB/s  ratio 2.00"
    assert line("packing", some, 2, 200) == f"packing  [{'#' * 6}{'-' * 18}]{rest}"
    assert line("packing", some, 2, 80) == f"packing  [{'#' * 2}{'-' * 7}]{rest}"
    assert len(line("packing", some, 2, 80)) == 80
    assert line("packing", some, 2, 70) == f"packing{rest}"
