"""Folders: packed and unpacked, images have the same names, pixels and words."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

import h5vidstack

RANDOM = np.random.default_rng(0)


def exif(number):
    found = Image.Exif()
    found[271] = "Maker"
    found[306] = "2020:01:01 00:00:00"
    inner = found.get_ifd(0x8769)
    inner[36867] = f"2024:05:06 07:08:{number:02}"
    inner[37521] = f"{number:03}"
    return found.tobytes()


def write_png(path, pixels, number):
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", f"frame {number} ä")
    info.add_itxt("Title", "ß", "de", "Titel")
    info.add_text("Long", "x" * 999, zip=True)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, pnginfo=info, exif=exif(number), icc_profile=b"profile" * 40,
                                 dpi=(300, 150))  # fmt: skip


def said(path):
    with h5vidstack.open(path) as stack:
        words = {
            name: [stack.source.words[name][frame] for frame in range(len(stack))]
            for name in stack.source.words
        }
        coords = {name: (one.values.tolist(), one.units) for name, one in stack.coords.items()}
        return words, coords, stack.names.tolist(), stack[:]


def there_and_back(folder):
    h5vidstack.pack(folder, "one.h5")
    done = h5vidstack.unpack("one.h5", "back")
    h5vidstack.pack("back", "two.h5")
    one, two = said("one.h5"), said("two.h5")
    assert one[:3] == two[:3]
    np.testing.assert_array_equal(one[3], two[3], strict=True)
    return done, one


def test_png_with_all_that_it_says():
    frames = RANDOM.integers(0, 255, (4, 9, 12)).astype("u1")
    for number, frame in enumerate(frames):
        write_png(f"in/img_A{number}_t{7 - number}.png", frame, number)
    done, (words, coords, names, _) = there_and_back("in")
    assert done == 4
    assert done.notes == ()
    assert sorted(os.listdir("back")) == sorted(os.listdir("in")) == sorted(names)
    assert set(words) == {"exif", "icc", "png_text", "png_chunks"}
    assert coords["time"][0][3] is not None
    assert coords["y"][1] == "m"
    with h5vidstack.open("one.h5") as stack:
        assert stack.coords["time"].dtype == np.dtype("M8[ms]")
        assert stack.coords["time"].values[3] == np.datetime64("2024-05-06T07:08:03.003")
    for name in names:
        with Image.open(f"in/{name}") as one, Image.open(f"back/{name}") as two:
            assert one.info == two.info
            assert one.getexif().tobytes() == two.getexif().tobytes()


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "i2"])
def test_tiff_with_its_tags(dtype):
    Path("in").mkdir()
    for number in range(3):
        pixels = RANDOM.integers(0, 99, (9, 12)).astype(dtype)
        tifffile.imwrite(
            f"in/t{number}.tif", pixels, description=f"no {number}", metadata=None,
            photometric="minisblack", datetime=f"2020:01:01 00:00:{number:02}", software="Scope 3",
            extratags=[(65000, 2, 0, f"well {number}", False)], resolution=(10, 10),
            resolutionunit="CENTIMETER", iccprofile=b"icc profile",
        )  # fmt: skip
    Image.fromarray(np.zeros((9, 12), "u1")).save("other.tif")
    done, (words, coords, names, _) = there_and_back("in")
    assert done.notes == ()
    assert names == ["t0.tif", "t1.tif", "t2.tif"]
    assert words["tiff_tags"][1]["65000"]["value"] == "well 1"
    assert words["icc"] == [b"icc profile"] * 3
    assert set(coords) == {"time", "y", "x"}


def test_tiff_written_by_pillow_with_exif():
    Path("in").mkdir()
    for number in range(3):
        image = Image.fromarray(RANDOM.integers(0, 99, (9, 12, 3)).astype("u1"))
        found = Image.Exif()
        found.load(exif(number))
        image.save(f"in/{number}.tif", exif=found)
    done, (words, coords, _, _) = there_and_back("in")
    assert done.notes == ()
    assert words["tiff_tags"][2]["34665"]["tags"]["36867"]["value"] == "2024:05:06 07:08:02"
    assert len(coords["time"][0]) == 3


def test_jpeg_becomes_png_with_its_exif():
    Path("in").mkdir()
    for number in range(3):
        image = Image.fromarray(RANDOM.integers(0, 99, (16, 16, 3)).astype("u1"))
        image.save(f"in/{number}.jpg", exif=exif(number), comment=f"no {number}", dpi=(72, 72))
    h5vidstack.pack("in", "x.h5")
    done = h5vidstack.unpack("x.h5", "out")
    assert sorted(os.listdir("out")) == ["0.png", "1.png", "2.png"]
    assert "coordinates y, x" in done.notes[0]  # 72 dpi of JFIF
    with Image.open("out/2.png") as image:
        assert image.info["exif"].endswith(exif(2)[6:]) or image.getexif()[271] == "Maker"
        assert image.text["Comment"] == "no 2"
    assert "time" not in done.notes[0]
    h5vidstack.unpack("x.h5", "tiffs", image_format="tiff")
    with tifffile.TiffFile("tiffs/2.tiff") as tiff:
        assert tiff.pages.first.tags[34665].value["DateTimeOriginal"] == "2024:05:06 07:08:02"


def test_webp_and_gif():
    Path("in").mkdir()
    for number in range(2):
        image = Image.fromarray(RANDOM.integers(0, 99, (16, 16, 3)).astype("u1"))
        image.save(f"in/{number}.webp", lossless=True, exif=exif(number), xmp=b"<x/>")
    h5vidstack.pack("in", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert stack.source.words["xmp"].value == "<x/>"
        assert stack.coords["time"].values[1] == np.datetime64("2024-05-06T07:08:01.001")


def test_names_that_are_odd():
    frames = RANDOM.integers(0, 255, (5, 9, 12)).astype("u1")
    names = [b"a b.png", b"caf\xe9.png", "ü.png".encode(), b"new\nline.png", b"-x.png"]
    os.mkdir("in")
    for name, frame in zip(names, frames):
        with open(os.path.join(b"in", name), "wb") as file:
            Image.fromarray(frame).save(file, "PNG")
    h5vidstack.pack("in", "x.h5")
    h5vidstack.unpack("x.h5", "out")
    assert sorted(os.listdir(b"out")) == sorted(names)
    for name, frame in zip(names, frames):
        with open(os.path.join(b"out", name), "rb") as file, Image.open(file) as image:
            np.testing.assert_array_equal(np.asarray(image), frame)


def test_folders_inside_the_folder():
    frames = RANDOM.integers(0, 255, (4, 9, 12)).astype("u1")
    paths = [f"plate/A{number % 2}/{number // 2}.png" for number in range(4)]
    for path, frame in zip(paths, frames):
        write_png(path, frame, 0)
    h5vidstack.pack("plate/*/*.png", "x.h5")
    h5vidstack.unpack("x.h5", "out")
    for path, frame in zip(paths, frames):
        np.testing.assert_array_equal(np.asarray(Image.open(path.replace("plate", "out"))), frame)
    h5vidstack.unpack("x.h5", "out", overwrite=True, frames=[0])  # what it made it may replace
    assert len(list(Path("out").rglob("*.png"))) == 1
    Path("out/A0/mine.txt").write_text("mine")
    with pytest.raises(h5vidstack.OutputError, match=r"A0/mine\.txt, which is no frame"):
        h5vidstack.unpack("x.h5", "out", overwrite=True)


@pytest.mark.parametrize("names", [
    ["../a", "b", "c"], ["/tmp/a", "b", "c"], ["a", "a", "c"], ["a.png", "a.png/b", "c"], ["", "b", "c"],
])  # fmt: skip
def test_names_that_cannot_be_used(names):
    h5vidstack.pack(RANDOM.integers(0, 9, (3, 4, 5)).astype("u1"), "x.h5", coords={"name": names})
    with pytest.raises(h5vidstack.OutputError, match="name"):
        h5vidstack.unpack("x.h5", "out", names=True)
    assert sorted(os.listdir()) == ["x.h5"]
    done = h5vidstack.unpack("x.h5", "out")
    assert "named by their numbers, since" in done.notes[0]
    assert "coordinates name" in done.notes[1]
    assert sorted(os.listdir("out"))[0] == "frame_000000.png"


def test_names_are_a_choice():
    frames = RANDOM.integers(0, 9, (3, 4, 5)).astype("u1")
    h5vidstack.pack(frames, "x.h5", coords={"name": ["a", "b", "c"]})
    h5vidstack.unpack("x.h5", "named", frames=[2, 0])
    assert sorted(os.listdir("named")) == ["a.png", "c.png"]
    np.testing.assert_array_equal(np.asarray(Image.open("named/c.png")), frames[2])
    assert "coordinates name" in h5vidstack.unpack("x.h5", "numbered", names=False).notes[0]
    assert sorted(os.listdir("numbered"))[0] == "frame_000000.png"
    h5vidstack.pack(frames, "y.h5")
    with pytest.raises(h5vidstack.OutputError, match="have no names"):
        h5vidstack.unpack("y.h5", "out", names=True)
    with pytest.raises(h5vidstack.OutputError, match="target is none"):
        h5vidstack.unpack("y.h5", "y.npy", names=True)


def test_what_has_no_place_is_named():
    frames = RANDOM.integers(0, 9, (2, 3, 4, 5)).astype("u1")
    h5vidstack.pack(frames, "x.h5", dims=("t", "z", "y", "x"), attrs={"operator": "N"},
                    coords={"exposure": np.arange(6.0), "z": [1.0, 2, 3]})  # fmt: skip
    want = "axes t, z; coordinates exposure, z; attributes operator."
    assert h5vidstack.unpack("x.h5", "y.h5::/d").notes == ()
    for target, what in (("out", "a PNG"), ("x.npy", "an .npy file"), ("x.tif", "a plain TIFF")):
        assert h5vidstack.unpack("x.h5", target).notes == (
            f"What {what} has no place for was left out: {want}",
        )


def test_an_own_time_that_the_words_do_not_have_is_named():
    for number in range(3):
        write_png(f"in/{number}.png", RANDOM.integers(0, 9, (4, 5)).astype("u1"), number)
    other = np.array(["2001-01-01", "2001-01-02", "2001-01-03"], "M8[s]")
    h5vidstack.pack("in", "x.h5", coords={"time": other})
    assert "coordinates time" in h5vidstack.unpack("x.h5", "out").notes[0]


def test_images_of_ome_and_imagej_in_a_folder():
    Path("in").mkdir()
    for number in range(3):
        pixels = RANDOM.integers(0, 9, (4, 5)).astype("u1")
        tifffile.imwrite(f"in/{number}.tif", pixels, imagej=True,
                         metadata={"unit": "um", "Info": f"no {number}"}, resolution=(4, 4))  # fmt: skip
    done, (_, coords, _, _) = there_and_back("in")
    assert done.notes == ()
    assert coords["y"] == ([0.0, 0.25, 0.5, 0.75], "um")
    with tifffile.TiffFile("back/2.tif") as tiff:
        assert tiff.imagej_metadata["Info"] == "no 2"


def test_files_of_several_pages():
    Path("in").mkdir()
    frames = RANDOM.integers(0, 99, (5, 4, 5)).astype("u1")
    tifffile.imwrite("in/a.tif", frames[:3], photometric="minisblack")
    tifffile.imwrite("in/b.tif", frames[3:], photometric="minisblack")
    h5vidstack.pack("in", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert [Path(stack.source.file(frame).path).name for frame in range(5)] == [
            "a.tif", "a.tif", "a.tif", "b.tif", "b.tif",
        ]  # fmt: skip
        assert [stack.source.image(frame) for frame in range(5)] == [0, 1, 2, 0, 1]
        assert stack.names is None
    h5vidstack.unpack("x.h5", "out")
    assert len(os.listdir("out")) == 5


def test_one_frame_to_a_pipe_says_what_it_said():
    from h5vidstack.sinks.unpacking import stream

    write_png("in/a.png", RANDOM.integers(0, 9, (4, 5)).astype("u1"), 1)
    h5vidstack.pack("in", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        out = io.BytesIO()
        assert stream(stack, out, "png", frames=0) == []
        with Image.open(out) as image:
            assert image.text["Comment"] == "frame 1 ä"
        assert "words of the source" in stream(stack, io.BytesIO(), "raw")[0]


def test_a_png_with_a_scale_of_no_unit():
    image = Image.fromarray(np.zeros((4, 5), "u1"))
    out = io.BytesIO()
    image.save(out, "PNG")
    data = out.getvalue()
    body = b"pHYs" + struct.pack(">IIB", 2, 1, 0)
    import zlib

    Path("in").mkdir()
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    Path("in/a.png").write_bytes(data[:33] + chunk + data[33:])
    _, (words, coords, _, _) = there_and_back("in")
    assert coords == {}
    assert "pHYs" in words["png_chunks"][0]


def test_words_that_each_format_keeps():
    Path("in").mkdir()
    image = Image.fromarray(np.arange(20, dtype=np.uint8).reshape(4, 5))
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a")
    image.save("in/a.png", pnginfo=text)
    image.save("in/b.tif", description="b")
    h5vidstack.pack("in", "x.h5")
    assert h5vidstack.unpack("x.h5", "out").notes == ()
    with Image.open("out/a.png") as png, Image.open("out/b.tif") as tiff:
        assert png.text == {"Title": "a"}
        assert tiff.tag_v2[270] == "b"
