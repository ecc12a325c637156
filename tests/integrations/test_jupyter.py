"""What Jupyter shows of a stack."""

import base64
import io
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from frames import moving, pixels
from PIL import Image

import h5vidstack


def pictures(html):
    found = re.findall(r'src="data:image/png;base64,([^"]*)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


@pytest.mark.parametrize(
    ("count", "shown"),
    [(1, [0]), (2, [0, 1]), (8, list(range(8))), (50, [0, 7, 14, 21, 28, 35, 42, 49])],
)
def test_a_strip_of_frames(count, shown):
    h5vidstack.pack(moving((count, 150, 200)), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        html = stack._repr_html_()
    assert [int(n) for n in re.findall(r'alt="frame (\d+)"', html)] == shown
    assert all(max(picture.size) == 96 for picture in pictures(html))
    for text in (f"{count} x 150 x 200", "uint8", "lossless", "x.h5::/stack"):
        assert text in html


@pytest.mark.parametrize("dtype", ["?", "i8", "f2", "f8"])
def test_every_dtype(dtype):
    h5vidstack.pack(pixels((3, 16, 20), dtype), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert len(pictures(stack._repr_html_())) == 3


def test_pixels_of_small_frames():
    frames = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    h5vidstack.pack(frames, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        for picture, frame in zip(pictures(stack._repr_html_()), frames):
            np.testing.assert_array_equal(np.asarray(picture)[::24, ::24], frame)


def test_lossy_and_names_are_escaped():
    Path("<b>&").mkdir()
    h5vidstack.pack(moving((5, 32, 32)), "<b>&/x.h5", crf=30)
    with h5vidstack.open("<b>&/x.h5") as stack:
        html = stack._repr_html_()
    assert "LOSSY" in html
    assert "&lt;b&gt;&amp;/x.h5" in html
    assert "<b>" not in html


def test_a_closed_or_bare_or_damaged_stack():
    frames = moving((40, 64, 64))
    h5vidstack.pack(frames, "x.h5", method="video", preset="x264-fast")
    with h5vidstack.open("x.h5") as stack:
        pass
    assert stack._repr_html_() is None
    data = bytearray(Path("x.h5").read_bytes())
    data[data.find(b"H5VB") + 200] ^= 1
    Path("y.h5").write_bytes(data)
    with h5vidstack.open("y.h5") as stack:
        html = stack._repr_html_()
    assert "damaged</span>" in html
    assert 0 < len(pictures(html)) < 8
    with h5py.File("z.h5", "w") as file:
        file.create_dataset("data", data=frames, chunks=(16, 64, 64), **h5vidstack.Video())
    with h5vidstack.open("z.h5", "/data") as stack:
        assert len(pictures(stack._repr_html_())) == 8


def test_axes_and_coordinates(scan):
    with h5vidstack.open("scan.h5") as stack:
        html = stack._repr_html_()
    for text in ("T 3, C 2, Z 4, y 9, x 12", "C: gfp, rfp", "x (um)", "lat (along y, x)",
                 "site: here", "serial (along frame)", "good (along T): True, False, True"):  # fmt: skip
        assert text in html
