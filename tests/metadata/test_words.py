"""What a source says: each value once, and joined without a copy."""

import numpy as np
import pytest

from h5vidstack import MetadataError, Words
from h5vidstack.metadata.words import NOTHING, WordsCollector, WordsKind, joined_words


def test_values_are_kept_once():
    collector = WordsCollector(WordsKind.TEXT)
    said = ["a", None, "b", "a", "é\udcff"]
    for value in said:
        collector.add(value)
    words = collector.words()
    assert [words[frame] for frame in range(5)] == said
    assert list(words.values) == [b"a", b"b", "é\udcff".encode(errors="surrogateescape")]
    assert words.values[1:] == list(words.values)[1:]
    taken = words.take(np.array([3, 1]))
    assert [taken[0], taken[1]] == ["a", None]
    used = taken.used()
    assert (list(used.values), list(used.of)) == ([b"a"], [0, NOTHING])
    assert words.take(np.array([1])).used() is None


def test_the_same_of_all_frames():
    collector = WordsCollector(WordsKind.JSON)
    assert collector.words() is None
    collector.add('{"a": 1}')
    collector.add('{"a": 1}')
    words = collector.words()
    assert words.of is None
    assert words.value == {"a": 1}
    assert words.used() is words


def test_joined():
    whole = Words.whole(WordsKind.TEXT, "x")
    assert joined_words(None, 1, None, 1) is None
    assert joined_words(whole, 2, Words.whole(WordsKind.TEXT, "x"), 3).of is None
    both = joined_words(whole, 2, Words.whole(WordsKind.TEXT, "y"), 1)
    assert [both[frame] for frame in range(3)] == ["x", "x", "y"]
    assert [joined_words(None, 1, whole, 1)[frame] for frame in (0, 1)] == [None, "x"]
    assert [joined_words(whole, 1, None, 1)[frame] for frame in (0, 1)] == ["x", None]


@pytest.mark.parametrize(
    ("one", "two", "kind"),
    [("text", "json", "text"), ("bytes", "text", "bytes"), ("json", "bytes", "bytes")],
)
def test_of_two_kinds_nothing_is_lost(one, two, kind):
    both = joined_words(Words.whole(WordsKind(one), "1"), 1, Words.whole(WordsKind(two), "2"), 1)
    assert (both.kind, list(both.values)) == (kind, [b"1", b"2"])


def test_no_json():
    with pytest.raises(MetadataError, match="no JSON"):
        Words.whole(WordsKind.JSON, "{").value
