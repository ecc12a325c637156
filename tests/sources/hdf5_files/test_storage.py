import contextlib
import os

import h5py
import hdf5plugin
import numpy as np
import pytest
from click.testing import CliRunner
from h5py import h5d, h5p, h5s, h5t
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from virtual_files import FRAMES, comes_out, pack, parts, put, put_virtual, refused

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.sources.openers import open_source

ALL = h5s.UNLIMITED


def selection(shape, start, stride, count, block):
    space = h5s.create_simple(shape, (ALL, *shape[1:]))
    space.select_hyperslab(start, count, stride, block)
    return space


def put_mapped(path, mappings):
    """A virtual dataset that grows, of (selection, file, dataset, selection)."""
    plist = h5p.create(h5p.DATASET_CREATE)
    for mapping in mappings:
        plist.set_virtual(*mapping)
    space = h5s.create_simple((1, *FRAMES.shape[1:]), (ALL, *FRAMES.shape[1:]))
    with h5py.File(path, "w") as file:
        h5d.create(file.id, b"x", h5t.NATIVE_UINT16, space, plist)


def grows(start=0, step=1, block=1):
    """Whole frames without an end."""
    frame = FRAMES.shape[1:]
    return selection((step, *frame), (start, 0, 0), (step, 1, 1), (ALL, 1, 1), (block, *frame))


def test_a_virtual_dataset_that_is_whole():
    put_virtual("v.h5", [(name, "x") for name in parts()])
    report = comes_out("v.h5::/x")
    assert report.notes == ()
    assert report.source_bytes == FRAMES.nbytes
    assert report.conversion is None


def test_a_file_that_is_missing():
    put_virtual("v.h5", [(name, "x") for name in parts()])
    os.rename("part1.h5", "elsewhere.h5")
    said = refused("v.h5::/x", r"part1\.h5 \(no such file\).*HDF5_VDS_PREFIX")
    assert "part0" not in said
    assert "part2" not in said
    with h5py.File("v.h5") as file, pytest.raises(h5vidstack.SourceError, match="part1"):
        pack(file["x"])
    pack(FRAMES)
    with pytest.raises(h5vidstack.SourceError, match="part1"):
        h5vidstack.verify("o.h5", against="v.h5::/x")


def test_many_missing_files_make_no_long_message():
    put_virtual("v.h5", [(f"none{number}.h5", "x") for number in range(12)])
    assert "none4.h5 (no such file); and 7 more" in refused("v.h5::/x", "none0")


@pytest.mark.parametrize(
    ("data", "words"),
    [(FRAMES[:7], "7 x 20 x 30, but"), (FRAMES[:8, :19], "8 x 19 x 30"), (FRAMES[:8, 0], "8 x 30"),
     (None, "no such dataset")],
)  # fmt: skip
def test_a_source_that_is_too_small(data, words):
    whole, lacking = "part0.h5", "part1.h5"
    parts()
    os.remove(lacking)
    put(lacking, np.zeros(3) if data is None else data, "y" if data is None else "x")
    # Not all of it, so that the selection is kept.
    layout = h5py.VirtualLayout((14, 20, 30), "u2")
    for at, name in zip((0, 7), (whole, lacking), strict=True):
        layout[at : at + 7] = h5py.VirtualSource(name, "x", (9, 20, 30))[1:8]
    with h5py.File("v.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
    refused("v.h5::/x", words)
    put_virtual("w.h5", [(name, "x") for name in ("part0.h5", "part1.h5", "part2.h5")])
    refused("w.h5::/x", "4800 pixels" if data is not None else words)


def test_a_larger_source_will_do():
    put("long.h5")
    layout = h5py.VirtualLayout((6, 20, 30), "u2")
    layout[:] = h5py.VirtualSource("long.h5", "x", FRAMES.shape)[3:21:3]
    with h5py.File("v.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
    comes_out("v.h5::/x", FRAMES[3:21:3])


def test_nested_ones():
    names = parts(4)
    put_virtual("a.h5", [(name, "x") for name in names[:2]], shape=(12, 20, 30))
    put_virtual("b.h5", [(name, "x") for name in names[2:]], shape=(12, 20, 30))
    put_virtual("v.h5", [("a.h5", "x"), ("b.h5", "x")])
    comes_out("v.h5::/x")
    os.remove("o.h5")
    os.remove("part2.h5")
    refused("v.h5::/x", "part2.h5")


def test_one_that_is_made_of_itself():
    put_virtual("v.h5", [("v.h5", "y")])
    put_virtual("v.h5", [("v.h5", "x")], "y")
    refused("v.h5::/x", "made of itself")


def test_in_the_same_file():
    put("v.h5", name="y")
    put_virtual("v.h5", [(".", "y")])
    comes_out("v.h5::/x")


def test_names_with_numbers():
    frame = FRAMES.shape[1:]
    for number in range(3):
        put(f"run%{number}.h5", FRAMES[8 * number : 8 * number + 8], f"d{number}")
    target = selection((8, *frame), (0, 0, 0), (8, 1, 1), (ALL, 1, 1), (8, *frame))
    whole = h5s.create_simple((8, *frame))
    put_mapped("v.h5", [(target, b"run%%%b.h5", b"d%b", whole)])
    comes_out("v.h5::/x")
    os.remove("o.h5")
    os.rename("run%1.h5", "gone.h5")
    refused("v.h5::/x", "run%1.h5")
    os.remove("run%2.h5")
    os.remove("run%0.h5")
    refused("v.h5::/x", "run%0.h5")


def test_sources_that_grow():
    for number, count in enumerate((12, 12)):
        put(f"{number}.h5", FRAMES[number::2][:count], chunks=(3, 20, 30), maxshape=(None, 20, 30))
    both = [(grows(n, 2), f"{n}.h5".encode(), b"x", grows()) for n in range(2)]
    put_mapped("v.h5", both)
    comes_out("v.h5::/x")
    os.remove("o.h5")
    with h5py.File("1.h5", "r+") as file:
        file["x"].resize(9, axis=0)
    refused("v.h5::/x", r"1\.h5::/x \(9 x 20 x 30, but .* takes 11 x 20 x 30")
    os.remove("0.h5")
    refused("v.h5::/x", r"[^1]0\.h5 \(no such file\)")


def test_what_has_no_source_is_said():
    parts()
    put_virtual("v.h5", [("part0.h5", "x")], shape=(8, 20, 30))
    layout = h5py.VirtualLayout((10, 20, 31), "u2")
    layout[:8, :, :30] = h5py.VirtualSource("part0.h5", "x", (8, 20, 30))
    layout[9, ::2, :30:3] = h5py.VirtualSource("part0.h5", "x", (8, 20, 30))[3, ::2, :30:3]
    with h5py.File("w.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
        expected = (file["x"][:] == 0).sum()
    assert comes_out("v.h5::/x", FRAMES[:8]).notes == ()
    assert pack("w.h5::/x").notes[0].startswith(f"{expected} pixels of w.h5::/x have no source")


SLICES = st.builds(
    slice, st.integers(0, 5), st.integers(6, 12), st.integers(1, 4)
)  # of an axis of 12


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(SLICES, SLICES, SLICES), min_size=1, max_size=4), st.integers(0, 2))
def test_any_pixels_without_a_source(tmp_path, boxes, cut):
    """What has no source is what HDF5 fills; what it needs of the source is what it reads."""
    shape = (12, 12, 12)
    least = [max(range(12)[box[axis]][-1] + 1 for box in boxes) for axis in range(3)]
    put_path = tmp_path / "s.h5"
    with h5py.File(put_path, "w") as file:
        file["x"] = np.ones([edge - (axis == cut - 1) for axis, edge in enumerate(least)], "u1")
    layout = h5py.VirtualLayout(shape, "u1")
    for box in boxes:
        layout[box] = h5py.VirtualSource("s.h5", "x", shape)[box]
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
    source = f"{tmp_path}/v.h5::/x"
    if cut:
        with pytest.raises(h5vidstack.SourceError, match="but .* takes"):
            open_source(source)
        return
    with contextlib.closing(open_source(source)) as opened:
        empty = int((np.concatenate(list(opened.batches(5))) == 0).sum())
        assert [note.split()[0] for note in opened.notes] == [str(empty)] * bool(empty)


def test_sources_that_vanish_meanwhile():
    put_virtual("v.h5", [(name, "x") for name in parts()])
    with contextlib.closing(open_source("v.h5::/x")) as source:
        frames = source.batches(5)
        np.testing.assert_array_equal(next(frames), FRAMES[:5])
        os.remove("part2.h5")
        with pytest.raises(h5vidstack.SourceError, match=r"part2\.h5 was removed"):
            next(frames)


@pytest.mark.parametrize("options", [hdf5plugin.Bitshuffle(), h5vidstack.Video()])
def test_sources_with_filters(options):
    put_virtual("v.h5", [(name, "x") for name in parts(chunks=(4, 20, 30), **options)])
    comes_out("v.h5::/x")


def test_sources_of_an_unknown_filter():
    with h5py.File("s.h5", "w") as file:
        plist = h5p.create(h5p.DATASET_CREATE)
        plist.set_chunk((24, 20, 30))
        plist.set_filter(32767, h5py.h5z.FLAG_OPTIONAL, ())
        h5d.create(file.id, b"x", h5t.NATIVE_UINT16, h5s.create_simple(FRAMES.shape), plist)
    put_virtual("v.h5", [("s.h5", "x")])
    refused("v.h5::/x", "s.h5::/x needs the HDF5 filter 32767.*pip install hdf5plugin")


def test_sources_of_another_dtype():
    put("s.h5", FRAMES.astype("u4"))
    put_virtual("v.h5", [("s.h5", "x")])
    assert comes_out("v.h5::/x").conversion == "uint16 made by HDF5 from uint32"


def test_chunks_that_were_never_written():
    with h5py.File("a.h5", "w") as file:
        data = file.create_dataset("x", FRAMES.shape, "u2", chunks=(5, 20, 17), fillvalue=7)
        data[3:5] = FRAMES[3:5]
        data[20:] = FRAMES[20:]
        expected = data[:]
    report = comes_out("a.h5::/x", expected)
    assert report.notes[0].startswith("6 of 10 chunks of a.h5::/x were never written")
    with h5vidstack.open("o.h5") as stack:
        assert stack.attrs["settings"]["notes"] == list(report.notes)
    put_virtual("v.h5", [("a.h5", "x")])
    assert "6 of 10 chunks of v.h5::/x" in pack("v.h5::/x").notes[0]
    said = CliRunner().invoke(main, ["pack", "a.h5::/x", "p.h5"])
    assert report.notes[0] in said.stderr


def test_nothing_was_ever_written():
    with h5py.File("a.h5", "w") as file:
        file.create_dataset("x", FRAMES.shape, "u2")
    report = comes_out("a.h5::/x", np.zeros_like(FRAMES))
    assert "nothing was ever written to a.h5::/x" in report.notes[0]


def test_a_part_of_a_stack_that_is_missing():
    h5vidstack.pack(FRAMES[:12], "p1.h5")
    h5vidstack.pack(FRAMES[12:], "p2.h5")
    h5vidstack.link(["p1.h5", "p2.h5"], "all.h5")
    comes_out("all.h5::/stack/frames")
    os.remove("o.h5")
    os.remove("p2.h5")
    refused("all.h5::/stack/frames", r"p2\.h5 \(no such file\)")
    with pytest.raises(h5vidstack.FormatError, match=r"p2\.h5"):
        pack("all.h5")
