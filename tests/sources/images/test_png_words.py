"""What a PNG says in its chunks, and the same chunks made anew."""

import json
import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from h5vidstack.metadata.words import Words
from h5vidstack.sources.images.png_words import chunks_of_words, pixel_size, words_of_png
from h5vidstack.sources.picture_records import KINDS

CHUNKS = [
    (b"gAMA", struct.pack(">I", 45455)),
    (b"pHYs", struct.pack(">IIB", 1000, 2000, 1)),
    (b"eXIf", b"II*\0 as it is \xff"),
    (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta>\xc3\xa4</x:xmpmeta>"),
    (b"tEXt", b"Comment\0\xe4\0 latin"),
    (b"tEXt", b"Comment\0twice"),
    (b"iTXt", b"Title\0\0\0de\0Titel\0\xc3\xa4\xff"),
    (b"tEXt", b"without an end"),
]


def meant(words):
    return {name: Words(KINDS[name], (value,)).value for name, value in words.items()}


def test_chunks_there_and_back():
    made = list(chunks_of_words(meant(words_of_png(CHUNKS))))
    assert sorted(made) == sorted(CHUNKS)


def test_packed_texts_and_profiles():
    chunks = [
        (b"zTXt", b"Long\0\0" + zlib.compress(b"text" * 99)),
        (b"iTXt", b"Long\0\1\0\0\0" + zlib.compress(b"text" * 99)),
        (b"iCCP", b"a name\0\0" + zlib.compress(b"profile" * 99)),
    ]
    words = words_of_png(chunks)
    assert words["icc"] == b"profile" * 99
    assert [text["text"] for text in json.loads(words["png_text"])] == ["text" * 99] * 2
    assert words_of_png(chunks_of_words(meant(words))) == words


@given(st.lists(st.tuples(st.sampled_from([b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"tIME"]),
                          st.binary(max_size=30)), max_size=4))  # fmt: skip
def test_damaged_chunks_are_kept_or_left_out(chunks):
    words = words_of_png(chunks)
    again = words_of_png(chunks_of_words(meant(words)))
    assert again == words


def test_pixel_size():
    size = pixel_size(struct.pack(">IIB", 1000, 2000, 1))
    assert (size.x, size.y, size.unit) == (0.001, 0.0005, "m")
    for body in (None, b"", struct.pack(">IIB", 1, 1, 0), struct.pack(">IIB", 0, 1, 1)):
        assert pixel_size(body) is None
