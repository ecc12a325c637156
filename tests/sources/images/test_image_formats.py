"""Images: what the table names, exactly; all else, and all that is not whole, is refused."""

import io
from pathlib import Path

import numpy as np
import pytest
from frames import wave
from packing import packed
from pictures import RANDOM, pictures, read, same
from PIL import Image, ImageFile

import h5vidstack
from h5vidstack.sources.images import image_formats


@pytest.mark.parametrize("kind", ["png", "tiff", "x.tif"])
@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "u4", "i4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("colour", [False, True])
def test_images_are_exact_or_refused(kind, dtype, colour):
    frames = (wave((3, 9, 11)) * 100).astype(dtype)
    frames = np.stack([frames] * 3, axis=-1) if colour else frames
    packed(frames)
    target = kind if "." in kind else "out"
    form = kind if target == "out" else "png"
    as_png, as_tiff = dtype in ("?", "u2") and not colour, dtype != "?" or not colour
    if as_png if kind == "png" else as_tiff:
        h5vidstack.unpack("x.h5", target, image_format=form)
        assert h5vidstack.verify("x.h5", against=target) == []
    else:
        with pytest.raises(h5vidstack.OutputError, match="exactly; unpack to x.npy"):
            h5vidstack.unpack("x.h5", target, image_format=form)


@pytest.mark.parametrize("ending", ["bmp", "gif", "jpg", "png", "webp"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_what_pillow_writes_it_reads(ending, mode):
    picture = Image.fromarray(RANDOM.integers(0, 256, (9, 13, 3)).astype(np.uint8)).convert(mode)
    if mode == "P" and ending == "jpg":
        picture = picture.convert("RGB")
    picture.save(f"x.{ending}", **({"lossless": True, "exact": True} if ending == "webp" else {}))
    with Image.open(f"x.{ending}") as opened:
        gray = mode in ("1", "L") and ending != "webp"
        wanted = opened.mode if opened.mode == "1" else "L" if gray else "RGB"
        want = np.asarray(opened.convert(wanted))
    source = same(f"x.{ending}", want[None])
    assert (source.conversion is not None) == (ending == "jpg" and not gray)


@pytest.mark.parametrize(("careless", "places"), [(False, 41), (True, 7)])
def test_a_file_that_was_cut_is_refused_wherever(careless, places, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", careless)
    for name in pictures():
        read(name)
        data = Path(name).read_bytes()
        for end in range(0, len(data) - 1, len(data) // places):
            cut = f"cut{Path(name).suffix}"
            Path(cut).write_bytes(data[:end])
            with pytest.raises(h5vidstack.SourceError, match="cut"):
                read(cut)
            Path(cut).write_bytes(data[:end].ljust(len(data), b"\0"))  # as a disk that was full
            if not name.endswith(("bmp", "webp")):
                with pytest.raises(h5vidstack.SourceError, match="cut"):
                    read(cut)


def test_pointers_of_what_was_not_fetched():
    Path("a.png").write_text("../.git/annex/objects/a.png")
    Path("b.tif").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    for name in ("a.png", "b.tif"):
        with pytest.raises(h5vidstack.SourceError, match="pointer of git-annex or Git LFS"):
            read(name)


def test_every_way_of_the_table_is_a_decoder():
    assert all(callable(way) for way in image_formats.DECODERS.values())
    with pytest.raises(h5vidstack.SourceError, match="no PNG, JPEG"):
        image_formats.read_image_header(io.BytesIO(b"P5 3 3 255 ").getvalue())
