import h5py
import pytest
from whole_files import everything, some_stacks

from h5vidstack.repacking.repacker import repack


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
