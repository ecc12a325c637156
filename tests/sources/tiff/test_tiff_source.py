"""TIFF: the frames of the series, with samples as they are stored, or a reason why not."""

import contextlib
import itertools
import logging
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tiffs import LONG, SHORT, gray_tags, pack_bits, write_tiff

import h5vidstack
from h5vidstack.sources.openers import open_source, read_image
from h5vidstack.sources.overlap import refuse_source
from h5vidstack.sources.source import Access, SourceOptions

imagecodecs = pytest.importorskip("imagecodecs")
RANDOM = np.random.default_rng(7)


def values(shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return RANDOM.integers(0, 2, shape).astype(bool)
    if dtype.kind == "f":
        return (RANDOM.standard_normal(shape) * 100).astype(dtype)
    limits = np.iinfo(dtype)
    return RANDOM.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def read(name, **options):
    """Frames with their leading axes, and what is said of them; any frame can be had alone."""
    source = open_source(name, SourceOptions(**options))
    try:
        frames = np.concatenate(list(source.batches(3)))
        assert source.count == len(frames)
        if source.access >= Access.RANDOM:
            backwards = np.arange(len(frames))[::-1]
            np.testing.assert_array_equal(source.take(backwards), frames[::-1])
        leading = source.leading_shape or (len(frames),)
        return frames.reshape(*leading, *source.frame), source
    finally:
        source.close()


def same(name, want):
    found, source = read(name)
    np.testing.assert_array_equal(found, want, strict=True)
    return source


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


def test_pages_that_metadata_leave_out_are_not_lost():
    frames = values((5, 24, 32), "u2")
    description = "ImageJ=1.54f\nimages=3\nslices=3\nloop=false\n"
    tags = gray_tags(24, 32, 16)
    pages = [(tags, [frame.tobytes()]) for frame in frames]
    pages[0][0][270] = (2, description.encode() + b"\0")
    write_tiff("x.tif", pages)
    with pytest.raises(h5vidstack.SourceError, match="x.tif::/pages"):
        read("x.tif")
    same("x.tif::/pages", frames)


def test_pages_of_other_kinds_are_not_read_as_the_first():
    frames = values((12, 24, 32), "u2")
    pages = [(gray_tags(24, 32, 16), [frame.tobytes()]) for frame in frames]
    odd = values((48, 32), "u1")
    pages[4] = (gray_tags(48, 32, 8), [odd.tobytes()])
    write_tiff("x.tif", pages)
    with pytest.raises(h5vidstack.SourceError, match=r"page 4 of x\.tif: .*but page 0 is"):
        read("x.tif")
    with pytest.raises(h5vidstack.SourceError, match="holds 2 series"):
        read("x.tif::/pages")
    write_tiff("y.tif", pages[:6])
    same("y.tif::/1", odd[None])


def test_strips_that_do_not_follow_each_other():
    frames = values((9, 24, 32), "u2")
    pages = []
    for number, frame in enumerate(frames):
        strips = [frame[:10].tobytes(), frame[10:20].tobytes(), frame[20:].tobytes()]
        tags = gray_tags(24, 32, 16)
        tags[278] = (LONG, [10])
        if number == 5:  # between its strips is something else
            strips = [strips[0] + b"something else", *strips[1:]]
            tags[279] = (LONG, [640, 640, 256])
        pages.append((tags, strips))
    write_tiff("x.tif", pages)
    same("x.tif", frames)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "jpeg"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_a_file_that_was_cut_is_refused_wherever(compression, tile):
    frames = np.tile(np.arange(32, dtype=np.uint8), (4, 24, 1)) + values((4, 24, 32), "u1") % 8
    how = {"compression": compression, "tile": tile, "photometric": "minisblack", "metadata": None}
    tifffile.imwrite("whole.tif", frames, **how)
    whole = Path("whole.tif").read_bytes()
    want, _ = read("whole.tif")
    for end in range(0, len(whole), 101):
        Path("cut.tif").write_bytes(whole[:end])
        with pytest.raises(h5vidstack.Error, match=r"cut\.tif"):
            read("cut.tif")
    assert want.shape == frames.shape


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


def test_too_few_bytes_for_its_strip():
    frame = values((24, 32), "u2")
    tags = gray_tags(24, 32, 16)
    tags[279] = (LONG, [1000])
    write_tiff("a.tif", [(tags, [frame.tobytes()])])
    with pytest.raises(h5vidstack.SourceError, match="1000 of the 1536 bytes"):
        read("a.tif")


def test_a_chain_of_pages_that_breaks():
    frames = values((4, 24, 32), "u2")
    write_tiff("a.tif", [(gray_tags(24, 32, 16), [frame.tobytes()]) for frame in frames])
    data = bytearray(Path("a.tif").read_bytes())
    with tifffile.TiffFile("a.tif") as opened:
        at = opened.pages[1].offset + 2 + 12 * 9
    struct.pack_into("<I", data, at, len(data) + 100)
    Path("a.tif").write_bytes(data)
    with pytest.raises(h5vidstack.SourceError, match=r"a\.tif: invalid page offset"):
        read("a.tif")


def test_what_was_never_written_is_said():
    frames = values((2, 32, 32), "u2")
    tifffile.imwrite("a.tif", frames, tile=(16, 16), compression="zlib", photometric="minisblack")
    with tifffile.TiffFile("a.tif", mode="r+") as opened:
        counts = opened.pages[1].tags[325]
        counts.overwrite([0, *counts.value[1:]])
    found, source = read("a.tif")
    want = frames.copy()
    want[1, :16, :16] = 0
    np.testing.assert_array_equal(found, want)
    (note,) = source.notes
    assert note.startswith("1 of the 2 pages of a.tif have strips or tiles that were never")


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


MARKS = {
    "none": b"", "jfif": bytes.fromhex("ffe0 0010 4a46494600 0101 00 0001 0001 0000"),
    **{f"adobe{n}": bytes.fromhex("ffee 000e 41646f6265 0064 0000 0000") + bytes([n])
       for n in range(3)},
}  # fmt: skip


def jpeg(samples, mark, ids):
    """A JPEG of samples that nothing transformed, with the marks of programs; and its samples."""
    count = samples.shape[2]
    space = {3: "RGB", 4: "CMYK"}[count]
    data = imagecodecs.jpeg8_encode(samples, 95, colorspace=space, outcolorspace=space)
    data = bytearray(data[data.index(b"\xff\xdb") :])  # behind the encoder's marks
    frame, scan = data.index(b"\xff\xc0") + 10, data.index(b"\xff\xda") + 5
    for channel in range(count):
        data[frame + 3 * channel] = data[scan + 2 * channel] = ids[channel]
    data = b"\xff\xd8" + MARKS[mark] + data
    return data, imagecodecs.jpeg8_decode(data, colorspace=space, outcolorspace=space)


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("ids", [b"RGBA", b"\1\2\3\4"])
@pytest.mark.parametrize("count", [3, 4])
def test_no_decoder_of_jpeg_takes_samples_for_ycbcr(count, ids, mark):
    y, x = np.mgrid[:16, :24]
    samples = np.stack([9 * x, 13 * y, 5 * x + 7 * y, 200 - 3 * x], axis=-1).astype(np.uint8)
    data, stored = jpeg(np.ascontiguousarray(samples[..., :count]), mark, ids)
    read_exactly = 0
    for photometric in (1, 2, 5, 6, 8, 9, 10, 34892):
        for extra in ((), (0,), (2,)):
            tags = gray_tags(16, 24, 8, count, photometric) | {259: (SHORT, [7])}
            write_tiff("x.tif", [(tags | ({338: (SHORT, extra)} if extra else {}), [data])])
            try:
                got, source = read("x.tif")
            except h5vidstack.SourceError as error:
                assert "x.tif" in str(error)  # noqa: PT017
                continue
            if source.conversion is None:
                np.testing.assert_array_equal(got[0], stored)
                read_exactly += 1
            else:
                assert (count, photometric in (2, 6)) == (3, True)
    assert read_exactly or (mark, count) in (("jfif", 3), ("adobe1", 4), ("adobe2", 4))


def test_lab_in_jpeg_is_refused_with_a_way_out():
    y, x = np.mgrid[:16, :24]
    lab = np.stack([9 * x, 13 * y, 5 * x], axis=-1).astype(np.uint8)
    Image.frombytes("LAB", (24, 16), lab.tobytes()).save("l.tif", compression="jpeg")
    with pytest.raises(h5vidstack.SourceError, match="no YCbCr .* tiffcp -c none"):
        read("l.tif")


def test_jpeg_in_tiff_names_its_conversion():
    colours = np.repeat(np.arange(48, dtype=np.uint8)[:, None], 64, 1)[..., None] * [1, 2, 3]
    tifffile.imwrite("a.tif", colours.astype(np.uint8), photometric="rgb", compression="jpeg")
    found, source = read("a.tif")
    assert source.conversion == "RGB made by imagecodecs from the YCbCr of JPEG"
    assert np.abs(found[0].astype(int) - colours).max() < 20


def test_a_codec_that_is_missing_names_its_package(monkeypatch):
    frames = values((3, 24, 32), "u2")
    tifffile.imwrite("a.tif", frames, compression="zlib", photometric="minisblack")

    def missing(*_arguments, **_options):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", missing)
    with pytest.raises(h5vidstack.MissingError, match=r'pip install "h5vidstack\[imagecodecs\]"'):
        read("a.tif")


def test_a_silenced_logger_hides_no_damage(caplog, capsys):
    frames = values((5, 24, 32), "u2")
    write_tiff("a.tif", [(gray_tags(24, 32, 16), [frame.tobytes()]) for frame in frames])
    data = bytearray(Path("a.tif").read_bytes())
    with tifffile.TiffFile("a.tif") as opened:
        at = opened.pages[2].offset + 2 + 12 * 9
    struct.pack_into("<I", data, at, len(data) + 1)
    Path("a.tif").write_bytes(data)
    logger = logging.getLogger("tifffile")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with pytest.raises(h5vidstack.SourceError, match="invalid page offset"):
            read("a.tif")
        assert logger.level == logging.CRITICAL
    finally:
        logger.setLevel(before)
    assert not logger.filters
    assert not caplog.records
    assert capsys.readouterr().err == ""


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


def test_stk_planes_behind_one_page():
    frames = values((4, 24, 32), "u2")
    data = frames.tobytes()
    times = [(1, 1, 2459580, k * 1000, 2459580, k * 1000) for k in range(4)]
    table = b"".join(struct.pack("<6I", *each) for each in times)
    entries = {
        256: (4, 1, 32), 257: (4, 1, 24), 258: (3, 1, 16), 259: (3, 1, 1), 262: (3, 1, 1),
        273: (4, 1, 8), 277: (3, 1, 1), 278: (4, 1, 24), 279: (4, 1, 24 * 32 * 2),
        33628: (4, 0, 8 + len(data)), 33629: (5, 4, 8 + len(data)),
    }  # fmt: skip
    body = struct.pack("<H", len(entries))
    body += b"".join(struct.pack("<HHII", code, *entry) for code, entry in entries.items())
    head = b"II*\0" + struct.pack("<I", 8 + len(data) + len(table))
    Path("a.stk").write_bytes(head + data + table + body + bytes(4))
    same("a.stk", frames)
    entries[33628] = (4, 0, 0)  # no longer an STK to tifffile: its planes are not passed by
    body = struct.pack("<H", len(entries))
    body += b"".join(struct.pack("<HHII", code, *entry) for code, entry in entries.items())
    Path("b.stk").write_bytes(head + data + table + body + bytes(4))
    notes = read("b.stk")[1].notes
    assert any("if these are more frames, they were not read" in note for note in notes)


def test_pages_that_are_compressed_in_several_ways_are_one_stack():
    frames = values((6, 24, 32), "u2")
    with tifffile.TiffWriter("x.tif") as writer:
        for number, frame in enumerate(frames):
            how = [None, "zlib", "lzw"][number % 3]
            writer.write(
                frame, compression=how, photometric="minisblack", metadata=None,
                rowsperstrip=5 + number,
            )  # fmt: skip
    same("x.tif", frames)
