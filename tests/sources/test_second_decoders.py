"""`verify --against` reads images by decoders that `pack` does not use."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from frames import moving
from PIL import Image

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.sources.tiff import tiff_source

GRAY, RGB = moving((4, 19, 22)), moving((4, 19, 22, 3))
DEEP = GRAY.astype(np.uint16) * 257


def folder(frames, suffix):
    Path("in").mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(f"in/{number}{suffix}")
    return "in"


def one_tiff(frames, **how):
    photometric = "rgb" if frames.ndim == 4 else "minisblack"
    tifffile.imwrite("in.tif", frames, photometric=photometric, **how)
    return "in.tif"


def verified(source, **options):
    h5vidstack.pack(source, "out.h5", **options)
    notes = []
    problems = h5vidstack.verify("out.h5", against=source, notes=notes, **options)
    return problems, notes


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: folder(GRAY, ".png"), "libpng"),
        (lambda: folder(RGB, ".png"), "libpng"),
        (lambda: folder(RGB, ".jpg"), "libjpeg-turbo"),
        (lambda: folder(RGB, ".webp"), "libwebp"),
        (lambda: folder(DEEP, ".tif"), "libtiff"),
        (lambda: one_tiff(DEEP, compression="lzw", predictor=2, byteorder=">"), "libtiff"),
        (lambda: one_tiff(RGB, compression="deflate", tile=(16, 16)), "libtiff"),
        (lambda: one_tiff(GRAY, bigtiff=True), "libtiff"),
    ],
)
def test_read_by_another(make, name):
    problems, notes = verified(make())
    assert problems == []
    assert notes == [f"4 frames were read by {name} (imagecodecs), which pack does not use."]


def test_planes_of_colours():
    planes = np.ascontiguousarray(np.moveaxis(RGB, 3, 1))
    tifffile.imwrite("in.tif", planes, photometric="rgb", planarconfig="separate")
    assert verified("in.tif")[1][0].startswith("4 frames were read by libtiff")


@pytest.mark.parametrize(
    "make",
    [
        lambda: folder(GRAY, ".bmp"),
        lambda: folder(GRAY > 9, ".png"),
        lambda: one_tiff(GRAY, volumetric=True, tile=(2, 16, 16)),
        lambda: one_tiff(RGB, compression="jpeg"),
    ],
)
def test_read_as_pack_does(make):
    problems, notes = verified(make())
    assert problems == []
    assert notes == [
        "4 frames were read as pack reads them, for no second decoder gives samples of the same kind."
    ]


def test_a_fault_of_packs_reader_shows(monkeypatch):
    source = one_tiff(DEEP)
    right = tiff_source.TiffFrames.read
    monkeypatch.setattr(
        tiff_source.TiffFrames, "read", lambda self, number: right(self, number) ^ 1
    )
    (problem,), _ = verified(source)
    assert problem == "frames 0, 1, 2, 3: pixels differ from the source"


def test_gray_is_made_of_the_second():
    problems, notes = verified(folder(RGB, ".png"), gray=True)
    assert problems == []
    assert "libpng" in notes[0]


def test_without_imagecodecs(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    problems, notes = verified(folder(GRAY, ".png"))
    assert problems == []
    assert notes == [
        'The images were decoded as pack did; pip install "h5vidstack[imagecodecs]" for an '
        "independent check."
    ]


def test_arrays_need_no_second():
    assert verified(GRAY) == ([], [])


def test_it_is_said():
    h5vidstack.pack(folder(GRAY, ".png"), "out.h5")
    done = CliRunner().invoke(main, ["verify", "out.h5", "--against", "in"])
    assert done.exit_code == 0
    assert "equal to in" in done.stdout
    assert "4 frames were read by libpng" in done.stderr
