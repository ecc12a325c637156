"""What a failure is called: damage of the file, a refusal of the system, or a bug."""

import errno
import random
import re
import shutil

import h5py
import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack.hdf5 import opening
from h5vidstack.hdf5.failures import DamageError, damage_as_error, hdf5_errors

resource = pytest.importorskip("resource")


def test_a_bug_stays_a_bug():
    with pytest.raises(TypeError), damage_as_error("x.h5"):
        len(None)
    with h5py.File("x.h5", "w") as file:
        file["data"] = 1
        with pytest.raises(DamageError, match="object"), hdf5_errors("x.h5"):
            file["missing"]
        with pytest.raises(KeyError), hdf5_errors("x.h5"):
            {}["missing"]
        with pytest.raises(ZeroDivisionError), hdf5_errors("x.h5"):
            file.visit(lambda name: 1 / 0)


def test_a_bug_in_the_filter_stays_a_bug(monkeypatch):
    with h5py.File("x.h5", "w") as file:
        how = h5vidstack.Video("x264")
        file.create_dataset("data", data=moving((8, 64, 64)), chunks=(8, 64, 64), **how)

    def mistaken(*args):
        raise TypeError("a bug")

    with h5py.File("x.h5") as file:
        with monkeypatch.context() as patch:
            patch.setattr("h5vidstack.hdf5.filter._run_filter", mistaken)
            with pytest.raises(TypeError, match="a bug"), hdf5_errors("x.h5"):
                file["data"][:]
        with pytest.raises(DamageError), hdf5_errors("x.h5"):
            file["missing"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("EMFILE", "reached its limit of [0-9]+ open files, [0-9]+ of which are HDF5.*ulimit -n"),
        ("ENOLCK", "HDF5_USE_FILE_LOCKING=FALSE"),
        ("EACCES", "ask for the permission"),
        ("ESTALE", "replaced or removed on the server.*open it again"),
    ],
)
def test_what_the_system_refuses_keeps_its_name_and_says_what_helps(monkeypatch, name, words):
    h5vidstack.pack(moving((2, 8, 8)), "x.h5")

    def refuse(*args, **options):
        raise OSError(getattr(errno, name), "h5py's words")

    for call in ("h5py.File", "os.stat"):  # a folder may be what refuses
        with monkeypatch.context() as patch:
            patch.setattr(call, refuse)
            with pytest.raises(h5vidstack.AccessError, match=f"x.h5.*{name}.*{words}") as caught:
                opening.open_hdf5("x.h5")
        assert caught.value.errno == getattr(errno, name)


def test_too_many_open_files():
    for number in range(30):
        h5vidstack.pack(moving((2, 8, 8)), f"{number:02}.h5")
    h5vidstack.link([f"{number:02}.h5" for number in range(30)], "all.h5")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (24, before[1]))
    try:
        with pytest.raises(h5vidstack.AccessError, match="ulimit -n") as caught:
            h5vidstack.open("all.h5")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert caught.value.errno == errno.EMFILE
    assert "Too many open files" in str(caught.value)
    assert re.search(r"limit of 24 open files, \d+ of which are HDF5", str(caught.value))
    with h5vidstack.open("all.h5") as stack:
        assert len(stack) == 60


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOLCK, "HDF5_USE_FILE_LOCKING=FALSE"), (errno.EACCES, "chmod"),
                          (errno.ESTALE, "open it again")],
)  # fmt: skip
def test_what_the_system_refuses(monkeypatch, number, words):
    h5vidstack.pack(moving((2, 8, 8)), "x.h5")

    def refused(*args, **kwargs):
        raise OSError(number, "Unable to open file")

    monkeypatch.setattr("h5vidstack.hdf5.opening.h5py.File", refused)
    with pytest.raises(OSError, match=words) as caught:
        h5vidstack.open("x.h5")
    assert isinstance(caught.value, h5vidstack.AccessError)
    assert caught.value.errno == number
    assert caught.value.filename.endswith("x.h5")


ATTRIBUTES = [
    b"x", "text", np.uint8(3), np.float64(2.5), np.array([1, 2]), np.array([[1.5]]),
    h5py.Empty("f4"), np.int64(-1), np.uint64(2**63), np.bytes_(b"\xff\xfe"),
    np.array([b"a", b"b"]), np.complex128(1 + 2j), np.array([], "f4"),
]  # fmt: skip
DATASETS = [
    np.zeros(0, "u8"), np.float32(1), np.arange(6, dtype="u4"), np.arange(6, dtype="i2"),
    np.array([b"a"]), np.zeros((2, 3, 4, 5), "u1"), np.zeros((6, 20, 16), "f8"),
    h5py.Empty("u1"), np.full(6, 2**63, "u8"), np.zeros((20, 16), "c8"),
]  # fmt: skip


def change(file, chance):
    """Remove or replace one object or attribute of a stack: HDF5 finds nothing wrong with that."""
    names = ["stack"]
    file["stack"].visit(lambda name: names.append(f"stack/{name}"))
    name, what = chance.choice(names), chance.randrange(4)
    if what == 3 or name == "stack":
        if attributes := list(file[name].attrs):
            attribute = chance.choice(attributes)
            del file[name].attrs[attribute]
            if chance.random() < 0.8:
                file[name].attrs[attribute] = chance.choice(ATTRIBUTES)
        return
    del file[name]
    if what == 1:
        file[name] = chance.choice(DATASETS)
    elif what == 2:
        file.create_group(name)


def look(path):
    """All that reads a stack: each works, or raises an Error."""

    def read():
        with h5vidstack.open(path, workers=1) as stack:
            for get in (lambda: stack[:], lambda: stack.groups, stack.hashes, stack.verify):
                tried(get)

    def tried(work):
        try:
            return work()
        except h5vidstack.Error as error:
            return error

    tried(read)
    tried(lambda: h5vidstack.check(path))
    tried(lambda: h5vidstack.references(path))
    tried(lambda: h5vidstack.recover(path, "saved.h5", overwrite=True))
    tried(lambda: h5vidstack.link([path], "all.h5", overwrite=True))
    tried(lambda: h5vidstack.pack(moving((1, 20, 16)), path, mode="a"))


@pytest.mark.parametrize(
    "how",
    [{"method": "video"}, {"method": "groupvideo", "chunk_frames": 3}, {"method": "group"},
     {"method": "pca", "components": 2, "exact": True}, {"method": "hdf5gzshuffle"}],
    ids=lambda how: how["method"],
)  # fmt: skip
def test_contradictions_are_errors_not_bugs(how):
    frames = moving((6, 20, 16))
    h5vidstack.pack(np.concatenate([frames, 255 - frames])[::-1], "sound.h5", **how)
    chance = random.Random(how["method"])
    for _ in range(25):
        shutil.copy("sound.h5", "x.h5")
        with h5py.File("x.h5", "r+") as file:
            change(file, chance)
        look("x.h5")
