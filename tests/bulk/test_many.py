"""Many files, some of which go wrong: nothing else is lost, and another run goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import moving
from injected import FRAMES, names, put, wait_for

import h5vidstack
from h5vidstack import pack_many, repack_many

FAST = {"profile": "fast", "threads": True}


def statuses(report):
    return {one.name: one.status for one in report.files}


def equal(name):
    with h5py.File(name) as file:
        return np.array_equal(file["data"], FRAMES)


def test_repack_and_go_on():
    put("in/a.h5", "in/b/c.nxs", "in/d.h5")
    Path("in/bad.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    Path("in/notes.txt").write_text("text")
    heard, steps = [], []
    report = repack_many(
        "in", "out", log="log", finished=heard.append, progress=steps.append, **FAST
    )
    assert statuses(report) == {
        "a.h5": "done", "bad.h5": "failed", "d.h5": "done", "b/c.nxs": "done",
        "notes.txt": "skipped",
    }  # fmt: skip
    assert sorted(one.name for one in heard) == sorted(statuses(report))
    assert (steps[-1].frames, steps[-1].total) == (4, 4)
    assert names("out") == ["a.h5", "b/c.nxs", "d.h5"]
    assert all(equal(f"out/{name}") for name in names("out"))
    assert Counter(logged()) == {"begun": 4, "done": 3, "failed": 1}

    put("in/bad.h5")
    os.utime("in/d.h5", ns=(5, 5))
    again = repack_many("in", "out", log="log", **FAST)
    assert statuses(again) == statuses(report) | {
        "a.h5": "skipped", "b/c.nxs": "skipped", "bad.h5": "done",
    }  # fmt: skip
    assert set(statuses(repack_many("in", "out", log="log", **FAST)).values()) == {"skipped"}


def test_what_is_in_the_way_is_told_before_anything_begins():
    put("in/a.h5", "in/b.h5", "out/b.h5")
    with pytest.raises(h5vidstack.OutputError, match=r"out/b.h5 exists already.*--skip-existing"):
        repack_many("in", "out", **FAST)
    assert names("out") == ["b.h5"]
    report = repack_many("in", "out", skip_existing=True, **FAST)
    assert statuses(report) == {"a.h5": "done", "b.h5": "skipped"}


def test_other_options_are_other_work():
    put("in/a.h5")
    repack_many("in", "out", log="log", **FAST)
    assert repack_many("in", "out", log="log", jobs=1, workers=1, **FAST).held
    again = repack_many("in", "out", log="log", threads=True, preset="lpc-chain")
    assert statuses(again) == {"a.h5": "done"}
    assert "lpc" in again.files[0].report.replaced[0].coding


def test_a_dry_run():
    put("in/a.h5")
    report = repack_many("in", "out", log="log", dry_run=True, **FAST)
    assert statuses(report) == {"a.h5": "planned"}
    assert 0 < report.after < report.before
    assert names() == ["in/a.h5"]


def test_nothing_found():
    os.mkdir("in")
    Path("in/notes.txt").write_text("text")
    with pytest.raises(h5vidstack.SourceError, match=r"no HDF5 file below in \(1 others"):
        repack_many("in", "out")
    with pytest.raises(h5vidstack.SourceError, match="no source"):
        pack_many([], "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jobs": 0}, "jobs is 0"),
        ({"jobs": True}, "jobs is True"),
        ({"threads": True, "executor": ThreadPoolExecutor(1)}, "contradict"),
    ],
)
def test_options_that_mean_nothing(options, message):
    put("in/a.h5")
    with pytest.raises(h5vidstack.OutputError, match=message):
        repack_many("in", "out", **options)
    with pytest.raises(h5vidstack.UnsupportedError, match="files of their own"):
        pack_many(["in/a.h5"], "out", mode="a")


def test_pack_each():
    for number in (1, 2, 10):
        np.save(f"run{number}.npy", moving((number, 20, 20)))
    Path("wrong.npy").write_text("no array")
    report = pack_many(["run*.npy", "wrong.npy"], "out", log="log", **FAST)
    assert statuses(report) == {
        "run1.npy": "done", "run2.npy": "done", "run10.npy": "done", "wrong.npy": "failed",
    }  # fmt: skip
    assert names("out") == ["run1.h5", "run10.h5", "run2.h5"]
    with h5vidstack.open("out/run10.h5") as stack:
        np.testing.assert_array_equal(stack[:], moving((10, 20, 20)))
    np.save("run2.npy", moving((3, 20, 20)))
    again = statuses(pack_many(["run*.npy"], "out", log="log", **FAST))
    assert again == {"run1.npy": "skipped", "run2.npy": "done", "run10.npy": "skipped"}
    with h5vidstack.open("out/run2.h5") as stack:
        assert len(stack) == 3
    assert statuses(pack_many(["run2.npy"], "x", dry_run=True, **FAST)) == {"run2.npy": "planned"}


def test_an_executor_works_on_whole_files():
    put("in/a.h5", "in/b.h5")
    np.save("a.npy", FRAMES)
    with ThreadPoolExecutor(2) as pool:
        report = repack_many("in", "out", executor=pool, profile="fast")
        packed = pack_many(["a.npy"], "packed", executor=pool, profile="fast")
    assert set(statuses(report).values()) == {"done"}
    assert statuses(packed) == {"a.npy": "done"}


def test_an_error_of_progress_ends_the_run():
    put(*(f"in/{number}.h5" for number in range(6)))

    def progress(step):
        if step.frames >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repack_many("in", "out", log="log", jobs=1, progress=progress, **FAST)
    done = logged("done")
    assert 2 <= len(done) < 6
    assert names("out") == sorted(done)
    report = repack_many("in", "out", log="log", **FAST)
    assert len(report.held) == len(done)
    assert len(report.written) == 6 - len(done)


LIMITED = """
import resource, sys, h5vidstack
if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    report = h5vidstack.repack_many("in", "out", jobs=2, profile="fast")
    print({one.name: one.status for one in report.files})
    print(*(one.what for one in report.failed))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the system")
def test_a_disk_that_is_full_for_some_files():
    put("in/a.h5", "in/c.h5")
    with h5py.File("in/b.h5", "w") as file:
        file["data"] = np.random.default_rng(0).integers(0, 256, (6, 300, 300), np.uint8)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "{'a.h5': 'done', 'b.h5': 'failed', 'c.h5': 'done'}" in done.stdout
    assert "cannot write" in done.stdout
    assert names("out") == ["a.h5", "c.h5"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_goes_on(number):
    """Also one that is killed, whose processes find that nobody waits for them."""
    for file in range(8):
        np.save(f"{file:02}.npy", moving((20, 100, 100)))
    sources = [f"{file:02}.npy" for file in range(8)]
    command = [
        sys.executable, "-m", "h5vidstack", "pack", "--each", *sources, "out", "--log", "log",
        "--jobs", "2", "--profile", "small",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("log")
    while len(logged("done")) < 2 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(120) in (130, -9)
    wait_until_gone("out")
    assert {f"{name[:2]}.h5" for name in logged("done")} <= set(names("out"))
    for name in names("out"):
        assert h5vidstack.verify(f"out/{name}") == []
    report = pack_many(sources, "out", log="log", profile="small", jobs=2)
    assert len(report.held) + len(report.written) == 8


def logged(status=None):
    """The names of what the log says of files of this status; without one, every status."""
    text = Path("log").read_text()
    lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    if status is None:
        return [line["status"] for line in lines]
    return [line["name"] for line in lines if line["status"] == status]


def wait_until_gone(folder):
    """Until no temporary file is left."""
    end = time.monotonic() + 60
    while list(Path(folder).rglob("*.tmp")):
        assert time.monotonic() < end
        time.sleep(0.05)
