"""Names of unpacked images: the original ones, and never outside the folder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5vidstack.errors import OutputError
from h5vidstack.sinks.image_names import numbered, original

BOTH = ["png", "tiff"]


@pytest.mark.parametrize(("names", "wanted", "want"), [
    (["a.png", "b.PNG"], None, ["a.png", "b.PNG"]),
    (["a.png", "b.tif", "c.TIFF"], None, ["a.png", "b.tif", "c.TIFF"]),
    (["a.jpg", "b.webp"], None, ["a.png", "b.png"]),
    (["a.png", "b.tif"], "tiff", ["a.tiff", "b.tif"]),
    (["a.jpg", "a.png"], None, ["a.jpg.png", "a.png"]),
    (["a.jpg", "a.jpeg"], None, ["a.jpg.png", "a.jpeg.png"]),
    (["well A1", "v1.2"], None, ["well A1.png", "v1.2.png"]),
    (["s/a.png", "t/a.png"], None, ["s/a.png", "t/a.png"]),
    (["x.ome.tif"], "png", ["x.ome.png"]),
    (["a\nb.png", "caf\udce9.png", "-rf.png", " .png"], None,
     ["a\nb.png", "caf\udce9.png", "-rf.png", " .png"]),
])  # fmt: skip
def test_only_the_ending_changes(names, wanted, want):
    found = original(names, BOTH, wanted)
    assert [image.path for image in found] == want
    assert [image.original for image in found] == [one == other for one, other in zip(names, want)]


def test_the_format_that_holds_the_pixels():
    (found,) = original(["a.png"], ["tiff"], None)
    assert (found.path, found.format) == ("a.tiff", "tiff")


@pytest.mark.parametrize("names", [
    ["/etc/passwd.png"], ["../a.png"], ["a/../../b.png"], ["a//b.png"], ["./a.png"], ["a/./b.png"],
    ["a\0.png"], ["a.png", "a.png"], ["", "b"], ["a/"], ["a.png", "a.png/b.png"], ["a.jpg", "a.jpg"],
])  # fmt: skip
def test_no_other_name(names):
    with pytest.raises(OutputError, match="named|names no file|is that of a frame and of a folder"):
        original(names, BOTH, None)


@given(st.lists(st.text(alphabet="ab./\\\0é\udcff", max_size=8), max_size=5))
def test_any_name_stays_inside_or_is_refused(names):
    try:
        found = original(names, BOTH, None)
    except OutputError:
        return
    assert len({image.path for image in found}) == len(names)
    for image in found:
        assert not {"", ".", ".."} & set(image.path.split("/"))


def test_numbers():
    assert [image.path for image in numbered([0, 7], 9, "tiff")] == [
        "frame_000000.tiff", "frame_000007.tiff",
    ]  # fmt: skip
    assert numbered([5], 10**7 + 1, "png")[0].path == "frame_00000005.png"
