"""What frames say of themselves, as PNG and TIFF have it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from ..metadata.words import NOTHING, Words
from ..sources import picture_records as records
from ..sources.images.png_words import chunk, chunks_of_words
from ..sources.tiff import imagej
from ..sources.tiff.directories import (
    ASCII,
    DESCRIPTION,
    ICC,
    LONG,
    PHOTOMETRIC,
    PHOTOSHOP,
    XMP,
    Directory,
    Entry,
    from_json,
    packed_like,
    read_exif,
)
from ..sources.tiff.tiff_metadata import MADE_HERE, STRUCTURE

MAKER = "h5vidstack unpack"
MADE_HERE_CHUNK = b"hvSt"
"""A private chunk: it marks PNGs that this program unpacked, so that it may replace them."""
_PNG_HEAD = 33
"""Bytes of a PNG up to the end of its first chunk."""
_BYTE, _UNDEFINED = 1, 7
_COMMENT = "Comment"

PNG_WORDS = (
    records.EXIF, records.XMP, records.ICC, records.PNG_TEXT, records.PNG_CHUNKS,
    records.JPEG_COMMENT,
)  # fmt: skip
"""What a PNG has a place for."""
PAGE_WORDS = (records.TIFF_TAGS, records.XMP, records.ICC, records.EXIF, records.PHOTOSHOP)
"""What each page of a TIFF has a place for."""
FILE_WORDS = (
    records.OME_XML, records.OME_IMAGE, records.IMAGEJ_DESCRIPTION, records.IMAGEJ_METADATA,
    records.IMAGEJ_COUNTS,
)  # fmt: skip
"""What a TIFF has a place for once."""

Said = Mapping[str, Any]
"""What one frame says, by name, as `Words` gives it."""


class SaidReader:
    """Reads what is said of one frame after another.

    Parameters
    ----------
    words
        Of all frames, by name.
    names
        Which of them are wanted.
    """

    def __init__(self, words: Mapping[str, Words], names: Sequence[str]) -> None:
        self._words = {name: words[name] for name in dict.fromkeys(names) if name in words}
        self._held: dict[str, tuple[int, Any]] = {}  # the last value of each, and its place

    def __call__(self, frame: int) -> dict[str, Any]:
        """Return what is said of a frame, by name, as `Words` gives it."""
        found = {}
        for name, words in self._words.items():
            place = 0 if words.of is None else int(words.of[frame])
            if place == NOTHING:
                continue
            if name not in self._held or self._held[name][0] != place:
                self._held[name] = place, words.meant(words.values[place])
            found[name] = self._held[name][1]
        return found


def png_with_words(png: bytes, said: Said) -> bytes:
    """Return a PNG with what its frame says."""
    chunks = [chunk(MADE_HERE_CHUNK, MAKER.encode())]
    chunks += [chunk(name, body) for name, body in chunks_of_words(said)]
    comment = said.get(records.JPEG_COMMENT)
    if comment is not None:
        text = _COMMENT.encode() + bytes(5) + comment.encode(errors="surrogateescape")
        chunks.append(chunk(b"iTXt", text))
    return png[:_PNG_HEAD] + b"".join(chunks) + png[_PNG_HEAD:]


def page_tags(said: Said, order: str, converted: bool) -> Directory:
    """Return the tags of a page that say the same.

    Parameters
    ----------
    said
        What its frame says.
    order
        The order of bytes of the file.
    converted
        Whether the samples are not as the source stored them, so that its tags do not say what
        they mean.
    """
    entries: dict[int, Entry] = {}
    if records.EXIF in said and (exif := read_exif(said[records.EXIF])) is not None:
        entries |= packed_like(exif, order).entries
        entries = {tag: entry for tag, entry in entries.items() if tag not in STRUCTURE}
        entries.pop(PHOTOMETRIC, None)
    if records.TIFF_TAGS in said:
        entries |= from_json(said[records.TIFF_TAGS], order).entries
    if converted:
        entries.pop(PHOTOMETRIC, None)
    if records.XMP in said:
        data = said[records.XMP].encode(errors="surrogateescape")
        entries[XMP] = Entry(_BYTE, len(data), data)
    if records.ICC in said:
        entries[ICC] = Entry(_UNDEFINED, len(said[records.ICC]), said[records.ICC])
    if records.PHOTOSHOP in said:
        data = said[records.PHOTOSHOP]
        entries[PHOTOSHOP] = Entry(_BYTE, len(data), data)
    return Directory(order, entries)


def file_tags(said: Said, order: str) -> dict[int, Entry]:
    """Return the tags of a first page that say what is said of a whole TIFF, verbatim."""
    entries: dict[int, Entry] = {}
    for name in (records.OME_XML, records.IMAGEJ_DESCRIPTION):
        if name in said:
            entries[DESCRIPTION] = text_entry(said[name])
    if records.IMAGEJ_METADATA in said and records.IMAGEJ_COUNTS in said:
        data, counts = said[records.IMAGEJ_METADATA], said[records.IMAGEJ_COUNTS]
        entries[imagej.METADATA] = Entry(_BYTE, len(data), data)
        packed = struct.pack(f"{order}{len(counts)}I", *counts)
        entries[imagej.BYTE_COUNTS] = Entry(LONG, len(counts), packed)
    return entries


def made_here() -> dict[int, Entry]:
    """Return the tag that marks a TIFF of this program."""
    return {MADE_HERE: text_entry(MAKER)}


def order_of(said: Said) -> str:
    """Return the order of bytes that a TIFF needs so that what is said of it is verbatim."""
    data = said.get(records.IMAGEJ_METADATA, b"")
    return ">" if data[:4] == b"IJIJ" else "<"


def text_entry(text: str) -> Entry:
    """Return a text as a tag has it."""
    data = text.encode(errors="surrogateescape") + b"\0"
    return Entry(ASCII, len(data), data)


def imagej_of_some(said: Said, numbers: Sequence[int]) -> dict[str, Any]:
    """Return what ImageJ says of a hyperstack, for some of its frames as a plain stack."""
    lines = said[records.IMAGEJ_DESCRIPTION].splitlines()
    gone = ("images", "channels", "slices", "frames", "hyperstack", "mode", "order", "spacing",
            "finterval", "fps", "loop")  # fmt: skip
    kept = [line for line in lines if line.partition("=")[0].strip() not in gone]
    count = len(numbers)
    text = "\n".join([kept[0], f"images={count}", f"slices={count}", *kept[1:], ""])
    found: dict[str, Any] = {records.IMAGEJ_DESCRIPTION: text}
    if records.IMAGEJ_METADATA not in said or records.IMAGEJ_COUNTS not in said:
        return found
    data, counts = said[records.IMAGEJ_METADATA], said[records.IMAGEJ_COUNTS]
    items = imagej.parse_items(data, counts)
    values = dict(items.values)
    if any(line.startswith("channels=") for line in lines):
        values.pop("luts", None)
        values.pop("rang", None)
    labels = values.pop(imagej.LABELS, [])
    chosen = [labels[number] if number < len(labels) else b"" for number in numbers]
    if any(chosen):
        values[imagej.LABELS] = chosen
    if values:
        packed, lengths = imagej.packed_items(imagej.Items(items.order, values))
        found |= {records.IMAGEJ_METADATA: packed, records.IMAGEJ_COUNTS: lengths}
    return found
