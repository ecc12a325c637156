"""`repack`: whole HDF5 files, with stacks of images as coded video."""

import contextlib
import datetime
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import DTYPES, moving, pixels
from h5py import h5o, h5p
from hypothesis import given
from hypothesis import strategies as st

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.hdf5.opening import open_hdf5
from h5vidstack.layout.output import like_hdf5_file
from h5vidstack.repacking.file_comparison import FileComparison
from h5vidstack.repacking.file_copy import FileCopy
from h5vidstack.repacking.repacker import repack
from h5vidstack.shapes import is_consecutive, leading_chunk
from h5vidstack.sources.kinds import open_source

TEXT = h5py.string_dtype()


def drifting(shape, dtype=np.uint8):
    """Smooth frames of any shape that counts, ``(..., H, W)``."""
    count = int(np.prod(shape[:-2]))
    return moving((count, *shape[-2:])).astype(dtype).reshape(shape)


def rich(name="in.h5", **options):
    """A file with about everything that HDF5 has; h5diff has nothing to say of a copy."""
    with h5py.File(name, "w", **options) as file:
        entry = file.create_group("entry", track_order=True)
        data = entry.create_group("data", track_order=True)
        file.attrs["default"] = "entry"
        data.attrs["axes"] = np.array(["time", "y", "x"], dtype=TEXT)
        frames = data.create_dataset(
            "data",
            data=drifting((40, 40, 64)),
            chunks=(1, 40, 64),
            maxshape=(None, 40, 64),
            compression="gzip",
            shuffle=True,
            fillvalue=7,
        )
        for number in range(20):  # so many that HDF5 keeps them elsewhere
            frames.attrs[f"attribute {number}"] = np.arange(number)
        data["time"] = np.arange(40) * 0.1
        data["time"].make_scale("time")
        frames.dims[0].attach_scale(data["time"])
        frames.dims[1].label = "y"
        entry["a/b/same"] = frames
        entry["soft"] = h5py.SoftLink("/entry/data/data")
        entry["dangling"] = h5py.SoftLink("/nowhere")
        entry["external"] = h5py.ExternalLink("other.h5", "/x")
        entry["loop"] = file["/"]
        table = np.dtype([("name", TEXT), ("at", "f8", (2,)), ("ref", h5py.ref_dtype)])
        rows = np.zeros(3, table)
        rows["name"] = [b"a", "\xe9".encode(), b""]
        rows["ref"] = [frames.ref, entry.ref, h5py.Reference()]
        file["table"] = rows
        file["regions"] = np.array(
            [frames.regionref[3:5, ::2], data["time"].regionref[1:4]], dtype=h5py.regionref_dtype
        )
        file["strings"] = np.array(["one", "", "three"], dtype=TEXT)
        ragged = file.create_dataset("ragged", (3,), h5py.vlen_dtype(np.int16))
        ragged[0], ragged[2] = [1, 2, 3], [-1]
        refs = file.create_dataset("refs of refs", (2,), h5py.vlen_dtype(h5py.ref_dtype))
        refs[1] = np.array([frames.ref, file["strings"].ref], dtype=h5py.ref_dtype)
        file["named type"] = np.dtype([("x", "<i4"), ("s", TEXT)])
        named = file.create_dataset("of a named type", (2,), file["named type"])
        named[0] = (5, "abc")
        frames.attrs.create("typed", np.zeros((), np.int32), dtype=np.int32)
        file["colours"] = h5py.enum_dtype({"red": 0, "blue": 7}, "u1")
        file["painted"] = np.zeros(4, "u1")
        file.create_dataset("enumerated", (3,), h5py.enum_dtype({"no": 0, "yes": 1}, "i2"))
        file["scalar"], file["nothing"] = 3.5, h5py.Empty("f4")
        file.create_dataset("unwritten", (10, 50, 60), "u2")
        file.create_dataset("empty", (0, 50, 60), "u2", maxshape=(None, 50, 60))
        file.create_dataset("complex", data=np.ones((4, 50, 60), np.complex64))
        file.create_dataset("opaque", data=np.void(b"\x00\x01\x02"))
        file.create_dataset("bits", data=np.array([1, 0, 1], bool))
        layout = h5py.VirtualLayout((40, 40, 64), "u1")
        layout[:] = h5py.VirtualSource(".", "entry/data/data", (40, 40, 64))
        file.create_virtual_dataset("virtual", layout)
        h5o.set_comment(entry.id, b"a comment")
        file["entry"].attrs.create("refs", [frames.ref, data.ref], dtype=h5py.ref_dtype)
        file["gr\xfc\xdfe"] = 1
        frames.attrs["\xfcber"] = "\xe4"
    return Path(name)


def everything(name):
    """Attributes, links and values of a file, as h5py gives them, references as paths."""
    found = {}

    def path_of(reference, file):
        paths = {h5o.get_info(file.id).addr: "/"}

        def note(name, node):
            paths.setdefault(h5o.get_info(node.id).addr, name)

        file.visititems(note)
        return paths[h5o.get_info(file[reference].id).addr]

    def clean(value, file):
        if isinstance(value, h5py.RegionReference):
            if not value:
                return None
            region = h5py.h5r.get_region(value, file.id)
            return (path_of(value, file), region.get_select_bounds(), region.get_select_npoints())
        if isinstance(value, h5py.Reference):
            return path_of(value, file) if value else None
        if isinstance(value, h5py.Empty):
            return ("empty", value.dtype.str)
        if isinstance(value, np.ndarray) and value.dtype.kind == "O":
            return [clean(item, file) for item in value.ravel()] + [value.shape]
        if isinstance(value, np.ndarray) and value.dtype.names:
            return [
                [clean(row[field], file) for field in value.dtype.names] for row in value.ravel()
            ]
        if isinstance(value, np.void) and value.dtype.names:
            return [clean(value[field], file) for field in value.dtype.names]
        if isinstance(value, (np.ndarray, np.generic)):
            return (value.dtype.str, value.shape, value.tobytes())
        return value

    def visit(group, path, file):
        for key in group:
            where = f"{path}/{key}"
            link = group.get(key, getlink=True)
            if isinstance(link, (h5py.SoftLink, h5py.ExternalLink)):
                found[where] = (type(link).__name__, link.path, getattr(link, "filename", None))
                continue
            node = group[key]
            attrs = [(name, clean(value, file)) for name, value in node.attrs.items()]
            if isinstance(node, h5py.Group):
                found[where] = ("group", [name for name in node if name != "h5vidstack"], attrs)
                if node.name not in path and key != "loop":
                    visit(node, where, file)
            elif isinstance(node, h5py.Dataset):
                space = (node.shape, node.maxshape, h5py.check_enum_dtype(node.dtype))
                found[where] = (
                    space,
                    str(node.dtype),
                    attrs,
                    clean(node[()], file),
                    node.fillvalue,
                )
            else:
                found[where] = (str(node.dtype), attrs)

    with h5py.File(name) as file:
        found[""] = (list(file), [(key, clean(value, file)) for key, value in file.attrs.items()])
        visit(file, "", file)
    return found


def without_ours(found):
    kept = {name: value for name, value in found.items() if not name.startswith("/h5vidstack")}
    names, attrs = kept[""]
    return {**kept, "": ([name for name in names if name != "h5vidstack"], attrs)}


@pytest.mark.parametrize(
    "options", [{}, {"track_order": True}, {"libver": "latest"}, {"userblock_size": 1024}]
)
def test_all_that_a_file_holds_is_in_the_copy(options):
    rich(**options)
    if "userblock_size" in options:
        with open("in.h5", "r+b") as file:
            file.write(b"#!/bin/sh\nwhatever\n")
    report = repack("in.h5", "out.h5")
    given, found = everything("in.h5"), everything("out.h5")
    assert without_ours(found) == given
    assert [one.path for one in report.replaced] == ["/entry/data/data"]
    with h5py.File("out.h5") as file:
        assert h5vidstack.FILTER_ID in [code for code, *_ in pipeline(file["entry/data/data"])]
        assert file["entry/a/b/same"] == file["entry/data/data"]
        assert file.userblock_size == options.get("userblock_size", 0)
        assert file["virtual"].is_virtual
        kind = file["of a named type"].id.get_type()
        assert kind.committed()
        assert h5o.get_info(kind).addr == h5o.get_info(file["named type"].id).addr
    if "userblock_size" in options:
        assert Path("out.h5").read_bytes()[:1024] == Path("in.h5").read_bytes()[:1024]
    assert Path("out.h5").stat().st_size < Path("in.h5").stat().st_size
    restored = repack("out.h5", "plain.h5", restore=True)
    assert everything("plain.h5") == given
    assert [one.path for one in restored.replaced] == ["/entry/data/data"]
    with h5py.File("in.h5") as before, h5py.File("plain.h5") as after:
        one, other = before["entry/data/data"], after["entry/data/data"]
        assert (one.chunks, one.compression, one.shuffle) == (
            other.chunks,
            other.compression,
            other.shuffle,
        )


def pipeline(dataset):
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(number) for number in range(plist.get_nfilters())]


def test_names_that_are_no_utf8():
    with h5py.File("in.h5", "w") as file:
        file[b"\xff\xfe"] = drifting((10, 80, 90))
        file[b"g\xf6/d"] = drifting((10, 80, 90))
    repack("in.h5", "out.h5")
    repack("out.h5", "plain.h5", restore=True)
    with h5py.File("in.h5") as one, h5py.File("out.h5") as other, h5py.File("plain.h5") as last:
        for name in (b"\xff\xfe", b"g\xf6/d"):
            assert np.array_equal(one[name], other[name])
            assert np.array_equal(one[name], last[name])


SHAPES = [
    (9, 17, 20), (1, 40, 30), (5, 16, 16, 3), (4, 3, 31, 22), (2, 3, 5, 18, 17), (3, 2, 16, 17, 4),
    (7, 13, 16, 16), (1, 1, 1, 20, 20), (300, 16, 16),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_shape_and_dtype_comes_back(shape, dtype):
    channels = shape[-1] if len(shape) > 3 and shape[-1] in (3, 4) else 1
    height, width = shape[-3:-1] if channels > 1 else shape[-2:]
    frames = pixels(
        (int(np.prod(shape)) // (height * width * channels), height, width * channels), dtype
    )
    frames[:, 1:] = frames[:1, :1]  # so that there is something to gain
    frames = frames.reshape(shape)
    with h5py.File("in.h5", "w") as file:
        file.create_dataset("d", data=frames, maxshape=(None, *shape[1:]), chunks=(1, *shape[1:]))
    report = repack("in.h5", "out.h5", select=["d"])
    assert len(report.replaced) == 1
    with h5py.File("out.h5") as file:
        assert file["d"].dtype == frames.dtype
        assert file["d"].maxshape == (None, *shape[1:])
        assert file["d"][...].tobytes() == frames.tobytes()
    with h5vidstack.open("out.h5::/d") as stack:
        frame = shape[-2:] if channels == 1 else shape[-3:]
        assert stack.shape == (np.prod(shape[: -len(frame)]), *frame)
        assert stack.leading_shape == shape[: -len(frame)]
        assert stack[...].tobytes() == frames.tobytes()
        assert stack.verify() == []
        if not np.isnan(frames).any():
            assert stack.find(stack[-1], k=1)[0].rmse == 0
    repack("out.h5", "plain.h5", restore=True)
    with h5py.File("plain.h5") as file:
        assert list(file) == ["d"]
        assert file["d"].chunks == (1, *shape[1:])
        assert pipeline(file["d"]) == []
        assert file["d"].dtype == frames.dtype
        assert file["d"][...].tobytes() == frames.tobytes()


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=4), st.integers(1, 40), st.integers(1, 300)
)
def test_chunks_of_several_axes_hold_frames_one_after_another(leading, wanted, most):
    leading = tuple(leading)
    chunk = leading_chunk(leading, wanted, most)
    assert is_consecutive(leading, chunk)
    assert np.prod(chunk) <= max(most, 1)
    numbers = np.arange(np.prod(leading)).reshape(leading)
    first = numbers[tuple(map(slice, chunk))].ravel()
    assert np.array_equal(first, np.arange(np.prod([min(c, e) for c, e in zip(chunk, leading)])))


def test_chunks_that_cut_several_axes_are_left_to_h5py():
    frames = drifting((6, 8, 20, 20))
    with h5py.File("v.h5", "w") as file:
        file.create_dataset("d", data=frames, chunks=(2, 4, 20, 20), **h5vidstack.Video())
        file.create_dataset("e", data=frames, chunks=(1, 4, 20, 20), **h5vidstack.Video())
        assert np.array_equal(file["d"], frames)
    with pytest.raises(h5vidstack.FormatError, match="read it with h5py"):
        h5vidstack.open("v.h5::/d")
    with h5vidstack.open("v.h5::/e") as stack:
        assert np.array_equal(stack[:], frames.reshape(-1, 20, 20))
    repack("v.h5", "plain.h5", restore=True, select=["e"])
    with h5py.File("plain.h5") as file:
        assert np.array_equal(file["e"], frames)


def some_stacks():
    with h5py.File("in.h5", "w") as file:
        for name in ("a/x", "a/y", "b/x"):
            file[name] = drifting((20, 64, 64))
        file["table"] = np.zeros((2000, 5, 7))
        file["small"] = drifting((3, 20, 20))
        file["image"] = np.zeros((400, 500, 3), "u1")
        file["noise"] = np.random.default_rng(0).integers(0, 256, (4, 200, 200), "u1")


def test_what_is_replaced_and_what_is_left():
    some_stacks()
    report = repack("in.h5", "out.h5")
    assert {one.path for one in report.replaced} == {"/a/x", "/a/y", "/b/x"}
    why = {left.path: left.why for left in report.left}
    assert "small for an image" in why["/table"]
    assert "smaller than 64 KiB" in why["/small"]
    assert "small for an image" in why["/image"]
    assert "no smaller" in why["/noise"]
    assert report.compared == 7
    again = repack("out.h5", "again.h5")
    assert not again.replaced
    assert {left.why for left in again.left if left.path[:3] in ("/a/", "/b/")} == {
        "it is packed already"
    }
    assert everything("again.h5") == everything("out.h5")


@pytest.mark.parametrize("select", [["/a/*"], ["a/x", "*y"], ["small"]])
def test_select(select):
    some_stacks()
    chosen = {"/a/*": {"/a/x", "/a/y"}, "a/x": {"/a/x", "/a/y"}, "small": {"/small"}}[select[0]]
    assert {one.path for one in repack("in.h5", "out.h5", select=select).replaced} == chosen
    restored = repack("out.h5", "plain.h5", restore=True, select=[sorted(chosen)[0]])
    assert len(restored.replaced) == 1
    with h5py.File("plain.h5") as file:
        held = []
        file.get("h5vidstack", {}) and file["h5vidstack"].visit(held.append)
        for path in chosen - {sorted(chosen)[0]}:
            assert path[1:] in held
        assert sorted(chosen)[0][1:] not in held


def test_a_dry_run_writes_nothing_and_says_about_what_comes():
    some_stacks()
    plan = repack("in.h5", None, dry_run=True)
    assert [path.name for path in Path().iterdir()] == ["in.h5"]
    assert plan.path is None
    done = repack("in.h5", "out.h5")
    assert [one.path for one in plan.replaced] == [one.path for one in done.replaced]
    assert abs(plan.after - done.after) < 0.3 * (done.before - done.after)
    with pytest.raises(h5vidstack.OutputError, match="only a dry run"):
        repack("in.h5", None)


@pytest.mark.parametrize("method", ["video", "groupvideo", "pca", "hdf5gz"])
def test_stacks_that_pack_made(method):
    frames = np.concatenate([drifting((30, 32, 40)), drifting((30, 32, 40))[::-1]])
    h5vidstack.pack(frames, "in.h5::/s", method=method, exact=method == "pca")
    with h5py.File("in.h5", "r+") as file:
        file["s"].attrs["mine"] = "kept"
        file["beside"] = drifting((20, 64, 64))
    report = repack("in.h5", "out.h5")
    assert [one.path for one in report.replaced] == ["/beside"]
    with h5vidstack.open("out.h5::/s") as stack:
        assert np.array_equal(stack[:], frames)
        assert stack.verify() == []
        assert stack.attrs["mine"] == "kept"
    report = repack("out.h5", "plain.h5", restore=True)
    assert {one.path for one in report.replaced} == {"/s", "/beside"}
    with h5py.File("plain.h5") as file:
        assert dict(file["s"].attrs) == {"mine": "kept"}
        assert list(file["s"]) == ["frames"]
        assert np.array_equal(file["s/frames"], frames)
        assert np.array_equal(file["beside"], drifting((20, 64, 64)))
        kinds = {code for path in ("s/frames", "beside") for code, *_ in pipeline(file[path])}
        assert h5vidstack.FILTER_ID not in kinds


def test_leading_axes_come_back_when_a_stack_is_restored():
    frames = drifting((4, 6, 20, 30))
    h5vidstack.pack(frames, "in.h5")
    repack("in.h5", "plain.h5", restore=True)
    with h5py.File("plain.h5") as file:
        assert np.array_equal(file["stack/frames"], frames)


def test_filters_that_are_not_there():
    with h5py.File("in.h5", "w") as file:
        for name, code in {"packed": 32766, "plain": None}.items():
            plist = h5p.create(h5p.DATASET_CREATE)
            plist.set_chunk((1, 64, 64))
            if code:
                plist.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (1, 2))
            space = h5py.h5s.create_simple((20, 64, 64))
            made = h5py.h5d.create(file.id, name.encode(), h5py.h5t.NATIVE_UINT8, space, plist)
            for number, frame in enumerate(drifting((20, 64, 64))):
                made.write_direct_chunk((number, 0, 0), frame.tobytes())
        for number in range(20):
            file["packed"].attrs[f"a{number}"] = number
    with pytest.raises(h5vidstack.SourceError, match="in.h5::/packed needs the HDF5 filter 32766"):
        repack("in.h5", "out.h5")
    assert not Path("out.h5").exists()
    report = repack("in.h5", "out.h5", select=["plain"])  # chunks are copied as they are
    assert report.compared == 2
    with h5py.File("in.h5") as one, h5py.File("out.h5") as other:
        assert dict(one["packed"].attrs) == dict(other["packed"].attrs)
        assert pipeline(one["packed"]) == pipeline(other["packed"])
        chunks = [file["packed"].id.read_direct_chunk((7, 0, 0)) for file in (one, other)]
        assert chunks[0] == chunks[1]


def test_filters_of_a_package_are_imported():
    hdf5plugin = pytest.importorskip("hdf5plugin")
    frames = drifting((30, 64, 64), np.uint16)
    with h5py.File("in.h5", "w") as file:
        file.create_dataset("d", data=frames, chunks=(1, 64, 64), **hdf5plugin.Bitshuffle())
    code = (
        "import h5vidstack, sys; assert 'hdf5plugin' not in sys.modules;"
        "print(len(h5vidstack.repack('in.h5', 'out.h5').replaced))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr
    with h5py.File("out.h5") as file:
        assert np.array_equal(file["d"], frames)
    repack("out.h5", "plain.h5", restore=True)
    with h5py.File("plain.h5") as file:
        assert np.array_equal(file["d"], frames)
        assert file["d"].chunks == (1, 64, 64)
        assert pipeline(file["d"]) == []  # that filter not every HDF5 has


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope.h5", "out.h5"], "no such file"),
        (["text.txt", "out.h5"], "not an HDF5 file"),
        (["in.h5", "in.h5"], "exists; use --overwrite"),
        (["in.h5", "out.h5", "--select", "/nope"], "/nope matches no dataset"),
        (["in.h5::/a", "out.h5"], "copies whole files; use --select"),
        (["http://localhost/in.h5", "out.h5"], "is a URL"),
        (["in.h5", "s3://bucket/out.h5"], "is a URL"),
        (["in.h5", "nowhere/out.h5"], "no folder"),
        (["in.h5", "out.h5", "--preset", "mp4"], "lossy"),
        (["live.h5", "out.h5"], "being recorded"),
        (["taken.h5", "out.h5"], "has something else at /h5vidstack"),
    ],
)
def test_bad_input(arguments, message):
    some_stacks()
    Path("text.txt").write_text("text")
    with h5py.File("taken.h5", "w") as file:
        file["h5vidstack"], file["d"] = 1, drifting((20, 64, 64))
    recorder = h5vidstack.create("live.h5", (20, 20), "u1", chunk_frames=1)
    recorder.write(np.zeros((20, 20), "u1"))
    recorder.write(np.zeros((20, 20), "u1"))
    before = sorted(path.name for path in Path().iterdir())
    result = CliRunner().invoke(main, ["repack", *arguments])
    recorder.close()
    assert result.exit_code == 1, result.output
    assert message in result.output
    assert result.output.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == before


def test_a_file_that_is_open_for_writing():
    some_stacks()
    code = "import h5py, sys; f = h5py.File('in.h5', 'r+'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as writer:
        writer.stdout.readline()
        with pytest.raises(h5vidstack.FormatError, match="open for writing"):
            repack("in.h5", "out.h5")
        writer.communicate(b"")


def test_in_its_own_place():
    some_stacks()
    given = everything("in.h5")
    repack("in.h5", "in.h5", overwrite=True)
    assert without_ours(everything("in.h5")) == given
    repack("in.h5", "in.h5", overwrite=True, restore=True)
    assert everything("in.h5") == given


def test_relative_paths_to_other_files_are_told():
    Path("there").mkdir()
    with h5py.File("in.h5", "w") as file:
        file["d"] = drifting((20, 64, 64))
        file["link"] = h5py.ExternalLink("other.h5", "/x")
        file["absolute"] = h5py.ExternalLink("/tmp/y.h5", "/x")
        layout = h5py.VirtualLayout((4, 20, 20), "u1")
        layout[:] = h5py.VirtualSource("source.h5", "d", (4, 20, 20))
        file.create_virtual_dataset("v", layout)
        file.create_dataset("raw", (4, 20, 20), "u1", external=[("raw.bin", 0, 1600)])[...] = 5
    assert repack("in.h5", "out.h5").elsewhere == ()
    assert repack("in.h5", "there/out.h5").elsewhere == ("other.h5", "raw.bin", "source.h5")
    with h5py.File("out.h5") as file:
        assert (file["raw"][...] == 5).all()
        assert file["v"].virtual_sources()[0].file_name == "source.h5"


def test_what_the_source_links_to_is_not_replaced():
    for name in "ab":
        h5vidstack.pack(drifting((20, 32, 32)), f"{name}.h5")
    h5vidstack.link(["a.h5"], "all.h5")
    with h5py.File("master.h5", "w") as file:
        file["link"] = h5py.ExternalLink("b.h5", "/stack")
    for source, part in (("all.h5", "a.h5"), ("master.h5", "b.h5")):
        before = Path(part).read_bytes()
        with pytest.raises(h5vidstack.OutputError, match="links to"):
            repack(source, part, overwrite=True)
        assert Path(part).read_bytes() == before


def test_references_to_what_is_gone_are_null():
    with h5py.File("in.h5", "w") as file:
        file["d"], file["gone"] = drifting((20, 64, 64)), 1
        file["refs"] = np.array([file["d"].ref, file["gone"].ref], dtype=h5py.ref_dtype)
        file.attrs.create("ref", file["gone"].ref, dtype=h5py.ref_dtype)
        del file["gone"]
    assert repack("in.h5", "out.h5").lost_references == 2
    with h5py.File("out.h5") as file:
        assert file[file["refs"][0]] == file["d"]
        assert not file["refs"][1]


def edited(name, row, field, value):
    def edit(file):
        rows = file[name][...]
        rows[field][row] = value(file)
        file[name][...] = rows

    return edit


CHANGES = {
    "a value": lambda file: file["scalar"].__setitem__((), 4.0),
    "a pixel": lambda file: file["entry/data/data"].__setitem__((3, 4, 5), 99),
    "a string": lambda file: file["strings"].__setitem__(0, "uno"),
    "a ragged value": lambda file: file["ragged"].__setitem__(2, [-2]),
    "a field": edited("table", 1, "name", lambda file: b"zz"),
    "an attribute": lambda file: file.attrs.__setitem__("default", "other"),
    "the type of an attribute": lambda file: file["entry/data/data"].attrs.__setitem__("typed", 0.0),
    "one attribute more": lambda file: file["entry"].attrs.__setitem__("more", 1),
    "one attribute less": lambda file: file["entry/data/data"].attrs.__delitem__("attribute 3"),
    "a name": lambda file: file.move("bits", "bites"),
    "one name more": lambda file: file.__setitem__("more", 1),
    "one name less": lambda file: file.__delitem__("complex"),
    "a link": lambda file: (file["entry"].__delitem__("external"),
                            file["entry"].__setitem__("external", h5py.ExternalLink("x", "/x"))),
    "a soft link": lambda file: (file["entry"].__delitem__("soft"),
                                 file["entry"].__setitem__("soft", h5py.SoftLink("/x"))),
    "a hard link to another": lambda file: (file["entry/a/b"].__delitem__("same"),
                                            file["entry/a/b"].__setitem__("same", file["bits"])),
    "a reference": edited("table", 0, "ref", lambda file: file["bits"].ref),
    "a reference in an attribute": lambda file: file["entry"].attrs.create(
        "refs", [file["bits"].ref, file["entry/data"].ref], dtype=h5py.ref_dtype),
    "a region": lambda file: file["regions"].__setitem__(0, file["entry/data/data"].regionref[3:6, ::2]),
    "a type": lambda file: (file.__delitem__("scalar"), file.__setitem__("scalar", np.float32(3.5))),
    "a shape": lambda file: file["empty"].resize((1, 50, 60)),
    "a mapping": lambda file: (file.__delitem__("virtual"), shifted(file)),
}  # fmt: skip


def shifted(file):
    layout = h5py.VirtualLayout((40, 40, 64), "u1")
    layout[1:] = h5py.VirtualSource(".", "entry/data/data", (40, 40, 64))[:-1]
    file.create_virtual_dataset("virtual", layout)


@pytest.mark.parametrize("what", CHANGES)
def test_the_proof_sees(what):
    rich()
    with open_hdf5("in.h5") as file:
        with like_hdf5_file(Path("out.h5"), file) as new:
            copy = FileCopy(file, new, lambda node, new: None)
            copy.run()
        with h5py.File("out.h5") as new:
            FileComparison(file, new, copy.paths, {}, (), ()).run()
        with h5py.File("out.h5", "r+") as new:
            CHANGES[what](new)
        with h5py.File("out.h5") as new, pytest.raises(h5vidstack.NotExactError):
            FileComparison(file, new, copy.paths, {}, (), ()).run()


def test_nexus_conventions_are_kept():
    nexus = pytest.importorskip("nexusformat.nexus")
    data = nexus.NXfield(drifting((30, 64, 48)), name="frames", units="counts")
    time = nexus.NXfield(np.arange(30.0), name="time", units="s")
    nexus.NXroot(nexus.NXentry(nexus.NXdata(data, [time]))).save("in.nxs", "w")
    repack("in.nxs", "out.nxs")
    found = nexus.nxload("out.nxs")
    assert found["entry/data"].nxsignal.shape == (30, 64, 48)
    assert found["entry/data"].nxaxes[0].nxname == "time"
    assert np.array_equal(found["entry/data/frames"].nxvalue, drifting((30, 64, 48)))


def beside():
    """A packed file with two datasets, one of several axes."""
    with h5py.File("in.h5", "w") as file:
        data = file.create_dataset("entry/data", (40, 64, 80), "u1", maxshape=(None, 64, 80))
        data[...] = drifting((40, 64, 80))
        file["entry/volumes"] = drifting((5, 12, 64, 80)).astype(">u2")
    repack("in.h5", "out.h5")
    return drifting((40, 64, 80)), drifting((5, 12, 64, 80)).astype(">u2")


@pytest.mark.parametrize("name", ["out.h5::/entry/data", "out.h5::/h5vidstack/entry/data"])
def test_frames_are_not_added_to_a_dataset_of_its_own_path(name):
    beside()
    before = Path("out.h5").read_bytes()
    with pytest.raises(h5vidstack.UnsupportedError, match="the dataset /entry/data"):
        h5vidstack.pack(drifting((3, 64, 80)), name, mode="a")
    with h5vidstack.open(name) as stack, pytest.raises(h5vidstack.UnsupportedError):
        stack.append(drifting((3, 64, 80)))
    assert Path("out.h5").read_bytes() == before


def test_what_is_done_with_a_stack_is_done_with_one_beside_a_dataset():
    frames, volumes = beside()
    flat = volumes.reshape(-1, 64, 80)
    run = CliRunner()
    for command in (
        "rehash out.h5::/entry/volumes", "info out.h5::/entry/volumes --groups",
        "verify out.h5::/entry/volumes --against in.h5::/entry/volumes",
        "check out.h5::/entry/volumes --against in.h5::/entry/volumes",
        "recover out.h5::/entry/volumes saved.h5", "recover out.h5::/h5vidstack/entry/data same.h5",
        "unpack out.h5::/entry/volumes volumes.npy", "unpack out.h5::/entry/volumes pictures",
        "unpack out.h5::/entry/volumes v.tif", "export out.h5::/entry/data data.mkv",
        "contact-sheet out.h5::/entry/volumes sheet.png", "pack out.h5::/entry/volumes packed.h5",
        "link out.h5::/entry/data -o linked.h5", "verify linked.h5", "verify saved.h5::/entry/volumes",
    ):  # fmt: skip
        result = run.invoke(main, command.split())
        assert result.exit_code == 0, (command, result.output, result.exception)
    with h5vidstack.open("out.h5::/entry/volumes") as stack:
        assert stack.verify() == []
        assert stack[7].dtype == volumes.dtype
        assert stack.find(flat[7], k=1)[0].frame == 7
        assert np.array_equal(pickle.loads(pickle.dumps(stack))[::-7], flat[::-7])
    for name in ("saved.h5::/entry/volumes", "packed.h5"):
        with h5vidstack.open(name) as stack:
            assert np.array_equal(stack[:], flat)
            assert stack.leading_shape == (5, 12)
    with h5vidstack.open("linked.h5") as stack:
        assert np.array_equal(stack[:], frames)
    np.testing.assert_array_equal(np.load("volumes.npy"), volumes, strict=True)
    for path in ("pictures", "v.tif"):
        with contextlib.closing(open_source(path)) as source:
            read = np.concatenate(list(source.batches(16)))
        assert np.array_equal(read, flat)


def test_a_dataset_of_several_axes_is_no_part():
    beside()
    with pytest.raises(h5vidstack.SourceError, match="several axes"):
        h5vidstack.link("out.h5::/entry/volumes", "all.h5")
    assert not Path("all.h5").exists()


def test_what_takes_the_place_of_a_dataset_takes_away_its_stack():
    beside()
    h5vidstack.pack(drifting((3, 20, 30)), "out.h5::/entry/data", overwrite=True)
    with h5py.File("out.h5") as file:
        assert "data" not in file["h5vidstack/entry"]
        assert "volumes" in file["h5vidstack/entry"]
    with h5vidstack.open("out.h5::/entry/data") as stack:
        assert stack.shape == (3, 20, 30)


def test_a_damaged_block_of_a_dataset_of_its_own_path():
    _, volumes = beside()
    with h5py.File("out.h5") as file:
        chunk = file["entry/volumes"].id.get_chunk_info(2)
    data = bytearray(Path("out.h5").read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 1
    Path("out.h5").write_bytes(data)
    with h5vidstack.open("out.h5::/entry/volumes") as stack:
        assert any("frames 24-35" in problem for problem in stack.verify())
    saved = h5vidstack.recover("out.h5::/entry/volumes", "saved.h5")
    assert set(saved.lost) <= set(range(24, 36))
    kept = [number for number in range(60) if number not in saved.lost]
    with h5vidstack.open("saved.h5::/entry/volumes") as stack:
        assert np.array_equal(stack[:], volumes.reshape(-1, 64, 80)[kept])


def test_nwb_files_are_read_and_valid():
    pynwb = pytest.importorskip("pynwb")
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    session = pynwb.NWBFile(session_description="d", identifier="i", session_start_time=start)
    device = session.create_device(name="microscope")
    channel = pynwb.ophys.OpticalChannel(
        name="channel", description="description", emission_lambda=500.0
    )
    plane = session.create_imaging_plane(
        name="plane", optical_channel=channel, description="description", device=device,
        excitation_lambda=600.0, indicator="GFP", location="V1", imaging_rate=30.0,
    )  # fmt: skip
    frames = drifting((60, 64, 80), np.uint16)
    series = pynwb.ophys.TwoPhotonSeries(
        name="series", data=pynwb.H5DataIO(data=frames, compression="gzip"), imaging_plane=plane,
        rate=30.0, unit="n.a.",
    )  # fmt: skip
    session.add_acquisition(series)
    masks = pynwb.ophys.ImageSegmentation()
    session.create_processing_module(name="ophys", description="d").add(masks)
    table = masks.create_plane_segmentation(
        description="d", imaging_plane=plane, name="cells", reference_images=series
    )
    for number in range(4):
        table.add_roi(image_mask=np.eye(64, 80, number))
    with pynwb.NWBHDF5IO("in.nwb", "w") as file:
        file.write(session)
    report = repack("in.nwb", "out.nwb")
    assert [one.path for one in report.replaced] == [
        "/acquisition/series/data",
        "/processing/ophys/ImageSegmentation/cells/image_mask",
    ]
    assert pynwb.validate(path="out.nwb") == []
    repack("out.nwb", "plain.nwb", restore=True)
    for name in ("out.nwb", "plain.nwb"):
        with pynwb.NWBHDF5IO(name, "r") as file:
            read = file.read()
            assert np.array_equal(read.acquisition["series"].data[:], frames)
            cells = read.processing["ophys"]["ImageSegmentation"]["cells"]
            assert np.array_equal(cells["image_mask"][2], np.eye(64, 80, 2))
            assert cells.reference_images[0] is read.acquisition["series"]
