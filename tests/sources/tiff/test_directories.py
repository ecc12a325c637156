"""Directories of tags: read from TIFF and EXIF, and kept as JSON without a loss."""

import json
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from h5vidstack.sources.tiff.directories import (
    EXIF,
    GPS,
    TYPES,
    Directory,
    Entry,
    from_json,
    moment,
    nanoseconds,
    packed_like,
    pixel_size,
    read_directory,
    read_exif,
    to_json,
)


def exif_bytes(order="<", original=b"2024:02:29 12:34:56\0", subsec=b"789\0"):
    """EXIF of two directories, written by hand."""
    mark = b"II" if order == "<" else b"MM"
    inner_at, texts_at = 26, 26 + 2 + 24 + 4
    inner = struct.pack(order + "H", 2)
    inner += struct.pack(order + "HHII", 36867, 2, len(original), texts_at)
    inner += struct.pack(order + "HHI", 37521, 2, len(subsec)) + subsec.ljust(4, b"\0")
    first = struct.pack(order + "HHHIII", 1, EXIF, 4, 1, inner_at, 0)
    head = mark + struct.pack(order + "HI", 42, 8)
    return head + first + inner + bytes(4) + original


@pytest.mark.parametrize("order", "<>")
def test_exif_and_when_it_was_taken(order):
    directory = read_exif(exif_bytes(order))
    taken = np.datetime64("2024-02-29T12:34:56.789", "ns").astype(int)
    assert moment(directory) == taken
    again = from_json(json.loads(json.dumps(to_json(directory))), "<>"[order == "<"])
    assert moment(again) == taken
    assert moment(packed_like(directory, ">")) == taken


def test_what_is_cut_off_is_left_out():
    data = exif_bytes()
    assert {moment(read_exif(data[:end])) for end in range(len(data) - 1)} == {None}
    assert read_exif(b"") is read_exif(b"II*\0") is read_exif(b"hello, world") is None


@pytest.mark.parametrize(("text", "fraction", "want"), [
    ("2001:02:03 04:05:06", None, "2001-02-03T04:05:06"),
    ("2001-02-03T04:05:06.25", None, "2001-02-03T04:05:06.25"),
    ("2001:02:03 04:05:06", "5 ", "2001-02-03T04:05:06.5"),
    ("2001:02:03 04:05:06", "x", "2001-02-03T04:05:06"),
    ("1969:12:31 23:59:59", None, "1969-12-31T23:59:59"),
])  # fmt: skip
def test_times(text, fraction, want):
    assert nanoseconds(text, fraction) == np.datetime64(want, "ns").astype(int)


@pytest.mark.parametrize("text", [
    None, "", "0000:00:00 00:00:00", "2001:13:01 00:00:00", "    :  :     :  :  ", "yesterday",
    "9999:01:01 00:00:00",
])  # fmt: skip
def test_what_is_no_time(text):
    assert nanoseconds(text) is None


entries = st.sampled_from(sorted(TYPES)).flatmap(
    lambda kind: st.integers(0, 5).flatmap(
        lambda count: st.binary(
            min_size=(size := count * struct.calcsize(TYPES[kind][1]) * (2 if kind in (5, 10) else 1)),
            max_size=size,
        ).map(lambda data: Entry(kind, count, data))
    )
)  # fmt: skip


@example({300: Entry(11, 1, b"\x00\x00\x81\x7f")})  # a NaN that no arithmetic may quiet
@given(st.dictionaries(st.integers(300, 60000).filter(lambda tag: tag not in (EXIF, GPS, 40965)),
                       entries))  # fmt: skip
def test_json_keeps_every_value(found):
    directory = Directory("<", {tag: entry for tag, entry in found.items() if entry.kind != 2})
    said = json.loads(json.dumps(to_json(directory), allow_nan=False))
    assert from_json(said, "<") == directory
    assert packed_like(from_json(said, ">"), "<") == directory


@given(st.binary(max_size=30))
def test_json_keeps_texts(text):
    text = text.rstrip(b"\0") + b"\0"
    directory = Directory("<", {270: Entry(2, len(text), text)})
    assert from_json(json.loads(json.dumps(to_json(directory))), ">").entries == directory.entries


@given(st.binary(max_size=200), st.sampled_from("<>"), st.booleans())
def test_any_bytes_are_a_directory_or_none(data, order, big):
    read_directory(lambda at, size: data[at : at + size], order, 0, big=big)
    read_exif(b"II*\0\x08\0\0\0" + data)


def test_pixel_size_needs_a_unit():
    def tags(unit, x=(10, 1), y=(5, 1)):
        return Directory("<", {
            282: Entry(5, 1, struct.pack("<II", *x)), 283: Entry(5, 1, struct.pack("<II", *y)),
            **({296: Entry(3, 1, struct.pack("<H", unit))} if unit else {}),
        })  # fmt: skip

    assert pixel_size(tags(3)) == (0.2, 0.1, "cm")
    assert pixel_size(tags(2)) == (0.2, 0.1, "inch")
    assert pixel_size(tags(1)) is pixel_size(tags(None)) is pixel_size(tags(2, x=(0, 1))) is None
