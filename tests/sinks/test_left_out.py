"""The sentence that names what a format has no place for."""

import numpy as np

from h5vidstack.metadata.coordinates import Coordinate
from h5vidstack.metadata.description import Metadata
from h5vidstack.metadata.words import Words, WordsKind
from h5vidstack.sinks.left_out import Placed, found_in_words, notes
from h5vidstack.sources.picture_records import PixelSize

TIMES = Coordinate.of(("frame",), np.array(["2020-01-01", "2020-01-02"], "M8[s]"))
KNOWN = Metadata(
    ("frame", "y", "x"),
    {"time": TIMES, "y": Coordinate.of(("y",), [0.0, 2.0], {"units": "cm"})},
    {"operator": "N", "display_range": np.array([0, 1])},
    {"exif": Words.whole(WordsKind.BYTES, b"e"), "imagej_description": Words.whole(WordsKind.TEXT, "i")},
)  # fmt: skip


def test_all_that_is_left_out():
    assert notes(KNOWN, ("t",), Placed(), "a PNG") == [
        "What a PNG has no place for was left out: axes t; coordinates time, y; attributes "
        "operator, display_range; words of the source exif, imagej_description."
    ]


def test_nothing_is_said_of_what_is_kept():
    kept = Placed(("exif", "imagej_description"), dict(KNOWN.coords), axes=True)
    (note,) = notes(KNOWN, ("t",), kept, "a TIFF")
    assert note == "What a TIFF has no place for was left out: attributes operator."
    assert notes(Metadata(), (), Placed(), "a PNG") == []


def test_coordinates_that_words_have_exactly():
    ends = tuple(int(time.astype("M8[ns]").astype(int)) for time in TIMES.values)
    size = PixelSize(2.0, 1.0, "cm")
    found = found_in_words(KNOWN, (2, 3), size, ends)
    assert set(found) == {"y", "x", "time"}
    assert found["y"].equals(KNOWN.coords["y"])
    assert set(found_in_words(KNOWN, (2, 3), None, (ends[0], ends[0]))) == set()
    assert set(found_in_words(KNOWN, (2, 3), None, (None, ends[1]))) == set()
