import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from injected import FRAMES, put

import h5vidstack
from h5vidstack.bulk.discovery import hdf5_files, sources_of_their_own, state_of


def found(folder="in", out="out", but=None):
    seen = hdf5_files(Path(folder), Path(out), but)
    left = {one.name: (one.status, one.what) for one in seen.others}
    return [one.name for one in seen.tasks], left


def test_files_are_found_by_what_is_in_them():
    put("in/b.h5", "in/a/x.nxs", "in/a/b/picture.tif", "in/.hidden.h5")
    with h5py.File("in/block.mat", "w", userblock_size=1024) as file:
        file["x"] = 1
    Path("in/notes.h5").write_text("no HDF5")
    Path("in/empty.h5").touch()
    os.mkfifo("in/pipe")
    tasks, left = found()
    assert tasks == ["b.h5", "block.mat", "a/x.nxs", "a/b/picture.tif"]
    assert left == {
        ".hidden.h5": ("skipped", "its name begins with a dot"),
        "notes.h5": ("skipped", "not HDF5"),
        "empty.h5": ("skipped", "not HDF5"),
        "pipe": ("skipped", "it is a pipe or a device"),
    }


def test_a_link_to_itself_fails_alone():
    put("in/a.h5")
    os.symlink("loop.h5", "in/loop.h5")
    tasks, left = found()
    assert tasks == ["a.h5"]
    assert left["loop.h5"][0] == "failed"


def test_outputs_keep_their_paths():
    put("in/a/x.nxs")
    (task,) = hdf5_files(Path("in"), Path("out"), None).tasks
    assert task.source == os.path.abspath("in/a/x.nxs")
    assert task.target == os.path.abspath("out/a/x.nxs")
    assert task.state == state_of("in/a/x.nxs")


def test_the_folder_of_the_outputs_and_the_log_are_left_out():
    put("in/x.h5", "in/done/y.h5", "in/run.jsonl")
    assert found(out="in/done", but=Path("in/run.jsonl")) == (["x.h5"], {})


def test_links():
    put("in/x.h5", "far/y.h5", "far/sub/z.h5", "out/x.h5")
    os.symlink(".", "in/loop")
    os.symlink("../far", "in/linked")
    os.symlink("../far/sub", "in/again")
    os.symlink("../out", "in/outputs")
    os.symlink("nowhere", "in/gone.h5")
    os.symlink("../far/y.h5", "in/file.h5")
    tasks, left = found()
    assert tasks == ["file.h5", "x.h5", "again/z.h5", "linked/y.h5"]
    assert left["gone.h5"][0] == "failed"
    assert "link to a missing file" in left["gone.h5"][1]
    for name in ("loop", "outputs", "linked/sub"):
        assert left[name][0] == "skipped"
        assert "link to a folder" in left[name][1]


def test_what_cannot_be_right():
    put("in/x.h5", "in/raw/x.h5")
    with pytest.raises(h5vidstack.OutputError, match="is the folder of the sources"):
        found(out="in/../in")
    with pytest.raises(h5vidstack.OutputError, match="is a file; the outputs"):
        found(out="in/x.h5")
    with pytest.raises(h5vidstack.SourceError, match="missing"):
        found("nowhere")
    os.symlink(os.path.abspath("in/x.h5"), "in/raw/y.h5")
    with pytest.raises(h5vidstack.OutputError, match="which is the source"):
        found("in/raw", "in")  # in/raw/x.h5 would become in/x.h5, to which in/raw/y.h5 leads


def outputs(*sources, out="out"):
    tasks = sources_of_their_own(sources, Path(out)).tasks
    return {one.name: os.path.relpath(one.target, out) for one in tasks}


def test_each_source_has_an_output_of_its_own():
    Path("runs/one").mkdir(parents=True)
    for name in ("runs/a.npy", "runs/b.ome.npy", "runs/one/c2.npy", "runs/one/c10.npy"):
        np.save(name, FRAMES)
    put("raw.h5")
    Path("pictures.v2").mkdir()
    assert outputs("runs/a.npy") == {"runs/a.npy": "a.h5"}
    assert outputs("runs/a.npy", "runs/one/c2.npy") == {
        "runs/a.npy": "a.h5",
        "runs/one/c2.npy": "one/c2.h5",
    }
    assert list(outputs("runs/one/*.npy").values()) == ["c2.h5", "c10.h5"]
    assert outputs("runs/b.ome.npy") == {"runs/b.ome.npy": "b.ome.h5"}
    assert outputs("pictures.v2") == {"pictures.v2": "pictures.v2.h5"}
    assert outputs("raw.h5::/data", "raw.h5::/other/data") == {
        "raw.h5::/data": "raw-data.h5",
        "raw.h5::/other/data": "raw-other-data.h5",
    }
    assert outputs("https://host/x/far.h5::/entry/data", "s3://bucket/a.h5") == {
        "https://host/x/far.h5::/entry/data": "far-entry-data.h5",
        "s3://bucket/a.h5": "a.h5",
    }


@pytest.mark.parametrize(
    ("names", "out", "message"),
    [
        (["a.npy", "a.tif"], "out", "a.npy and a.tif would both become"),
        (["a.npy", "A.npy"], "out", "differ only in case"),
        (["a.npy", "a.npy"], "out", "is given twice"),
        (["x.h5", "a.npy"], ".", "which is the source x.h5"),
        (["a.npy"], "a.tif", "is a file; the outputs"),
    ],
)
def test_outputs_that_cannot_be(names, out, message):
    for name in ("a.npy", "a.tif", "A.npy", "x.h5"):
        Path(name).touch()
    with pytest.raises(h5vidstack.OutputError, match=message):
        sources_of_their_own(names, Path(out))


def test_the_state_of_a_folder_changes_with_its_files():
    Path("pictures/more").mkdir(parents=True)
    Path("pictures/more/a").write_text("abc")
    before = state_of("pictures")
    assert before.size == 3
    assert state_of("pictures") == before
    os.utime("pictures/more/a", ns=(5, before.mtime_ns + 10**9))
    assert state_of("pictures") != before
    assert state_of("nowhere") is None
