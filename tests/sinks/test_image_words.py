"""What frames say, as chunks of PNG and tags of TIFF."""

import io

import numpy as np
from PIL import Image

from h5vidstack.metadata.words import NOTHING, Words, WordsKind
from h5vidstack.sinks.image_words import (
    SaidReader,
    imagej_of_some,
    order_of,
    page_tags,
    png_with_words,
)
from h5vidstack.sources.tiff import imagej


class Counted(list):
    reads = 0

    def __getitem__(self, place):
        Counted.reads += 1
        return super().__getitem__(place)


def test_what_is_said_of_one_frame_after_another():
    values = Counted([b'{"a": 1}', b'{"a": 2}'])
    of = np.array([0, 0, NOTHING, 1], np.uint32)
    reader = SaidReader({"tiff_tags": Words(WordsKind.JSON, values, of),
                         "icc": Words.whole(WordsKind.BYTES, b"p"),
                         "ome_xml": Words.whole(WordsKind.TEXT, "x")}, ["tiff_tags", "icc", "missing"])  # fmt: skip
    assert [reader(frame) for frame in range(4)] == [
        {"tiff_tags": {"a": 1}, "icc": b"p"}, {"tiff_tags": {"a": 1}, "icc": b"p"}, {"icc": b"p"},
        {"tiff_tags": {"a": 2}, "icc": b"p"},
    ]  # fmt: skip
    assert Counted.reads == 2


def test_a_png_stays_one():
    out = io.BytesIO()
    pixels = np.arange(20, dtype="u1").reshape(4, 5)
    Image.fromarray(pixels).save(out, "PNG")
    said = {"jpeg_comment": "c\udcff", "xmp": "<x/>", "icc": b"p"}
    with Image.open(io.BytesIO(png_with_words(out.getvalue(), said))) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
        assert image.info["icc_profile"] == b"p"
        assert image.info["xmp"] == b"<x/>"


def test_tags_of_samples_that_were_converted_do_not_say_what_they_mean():
    said = {
        "tiff_tags": {"262": {"type": "SHORT", "value": 6}, "271": {"type": "ASCII", "value": "M"}}
    }
    assert set(page_tags(said, "<", converted=False).entries) == {262, 271}
    assert set(page_tags(said, "<", converted=True).entries) == {271}


def test_a_stack_of_some_frames_of_imagej():
    text = "ImageJ=1.54\nimages=4\nchannels=2\nslices=2\nhyperstack=true\nunit=um\n"
    items = imagej.Items(">", {"labl": [b"\0a", b"\0b", b"\0c"], "luts": [b"l"], "info": [b"\0i"]})
    data, counts = imagej.packed_items(items)
    said = {
        "imagej_description": text,
        "imagej_metadata": data,
        "imagej_metadata_byte_counts": counts,
    }
    assert order_of(said) == ">"
    found = imagej_of_some(said, [2, 3])
    assert found["imagej_description"] == "ImageJ=1.54\nimages=2\nslices=2\nunit=um\n"
    left = imagej.parse_items(found["imagej_metadata"], found["imagej_metadata_byte_counts"])
    assert left.values == {"info": [b"\0i"], "labl": [b"\0c", b""]}
    assert set(imagej_of_some({"imagej_description": text}, [1])) == {"imagej_description"}
