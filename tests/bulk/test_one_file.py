import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from injected import FRAMES, Wrong, names, planned, put

import h5vidstack
from h5vidstack.bulk.discovery import state_of
from h5vidstack.bulk.one_file import PackWork, RepackWork, do
from h5vidstack.hdf5.file_stamp import of_status
from h5vidstack.repacking.repacker import RepackRequest

OPTIONS = h5vidstack.PackOptions(profile="fast", workers=1)


def repack(task, **more):
    work = RepackWork(request=RepackRequest(options=OPTIONS, **more))
    return do(pickle.loads(pickle.dumps(work)), task, lambda: False)


def test_repack():
    put("x.h5")
    result = repack(planned("x.h5", "new/folder/y.h5"))
    assert (result.status, result.error) == ("done", None)
    assert result.before == os.path.getsize("x.h5")
    assert result.after == os.path.getsize("new/folder/y.h5") < result.before
    assert result.what == "1 stack coded"
    assert result.source_state == state_of("x.h5")
    assert result.target_state == state_of("new/folder/y.h5")
    assert result.report.replaced[0].path == "/data"
    back = repack(planned("new/folder/y.h5", "z.h5"), restore=True)
    assert back.what == "1 stack made plain"
    with h5py.File("z.h5") as file:
        np.testing.assert_array_equal(file["data"], FRAMES)


def test_a_dry_run_writes_nothing():
    put("x.h5")
    result = repack(planned("x.h5", "new/y.h5"), dry_run=True)
    assert (result.status, result.what) == ("planned", "1 stack coded")
    assert result.after < result.before
    np.save("a.npy", FRAMES)
    result = do(PackWork(options=OPTIONS, dry_run=True), planned("a.npy", "new/a.h5"), bool)
    assert (result.status, result.what) == ("planned", "6 x 64 x 200 uint8")
    assert 0 < result.after < 2 * result.before
    assert result.before == os.path.getsize("a.npy")
    assert names() == ["a.npy", "x.h5"]


def test_pack():
    np.save("a.npy", FRAMES)
    result = do(PackWork(options=OPTIONS), planned("a.npy", "new/a.h5"), bool)
    assert (result.status, result.what) == ("done", "6 x 64 x 200 uint8, lossless")
    with h5vidstack.open("new/a.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES)


@pytest.mark.parametrize("changed", [False, True])
def test_only_the_output_of_an_earlier_run_is_replaced(changed):
    put("x.h5", "y.h5")
    stamp = of_status(os.stat("y.h5"))
    if changed:
        os.utime("y.h5", ns=(1, 1))
    before = Path("y.h5").read_bytes()
    task = planned("x.h5", "y.h5")
    result = repack(type(task)(task.task, stamp))
    if changed:
        assert "was changed by another program" in result.what
        assert Path("y.h5").read_bytes() == before
    else:
        assert result.status == "done"
        assert Path("y.h5").read_bytes() != before


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("bug-1", "ZeroDivisionError", "ZeroDivisionError"),
        ("memory", "MemoryError", "MemoryError"),
    ],
)
def test_what_goes_wrong_is_a_result(name, error, said):
    put(name)
    result = do(Wrong(), planned(name), lambda: False)
    assert (result.status, result.error, result.what) == ("failed", error, said)
    assert (result.traceback is not None) == (name == "bug-1")
    assert result.before == os.path.getsize(name)


def test_a_damaged_file_is_a_result():
    Path("x.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    result = repack(planned("x.h5"))
    assert (result.status, result.error) == ("failed", "FormatError")
    assert result.traceback is None
    assert names() == ["x.h5"]


def test_work_that_is_stopped_leaves_nothing():
    put("x.h5")
    asked = []

    def stopped():
        asked.append(1)
        return len(asked) > 2

    work = RepackWork(request=RepackRequest(options=OPTIONS))
    assert do(work, planned("x.h5", "new/y.h5"), stopped).status == "stopped"
    assert names() == ["x.h5"]
