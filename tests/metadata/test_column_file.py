"""Columns from files, and scales of axes."""

from pathlib import Path

import numpy as np
import pytest

from h5vidstack import MetadataError
from h5vidstack.metadata.column_file import parse_scale, read_column, spaced, split_units


@pytest.mark.parametrize(
    ("text", "name", "values", "units"),
    [
        ("time (s),gain\n0,7\n0.5,8\n", "time", [0.0, 0.5], "s"),
        ("time [ms];gain\n1;7\n2;8\n", "time", [1, 2], "ms"),
        ("a\tb\n1\tx\n2\ty z\n", "b", ["x", "y z"], None),
        ("1\n2\n3\n", "time", [1, 2, 3], None),
        ("time\n1.5\n", "time", [1.5], None),
        ("\ufefftime,x\n1,2\n", "time", [1], None),
    ],
)
def test_a_column_of_text(
    tmp_path: Path, text: str, name: str, values: list[object], units: str | None
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    found, said = read_column(path, name)
    assert found.tolist() == values
    assert said == units


def test_times_and_arrays(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("when\n2026-01-02T03:04:05.25Z\n2026-01-02 03:04:06\n")
    found, _ = read_column(path, "when")
    assert found.dtype == np.dtype("M8[ns]")
    assert str(found[0]) == "2026-01-02T03:04:05.250000000"
    np.save(tmp_path / "x.npy", np.arange(4.0))
    assert read_column(tmp_path / "x.npy", "x")[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "has no column time; it has a, b"),
        ("a,b\n1\n", "line 2 of .* has 1 values, the first one 2"),
        ("", "holds no values"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(MetadataError, match=said):
        read_column(path, "time")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match="cannot read"):
        read_column(tmp_path / "missing.csv", "time")
    (tmp_path / "bad.npy").write_bytes(b"no array")
    with pytest.raises(MetadataError, match="cannot read"):
        read_column(tmp_path / "bad.npy", "time")


def test_units_of_a_name() -> None:
    assert split_units("time [s]") == ("time", "s")
    assert split_units("stage x(um)") == ("stage x", "um")
    assert split_units(" plain ") == ("plain", None)


def test_scales() -> None:
    dims = ("Z", "y", "x")
    assert parse_scale("0.65um", dims) == {"y": (0.65, "um"), "x": (0.65, "um")}
    assert parse_scale("Z=2e-6 m,y=1", dims) == {"Z": (2e-6, "m"), "y": (1.0, None)}
    for wrong in ("um", "T=1s", "y=", "0um"):
        with pytest.raises(MetadataError, match="scale"):
            parse_scale(wrong, dims)
    found = spaced("y", 3, 0.5, "um")
    assert found.values.tolist() == [0.0, 0.5, 1.0]
    assert (found.dims, found.units) == (("y",), "um")
