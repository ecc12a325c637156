import ctypes

import h5py
import numpy as np
import pytest
from low_level import INT, LIBRARY, POINTER, call
from whole_files import drifting

import h5vidstack
from h5vidstack.repacking import tree
from h5vidstack.repacking.repacker import repack


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


def test_links_group_by_group_in_the_order_of_their_making():
    with h5py.File("x.h5", "w", track_order=True) as file:
        file["z/b"] = 1
        file["a"] = h5py.SoftLink("/z/b")
        file["z"].create_group("deep")["end"] = 2
        file["far"] = h5py.ExternalLink("other.h5", "/there")
        file["c"] = 3
        found = list(tree.walk(file))
        assert [link.path for link in found] == [
            b"/z", b"/a", b"/far", b"/c", b"/z/b", b"/z/deep", b"/z/deep/end",
        ]  # fmt: skip
        by_path = {link.path: link for link in found}
        assert by_path[b"/a"].target == b"/z/b"
        assert by_path[b"/far"].target == (b"other.h5", b"/there")
        assert by_path[b"/z/b"].address == tree.address(file["z/b"])
        assert by_path[b"/a"].address is None
        assert [tree.is_hard(file, name) for name in (b"z", b"a", b"far")] == [True, False, False]


def test_names_are_sorted_where_no_order_is_kept():
    with h5py.File("x.h5", "w") as file:
        for name in ("b", "é", "a"):
            file[name] = 1
        assert tree.names(file["/"]) == [b"a", b"b", "é".encode()]
        assert [link.ascii for link in tree.walk(file)] == [True, True, False]
        assert tree.names(file.create_group("empty")) == []


def test_a_circle_is_entered_once():
    with h5py.File("x.h5", "w") as file:
        file["one/two/data"] = 1
        file["one/two/up"] = file["one"]
        file["one/root"] = file["/"]
        file["same"] = file["one/two"]
        assert [link.path for link in tree.walk(file)] == [
            b"/one", b"/same", b"/one/root", b"/one/two", b"/same/data", b"/same/up",
        ]  # fmt: skip
        entered = tree.walk(file, lambda link: link.name != b"same")
        assert [link.path for link in entered][-2:] == [b"/one/two/data", b"/one/two/up"]


def test_objects_by_their_paths():
    with h5py.File("x.h5", "w") as file:
        file["a/b/c"], file["a/d"], file[b"\xff"] = 1, 2, 3
        objects = tree.Objects(file)
        for path in (b"/a/b/c", b"/a/d", b"/a/b", b"/", b"/\xff", b"/a/b/c"):
            assert objects[path] == file[path]
        assert objects.group(b"/a/b") == file["a/b"]
        assert objects.group(b"/") == file["/"]
    assert tree.shown(b"/\xff") == "/\\xff"


class LinkClass(ctypes.Structure):
    """HDF5's H5L_class_t."""

    _fields_ = [
        ("version", ctypes.c_int), ("id", ctypes.c_int), ("comment", ctypes.c_char_p),
        ("create", POINTER), ("move", POINTER), ("copy", POINTER), ("traverse", POINTER),
        ("delete", POINTER), ("query", POINTER),
    ]  # fmt: skip


def test_a_link_that_only_its_program_follows():
    never = ctypes.CFUNCTYPE(INT)(lambda: -1)
    traverse = ctypes.cast(never, POINTER)
    kind = LinkClass(1, 77, b"of somebody else", None, None, None, traverse, None, None)
    LIBRARY.H5Lregister.argtypes = [POINTER]
    assert LIBRARY.H5Lregister(ctypes.byref(kind)) >= 0
    with h5py.File("x.h5", "w") as file:
        group = file.create_group("group")
        call("H5Lcreate_ud", group.id.id, b"odd", 77, b"x", 1, 0, 0)
        with pytest.raises(h5vidstack.UnsupportedError, match="/group/odd is a link of kind 77"):
            list(tree.walk(file))
    call("H5Lunregister", 77)
