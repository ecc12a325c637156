"""The files that frames came from: names, places, and files of several sources together."""

import os
from pathlib import Path

import numpy as np
import pytest

from h5vidstack.metadata.files import SourceFiles, common_folder, joined_files
from h5vidstack.metadata.words import NOTHING


def files(*paths):
    for path in paths:
        Path(os.fsdecode(path)).parent.mkdir(parents=True, exist_ok=True)
        Path(os.fsdecode(path)).write_bytes(os.fsencode(path))
    return SourceFiles.of(paths)


def test_what_a_file_was():
    found = files("a/x.tif", "a/yy.tif")
    assert len(found) == 2
    assert [record.path for record in found] == ["a/x.tif", "a/yy.tif"]
    assert [record.size for record in found[:]] == [7, 8]
    assert found[1].modified == os.stat("a/yy.tif").st_mtime_ns
    assert found[0].sha256 == ""
    digests = np.arange(64, dtype=np.uint8).reshape(2, 32)
    assert found.with_digests(digests)[1].sha256 == digests[1].tobytes().hex()
    with pytest.raises(FileNotFoundError):
        SourceFiles.of(["missing"])


@pytest.mark.parametrize(("paths", "names"), [
    (["a/x.tif", "a/y.tif"], [b"x.tif", b"y.tif"]),
    (["a/b/x.tif", "a/c/x.tif"], [b"b/x.tif", b"c/x.tif"]),
    (["x.tif", "y.tif"], [b"x.tif", b"y.tif"]),
    (["a/x.tif", "y.tif"], [b"a/x.tif", b"y.tif"]),
    (["ab/x.tif", "ac/y.tif"], [b"ab/x.tif", b"ac/y.tif"]),
    ([b"a/caf\xe9", b"a/b"], [b"caf\xe9", b"b"]),
])  # fmt: skip
def test_names_are_relative_to_the_folder_of_all(paths, names):
    assert files(*paths).names(len(paths)).tolist() == names


def test_absolute_names():
    here = os.getcwd()
    found = files(f"{here}/d/x", f"{here}/d/e/y")
    assert found.names(2).tolist() == [b"x", b"e/y"]
    assert common_folder(np.array([b"/x", b"/y"])) == b"/"


def test_frames_of_one_file_have_no_names_of_their_own():
    found = files("x.tif")
    assert found.names(3) is None
    assert found.names(1).tolist() == [b"x.tif"]
    assert [found.place(frame, 3) for frame in range(3)] == [(0, 0), (0, 1), (0, 2)]
    two = files("x.tif", "y.tif")
    assert two.place(1, 2) == (1, 0)


def test_some_frames_keep_their_files():
    found = files("x", "y", "z").take(np.array([2, 0]), 3)
    assert found.place(0, 2) == (2, 0)
    assert found.names(2).tolist() == [b"z", b"x"]


def test_files_of_two_sources():
    one, two = files("a/x", "a/y"), files("b/z")
    both = joined_files(one, 2, two, 2)
    assert [both.place(frame, 4) for frame in range(4)] == [(0, 0), (1, 0), (2, 0), (2, 1)]
    late = joined_files(None, 3, two, 1)
    assert late.place(0, 4) == (None, None)
    assert late.place(3, 4) == (0, 0)
    assert late.names(4) is None
    assert (late.file == NOTHING).sum() == 3
    assert joined_files(None, 1, None, 1) is None
