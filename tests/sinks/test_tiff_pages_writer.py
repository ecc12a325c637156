"""TIFFs written page by page: tifffile and Pillow read the same pixels and tags."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from h5vidstack.sinks.tiff_pages_writer import TiffPages
from h5vidstack.sources.tiff.directories import EXIF, Directory, Entry

RANDOM = np.random.default_rng(0)
DTYPES = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]


def written(pages, *, order="<", big=False):
    out = io.BytesIO()
    writer = TiffPages(out, order=order, big=big)
    for pixels, entries in pages:
        writer.add(pixels, Directory(order, entries))
    out.seek(0)
    return out


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_pixels_as_tifffile_reads_them(dtype, channels, order, big):
    if dtype == "?" and channels > 1:
        return
    shape = (3, 7, 11) if channels == 1 else (3, 7, 11, channels)
    frames = RANDOM.integers(0, 2 if dtype == "?" else 100, shape).astype(dtype)
    with tifffile.TiffFile(
        written([(frame, {}) for frame in frames], order=order, big=big)
    ) as tiff:
        found = np.stack([page.asarray() for page in tiff.pages])
        assert tiff.is_bigtiff == big
    np.testing.assert_array_equal(found, frames)


def test_pillow_reads_all_pages():
    frames = RANDOM.integers(0, 255, (3, 7, 11, 3)).astype("u1")
    with Image.open(written([(frame, {}) for frame in frames])) as image:
        assert image.n_frames == 3
        for number, frame in enumerate(frames):
            image.seek(number)
            np.testing.assert_array_equal(np.asarray(image), frame)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_tags_and_their_directories(order, big):
    def text(value):
        return Entry(2, len(value) + 1, value + b"\0")

    inner = Directory(order, {36867: text(b"2020:01:02 03:04:05"), 37521: text(b"5")})
    tags = {
        270: text("Übersicht".encode()), 271: text(b"M"), 700: Entry(1, 3, b"abc"),
        EXIF: Entry(4, 1, b"", inner), 258: Entry(3, 1, b"\7\7"),
    }  # fmt: skip
    frame = np.zeros((4, 5), "u2")
    with tifffile.TiffFile(written([(frame, tags), (frame, {})], order=order, big=big)) as tiff:
        first, second = (page.aspage() for page in tiff.pages)
        assert first.description == "Übersicht"
        assert first.tags[271].value == "M"
        assert bytes(first.tags[700].value) == b"abc"
        assert first.tags[EXIF].value["DateTimeOriginal"] == "2020:01:02 03:04:05"
        assert first.bitspersample == 16
        assert set(second.tags.keys()) <= {256, 257, 258, 259, 262, 273, 277, 278, 279}


def test_the_meaning_of_samples():
    def meaning(photometric, shape, **more):
        tags = {262: Entry(3, 1, np.uint16(photometric).tobytes())}
        tags |= {int(code[1:]): entry for code, entry in more.items()}
        with tifffile.TiffFile(written([(np.zeros(shape, "u1"), tags)])) as tiff:
            page = tiff.pages.first
            return int(page.photometric), page.extrasamples

    assert meaning(0, (4, 5)) == (0, ())
    assert meaning(3, (4, 5)) == (1, ())  # a palette without colours
    colours = Entry(3, 768, bytes(1536))
    assert meaning(3, (4, 5), t320=colours) == (3, ())
    assert meaning(2, (4, 5)) == (1, ())
    assert meaning(8, (4, 5, 3)) == (8, ())
    assert meaning(5, (4, 5, 4)) == (5, ())
    assert meaning(2, (4, 5, 4)) == (2, (2,))
    assert meaning(2, (4, 5, 4), t338=Entry(3, 1, b"\1\0")) == (2, (1,))
