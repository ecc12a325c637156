"""Which files a stack can stand for."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image

import h5vidstack
from h5vidstack.care.originals import compare_originals
from h5vidstack.cli import main

FRAMES = np.random.default_rng(0).integers(0, 200, (4, 17, 23), dtype=np.uint8)


def put_folder(folder: Path) -> None:
    folder.mkdir()
    for number, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(folder / f"a{number}.png")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    put_folder(folder)
    h5vidstack.pack(folder, tmp_path / "x.h5")
    return folder


def found(path: Path, against: str | None = None) -> dict[str, tuple[bool, str]]:
    with h5vidstack.open(path) as stack:
        return {
            os.path.basename(one.path): (one.replaceable, one.reason)
            for one in compare_originals(stack, against)
        }


def test_all_may_go(raw: Path) -> None:
    stack = raw.parent / "x.h5"
    assert found(stack) == {f"a{number}.png": (True, "") for number in range(4)}
    result = CliRunner().invoke(main, ["verify", str(stack), "--originals"])
    assert result.exit_code == 0
    assert result.stdout.count("may be deleted: ") == 4


def test_what_must_stay(raw: Path) -> None:
    Image.fromarray(FRAMES[1] + 1).save(raw / "a1.png")  # other pixels
    image = Image.open(raw / "a2.png")
    image.save(raw / "a2.png", compress_level=0)  # the same pixels in other bytes
    (raw / "a3.png").unlink()
    stack = raw.parent / "x.h5"
    told = found(stack)
    assert told["a0.png"] == (True, "")
    assert told["a1.png"] == (False, "its pixels differ from those of frame 1")
    assert "though its pixels are equal" in told["a2.png"][1]
    assert told["a3.png"] == (False, "it is not there")
    result = CliRunner().invoke(main, ["verify", str(stack), "--originals", "--json"])
    assert result.exit_code == 1
    facts = json.loads(result.stdout)
    assert facts["sound"]
    assert [one["replaceable"] for one in facts["files"]] == [True, False, False, False]


def test_a_damaged_stack_stands_for_nothing(raw: Path) -> None:
    stack = raw.parent / "x.h5"
    data = bytearray(stack.read_bytes())
    start = data.index(b"H5VB")
    data[start + 40] ^= 255
    stack.write_bytes(data)
    result = CliRunner().invoke(main, ["verify", str(stack), "--originals"])
    assert result.exit_code == 1
    assert "may be deleted" not in result.stdout


def test_against_says_it_for_each_file(raw: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "copy"
    put_folder(elsewhere)
    Image.fromarray(FRAMES[3] + 1).save(elsewhere / "a3.png")
    stack = tmp_path / "x.h5"
    result = CliRunner().invoke(main, ["verify", str(stack), "--against", str(elsewhere)])
    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if "copy" in line and ".png" in line]
    assert [line.split(": ", 1)[1] for line in lines[:3]] == ["digest and pixels agree"] * 3
    assert "digest differs, pixels differ" in lines[3]


def test_without_digests_nothing_may_go(raw: Path) -> None:
    h5vidstack.pack(raw, raw.parent / "y.h5", digest=False)
    told = found(raw.parent / "y.h5")
    assert set(told.values()) == {(False, "the stack has no digest of it")}


def test_pages_and_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, FRAMES, photometric="minisblack")
    h5vidstack.pack(path, tmp_path / "x.h5")
    assert found(tmp_path / "x.h5") == {"pages.tif": (True, "")}
    tifffile.imwrite(path, np.concatenate([FRAMES, FRAMES]), photometric="minisblack")
    told = found(tmp_path / "x.h5")
    assert not told["pages.tif"][0]
    assert "that the stack does not hold" in told["pages.tif"][1]


def test_a_stack_of_an_array_names_no_files(tmp_path: Path) -> None:
    h5vidstack.pack(FRAMES, tmp_path / "x.h5")
    with (
        h5vidstack.open(tmp_path / "x.h5") as stack,
        pytest.raises(h5vidstack.MetadataError, match="names no files"),
    ):
        list(compare_originals(stack))


def several_files():
    """Write an OME-TIFF of three files, each with two pages."""
    frames = np.random.default_rng(3).integers(0, 99, (3, 2, 8, 9), np.uint16)
    parts = "".join(
        f'<TiffData FirstT="{t}" FirstC="{c}" IFD="{c}" PlaneCount="1"><UUID FileName="{t}.ome.tif">'
        f"urn:uuid:{t}</UUID></TiffData>"
        for t in range(3)
        for c in range(2)
    )
    Path("parts").mkdir()
    for t, pages in enumerate(frames):
        text = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:{t}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
            'Type="uint16" SizeX="9" SizeY="8" SizeC="2" SizeZ="1" SizeT="3" PhysicalSizeX="0.5" '
            'PhysicalSizeY="0.5"><Channel ID="Channel:0:0" Name="a"/><Channel ID="Channel:0:1" '
            f'Name="b"/>{parts}</Pixels></Image></OME>'
        )
        tifffile.imwrite(
            f"parts/{t}.ome.tif", pages, photometric="minisblack", description=text, metadata=None
        )
    return frames


@pytest.mark.parametrize("source", ["parts", "parts/*.tif", "parts/1.ome.tif"])
def test_an_ome_tiff_of_several_files(source):
    frames = several_files()
    h5vidstack.pack(source, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert stack.dims == ("T", "C", "y", "x")
        np.testing.assert_array_equal(stack.nd, frames)
        assert stack.coords["C"].values.tolist() == ["a", "b"]
        assert all(one.replaceable for one in compare_originals(stack))
        assert [one.frames for one in compare_originals(stack, source)] == [2, 2, 2]
    pages = frames[1].copy()
    pages[1, 2, 3] += 1
    with tifffile.TiffFile("parts/1.ome.tif") as tiff:
        text = tiff.pages.first.description
    tifffile.imwrite(
        "parts/1.ome.tif", pages, photometric="minisblack", description=text, metadata=None
    )
    with h5vidstack.open("x.h5") as stack:
        found = list(compare_originals(stack))
        assert [one.replaceable for one in found] == [True, False, True]
        assert "its pixels differ from those of frame 3" in found[1].reason


def test_parts_that_are_not_all_there():
    several_files()
    Path("some").mkdir()
    for name in ("0.ome.tif", "1.ome.tif"):
        Path("parts", name).rename(Path("some", name))
    with pytest.raises(h5vidstack.SourceError, match="missing"):
        h5vidstack.pack("some", "x.h5")
