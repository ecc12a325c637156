"""Kills, signals and failing writes; benchmark/kills.py and its like do far more."""

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import moving
from places import BENCHMARKS

import h5vidstack
from h5vidstack.layout import output


def run(program, *arguments):
    """What a program that must find nothing wrong says."""
    done = subprocess.run(
        [sys.executable, BENCHMARKS / program, *arguments], capture_output=True, text=True
    )
    # Noise takes more room in a stack than by itself, and packing says so.
    said = [line for line in done.stderr.splitlines() if not line.startswith("the stack takes")]
    assert (done.returncode, said) == (0, []), done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks at /proc")
def test_killed_at_random_moments():
    kinds = "pack", "pack --overwrite", "pack --resume", "append", "rehash", "record", "repack"
    assert run("kills.py", "30", "0", *kinds).splitlines()[-1].split()[:2] == ["all", "30"]


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks at /proc")
def test_signals_wherever_they_come():
    assert "wrong" not in run("interrupts.py", "40")


@pytest.mark.skipif(sys.platform != "linux", reason="preloads a library")
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) to build faults.c with")
def test_writes_that_fail():
    kinds = "pack --resume", "append", "recover carved", "unpack beside", "record", "repack"
    assert run("faults.py", "47", *kinds).splitlines()[-1].endswith(" 0 wrong")


def test_small_writes_are_not_gathered():
    """HDF5 crashes if it cannot write what it gathered when a dataset is closed."""
    with output.open_hdf5_output(Path("x.h5"), "/a", False) as file:
        file["a"] = 1
        assert file.id.get_access_plist().get_sieve_buf_size() == 0
    with output.edit_hdf5(Path("x.h5")) as file:
        assert file.id.get_access_plist().get_sieve_buf_size() == 0


def test_folders_change_places_also_where_the_system_cannot(monkeypatch):
    h5vidstack.pack(moving((4, 20, 30)), "x.h5")
    for exchanged in (output._exchanged, lambda one, other: False):
        monkeypatch.setattr(output, "_exchanged", exchanged)
        h5vidstack.unpack("x.h5", "out", overwrite=True)
        h5vidstack.unpack("x.h5", "out", frames=[2], overwrite=True)
        assert [path.name for path in Path("out").iterdir()] == ["frame_000002.png"]
    assert sorted(path.name for path in Path().iterdir()) == ["out", "x.h5"]


def test_a_folder_that_cannot_be_flushed_is_no_error(monkeypatch):
    def flush(path):
        if path.is_dir():
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(output, "flush_to_disk", flush)
    h5vidstack.pack(moving((4, 20, 30)), "x.h5")
    assert h5vidstack.verify("x.h5") == []


def test_a_recording_closed_before_all_was_written():
    """As a disk that was full for a while leaves it: there is room, but not the blocks."""
    frames = moving((20, 20, 30))
    recorder = h5vidstack.create("x.h5", (20, 30), "u1", chunk_frames=4)
    for frame in frames[:12]:
        recorder.write(frame)
    recorder.flush()
    recorder._live.pile.data.resize(16, axis=0)
    recorder._failed = True
    with pytest.raises(h5vidstack.OutputError):
        recorder.close()
    with h5py.File("x.h5") as file:
        assert file["stack/frames"].shape[0] == 16
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames[:12])
        assert "recover" in stack.verify()[0]
    spec = subprocess.run(
        [sys.executable, "-c", "import sys, runpy; read = runpy.run_path(sys.argv[1])['read_stack']; print(len(read('x.h5')))", BENCHMARKS.parent / "spec" / "reader.py"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert spec.stdout == "12\n"
    assert h5vidstack.recover("x.h5", "good.h5").saved == 12


def test_half_written_metadata_of_a_recording_is_an_error_at_once():
    """HDF5 would read it again and again, for ever."""
    code = """
import os, numpy as np, h5vidstack
recorder = h5vidstack.create("x.h5", (20, 30), "u1", chunk_frames=4)
for frame in np.load("frames.npy"):
    recorder.write(frame)
recorder.flush()
os._exit(0)
"""
    frames = moving((12, 20, 30))
    np.save("frames.npy", frames)
    subprocess.run([sys.executable, "-c", code], check=True)
    data = bytearray(Path("x.h5").read_bytes())
    data[data.index(b"EAHD") + 12] ^= 255  # the header of the index of chunks
    Path("x.h5").write_bytes(data)
    with pytest.raises(h5vidstack.FormatError, match="damaged"):
        h5vidstack.open("x.h5")
    h5vidstack.recover("x.h5", "good.h5")
    with h5vidstack.open("good.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)


def test_a_refused_resume_leaves_no_journal():
    h5vidstack.pack(moving((4, 20, 30)), "x.h5", resume=True)
    with pytest.raises(h5vidstack.OutputError, match="overwrite"):
        h5vidstack.pack(moving((4, 20, 30)), "x.h5", resume=True)
    assert [path.name for path in Path().iterdir()] == ["x.h5"]
