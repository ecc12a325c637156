"""What a name names: what exists is never a pattern and never split; the order of files."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import h5vidstack
from h5vidstack.sources.file_names import natural_order
from h5vidstack.sources.openers import open_source

FRAMES = np.random.default_rng(5).integers(0, 256, (6, 12, 15)).astype(np.uint8)


def save(folder, frames=FRAMES, name="{}.png"):
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(Path(folder) / name.format(number))


def read(name):
    source = open_source(name)
    try:
        return np.concatenate(list(source.batches(4)))
    finally:
        source.close()


def test_an_existing_folder_is_no_pattern():
    save("scan[1]", FRAMES[:2])
    save("scan1", FRAMES[2:4])
    save("scan*", FRAMES[4:])
    np.testing.assert_array_equal(read("scan[1]"), FRAMES[:2])
    np.testing.assert_array_equal(read("scan[1]/*.png"), FRAMES[:2])
    np.testing.assert_array_equal(read("scan[1]/[0-1].png"), FRAMES[:2])
    np.testing.assert_array_equal(read(os.path.abspath("scan*/?.png")), FRAMES[4:])
    np.testing.assert_array_equal(read("scan[12]/*.png"), FRAMES[2:4])
    Path("scan1/0.png").rename("scan1/x[7].png")
    np.testing.assert_array_equal(read("scan1/x[7].png"), FRAMES[2:3])


def test_colons_in_names_that_exist():
    save("run::1", FRAMES)
    np.testing.assert_array_equal(read("run::1"), FRAMES)
    np.testing.assert_array_equal(read("run::1/*.png"), FRAMES)
    np.save("run::1/a::b.npy", FRAMES)
    np.testing.assert_array_equal(read("run::1/a::b.npy"), FRAMES)
    h5vidstack.pack("run::1/", "run::1/out.h5::/a/b")
    np.testing.assert_array_equal(read("run::1/out.h5::/a/b"), FRAMES)
    h5vidstack.pack("run::1/out.h5::/a/b", "run::1/c::d.h5")
    assert Path("run::1/c").exists()  # a new name is split at the first colons behind a folder


def test_dangling_links_are_refused_by_name():
    save("in")
    for number in (2, 4):
        Path(f"in/{number}.png").unlink()
        Path(f"in/{number}.png").symlink_to(f"../annex/{number}.png")
    for name in ("in", "in/*.png", "in/2.png", [f"in/{k}.png" for k in range(6)]):
        with pytest.raises(h5vidstack.SourceError, match=r"in/2\.png.*missing.*annex/2\.png"):
            open_source(name)
    Path("gone").symlink_to("nowhere")
    with pytest.raises(h5vidstack.SourceError, match=r"gone.*nowhere"):
        open_source("gone")
    Path("in/2.png").unlink()
    Path("in/4.png").unlink()
    Path("in/2.png").symlink_to("0.png")  # a link to what is there is a file as any other
    np.testing.assert_array_equal(read("in"), FRAMES[[0, 1, 0, 3, 5]])


def test_what_desktops_leave_is_passed_over_and_the_rest_is_said():
    save("in")
    for junk in (".DS_Store", "._0.png", "Thumbs.db", "desktop.ini", ".gitignore"):
        Path("in", junk).write_bytes(b"junk")
    source = open_source("in")
    assert source.notes == []
    np.testing.assert_array_equal(read("in"), FRAMES)
    np.testing.assert_array_equal(read("in/*"), FRAMES)
    Path("in/notes.txt").write_text("about them")
    Path("in/dir.png").mkdir()
    (note,) = open_source("in").notes
    assert note == "in also holds what is no image, and was left out: dir.png, notes.txt."
    with pytest.raises(h5vidstack.SourceError, match="dir.png"):
        read("in/*")


def test_pipes_are_refused():
    save("in")
    for name in ("f.npy", "f.mkv", "in/9.png"):
        os.mkfifo(name)
        with pytest.raises(h5vidstack.SourceError, match=f"{name} is a pipe"):
            open_source(name)
    for source in ("in", "in/*", ["in/0.png", "in/9.png"]):
        with pytest.raises(h5vidstack.SourceError, match="9.png is a pipe"):
            open_source(source)


def test_hidden_images():
    save("in")
    save("in", FRAMES[:2], ".h{}.png")
    (note,) = open_source("in").notes
    assert note == "in also holds hidden images, which were left out: .h0.png, .h1.png."
    np.testing.assert_array_equal(read("in"), FRAMES)
    np.testing.assert_array_equal(read("in/*"), FRAMES)
    np.testing.assert_array_equal(read("in/.h*"), FRAMES[:2])
    np.testing.assert_array_equal(read("in/.h0.png"), FRAMES[:1])


@pytest.mark.parametrize("source", ["", b"", ["", "in/0.png"]])
def test_a_name_that_is_empty(source):
    save("in")
    with pytest.raises(h5vidstack.SourceError, match="empty"):
        open_source(source)


def test_a_file_that_cannot_be_read_is_named():
    save("in")
    path = Path("in/3.png")
    path.chmod(0)
    try:
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
        with pytest.raises(h5vidstack.SourceError, match=r"in/3\.png: Permission denied"):
            read("in")
    finally:
        path.chmod(0o600)


def test_a_pattern_with_a_place_in_a_file():
    h5vidstack.pack(FRAMES, "a1.h5::/x")
    np.testing.assert_array_equal(read("a?.h5::/x"), FRAMES)
    np.save("one.npy", FRAMES)
    np.testing.assert_array_equal(read("on*.npy"), FRAMES)
    h5vidstack.pack(FRAMES, "a2.h5::/x")
    with pytest.raises(h5vidstack.SourceError, match="matches 2 files"):
        open_source("a?.h5::/x")


ORDERS = [
    ["9", "10", "a3b2", "a3b12", "a²1", "img1", "img2", "img10"],
    ["img-1", "img-2", "img-10"],
    ["t-2", "t-1.5", "t0", "t0.25", "t0.5", "t10"],
    ["x1.2.9", "x1.2.10", "x1.10.1"],
    ["2024-01-09 s-5", "2024-01-09 s4", "2024-01-10 s-1"],
    ["-10", "-1", "0", "1"],
    ["img", "img_1", "img_2"],
    ["a.001", "a.002", "a.010"],
]


@pytest.mark.parametrize("names", ORDERS)
def test_natural_order(names):
    paths = [Path(f"{name}.png") for name in names]
    for given in (paths, paths[::-1], sorted(paths)):
        assert natural_order(given)[0] == paths


def test_decimals_that_could_be_meant_otherwise_are_said():
    assert natural_order([Path("t0.1.png"), Path("t0.2.png")])[1] is None
    ordered, note = natural_order([Path("s1.2.png"), Path("s1.10.png")])
    assert ordered == [Path("s1.10.png"), Path("s1.2.png")]
    assert "s1.10.png comes before s1.2.png" in note
    save("in", FRAMES[:2], name="s1.{}0.png")
    Path("in/s1.10.png").rename("in/s1.2.png")
    Path("in/s1.00.png").rename("in/s1.10.png")
    assert "decimal numbers" in open_source("in").notes[0]
