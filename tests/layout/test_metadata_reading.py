"""Metadata in the file: what is read when, and what is damaged."""

import re

import h5py
import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack.layout import metadata_reading
from h5vidstack.metadata.description import Metadata
from h5vidstack.metadata.words import Words, WordsKind
from h5vidstack.sources.openers import open_source

FRAMES = moving((6, 8, 9))


def pack(path="x.h5", frames=FRAMES, words=None, **options):
    source = open_source(frames)
    if words:
        source.metadata = Metadata(words=words)
    h5vidstack.pack(source, path, overwrite=True, **options)


def test_nothing_is_read_before_it_is_asked_for(monkeypatch):
    pack(coords={"a": np.arange(6), "b": np.arange(6)})
    read = []
    own = metadata_reading.values_of
    monkeypatch.setattr(
        metadata_reading,
        "values_of",
        lambda data, *rest: read.append(data.name) or own(data, *rest),
    )
    with h5vidstack.open("x.h5") as stack:
        assert list(stack.coords) == ["a", "b"]
        assert stack.coords["a"].shape == (6,)
        assert stack[2].shape == (8, 9)
        assert read == []
        assert stack.coords["a"][3] == 3
        assert stack.coords["a"][4] == 4
        assert read == ["/stack/a"]


def spoil(name, change):
    pack(
        coords={"t": np.arange(6) / 7, "when": np.arange(6).astype("M8[s]")}, words={
            "said": Words(WordsKind.TEXT, [b"odd", b"even"], np.arange(6, dtype=np.uint32) % 2)
        },
    )  # fmt: skip
    with h5py.File("x.h5", "r+") as file:
        change(file[name])


def rewrite(values):
    def change(data):
        group, name, attrs = data.parent, data.name, dict(data.attrs)
        attrs = {key: value for key, value in attrs.items() if not key.isupper()}
        del group[name]
        group.create_dataset(name, data=values).attrs.update(attrs)

    return change


SPOILT = {
    "no column": ("stack", lambda group: group.__delitem__("t"), "t is missing"),
    "short": ("stack/t", rewrite(np.arange(5.0)), "5 values"),
    "records": ("stack/t", rewrite(np.zeros(6, "i4,i4")), "neither numbers nor texts"),
    "dtype": ("stack/when", lambda data: data.attrs.__setitem__("h5vidstack_dtype", np.bytes_("m8[s/0]")),
              "h5vidstack_dtype is"),
    "stored as": ("stack/when", rewrite(np.arange(6, dtype="i4")), "not stored"),
    "dims": ("stack/t", lambda data: data.attrs.__setitem__("dims", np.array([b"q"])), "along q"),
    "ends": ("stack/source/said/end", rewrite(np.array([3, 2], "u8")), "where values end"),
    "behind": ("stack/source/said/end", rewrite(np.array([3, 99], "u8")), "goes on behind"),
    "of": ("stack/source/said/of", rewrite(np.full(6, 2, "u4")), "one of 2"),
    "of few": ("stack/source/said/of", rewrite(np.zeros(5, "u4")), "5 entries"),
    "kind": ("stack/source/said", lambda said: said.attrs.__setitem__("kind", np.bytes_("odd")),
             "unknown kind"),
    "data": ("stack/source/said", lambda said: said.__delitem__("data"), "data is missing"),
    "source": ("stack/source", lambda source: source.move("said/data", "files"), "path is missing|data is missing"),
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILT)
def test_damage_is_told(how):
    name, change, said = SPOILT[how]
    spoil(name, change)
    problems = h5vidstack.verify("x.h5")
    assert len(problems) >= 1
    assert re.search(said, "; ".join(problems)), problems
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES)
    recovered = h5vidstack.recover("x.h5", "saved.h5")
    assert set(problems) <= set(recovered.notes)
    with h5vidstack.open("saved.h5") as stack:
        np.testing.assert_array_equal(stack[:], FRAMES)
        assert stack.verify() == []
        sound = "t" if name.endswith("when") else "when"
        assert len(stack.coords[sound]) == 6
        if how == "short":
            np.testing.assert_array_equal(stack.coords["t"].values, [0, 1, 2, 3, 4, np.nan])
        if how == "of few":
            assert [stack.source.words["said"][frame] for frame in (0, 5)] == ["odd", None]


def test_frames_that_another_program_added():
    pack(coords={"t": np.arange(6.0)})
    with h5py.File("x.h5", "r+") as file:
        frames = file["stack/frames"]
        frames.resize(8, axis=0)
        frames[6:] = 1
    with h5vidstack.open("x.h5") as stack:
        assert stack.shape[0] == 8
        with pytest.raises(h5vidstack.FormatError, match="6 values along frame, not 8; .*recover"):
            stack.coords["t"]
    assert any("t has 6 values" in problem for problem in h5vidstack.verify("x.h5"))
    h5vidstack.recover("x.h5", "saved.h5")
    with h5vidstack.open("saved.h5") as stack:
        np.testing.assert_array_equal(stack.coords["t"].values, [*range(6), np.nan, np.nan])
