"""One stack of parts in several files: read, searched, verified; parts that are gone or others."""

import json
import os
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from forking import holds_in_a_fork
from frames import DTYPES, moving, pixels
from linked import FRAMES, SHUFFLED, check, parts, run

import h5vidstack
from h5vidstack.cli import listings
from h5vidstack.reading import summary

# --- what it holds


def test_every_kind_of_part():
    h5vidstack.pack(FRAMES[:20], "a.h5", method="video", chunk_frames=7)
    h5vidstack.pack(SHUFFLED[:30], "b.h5::/deep/er", method="groupvideo", codec="ffv1")
    h5vidstack.pack(FRAMES[[3, 3, 4, 3]], "c.h5::/one", method="hdf5gz")
    h5vidstack.pack(FRAMES[5:6], "c.h5::/two", tile=(8, 16))
    names = ["a.h5", "b.h5::/deep/er", "c.h5::/one", "c.h5::/two"]
    made = h5vidstack.link(names, "all.h5::/entry/all")
    want = np.concatenate([FRAMES[:20], SHUFFLED[:30], FRAMES[[3, 3, 4, 3]], FRAMES[5:6]])
    assert (made.shape, made.dtype, made.lossless) == (want.shape, "uint8", True)
    assert made.parts == tuple(zip(["a.h5::/stack", *names[1:]], [20, 30, 4, 1]))
    assert check("all.h5::/entry/all", want)
    with h5vidstack.open("all.h5::/entry/all") as stack:
        assert stack.attrs["method"] == "mixed"
        for i in (0, 19, 20, 49, 50, 54):
            assert stack.find(stack[i], 1)[0].rmse == 0
        twice = [group.tolist() for group in stack.near_duplicates(0)]
        assert any({50, 51, 53} <= set(group) for group in twice)
        assert sum(len(pile.frames) for pile in stack.groups) == 53
    assert Path("all.h5").stat().st_size < 40_000


def test_parts_that_hdf5_alone_cannot_show():
    h5vidstack.pack(FRAMES[:20], "a.h5", method="group")
    h5vidstack.pack(FRAMES[20:40], "b.h5", method="pca", components=3, exact=True)
    h5vidstack.pack(FRAMES[40:], "c.h5")
    h5vidstack.link(["a.h5", "b.h5", "c.h5"], "all.h5")
    assert not check("all.h5", FRAMES)


def test_one_part():
    h5vidstack.link(parts(), "all.h5")
    assert check("all.h5", FRAMES)
    h5vidstack.export("all.h5", "all.mkv")
    assert h5vidstack.verify("all.h5", against="all.mkv", gray=True) == []


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype):
    one, two = pixels((5, 6, 7), dtype), pixels((5, 6, 7), dtype)[::-1]
    h5vidstack.pack(one, "a.h5")
    h5vidstack.pack(two, "b.h5", method="hdf5gzshuffle")
    h5vidstack.link(["a.h5", "b.h5"], "all.h5")
    with h5vidstack.open("all.h5") as stack:
        want = np.concatenate([one, two])
        assert stack[:].tobytes() == want.astype(want.dtype.newbyteorder("<")).tobytes()
        assert stack.verify() == []


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 6, 7, 3), (9, 40, 8, 4)], ids=str)
def test_shapes(shape):
    frames = moving(shape)
    h5vidstack.pack(frames, "a.h5")
    h5vidstack.pack(frames, "b.h5", tile=(16, 4), chunk_frames=2)
    h5vidstack.link(["a.h5", "b.h5"], "all.h5")
    check("all.h5", np.concatenate([frames, frames]))


def test_loss_is_joined():
    source = pixels((40, 12, 16), "f4")
    source = np.where(np.isfinite(source), source, 0)
    h5vidstack.pack(source[:10], "a.h5")
    h5vidstack.pack(source[10:25], "b.h5", max_error=0.5)
    h5vidstack.pack(source[25:], "c.h5", max_error=2)
    made = h5vidstack.link(["a.h5", "b.h5", "c.h5"], "all.h5")
    found = h5vidstack.check("all.h5", against=source)
    assert not made.lossless
    assert not found.stated_lossless
    assert found.stated_max_error == pytest.approx(found.max_error)
    assert found.stated_mse == pytest.approx(found.mse)
    assert h5vidstack.verify("all.h5", against=source) == []
    assert "LOSSY, max error" in listings.stack_facts(summary.describe("all.h5"), {})


def test_axes_before_the_frame():
    h5vidstack.pack(FRAMES[:12].reshape(3, 4, 17, 23), "a.h5")
    h5vidstack.pack(FRAMES[12:20].reshape(2, 4, 17, 23), "b.h5")
    h5vidstack.pack(FRAMES[20:25], "c.h5")
    h5vidstack.link(["a.h5", "b.h5"], "two.h5")
    h5vidstack.link(["a.h5", "c.h5", "b.h5"], "three.h5")
    with h5vidstack.open("two.h5") as two, h5vidstack.open("three.h5") as three:
        assert two.leading_shape == (5, 4)
        assert three.leading_shape == (25,)


def test_parts_without_hashes():
    h5vidstack.pack(FRAMES[:30], "a.h5")
    h5vidstack.pack(FRAMES[30:], "b.h5", hashes=False)
    assert "h5vidstack rehash all.h5" in run("link", "a.h5", "b.h5", "-o", "all.h5").output
    with h5vidstack.open("all.h5") as stack, pytest.raises(h5vidstack.FormatError, match="rehash"):
        stack.find(FRAMES[0])
    run("rehash", "all.h5")
    assert check("all.h5", FRAMES)
    with h5vidstack.open("all.h5") as stack:
        assert [match.frame for match in stack.find(FRAMES[40], 1)] == [40]


# --- where parts are


def test_folders_moved_together():
    for name in ("in/a b%d.h5", "in/é\n'\".h5", "out/all.h5"):
        Path(name).parent.mkdir(exist_ok=True)
    h5vidstack.pack(FRAMES[:20], "in/a b%d.h5")
    h5vidstack.pack(FRAMES[20:], "in/é\n'\".h5")
    os.chdir("in")
    h5vidstack.link(["a b%d.h5", "é\n'\".h5"], "../out/all.h5")
    os.chdir("..")
    assert check("out/all.h5", FRAMES)
    shutil.move("in", "moved/in")
    shutil.move("out", "moved/out")
    assert check("moved/out/all.h5", FRAMES)
    os.symlink("moved/out/all.h5", "link.h5")
    with h5vidstack.open("link.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES)


def test_names_that_hdf5_does_not_take():
    name = os.fsdecode(b"p\xff.h5")
    h5vidstack.pack(FRAMES, name)
    with pytest.raises(h5vidstack.SourceError, match="UTF-8"):
        h5vidstack.link([name], "all.h5")
    assert not Path("all.h5").exists()


def test_order_is_as_given_and_of_patterns_natural():
    for number in (1, 2, 10):
        h5vidstack.pack(FRAMES[number : number + 1], f"p{number}.h5")
    run("link", "p10.h5", "p1.h5", "-o", "x.h5")
    check("x.h5", FRAMES[[10, 1]])
    run("link", "p*.h5", "-o", "y.h5")
    check("y.h5", FRAMES[[1, 2, 10]])
    assert "no file matches" in run("link", "q*.h5", "-o", "z.h5", code=1).output


def test_linked_stacks_are_linked_by_their_own_parts():
    a, b, c = parts(20, 40)
    h5vidstack.link([a, b], "two.h5")
    h5vidstack.link(["two.h5", c], "all.h5")
    Path("two.h5").unlink()
    assert check("all.h5", FRAMES)
    with pytest.raises(h5vidstack.SourceError, match="given twice"):
        h5vidstack.link([b, "all.h5"], "more.h5")


def test_one_more_part():
    a, b, c = parts(20, 40)
    run("link", a, b, "-o", "all.h5")
    run("link", "all.h5", c, "-o", "all.h5", "--overwrite")
    assert check("all.h5", FRAMES)
    said = run("link", "*.h5", "-o", "all.h5", "--overwrite", code=1).output  # and all.h5
    assert "given twice" in said
    assert check("all.h5", FRAMES)


def test_pickled_forked_copied():
    h5vidstack.link(parts(20, 40), "all.h5")
    with h5vidstack.open("all.h5") as stack:
        other = pickle.loads(pickle.dumps(stack))
        np.testing.assert_array_equal(stack.to_dask().compute(scheduler="threads"), FRAMES)
        assert holds_in_a_fork(lambda: np.array_equal(stack[15:25], FRAMES[15:25]))
        stack.refresh()
        np.testing.assert_array_equal(stack[:], FRAMES)
    with other:
        np.testing.assert_array_equal(other[:], FRAMES)
    with pytest.raises(h5vidstack.ClosedError):
        stack[0]


def test_damage_in_a_part_is_told_with_its_name_and_recovered():
    h5vidstack.link(parts(20, 40), "all.h5")
    with h5py.File("p2.h5", "r+") as file:
        file["stack/frames"].id.write_direct_chunk((0, 0, 0), b"garbage")
    with h5vidstack.open("all.h5") as stack:
        np.testing.assert_array_equal(stack[36:], FRAMES[36:])
        with pytest.raises(h5vidstack.BlockError, match=r"p2\.h5"):
            stack[20]
        assert any("p2.h5" in problem for problem in stack.verify())
    found = h5vidstack.recover("all.h5", "saved.h5")
    assert found.lost == tuple(range(20, 36))
    check("saved.h5", np.delete(FRAMES, found.lost, axis=0))


# --- what is refused


def test_parts_that_do_not_go_together():
    h5vidstack.pack(FRAMES, "a.h5")
    h5vidstack.pack(FRAMES[:, 1:], "shape.h5")
    h5vidstack.pack(FRAMES.astype("u2"), "dtype.h5")
    h5vidstack.pack(np.stack([FRAMES] * 3, -1), "colour.h5")
    for other, said in {"shape": "16x23", "dtype": "uint16", "colour": "17x23x3"}.items():
        with pytest.raises(h5vidstack.SourceError, match=said):
            h5vidstack.link(["a.h5", f"{other}.h5"], "all.h5")
    assert sorted(os.listdir()) == ["a.h5", "colour.h5", "dtype.h5", "shape.h5"]


def test_parts_that_are_none():
    h5vidstack.pack(FRAMES, "a.h5")
    with h5py.File("plain.h5", "w") as file:
        file["data"] = FRAMES
        options = {"chunks": (4, 17, 23), **h5vidstack.Video()}
        file.create_dataset("bare", data=FRAMES, **options)
    Path("text.h5").write_text("no")
    os.mkfifo("pipe.h5")
    recorder = h5vidstack.create("live.h5", shape=(17, 23), dtype="u1")
    for frame in FRAMES:
        recorder.write(frame)
    recorder.flush()
    cases = {
        "plain.h5": "no h5vidstack stack",
        "plain.h5::/bare": "pack it as a stack first",
        "text.h5": "not an HDF5 file",
        "pipe.h5": "a device or a pipe",
        "none.h5": "no such file",
        ".": "folder",
        "a.h5::/other": "stacks in it: /stack",
        "live.h5": "being recorded",
    }
    for name, said in cases.items():
        result = run("link", "a.h5", name, "-o", "all.h5", code=1)
        assert said in result.output, name
        assert "Traceback" not in result.output
        assert result.output.count("\n") == 1
    recorder.close()
    assert not Path("all.h5").exists()
    h5vidstack.link(["a.h5", "live.h5"], "all.h5")
    check("all.h5", np.concatenate([FRAMES, FRAMES]))
    run("link", "-o", "all.h5", code=2)
    run("link", "a.h5", code=2)
    with pytest.raises(h5vidstack.SourceError, match="nothing to link"):
        h5vidstack.link([], "x.h5")


def test_a_part_twice():
    a, b = parts(20)
    os.symlink(a, "again.h5")
    for twice in (a, f"{a}::/stack", f"./{a}", "again.h5"):
        with pytest.raises(h5vidstack.SourceError, match="twice"):
            h5vidstack.link([a, b, twice], "all.h5")
    shutil.copy(a, "copy.h5")
    h5vidstack.link([a, b, "copy.h5"], "all.h5")
    assert check("all.h5", np.concatenate([FRAMES, FRAMES[:20]]))


def test_no_part_is_overwritten():
    a, b = parts(20)
    h5vidstack.link([a, b], "all.h5")
    before = Path(a).read_bytes()
    with pytest.raises(h5vidstack.OutputError, match="all.h5 exists"):
        h5vidstack.link([a, b], "all.h5")
    for output in (a, f"{a}::/all", f"{a}::/stack"):
        for given in ([a, b], ["all.h5"]):
            with pytest.raises(h5vidstack.OutputError, match="holds frames of"):
                h5vidstack.link(given, output, overwrite=True)
    for output in (a, f"{a}::/stack"):
        with pytest.raises(h5vidstack.OutputError, match="holds frames of the source"):
            h5vidstack.pack("all.h5", output, overwrite=True)
    run("unpack", "all.h5", "p1.h5::/stack", "--overwrite", code=1)
    run("recover", "all.h5", "p1.h5", "--overwrite", code=1)
    assert Path(a).read_bytes() == before
    assert check("all.h5", FRAMES)


def test_append_is_refused_and_repacking_makes_one_file():
    a, b = parts(20)
    h5vidstack.link([a, b], "all.h5")
    before = Path("all.h5").read_bytes()
    with pytest.raises(h5vidstack.UnsupportedError, match="append to the last of these"):
        h5vidstack.pack(FRAMES, "all.h5", mode="a")
    assert "link them again" in run("append", "all.h5", b, code=1).output
    assert Path("all.h5").read_bytes() == before
    run("unpack", "all.h5", "x.npy")
    np.testing.assert_array_equal(np.load("x.npy"), FRAMES)
    run("contact-sheet", "all.h5", "sheet.png")
    h5vidstack.pack("all.h5", "all.h5", overwrite=True)
    Path(a).unlink()
    Path(b).unlink()
    assert check("all.h5", FRAMES)
    assert summary.describe("all.h5")["parts"] == []


def test_info_names_the_parts():
    h5vidstack.link(parts(20), "all.h5")
    facts = json.loads(run("info", "all.h5", "--json").output)
    assert [Path(part).name for part in facts["parts"]] == ["p1.h5::", "p2.h5::"] or [
        part.split("/")[-2] for part in facts["parts"]
    ] == ["p1.h5::", "p2.h5::"]
    assert "2: " in run("info", "all.h5", "--groups").output
    assert json.loads(run("verify", "all.h5", "--json").output)["sound"]


def test_virtual_dataset_that_shows_other_files():
    h5vidstack.link(parts(20), "all.h5")
    shutil.copy("p1.h5", "q1.h5")
    with h5py.File("all.h5", "r+") as file:
        old = file["stack/frames"]
        layout = h5py.VirtualLayout(old.shape, old.dtype)
        for start, name, count in ((0, "q1.h5", 20), (20, "p2.h5", 40)):
            source = h5py.VirtualSource(name, "/stack/groups/000000/video", (count, 17, 23))
            layout[start : start + count] = source
        del file["stack/frames"]
        file.create_virtual_dataset("stack/frames", layout)
        del file["stack"].attrs["frames_crc32"]
    (problem,) = h5vidstack.verify("all.h5")
    assert problem.startswith("frames ")
