"""What headers state is found without the decoders, and what contradicts it is refused."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from frames import moving
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from h5vidstack import SourceError
from h5vidstack.sources.headers import Header, compare, read_header
from h5vidstack.sources.images import image_source
from h5vidstack.sources.openers import open_source
from h5vidstack.sources.tiff import tiff_source

GRAY, RGB = moving((4, 19, 22)), moving((4, 19, 22, 3))


def pictures(frames, path, **how):
    first, *others = [Image.fromarray(frame) for frame in frames]
    first.save(path, save_all=True, append_images=others, **how)


def tiffs(frames, path, **how):
    tifffile.imwrite(path, frames, photometric="rgb" if frames.ndim == 4 else "minisblack", **how)


SIZE = (19, 22)
FILES = {
    "gray.png": (lambda p: Image.fromarray(GRAY[0]).save(p), Header("PNG", SIZE, 8, "u", (1,), 1)),
    "deep.png": (
        lambda p: Image.fromarray(GRAY[0].astype(np.uint16)).save(p),
        Header("PNG", SIZE, 16, "u", (1,), 1),
    ),
    "bit.png": (
        lambda p: Image.fromarray(GRAY[0] > 99).save(p), Header("PNG", SIZE, 1, "u", (1,), 1)
    ),
    "film.png": (lambda p: pictures(RGB, p), Header("PNG", SIZE, 8, "u", (3,), 4)),
    "rgb.jpg": (lambda p: Image.fromarray(RGB[0]).save(p), Header("JPEG", SIZE, 8, "u", (3,), 1)),
    "mpo.jpg": (lambda p: pictures(RGB, p, format="MPO"), Header("JPEG", SIZE, 8, "u", (3,), 1)),
    "rgb.bmp": (lambda p: Image.fromarray(RGB[0]).save(p), Header("BMP", SIZE, 8, "u", (3,), 1)),
    "film.gif": (lambda p: pictures(GRAY, p), Header("GIF", SIZE, 8, "u", (1, 3, 4), 4)),
    "one.webp": (lambda p: Image.fromarray(RGB[0]).save(p), Header("WebP", SIZE, 8, "u", (3, 4), 1)),
    "exact.webp": (
        lambda p: Image.fromarray(RGB[0]).save(p, lossless=True),
        Header("WebP", SIZE, 8, "u", (3, 4), 1),
    ),
    "film.webp": (lambda p: pictures(RGB, p), Header("WebP", SIZE, 8, "u", (3, 4), 4)),
    "x.npy": (lambda p: np.save(p, GRAY.astype(">i4")), Header(".npy", None, 32, "i", values=GRAY.size)),
    "pages.tif": (
        lambda p: tiffs(GRAY.astype(np.int16), p), Header("TIFF", SIZE, 16, "i", values=GRAY.size, pages=4)
    ),
    "big.tif": (
        lambda p: tiffs(RGB, p, bigtiff=True, byteorder=">", compression="deflate"),
        Header("TIFF", SIZE, 8, "u", values=RGB.size, pages=4),
    ),
    "planes.tif": (
        lambda p: tiffs(np.moveaxis(RGB, 3, 1), p, planarconfig="separate"),
        Header("TIFF", SIZE, 8, "u", values=RGB.size, pages=4),
    ),
    "float.tif": (
        lambda p: tiffs(GRAY.astype(np.float32), p, imagej=True),
        Header("TIFF", SIZE, 32, "f", values=GRAY.size, pages=4),
    ),
    "x.ome.tif": (lambda p: tiffs(GRAY, p, ome=True), Header("TIFF", SIZE, 8, "u")),
    "volume.tif": (
        lambda p: tiffs(GRAY, p, volumetric=True, tile=(2, 16, 16)), Header("TIFF", SIZE, 8, "u")
    ),
    "text.png": (lambda p: p.write_text("no picture"), None),
    "empty.png": (lambda p: p.write_bytes(b""), None),
}  # fmt: skip


def made(name):
    path = Path(name)
    FILES[name][0](path)
    return path


@pytest.mark.parametrize("name", FILES)
def test_statements(name):
    assert read_header(made(name)) == FILES[name][1]


def test_one_page_of_imagej_stands_for_many():
    tiffs(GRAY[0], "x.tif", description="ImageJ=1.54f\nimages=4\nslices=4\n", metadata=None)
    with open("x.tif", "ab") as file:
        file.write(GRAY[1:].tobytes())
    assert read_header(Path("x.tif")).values == GRAY.size
    with contextlib.closing(open_source("x.tif")) as source:
        np.testing.assert_array_equal(np.concatenate(list(source.batches(3))), GRAY)


@pytest.mark.parametrize(
    ("frame", "dtype", "count", "what"),
    [
        ((22, 19, 3), "u1", 4, "22x19 pixels, but it was decoded as 19x22 pixels"),
        ((19, 22, 3), "u2", 4, r"8 bits a sample \(unsigned\), but it was decoded as uint16"),
        ((19, 22, 3), "i1", 4, r"8 bits a sample \(unsigned\), but it was decoded as int8"),
        ((19, 22), "u1", 4, "3 or 4 channels, but it was decoded as 1"),
        ((19, 22, 3), "u1", 3, "4 frames, but it was decoded as 3"),
    ],
)
def test_contradictions(frame, dtype, count, what):
    path = made("film.webp")
    with pytest.raises(SourceError, match=rf"film.webp states {what}"):
        compare(path, read_header(path), frame, np.dtype(dtype), count)


def test_what_is_no_contradiction():
    webp, tiff, png = map(made, ("film.webp", "planes.tif", "bit.png"))
    compare(webp, read_header(webp), (19, 22, 3), np.dtype("u1"), None)
    compare(webp, read_header(webp), (19, 22), np.dtype("u1"), 4, gray=True)
    compare(tiff, read_header(tiff), (19, 22), np.dtype("u1"), 12)
    compare(png, read_header(png), (19, 22), np.dtype("?"), 1)


class Wrong:
    """Frames that lost half their bits on the way."""

    def __init__(self, frames):
        self._frames = frames

    def __getattr__(self, name):
        return getattr(self._frames, name)

    def read(self, number):
        return (self._frames.read(number) >> 8).astype(np.uint8)


def test_images_are_compared(monkeypatch):
    path = made("deep.png")
    right = image_source.open_image
    monkeypatch.setattr(image_source, "open_image", lambda path: Wrong(right(path)))
    with pytest.raises(SourceError, match="deep.png states 16 bits a sample"):
        open_source(path)


def test_tiffs_are_compared(monkeypatch):
    path = made("pages.tif")
    unsigned = property(lambda _: np.dtype("u2"), lambda *_: None)
    monkeypatch.setattr(tiff_source.TiffSource, "dtype", unsigned, raising=False)
    with pytest.raises(SourceError, match=r"16 bits a sample \(signed\), but .* uint16"):
        open_source(path)


@given(st.data())
def test_damage_states_something_or_nothing(data):
    name = data.draw(st.sampled_from([name for name in FILES if FILES[name][1]]))
    content = bytearray(made(name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content), 300) - 1))] = data.draw(
            st.integers(0, 255)
        )
    del content[data.draw(st.integers(0, len(content))) :]
    Path("damaged").write_bytes(content)
    assert isinstance(read_header(Path("damaged")), Header | None)
