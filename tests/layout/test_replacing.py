"""Nothing is replaced that another program made."""

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving, noise
from PIL import Image

import h5vidstack
from h5vidstack.cli import main

A, B = moving((5, 9, 11)), noise((7, 9, 11))


def content(path="x.h5"):
    with h5vidstack.open(path) as stack:
        return stack[:]


def refused(words, run, *names, path="x.h5"):
    before = Path(path).read_bytes()
    with pytest.raises(h5vidstack.OutputError, match=words) as raised:
        run(*names, overwrite=True)
    assert Path(path).read_bytes() == before
    return str(raised.value)


def record(path, **options):
    with h5vidstack.create(path, A.shape[1:], A.dtype, **options) as recorder:
        for frame in A:
            recorder.write(frame)


MAKERS = {
    "pack": lambda target, **options: h5vidstack.pack(B, target, **options),
    "link": lambda target, **options: h5vidstack.link("b.h5", target, **options),
    "recover": lambda target, **options: h5vidstack.recover("b.h5", target, **options),
    "create": record,
    "repack": lambda target, **options: h5vidstack.repack("b.h5", target, **options),
}


@pytest.fixture(autouse=True)
def _other():
    h5vidstack.pack(B, "b.h5")


@pytest.mark.parametrize(
    "name",
    ["x.tif", "x.TIFF", "x.png", "x.jpg", "x.jpeg", "x.bmp", "x.gif", "x.webp", "x.mp4", "x.mkv",
     "x.avi", "x.mov", "x.npy", "x.npz", "x.zarr", "x.nii", "x.nii.gz"],
)  # fmt: skip
@pytest.mark.parametrize("how", MAKERS)
def test_the_name_of_another_kind(how, name):
    for overwrite in (False, True):
        with pytest.raises(h5vidstack.OutputError, match="has the name of an? .*HDF5"):
            MAKERS[how](name, overwrite=overwrite)
    assert not os.path.exists(name)


def test_the_output_that_was_forgotten():
    Path("tl").mkdir()
    for number, frame in enumerate(A):
        Image.fromarray(frame).save(f"tl/{number}.tif")
    names = sorted(str(path) for path in Path("tl").iterdir())
    before = [Path(name).read_bytes() for name in names]
    result = CliRunner().invoke(main, ["pack", *names, "--overwrite"])
    assert result.exit_code == 1
    assert "4.tif has the name of an image" in result.stderr
    for name in ("tl/4.tif::/stack", "tl/9.tif::/stack"):
        with pytest.raises(h5vidstack.OutputError, match="name of an image"):
            h5vidstack.pack(A, name)
    assert [Path(name).read_bytes() for name in names] == before


@pytest.mark.parametrize("how", [how for how in MAKERS if how != "repack"])
def test_a_file_with_objects_of_others(how):
    h5vidstack.pack(A, "x.h5::/entry/stack")
    MAKERS[how]("x.h5", overwrite=True)  # nothing but a stack
    h5vidstack.pack(A, "x.h5", overwrite=True)
    with h5py.File("x.h5", "r+") as file:
        file["entry/time"], file["entry/energy"] = np.arange(5), 7.5
        file["entry/link"] = h5py.SoftLink("/nowhere")
    said = refused("/entry/time", MAKERS[how], "x.h5")
    assert "/entry/energy, /entry/link, /entry/time" in said
    assert "x.h5::/stack" in said
    refused("/entry/time", h5vidstack.repack, "b.h5", "x.h5")
    if how != "create":
        MAKERS[how]("x.h5::/stack", overwrite=True)
        np.testing.assert_array_equal(content(), B)
        with h5py.File("x.h5") as file:
            assert file["entry/energy"][()] == 7.5


def test_what_is_not_replaced():
    for make, words in (
        (lambda file: file.attrs.__setitem__("title", "mine"), "/@title"),
        (lambda file: file["stack"].attrs.__setitem__("title", "mine"), "/stack@title"),
        (lambda file: file["stack"].create_dataset("roi", data=1), "/stack/roi"),
        (lambda file: file["stack"].__setitem__("kind", np.dtype("f4")), "/stack/kind"),
        (lambda file: file.create_group("mine"), "/mine"),
        (lambda file: file.create_group("entry/mine"), "/entry/mine"),
        (lambda file: file.create_group("g").attrs.__setitem__("a", 1), "/g"),
    ):
        Path("x.h5").unlink(missing_ok=True)
        h5vidstack.pack(A, "x.h5")
        with h5py.File("x.h5", "r+") as file:
            make(file)
        refused(words, MAKERS["pack"], "x.h5")
    with h5py.File("x.h5", "w", userblock_size=512):
        pass
    with open("x.h5", "r+b") as raw:
        raw.write(b"PRECIOUS" * 64)
    refused("512 bytes before its beginning", MAKERS["pack"], "x.h5")
    with h5py.File("x.h5", "w"):
        pass
    h5vidstack.pack(B, "x.h5", overwrite=True)


def test_a_file_that_is_no_hdf5():
    Path("x.h5").write_text("precious")
    for make in MAKERS.values():
        refused("no HDF5 file", make, "x.h5")
    data = bytearray(Path("b.h5").read_bytes())
    data[60:200] = bytes(140)
    Path("x.h5").write_bytes(data)
    refused("cannot be read", MAKERS["pack"], "x.h5")
    Path("x.h5").write_bytes(b"")  # as mktemp makes it
    h5vidstack.pack(A, "x.h5", overwrite=True)


def test_what_others_add_meanwhile():
    h5vidstack.pack(A, "x.h5")

    def frames():
        yield from B
        with h5py.File("x.h5", "r+") as file:
            file["mine"] = 1

    with pytest.raises(h5vidstack.OutputError, match="/mine"):
        h5vidstack.pack(frames(), "x.h5", overwrite=True)
    np.testing.assert_array_equal(content(), A)


def test_a_place_that_is_no_stack():
    with h5py.File("x.h5", "w") as file:
        file["entry/data"], file["entry/empty/e"] = A, h5py.SoftLink("/nowhere")
        file["link"] = h5py.SoftLink("/entry/data")
        file.create_group("room")
        file.create_group("own/room")
    for how in ("pack", "link", "recover"):
        refused("is not a stack", MAKERS[how], "x.h5::/entry/data")
        refused("it holds /entry/data, /entry/empty/e", MAKERS[how], "x.h5::/entry")
        refused("is a link", MAKERS[how], "x.h5::/link")
        refused("it holds /own/room", MAKERS[how], "x.h5::/own")
        MAKERS[how]("x.h5::/room", overwrite=True)
    h5vidstack.unpack("b.h5", "x.h5::/entry/data", overwrite=True)  # a dataset is what that makes
    with h5py.File("x.h5") as file:
        np.testing.assert_array_equal(file["entry/data"][:], B)


def put_things(path):
    with h5py.File(path, "r+") as file:
        group = file["stack"]
        group.attrs["exposure"] = np.array([1.5, 2.5], ">f4")
        group.attrs["who"] = "me"
        group.attrs["nothing"] = h5py.Empty("f4")
        group["notes/text"] = "seen"
        group["roi"] = np.arange(6).reshape(2, 3)
        group["soft"] = h5py.SoftLink("/stack/roi")


def things_are_there(path):
    with h5py.File(path) as file:
        group = file["stack"]
        np.testing.assert_array_equal(group.attrs["exposure"], np.array([1.5, 2.5], ">f4"))
        assert group.attrs["exposure"].dtype == np.dtype(">f4")
        assert group.attrs["who"] == "me"
        assert group.attrs["nothing"] == h5py.Empty("f4")
        assert group["notes/text"][()] == b"seen"
        np.testing.assert_array_equal(group["soft"][:], np.arange(6).reshape(2, 3))


@pytest.mark.parametrize("target", ["x.h5", "x.h5::/stack"])
def test_a_stack_anew_in_its_place(target):
    h5vidstack.pack(A, "x.h5", method="pca", exact=True)
    put_things("x.h5")
    h5vidstack.pack("x.h5", target, overwrite=True, preset="ffv1", method="video")
    np.testing.assert_array_equal(content(), A)
    things_are_there("x.h5")
    assert h5vidstack.verify("x.h5") == []
    with h5py.File("x.h5") as file:
        assert "mse" not in file["stack"].attrs
        assert list(file) == ["stack"]
        assert set(file["stack"]) == {
            "frame", "frames", "groups", "hashes", "index", "notes", "roi", "soft", "source", "x", "y",
        }  # fmt: skip


def test_other_frames_in_the_place_of_a_stack():
    h5vidstack.pack(A, "x.h5")
    put_things("x.h5")
    for how in ("pack", "link", "recover"):
        MAKERS[how]("x.h5::/stack", overwrite=True)
        np.testing.assert_array_equal(content(), B)
        things_are_there("x.h5")
        assert h5vidstack.verify("x.h5") == []


def test_in_its_place_beside_others():
    h5vidstack.pack(A, "x.h5")
    with h5py.File("x.h5", "r+") as file:
        file["mine"] = 1
    refused("/mine", lambda *a, **o: h5vidstack.pack("x.h5", "x.h5", **o))
    with h5py.File("x.h5", "r+") as file:
        del file["mine"]
        file["stack"].attrs.create("ref", file["stack"].ref, dtype=h5py.ref_dtype)
    refused("refers to objects", lambda *a, **o: h5vidstack.pack("x.h5", "x.h5", **o))
    h5vidstack.pack("x.h5", "x.h5::/stack", overwrite=True)


def test_repack_keeps_mode_and_times():
    with h5py.File("in.h5", "w") as file:
        file["entry/data"] = moving((20, 64, 64))
    os.chmod("in.h5", 0o640)
    os.utime("in.h5", ns=(10**18, 2 * 10**18 + 5))
    h5vidstack.repack("in.h5", "out.h5")
    shutil.copy("out.h5", "before.h5")
    h5vidstack.repack("in.h5", "in.h5", overwrite=True)
    for name in ("out.h5", "in.h5"):
        status = os.stat(name)
        assert status.st_mode & 0o777 == 0o640
        assert status.st_mtime_ns == 2 * 10**18 + 5
    refused("/entry/data", lambda *a, **o: h5vidstack.repack("in.h5", "out.h5", **o), path="out.h5")
    os.remove("out.h5")
    os.symlink("in.h5", "link.h5")
    h5vidstack.repack("in.h5", "link.h5", overwrite=True, restore=True)
    assert os.path.islink("link.h5")
    with h5py.File("in.h5") as file:
        np.testing.assert_array_equal(file["entry/data"][:], moving((20, 64, 64)))


def test_a_dataset_that_repack_coded():
    frames = moving((20, 64, 64))
    with h5py.File("in.h5", "w") as file:
        file["entry/data"], file["entry/other"] = frames, 1
    h5vidstack.repack("in.h5", "x.h5")
    with h5py.File("x.h5", "r+") as file:
        file["entry/data"].attrs["units"] = "counts"
    refused("is not a stack", MAKERS["pack"], "x.h5::/entry/data")
    with h5py.File("x.h5", "r+") as file:
        del file["entry/data"].attrs["units"]
    h5vidstack.pack(B, "x.h5::/entry/data", overwrite=True)
    np.testing.assert_array_equal(content("x.h5::/entry/data"), B)
    with h5py.File("x.h5") as file:
        assert "data" not in file["h5vidstack/entry"]
        assert file["entry/other"][()] == 1
