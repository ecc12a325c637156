"""What a TIFF says of its frames: axes, coordinates, tags; and where it is wrong."""

import re

import numpy as np
import pytest
import tifffile
from tiffs import same, values

import h5vidstack
from h5vidstack.sources.openers import open_source
from h5vidstack.sources.tiff.tiff_metadata import axis_names


@pytest.mark.parametrize(("letters", "names"), [
    ("", ("frame",)), ("I", ("frame",)), ("T", ("T",)), ("TZC", ("T", "Z", "C")),
    ("QQ", ("axis_0", "axis_1")), ("TQR", ("T", "axis_1", "R")),
])  # fmt: skip
def test_names_of_axes(letters, names):
    assert axis_names(tuple(letters)) == names


def ome_with(change, name="x.ome.tif"):
    """An OME-TIFF of 6 pages whose XML was changed."""
    frames = values((6, 12, 15), "u2")
    tifffile.imwrite("right.ome.tif", frames, ome=True, photometric="minisblack",
                     metadata={"axes": "TYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5})  # fmt: skip
    with tifffile.TiffFile("right.ome.tif") as tiff:
        text = tiff.ome_metadata
    wrong = change(text)
    assert wrong != text
    tifffile.imwrite(
        name, frames, photometric="minisblack", description=wrong.encode(), metadata=None
    )
    return frames, wrong


@pytest.mark.parametrize(("change", "told"), [
    (lambda text: text.replace('SizeT="6"', 'SizeT="7"'), "state 7 images, but it has 6 pages"),
    (lambda text: text.replace('SizeT="6"', 'SizeT="5"').replace('PlaneCount="6"', 'PlaneCount="5"'),
     "state 5 images, but it has 6 pages"),
    (lambda text: text.replace('SizeX="15"', 'SizeX="30"'), "were not used"),
    (lambda text: text.replace("uint16", "float"), "samples are uint16, not float"),
    (lambda text: text.replace("<Pixels", "<Pixels <"), "were not used"),
])  # fmt: skip
def test_pages_win_over_ome_xml(change, told):
    frames, text = ome_with(change)
    report = h5vidstack.pack("x.ome.tif", "x.h5")
    assert any(told in note for note in report.notes), report.notes
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)
        assert stack.source.words["ome_xml"].value == text
    h5vidstack.unpack("x.h5", "y.ome.tif")
    np.testing.assert_array_equal(tifffile.imread("y.ome.tif"), frames)


def test_pages_by_name_have_the_words_too():
    frames, _ = ome_with(lambda text: re.sub('Name="Image0"', 'Name="other"', text))
    same("x.ome.tif::/pages", frames)
    source = open_source("x.ome.tif::/pages")
    assert source.metadata.files[0].path == "x.ome.tif"
    source.close()


def test_axes_of_tifffile():
    frames = values((2, 3, 12, 15), "u2")
    tifffile.imwrite("a.tif", frames, photometric="minisblack", metadata={"axes": "ZCYX"})
    h5vidstack.pack("a.tif", "a.h5")
    with h5vidstack.open("a.h5") as stack:
        assert stack.dims == ("Z", "C", "y", "x")
    tifffile.imwrite("b.tif", values((4, 12, 15, 3), "u1"), photometric="rgb")
    h5vidstack.pack("b.tif", "b.h5")
    with h5vidstack.open("b.h5") as stack:
        assert stack.dims == ("frame", "y", "x", "c")


def test_frames_read_in_any_order_have_their_tags():
    with tifffile.TiffWriter("a.tif") as writer:
        for number in range(5):
            writer.write(values((12, 15), "u1"), metadata=None, description=f"page {number}",
                         photometric="minisblack")  # fmt: skip
    source = open_source("a.tif")
    source.take(np.array([4, 2, 4]))
    assert not source.metadata.words
    source.take(np.array([1, 0, 3]))
    words = source.metadata.words["tiff_tags"]
    assert [words[frame]["270"]["value"] for frame in range(5)] == [f"page {k}" for k in range(5)]
    source.close()


def test_files_of_an_ome_of_several():
    from test_tiff_source import ome_of_two_files

    frames = ome_of_two_files()
    for source in ("0.ome.tif", ["0.ome.tif", "1.ome.tif"]):
        h5vidstack.pack(source, "x.h5", overwrite=True)
        with h5vidstack.open("x.h5") as stack:
            np.testing.assert_array_equal(stack[:], frames)
            places = [
                (stack.source.file(frame).path.rpartition("/")[2], stack.source.image(frame))
                for frame in range(4)
            ]
            assert places == [
                ("0.ome.tif", 0),
                ("0.ome.tif", 1),
                ("1.ome.tif", 0),
                ("1.ome.tif", 1),
            ]
