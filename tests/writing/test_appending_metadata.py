"""Metadata goes on where frames are added, linked and made searchable; contradictions are refused."""

from pathlib import Path

import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack.care.rehashing import rehash
from h5vidstack.metadata.description import Metadata
from h5vidstack.metadata.words import Words, WordsKind
from h5vidstack.sources.openers import open_source

FRAMES = moving((24, 8, 9))
OPTIONS = {
    "coords": {"t": (np.arange(24.0), {"units": "s"}), "y": (np.arange(8) * 0.5, {"units": "um"})},
    "attrs": {"title": "cells"},
}


def part(first, last):
    coords = OPTIONS["coords"]
    values, attrs = coords["t"]
    return {**OPTIONS, "coords": coords | {"t": (values[first:last], attrs)}}


def contents(path):
    with h5vidstack.open(path) as stack:
        assert stack.verify() == []
        metadata = stack.metadata
        coords = {
            name: (found.dims, found.values.tolist(), dict(found.attrs))
            for name, found in metadata.coords.items()
        }
        return stack[:].tolist(), metadata.dims, coords, dict(metadata.attrs)


def test_in_two_steps_as_at_once():
    h5vidstack.pack(FRAMES, "once.h5", **OPTIONS)
    h5vidstack.pack(FRAMES[:10], "x.h5", **part(0, 10))
    h5vidstack.pack(FRAMES[10:], "x.h5", mode="a", **part(10, 24))
    assert contents("x.h5") == contents("once.h5")
    rehash("x.h5")
    assert contents("x.h5") == contents("once.h5")
    h5vidstack.pack(FRAMES[:10], "a.h5", **part(0, 10))
    h5vidstack.pack(FRAMES[10:], "b.h5", **part(10, 24))
    h5vidstack.link(["a.h5", "b.h5"], "all.h5")
    assert contents("all.h5") == contents("once.h5")
    h5vidstack.recover("x.h5", "saved.h5")
    assert contents("saved.h5") == contents("once.h5")


def test_along_the_first_of_several_axes():
    frames = FRAMES.reshape(4, 2, 3, 8, 9)
    ok = np.arange(24).reshape(4, 2, 3) % 2 == 0
    options = {"dims": ("T", "C", "Z", "y", "x")}
    fixed = {"C": ["gfp", "rfp"]}

    def some(place):
        coords = {"T": np.arange(4)[place], "ok": (("T", "C", "Z"), ok[place]), **fixed}
        return options | {"coords": coords}

    h5vidstack.pack(frames, "once.h5", **some(slice(None)))
    h5vidstack.pack(frames[:1], "x.h5", **some(slice(1)))
    h5vidstack.pack(frames[1:], "x.h5", mode="a", **some(slice(1, None)))
    assert contents("x.h5") == contents("once.h5")
    with pytest.raises(h5vidstack.MetadataError, match=r"of shape \(n, 2, 3, H, W\)"):
        h5vidstack.pack(FRAMES[:5], "x.h5", mode="a", dims=("frame", "y", "x"))
    assert contents("x.h5") == contents("once.h5")
    unnamed = {"ok": (("axis_0", "axis_1", "axis_2"), ok), "axis_1": ["gfp", "rfp"]}
    h5vidstack.pack(frames, "x.h5", coords=unnamed, overwrite=True)
    h5vidstack.pack(FRAMES[:5], "x.h5", mode="a")
    with h5vidstack.open("x.h5") as stack:  # now one axis counts frames
        assert stack.dims == ("frame", "y", "x")
        assert stack.verify() == []
        assert stack.coords["axis_1"].values[:6].tolist() == ["gfp"] * 3 + ["rfp"] * 3
        assert stack.coords["ok"].values[22:].tolist() == [1, 0, *[-1] * 5]
        assert stack.coords["ok"].attrs["_FillValue"] == -1


@pytest.mark.parametrize("endless", [False, True])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dims": ("t", "y", "x")}, "axes are frame, y, x, those of the frames to add t, y, x"),
        ({"attrs": {"title": "mice"}}, "title is 'cells', that of the frames to add 'mice'"),
        ({"scale": "2mm"}, "coordinate y of the frames to add differs"),
        ({"coords": {"t": (np.arange(24), {"units": "ms"})}}, "in s, that of .* in ms"),
        ({"coords": {"t": (["a"] * 24, {"units": "s"})}}, "holds float64, .*<U1"),
    ],
)
def test_contradictions_are_told_before_anything_is_packed(options, said, endless):
    h5vidstack.pack(FRAMES, "x.h5", **OPTIONS)
    before = Path("x.h5").read_bytes()
    read = []

    def frames():
        for frame in FRAMES:
            read.append(frame)
            yield frame

    with pytest.raises(h5vidstack.MetadataError, match=said):
        h5vidstack.pack(frames() if endless else FRAMES, "x.h5", mode="a", **options)
    assert Path("x.h5").read_bytes() == before
    assert len(read) <= 1 or "coords" in options


def says(frames, **attrs):
    source = open_source(frames)
    words = {"said": Words.whole(WordsKind.TEXT, str(attrs))}
    source.metadata = Metadata(attrs=attrs, words=words)
    return source


def test_what_sources_say_that_differs():
    h5vidstack.pack(says(FRAMES, camera="A", site=1), "x.h5")
    report = h5vidstack.pack(says(FRAMES[:2], camera="B", lens=2), "x.h5", mode="a")
    note = "The attribute camera of the frames to add is 'B'; that of the stack stays 'A'."
    assert report.notes == (note,)
    with h5vidstack.open("x.h5") as stack:
        assert stack.metadata.attrs == {"camera": "A", "site": 1, "lens": 2}
        words = stack.source.words["said"]
        assert "'A'" in words[23]
        assert "'B'" in words[25]
    h5vidstack.pack(says(FRAMES[:2], camera="B", dose=3), "y.h5")
    linked = h5vidstack.link(["x.h5", "y.h5"], "all.h5")
    assert linked.notes == (note,)
    with h5vidstack.open("all.h5") as stack:
        assert stack.metadata.attrs == {"camera": "A", "site": 1, "lens": 2, "dose": 3}
        assert stack.verify() == []


def test_parts_of_other_axes_are_not_linked():
    h5vidstack.pack(FRAMES, "x.h5")
    h5vidstack.pack(FRAMES, "y.h5", dims=("t", "y", "x"))
    with pytest.raises(h5vidstack.MetadataError, match="the axes are frame, y, x"):
        h5vidstack.link(["x.h5", "y.h5"], "all.h5")
    assert not Path("all.h5").exists()
