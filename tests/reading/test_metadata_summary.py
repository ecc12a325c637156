"""What is said of metadata, for people and for programs."""

import json
from pathlib import Path

import numpy as np

import h5vidstack
from h5vidstack.reading.metadata_summary import describe_metadata, metadata_rows, short

FRAMES = np.random.default_rng(1).integers(0, 50, (2, 3, 17, 13), dtype=np.uint8)


def test_all_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    h5vidstack.pack(
        FRAMES,
        path,
        dims=("T", "Z", "y", "x"),
        scale="0.5um",
        coords={
            "T": (("T",), np.array(["2026-01-01", "2026-01-02"], "M8[D]")),
            "label": list("abcdef"),
            "gain": ((), 2.5),
        },
        attrs={"sample": "A", "method": "mine", "numbers": [1, 2]},
    )
    with h5vidstack.open(path) as stack:
        facts = json.loads(json.dumps(describe_metadata(stack, stack.attrs)))
        rows = metadata_rows(stack, stack.attrs)
    assert facts["dims"] == ["T", "Z", "y", "x"]
    assert facts["coords"]["T"]["values"] == ["2026-01-01", "2026-01-02"]
    assert facts["coords"]["label"]["values"] == list("abcdef")
    assert facts["coords"]["gain"]["values"] == 2.5
    assert facts["coords"]["y"]["attrs"] == {"units": "um"}
    assert facts["attrs"] == {"sample": "A", "method": "mine", "numbers": [1, 2]}
    assert facts["source"] == {"files": [], "words": {}}
    assert rows["axes"] == "T 2, Z 3, y 17, x 13"
    assert rows["  y"] == "0.0 to 8.0 um"
    assert rows["  label"] == "a to f along frame"
    assert rows["  @method"] == "mine"


def test_nothing_is_said_where_nothing_is_known(tmp_path: Path) -> None:
    h5vidstack.pack(FRAMES[0], tmp_path / "x.h5")
    with h5vidstack.open(tmp_path / "x.h5") as stack:
        assert metadata_rows(stack, stack.attrs) == {}


def test_long_texts_are_cut() -> None:
    assert short("a  b\nc") == "a b c"
    assert len(short("x" * 500)) == 60


def test_missing_values_are_counted(tmp_path: Path) -> None:
    coords = {
        "time": [0.5, *[np.nan] * 4, 2.5], "name": ["a", *[""] * 5], "when": np.array(["NaT"] * 6, "M8[s]"),
        "step": ([1, -9, 3, -9, 5, -9], {"_FillValue": -9}), "ok": [True, False] * 3,
    }  # fmt: skip
    h5vidstack.pack(FRAMES[0].repeat(2, 0)[:6], tmp_path / "x.h5", coords=coords)
    with h5vidstack.open(tmp_path / "x.h5") as stack:
        rows = metadata_rows(stack, stack.attrs)
    assert {name: row.removesuffix(" along frame") for name, row in rows.items()} == {
        "  time": "0.5 to 2.5, 4 missing", "  name": "a to a, 5 missing", "  when": "6 missing",
        "  step": "1 to 5, 3 missing", "  ok": "True to False",
    }  # fmt: skip
