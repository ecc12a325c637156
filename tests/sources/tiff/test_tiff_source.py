"""TIFF: the frames of the series, with samples as they are stored, or a reason why not."""

import contextlib
import itertools
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tiffs import LONG, RANDOM, SHORT, gray_tags, pack_bits, read, same, values, write_tiff

import h5vidstack
from h5vidstack.sources.openers import open_source, read_image
from h5vidstack.sources.overlap import refuse_source
from h5vidstack.sources.source import Access

pytest.importorskip("imagecodecs")


DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


COMPRESSIONS = [None, "zlib", "lzw", "packbits", "zstd"]


@pytest.mark.parametrize(("order", "tile"), list(itertools.product("<>", [None, (16, 16)])))
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_order_compression_and_predictor(dtype, order, tile):
    frames = values((3, 24, 32), dtype)
    for compression, predictor in itertools.product(COMPRESSIONS, [False, True]):
        if predictor and (compression is None or dtype in ("?", "u8", "i8")):
            continue
        tifffile.imwrite(
            "a.tif", frames, byteorder=order, tile=tile, compression=compression,
            predictor=predictor, photometric="minisblack", bigtiff=predictor,
            rowsperstrip=None if tile else 7,
        )  # fmt: skip
        assert same("a.tif", frames).notes == []


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize(
    ("channels", "compression"), list(itertools.product([3, 4], [None, "zlib"]))
)
def test_colours_in_planes_or_side_by_side(dtype, channels, compression):
    frames = values((3, 24, 32, channels), dtype)
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    how = {"photometric": "rgb", "compression": compression, **extra}
    tifffile.imwrite("a.tif", frames, planarconfig="contig", **how)
    same("a.tif", frames)
    tifffile.imwrite("a.tif", np.moveaxis(frames, -1, 1), planarconfig="separate", **how)
    same("a.tif", frames)


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("samples", [1, 3])
def test_packed_bits_as_stored(bits, samples):
    pixels = RANDOM.integers(0, 1 << bits, (11, 13, samples))
    strip = pack_bits(pixels.reshape(11, -1), bits)
    if bits == 16:
        strip = pixels.astype("<u2").tobytes()
    tags = gray_tags(11, 13, bits, samples, 1 if samples == 1 else 2)
    write_tiff("a.tif", [(tags, [strip])])
    dtype = bool if bits == 1 else np.uint8 if bits <= 8 else np.uint16
    want = pixels.astype(dtype)[None]
    same("a.tif", want[..., 0] if samples == 1 else want)


def test_min_is_white_orientation_palette_and_premultiplied_are_kept_and_said():
    frames = values((3, 24, 32), "u1")
    for dtype, compression in itertools.product(["u1", "u2", "f4"], [None, "zlib"]):
        white = frames.astype(dtype)
        tifffile.imwrite("w.tif", white, photometric="miniswhite", compression=compression)
        (note,) = same("w.tif", white).notes
        assert "MinIsWhite" in note
    for turn in range(2, 9):
        turned = [(274, 3, 1, turn, False)]
        tifffile.imwrite("o.tif", frames, photometric="minisblack", extratags=turned)
        (note,) = same("o.tif", frames).notes
        assert f"Orientation {turn}" in note
    colours = values((3, 256), "u2")
    tifffile.imwrite("p.tif", frames, photometric="palette", colormap=colours)
    (note,) = same("p.tif", frames).notes
    assert "colour map" in note
    rgba = values((2, 24, 32, 4), "u1")
    tifffile.imwrite("a.tif", rgba, photometric="rgb", extrasamples=["assocalpha"])
    (note,) = same("a.tif", rgba).notes
    assert "alpha" in note
    tifffile.imwrite("c.tif", rgba, photometric="separated")
    (note,) = same("c.tif", rgba).notes
    assert "CMYK" in note


@pytest.mark.parametrize("channels", [2, 5])
def test_other_numbers_of_channels_are_never_cut(channels):
    frames = values((3, 24, 32, channels), "u1")
    extra = ["unspecified"] * (channels - (3 if channels > 3 else 1))
    kind = "rgb" if channels > 3 else "minisblack"
    tifffile.imwrite("a.tif", frames, photometric=kind, planarconfig="contig", extrasamples=extra)
    with pytest.raises(h5vidstack.SourceError, match=rf"{channels} samples.*np\.moveaxis"):
        open_source("a.tif")
    planes = np.moveaxis(frames, -1, 1)
    tifffile.imwrite("b.tif", planes, photometric=kind, planarconfig="separate", extrasamples=extra)
    source = same("b.tif", planes)
    assert source.leading_shape == (3, channels)
    assert f"{channels} sample planes" in source.notes[0]


def test_imagej_series_are_not_pages():
    frames = values((2, 3, 4, 24, 32), "u2")
    tifffile.imwrite("ij.tif", frames, imagej=True)
    assert same("ij.tif", frames).leading_shape == (2, 3, 4)
    colours = values((5, 24, 32, 3), "u1")
    tifffile.imwrite("rgb.tif", colours, imagej=True)
    same("rgb.tif", colours)


@pytest.mark.parametrize("order", "<>")
def test_an_imagej_stack_of_one_page(order):
    frames = values((5, 24, 32), "u2")
    data = frames.astype(order + "u2").tobytes()
    tags = gray_tags(24, 32, 16)
    tags[279] = (LONG, [24 * 32 * 2])
    tags[270] = (2, b"ImageJ=1.54f\nimages=5\nslices=5\nloop=false\n\0")
    write_tiff("a.tif", [(tags, [data])], order)
    assert same("a.tif", frames).access == (Access.CHEAP if order == "<" else Access.RANDOM)
    Path("cut.tif").write_bytes(Path("a.tif").read_bytes().replace(b"slices=5", b"slices=9"))
    with pytest.raises(h5vidstack.SourceError, match=r"cut\.tif.*(corrupted|cut short)"):
        open_source("cut.tif")
    Path("less.tif").write_bytes(Path("a.tif").read_bytes().replace(b"slices=5", b"slides=5"))
    with pytest.raises(h5vidstack.SourceError, match="states 5 images.*::/pages"):
        open_source("less.tif")


def test_volumes_and_leading_axes():
    volume = values((2, 16, 32, 48), "u2")
    tifffile.imwrite("v.tif", volume, volumetric=True, tile=(16, 16, 16), photometric="minisblack")
    assert same("v.tif", volume).leading_shape == (2, 16)
    stack = values((6, 1, 24, 32), "u2")
    tifffile.imwrite("s.tif", stack)
    assert same("s.tif", stack).leading_shape == (6, 1)
    tifffile.imwrite("t.tif", stack[:, 0, :, :, None])
    np.testing.assert_array_equal(read("t.tif")[0].reshape(6, 24, 32), stack[:, 0])


def test_a_pyramid_is_its_full_level():
    frames = values((3, 64, 48), "u2")
    with tifffile.TiffWriter("p.tif", ome=True) as writer:
        writer.write(frames, subifds=1, photometric="minisblack", tile=(16, 16))
        writer.write(frames[:, ::2, ::2], subfiletype=1, photometric="minisblack", tile=(16, 16))
    same("p.tif", frames)


def test_one_of_several_series_is_chosen():
    first, second = values((3, 24, 32), "u2"), values((2, 10, 12, 3), "u1")
    with tifffile.TiffWriter("s.tif") as writer:
        writer.write(first, photometric="minisblack")
        writer.write(second, photometric="rgb")
    with pytest.raises(h5vidstack.SourceError) as error:
        open_source("s.tif")
    assert "s.tif::/0 has shape (3, 24, 32) uint16" in str(error.value)
    assert "s.tif::/1 has shape (2, 10, 12, 3) uint8" in str(error.value)
    same("s.tif::/0", first)
    same("s.tif::/1", second)
    for wrong in ("s.tif::/2", "s.tif::/x"):
        with pytest.raises(h5vidstack.SourceError, match="no series.*s.tif::/1"):
            open_source(wrong)
    h5vidstack.pack("s.tif::/1", "s.h5")
    assert h5vidstack.verify("s.h5", against="s.tif::/1") == []


def test_a_thumbnail_is_passed_over_and_said():
    frames = values((3, 24, 32), "u2")
    with tifffile.TiffWriter("t.tif") as writer:
        writer.write(frames, photometric="minisblack", metadata=None)
        writer.write(frames[0, ::3, ::3].copy(), subfiletype=1, metadata=None)
    same("t.tif::/0", frames)
    (note,) = same("t.tif", frames).notes
    assert "1 thumbnails or masks" in note


def ome_of_two_files():
    frames = values((4, 24, 32), "u2")
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:{own}"><Image ID="Image:0"><Pixels ID="Pixels:0" Type="uint16" SizeX="32" '
        'SizeY="24" SizeZ="1" SizeC="1" SizeT="4" DimensionOrder="XYZCT"><Channel ID="C:0" '
        'SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
    )
    data = "".join(
        f'<TiffData FirstT="{t}" IFD="{t % 2}" PlaneCount="1">'
        f'<UUID FileName="{t // 2}.ome.tif">urn:uuid:{t // 2}</UUID></TiffData>'
        for t in range(4)
    )
    for part in range(2):
        tifffile.imwrite(
            f"{part}.ome.tif", frames[2 * part : 2 * part + 2], photometric="minisblack",
            description=xml.format(own=part, data=data), metadata=None,
        )  # fmt: skip
    return frames


def test_ome_over_several_files():
    frames = ome_of_two_files()
    source = same("0.ome.tif", frames)
    assert source.file_bytes == sum(Path(f"{k}.ome.tif").stat().st_size for k in range(2))
    found, source = read(["0.ome.tif", "1.ome.tif"])  # each file is of the same series: once
    np.testing.assert_array_equal(found, frames)
    Path("folder").mkdir()
    Path("folder/link.tif").symlink_to("../1.ome.tif")
    for output in ("1.ome.tif", "folder/link.tif"):
        with pytest.raises(h5vidstack.OutputError, match="the output is the source"):
            refuse_source(output, "0.ome.tif")
    assert not refuse_source("2.ome.tif", "0.ome.tif")
    Path("1.ome.tif").unlink()
    with pytest.raises(h5vidstack.SourceError, match=r"2 of the 4 images.*number 2.*'1\.ome\.tif'"):
        open_source("0.ome.tif")


def test_damage_inside_names_the_page():
    frames = values((3, 24, 32), "u2") % 100
    tifffile.imwrite("a.tif", frames, compression="zlib", photometric="minisblack", metadata=None)
    with tifffile.TiffFile("a.tif") as opened:
        start = opened.pages[1].dataoffsets[0]
    data = bytearray(Path("a.tif").read_bytes())
    data[start + 200] ^= 16
    Path("a.tif").write_bytes(data)
    with pytest.raises(h5vidstack.SourceError, match=r"page 1 of a\.tif"):
        read("a.tif")


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        (np.zeros((3, 8, 8), np.complex64), "complex"),
        (np.zeros((3, 8, 8), np.complex128), "complex"),
    ],
)
def test_what_no_stack_holds(frames, why):
    tifffile.imwrite("a.tif", frames, photometric="minisblack")
    with pytest.raises(h5vidstack.SourceError, match=why):
        open_source("a.tif")


def test_bits_that_differ_and_unknown_types():
    tags = gray_tags(8, 8, 8, 3, 2)
    tags[258] = (SHORT, [5, 6, 5])
    write_tiff("a.tif", [(tags, [bytes(128)])])
    with pytest.raises(h5vidstack.SourceError, match="different numbers of bits"):
        open_source("a.tif")
    tags = gray_tags(8, 8, 48)
    write_tiff("b.tif", [(tags, [bytes(384)])])
    with pytest.raises(h5vidstack.SourceError, match="48 bits"):
        open_source("b.tif")


def test_jpeg_in_tiff_names_its_conversion():
    colours = np.repeat(np.arange(48, dtype=np.uint8)[:, None], 64, 1)[..., None] * [1, 2, 3]
    tifffile.imwrite("a.tif", colours.astype(np.uint8), photometric="rgb", compression="jpeg")
    found, source = read("a.tif")
    assert source.conversion == "RGB made by imagecodecs from the YCbCr of JPEG"
    assert np.abs(found[0].astype(int) - colours).max() < 20


def test_suffixes_say_nothing_and_folders_are_stacks():
    frames = values((3, 24, 32), "u2")
    for number, frame in enumerate(frames):
        tifffile.imwrite(f"f{number}.tif", frame, photometric="miniswhite")
    Path("f0.tif").rename("f0.dat")
    same("f0.dat", frames[:1])
    Path("in").mkdir()
    for number in range(3):
        Path(f"f{number}.tif" if number else "f0.dat").rename(f"in/f{number}.tif")
    found, source = read("in")
    np.testing.assert_array_equal(found, frames, strict=True)
    (note,) = source.notes
    assert note.endswith("The same holds for 2 more.")
    assert source.file_bytes == sum(path.stat().st_size for path in Path("in").iterdir())


def test_multi_page_files_of_a_folder_one_after_another():
    frames = values((9, 24, 32), "u1")
    Path("in").mkdir()
    tifffile.imwrite("in/a2.tif", frames[:4], photometric="minisblack")
    tifffile.imwrite("in/a10.tif", frames[4:5], photometric="minisblack")
    tifffile.imwrite("in/a11.tif", frames[5:], photometric="minisblack")
    found, source = read("in")
    np.testing.assert_array_equal(found, frames, strict=True)
    assert source.count == 9
    with contextlib.closing(open_source("in")) as again:
        list(again.batches(4))
        np.testing.assert_array_equal(again.take(np.array([8, 0, 4])), frames[[8, 0, 4]])


def test_an_image_of_pillow_and_to_find():
    frame = values((20, 30), "u2")
    Image.fromarray(frame).save("p.tif")
    np.testing.assert_array_equal(read_image("p.tif"), frame)
    tifffile.imwrite("m.tif", np.stack([frame, frame]), photometric="minisblack")
    with pytest.raises(h5vidstack.SourceError, match="holds 2 images"):
        read_image("m.tif")


def test_gray_of_colour():
    colours = values((3, 24, 32, 3), "u1")
    tifffile.imwrite("c.tif", colours, photometric="rgb")
    want = np.stack([np.asarray(Image.fromarray(frame).convert("L")) for frame in colours])
    np.testing.assert_array_equal(read("c.tif", gray=True)[0], want)


def test_a_large_image_has_no_limit_but_memory():
    frame = np.zeros((14000, 14000), np.uint8)
    frame[5] = 3
    tifffile.imwrite(
        "large.tif", frame, compression="zstd", rowsperstrip=14000, photometric="minisblack"
    )
    with contextlib.closing(open_source("large.tif")) as source:
        assert source.frame == (14000, 14000)
        np.testing.assert_array_equal(source.take(np.array([0]))[0, :8, :8], frame[:8, :8])


def test_tags_are_no_frames():
    """A small image with long tags does not look like the first of several frames."""
    tifffile.imwrite("a.tif", np.zeros((32, 40), np.uint8), description="x" * 5000)
    with contextlib.closing(open_source("a.tif")) as source:
        assert not source.notes
