import errno
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import moving, noise

import h5vidstack
from h5vidstack.layout import output
from h5vidstack.layout.output import _HOST  # private, but part of the names on the disk

FRAMES = np.concatenate(
    [moving((44, 20, 30)), noise((20, 20, 30)) // 2, moving((44, 20, 30))[10:14]]
)


def test_what_killed_programs_left_is_removed():
    names = {  # which, and whether it is removed
        f".x.h5.{_HOST}-999999999-abcd1234.tmp": True,
        f".x.h5.{_HOST}-{os.getpid()}-abcd1234.tmp": False,
        ".x.h5.00000000-999999999-abcd1234.tmp": False,
        f".other.h5.{_HOST}-999999999-abcd1234.tmp": False,
        ".x.h5.mine.tmp": False,
    }
    for name in names:
        Path(name).touch()
    h5vidstack.pack(FRAMES[:3], "x.h5")
    assert {name: not Path(name).exists() for name in names} == names
    for name in names:
        Path(name).unlink(missing_ok=True)


@pytest.mark.parametrize("fault", [errno.EXDEV, errno.EINVAL, None])
def test_a_copy_is_whole_where_the_system_copies_only_a_part(monkeypatch, fault):
    """Adding to a file begins with a copy of it."""
    h5vidstack.pack(FRAMES, "x.h5")
    calls = []

    def part(old, new, count):
        calls.append(count)
        if len(calls) > 1 and fault is not None:
            raise OSError(fault, "not here")
        return os.sendfile(new, old, None, 1000) if len(calls) < 3 else 0

    monkeypatch.setattr(os, "copy_file_range", part, raising=False)
    with h5vidstack.open("x.h5") as stack:
        stack.append(FRAMES[:2] ^ 1)
    assert len(calls) > 1
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], np.concatenate([FRAMES, FRAMES[:2] ^ 1]))
        assert stack.verify() == []


def test_small_writes_are_not_gathered():
    """HDF5 crashes if it cannot write what it gathered when a dataset is closed."""
    with output.open_hdf5_output(Path("x.h5"), "/a", False) as file:
        file["a"] = 1
        assert file.id.get_access_plist().get_sieve_buf_size() == 0
    with output.edit_hdf5(Path("x.h5")) as file:
        assert file.id.get_access_plist().get_sieve_buf_size() == 0


def test_folders_change_places_also_where_the_system_cannot(monkeypatch):
    h5vidstack.pack(moving((4, 20, 30)), "x.h5")
    # Private: only a system call that fails could have this effect otherwise.
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


def content(path="x.h5", stack="/stack"):
    with h5vidstack.open(path, stack) as opened:
        assert opened.verify() == []
        return opened[:]


DISK_FULL = """
import resource, sys, numpy as np, h5vidstack
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
frames = np.random.default_rng(0).integers(0, 256, (60, 64, 64), np.uint8)
try:
    h5vidstack.pack(frames, "x.h5", overwrite=True)
except h5vidstack.OutputError as error:
    sys.exit(f"OutputError {error}")
"""


@pytest.mark.usefixtures("unmeasured_children")
@pytest.mark.parametrize(
    "limit",
    [
        1000,
        247_000,
        *(
            pytest.param(limit, marks=pytest.mark.long)
            for limit in (100_000, 246_000, 250_000, 255_000)
        ),
    ],
)
def test_disk_full_at_any_point(limit):
    """A file size limit makes writes fail with EFBIG, as a full disk does with ENOSPC."""
    h5vidstack.pack(np.zeros((1, 2, 3), np.uint8), "x.h5")
    old = Path("x.h5").read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", DISK_FULL, str(limit)], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        content()
        return
    assert done.stderr.strip().lower().startswith("outputerror cannot write x.h5: file too large; ")
    assert os.listdir() == ["x.h5"]
    assert Path("x.h5").read_bytes() == old


def test_links_stay_and_devices_are_refused():
    a, b = moving((5, 9, 9)), noise((5, 9, 9))
    h5vidstack.pack(a, "real.h5")
    os.chmod("real.h5", 0o600)
    os.symlink("real.h5", "link.h5")
    h5vidstack.pack(b, "link.h5::/b")
    h5vidstack.pack(b, "link.h5", overwrite=True)
    assert os.path.islink("link.h5")
    assert os.stat("real.h5").st_mode & 0o777 == 0o600
    np.testing.assert_array_equal(content("real.h5"), b)
    os.mkfifo("pipe")
    with pytest.raises(h5vidstack.OutputError, match="device"):
        h5vidstack.pack(a, "pipe", overwrite=True)


def test_nothing_is_added_to_a_file_that_others_write():
    a = moving((5, 9, 9))
    with h5py.File("x.h5", "w") as file:
        with pytest.raises(h5vidstack.OutputError, match="elsewhere"):
            h5vidstack.pack(a, "x.h5::/a")
        file["mine"] = 1

    def frames():
        yield from a
        h5vidstack.pack(a, "x.h5::/first")

    with pytest.raises(h5vidstack.OutputError, match="changed by another"):
        h5vidstack.pack(frames(), "x.h5::/second")
    with h5py.File("x.h5"):  # being read elsewhere is no obstacle
        h5vidstack.pack(a, "x.h5::/third")
    with h5py.File("x.h5") as file:
        assert set(file) == {"mine", "first", "third"}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("x.h5::/", "root"),
        ("x.h5::/stack/frames/y", "is a stack"),
        ("x.h5::/stack/frames", "is a stack"),
        ("x.h5::/data/y", "is a dataset"),
        ("new.h5::/", "root"),
    ],
)
def test_bad_paths_in_a_file(target, words):
    h5vidstack.pack(moving((5, 9, 9)), "x.h5")
    with h5py.File("x.h5", "r+") as file:
        file["data"] = 1
    for overwrite in (False, True):
        with pytest.raises(h5vidstack.OutputError, match=words):
            h5vidstack.pack(moving((5, 9, 9)), target, overwrite=overwrite)


def test_a_long_name():
    name = "n" * 250 + ".h5"
    h5vidstack.pack(moving((5, 9, 9)), name)
    assert os.listdir() == [name]


@pytest.mark.parametrize(
    ("target", "words"),
    [("none/x.h5", "no folder"), (".", "folder"), ("text::/g", "not an HDF5 file")],
)
def test_bad_target(target, words):
    Path("text").write_text("hello")
    with pytest.raises(h5vidstack.OutputError, match=words):
        h5vidstack.pack(moving((3, 4, 5)), target, overwrite=True)
    assert os.listdir() == ["text"]
