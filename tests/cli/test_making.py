import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import fails, run
from frames import moving
from PIL import Image

import h5vidstack


def test_the_whole_road(images):
    assert "20 x 17 x 23 uint8" in run("pack", "imgs", "x.h5").output
    assert "equal to imgs" in run("verify", "x.h5", "--against", "imgs").output
    table = run("info", "x.h5").output
    for words in ("20 x 17 x 23 uint8", "video, ", "lossless", "ratio", "2 of 16 x 17 x 23"):
        assert words in table
    run("unpack", "x.h5", "x.npy", "--frames", "10:20:2")
    np.testing.assert_array_equal(np.load("x.npy"), images[10:20:2])
    run("unpack", "x.h5", "out", "--format", "tiff", "--frames", "3,-1")
    assert sorted(os.listdir("out")) == ["img19.tiff", "img3.tiff"]
    run("unpack", "x.h5", "numbers", "--no-names", "--frames", "3,-1")
    assert sorted(os.listdir("numbers")) == ["frame_000003.png", "frame_000019.png"]
    assert "go with a folder" in run("unpack", "x.h5", "y.npy", "--names", code=2).output


def test_several_sources_as_a_shell_expands_them(images):
    run("pack", *sorted(Path("imgs").iterdir()), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], images)


def test_json(images):
    report = json.loads(run("pack", "imgs", "x.h5::/entry/s", "--json").stdout)
    assert report["shape"] == [20, 17, 23]
    facts = json.loads(run("info", "x.h5::/entry/s", "--json").output)
    assert facts["stack"] == "/entry/s"
    assert facts["raw_bytes"] == images.nbytes
    assert facts["stored_bytes"] == report["stored_bytes"]
    assert facts["ratio"] == pytest.approx(report["ratio"])
    assert facts["codec"]
    assert facts["groups"][0]["coding"] == report["codings"][0]
    assert facts["settings"]["libraries"]["PyAV"]
    assert json.loads(run("verify", "x.h5::/entry/s", "--json").output) == {
        "frames": 20, "sound": True, "problems": [],
    }  # fmt: skip


def test_options(images):
    run("pack", "imgs", "x.h5", "--preset", "x264-slow", "--chunk-frames", "3", "--tile", "8x16",
        "--workers", "1", "--no-verify", "--method", "video", "--codec", "x264")  # fmt: skip
    facts = json.loads(run("info", "x.h5", "--json").output)
    assert facts["chunk"] == [3, 8, 16]
    assert facts["preset"] == "x264-slow"
    assert facts["settings"]["verified"] is False
    run("pack", "imgs", "y.h5", "--tile", "8")
    assert json.loads(run("info", "y.h5", "--json").output)["chunk"] == [16, 8, 8]
    run("pack", "imgs", "z.h5", "--tile", "none")


def test_the_output_is_not_the_source():
    np.save("u8.npy", moving((20, 16, 16)))
    os.symlink("u8.npy", "link.h5")
    before = Path("u8.npy").read_bytes()
    for target in ("u8.npy", "link.h5"):
        assert "the output is the source" in fails("pack", "u8.npy", target, "--overwrite")
    with h5py.File("x.h5", "w") as file:
        file["data"] = moving((20, 16, 16))
    for target in ("x.h5", "x.h5::/data"):
        said = fails("pack", "x.h5::/data", target, "--overwrite")
        assert "the output is the source" in said
    run("pack", "x.h5::/data", "x.h5::/stack")
    run("pack", "x.h5::/stack", "x.h5::/stack", "--overwrite", "--profile", "fast")
    assert "the output is the source" in fails("unpack", "x.h5", "x.h5::/stack", "--overwrite")
    run("unpack", "x.h5", "x.h5::/plain")
    os.link("x.h5", "x.png")
    for name in ("worst", "typical", "components"):
        os.link("x.h5", f"{name}.png")
    for arguments in (["contact-sheet", "x.h5", "x.png"],
                      ["unpack", "x.h5", "x.npy"],
                      ["check", "x.h5", "--against", "u8.npy", "--plots", "."]):  # fmt: skip
        if arguments[0] == "unpack":
            os.link("x.h5", "x.npy")
        assert "the output is the source" in fails(*arguments, "--overwrite")
    Path("imgs").mkdir()
    for number, frame in enumerate(moving((3, 16, 16))):
        Image.fromarray(frame).save(f"imgs/{number}.png")
    for source in (["imgs"], ["imgs/*.png"], ["imgs/0.png", "imgs/1.png"]):
        said = fails("pack", *source, "imgs/1.png", "--overwrite")
        assert "the output is the source" in said
    assert Path("u8.npy").read_bytes() == before


def test_a_dry_run_writes_nothing_and_tells_what_packing_would_give(images):
    before = sorted(os.listdir())
    said = run("pack", "imgs", "x.h5", "--dry-run", "--explain").stdout
    assert said.startswith("would pack ")
    for words in (
        "give or take",
        "lossless",
        "gzip 4",
        "kept",
        "not kept",
        "nothing was written",
        "->",
    ):
        assert words in said
    facts = json.loads(run("pack", "imgs", "x.h5", "--dry-run", "--json").stdout)
    assert facts["ratio"] == facts["raw_bytes"] / facts["stored_bytes"]
    assert facts["growth"] > 0
    assert facts["kept"]
    assert sorted(os.listdir()) == before
    assert "no such file" in fails("pack", "none", "x.h5", "--dry-run")
    Path("x.h5").write_bytes(b"")
    assert "--overwrite" in fails("pack", "imgs", "x.h5", "--dry-run")
    assert "needs all frames" in fails("pack", "imgs", "y.h5", "--dry-run", "--method", "pca")
    assert Path("x.h5").read_bytes() == b""
