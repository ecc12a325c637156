import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from frames import wave
from packing import packed
from pictures import RANDOM, read, same
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
    if (dtype in ("?", "u2") and not colour) or (
        dtype in ("i4", "f4") and not colour and kind != "png"
    ):
        h5vidstack.unpack("x.h5", target, image_format=form)
        assert h5vidstack.verify("x.h5", against=target) == []
    else:
        with pytest.raises(h5vidstack.OutputError, match="exactly; unpack to x.npy"):
            h5vidstack.unpack("x.h5", target, image_format=form)


PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]  # fmt: skip


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def pack_rows(pixels, bits):
    rows = b""
    for row in pixels.reshape(len(pixels), -1):
        if bits < 8:
            ones = (row[:, None] >> np.arange(bits - 1, -1, -1)) & 1
            data = np.packbits(ones.astype(np.uint8).ravel()).tobytes()
        else:
            data = row.astype(f">u{bits // 8}").tobytes()
        rows += b"\0" + data
    return rows


def make_png(pixels, bits, colour, *, interlaced=False, more=()):
    """A PNG of samples ``(H, W, C)``, by the standard alone."""
    height, width, _ = pixels.shape
    rows = pack_rows(pixels, bits)
    if interlaced:
        cuts = [pixels[y::dy, x::dx] for y, x, dy, dx in PASSES]
        rows = b"".join(pack_rows(cut, bits) for cut in cuts if cut.size)
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    chunks = [(b"IHDR", head), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2), (1, 3), (2, 3), (4, 3), (8, 3), (8, 4), (16, 4), (8, 6), (16, 6)]  # fmt: skip


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize(("bits", "colour"), KINDS)
def test_every_kind_of_png(bits, colour, keyed, interlaced):
    if keyed and colour in (4, 6):
        pytest.skip("alpha has no key beside it")
    pixels = RANDOM.integers(0, 1 << bits, (9, 13, SAMPLES[colour]))
    palette = RANDOM.integers(0, 256, (1 << min(bits, 8), 3)).astype(np.uint8)
    clear = RANDOM.integers(0, 256, len(palette)).astype(np.uint8)
    more = [(b"gAMA", struct.pack(">I", 100000))]
    more += [(b"PLTE", palette.tobytes())] if colour == 3 else []
    if keyed:
        more.append((b"tRNS", (clear if colour == 3 else pixels[0, 0].astype(">u2")).tobytes()))
    Path("x.png").write_bytes(make_png(pixels, bits, colour, interlaced=interlaced, more=more))
    if keyed and colour == 0 and bits < 8:
        with pytest.raises(h5vidstack.SourceError, match="transparent value is not read"):
            read("x.png")
        return
    most = (1 << max(bits, 8)) - 1
    dtype = np.uint16 if bits == 16 else np.uint8
    if colour == 3:
        want = palette[pixels[..., 0]]
        alpha = clear[pixels]
    else:
        want = (pixels * {2: 85, 4: 17}.get(bits, 1)).astype(bool if bits == 1 else dtype)
        alpha = np.where((pixels == pixels[0, 0]).all(-1), 0, most)[..., None]
        want = want[..., [0, 0, 0, 1]] if colour == 4 else want
    if keyed:
        colours = want if want.shape[-1] == 3 else np.repeat(want, 3, -1)
        want = np.concatenate([colours, alpha.astype(dtype)], -1)
    source = same("x.png", (want[..., 0] if want.shape[-1] == 1 else want)[None])
    assert (source.conversion is not None) == (colour == 0 and bits in (2, 4))


def test_16_bits_of_colour_through_pack():
    pixels = RANDOM.integers(0, 1 << 16, (4, 20, 31, 3))
    Path("in").mkdir()
    for number, frame in enumerate(pixels):
        Path(f"in/{number}.png").write_bytes(make_png(frame, 16, 2))
    h5vidstack.pack("in", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], pixels.astype(np.uint16), strict=True)


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


def test_first_picture_of_a_jpeg_and_its_orientation_are_as_stored():
    y, x = np.mgrid[:24, :32]
    picture = Image.fromarray(np.stack([x * 7, y * 9, x + y], -1).astype(np.uint8))
    picture.save("a.jpg", quality=95)
    with Image.open("a.jpg") as opened:
        want = np.asarray(opened)[None]
    picture.save(
        "m.jpg", format="MPO", save_all=True, quality=95, append_images=[picture.transpose(0)]
    )
    same("m.jpg", want)
    exif = Image.Exif()
    exif[274] = 6
    picture.save("o.jpg", quality=95, exif=exif)
    (note,) = same("o.jpg", want).notes
    assert "EXIF orientation 6" in note
    picture.save("o.png", exif=exif)
    assert "EXIF orientation 6" in same("o.png", np.asarray(picture)[None]).notes[0]
    picture.save("o.webp", exif=exif, lossless=True)
    assert "EXIF orientation 6" in same("o.webp", np.asarray(picture)[None]).notes[0]


def test_cmyk_is_refused():
    Image.new("CMYK", (8, 8)).save("c.jpg")
    with pytest.raises(h5vidstack.SourceError, match=r"c\.jpg: JPEG 8 bits CMYK is not read.*pack"):
        read("c.jpg")


def pictures():
    noise = RANDOM.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    picture = Image.fromarray(noise)
    pages = [picture, picture.transpose(0)]
    for name, how in {
        "a.png": {}, "b.jpg": {}, "c.jpg": {"progressive": True}, "d.bmp": {}, "f.webp": {},
        "e.gif": {"save_all": True, "append_images": pages[1:]},
        "g.png": {"save_all": True, "append_images": pages[1:]},
    }.items():  # fmt: skip
        picture.save(name, **how)
        yield name
    Path("h.png").write_bytes(make_png(noise.astype(int) * 257, 16, 2))
    yield "h.png"


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


def test_a_flipped_bit_of_a_png_is_found():
    for name in ("a.png", "h.png"):
        list(pictures())
        data = bytearray(Path(name).read_bytes())
        for place in range(8, len(data), 97):
            data[place] ^= 4
            Path("x.png").write_bytes(data)
            with pytest.raises(h5vidstack.SourceError, match=r"x\.png"):
                read("x.png")
            data[place] ^= 4


def test_no_limit_of_pixels_and_no_warning(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    pixels = np.arange(600, dtype=np.uint8).reshape(20, 30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.fromarray(pixels).save("x.png")
        Image.fromarray(pixels).save("x.bmp")
    same("x.png", pixels[None])
    same("x.bmp", pixels[None])


def test_damaged_exif_is_nobodys_business(recwarn):
    picture = Image.new("L", (16, 8), 7)
    for exif in (
        b"Exif\0\0II*\0\xff\xff\xff\xff\1",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0",
    ):
        picture.save("x.jpg", exif=exif)
        assert read("x.jpg")[1].notes == []
    assert not recwarn.list


def test_bitmaps_that_are_not_read():
    rgba = Image.fromarray(RANDOM.integers(1, 256, (8, 9, 4)).astype(np.uint8))
    rgba.save("a.bmp")
    with pytest.raises(h5vidstack.SourceError, match="fourth channel"):
        read("a.bmp")
    data = bytearray(Path("a.bmp").read_bytes())
    data[28:30] = struct.pack("<H", 16)
    Path("b.bmp").write_bytes(data)
    with pytest.raises(h5vidstack.SourceError, match="BMP 16 bits is not read"):
        read("b.bmp")


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


PALETTE = (b"PLTE", bytes(range(12)))


@pytest.mark.parametrize(
    ("bits", "colour", "more"),
    [
        (2, 3, []),
        (2, 3, [(b"PLTE", b"")]),
        (2, 3, [(b"PLTE", bytes(9))]),  # pixels go on to number 3
        (2, 3, [(b"PLTE", bytes(11))]),
        (2, 3, [(b"PLTE", bytes(15))]),
        (2, 3, [PALETTE, PALETTE]),
        (2, 3, [(b"tRNS", b"\0"), PALETTE]),
        (2, 3, [PALETTE, (b"tRNS", bytes(5))]),
        (2, 3, [PALETTE, (b"IDAT", b""), (b"tEXt", b"")]),
        (2, 0, [PALETTE]),
        (8, 0, [(b"tRNS", bytes(1))]),
        (8, 2, [(b"tRNS", bytes(2))]),
        (8, 6, [(b"tRNS", bytes(8))]),
    ],
)
def test_chunks_that_no_png_has(bits, colour, more):
    pixels = np.arange(12 * SAMPLES[colour]).reshape(3, 4, SAMPLES[colour]) % (1 << bits)
    Path("x.png").write_bytes(make_png(pixels, bits, colour, more=more))
    with pytest.raises(h5vidstack.SourceError, match="damaged"):
        read("x.png")


def test_ways_of_packing_that_no_png_has():
    sound = make_png(np.zeros((3, 4, 1), int), 8, 0)
    for place in (10, 11, 12):  # compression, filter, interlace
        head = bytearray(sound[16:29])
        head[place] = 64
        Path("x.png").write_bytes(sound[:8] + chunk(b"IHDR", bytes(head)) + sound[33:])
        with pytest.raises(h5vidstack.SourceError, match="not of the PNG standard"):
            read("x.png")


def test_palettes_that_are_missing_or_too_short():
    numbers = np.arange(16, dtype=np.uint8).reshape(4, 4)
    image = Image.fromarray(numbers, "L").convert("P")
    image.putpalette(RANDOM.integers(0, 256, 768).astype(np.uint8).tobytes())
    image.save("x.bmp")
    image.save("x.gif")
    bitmap, gif = Path("x.bmp").read_bytes(), Path("x.gif").read_bytes()
    assert read("x.bmp")[0].shape == read("x.gif")[0].shape == (1, 4, 4, 3)
    begin = struct.unpack("<I", bitmap[10:14])[0]
    none = bitmap[:10] + struct.pack("<I", 54) + bitmap[14:54] + bitmap[begin:]
    short = bitmap[:46] + struct.pack("<I", 8) + bitmap[50:]
    table = 3 << (gif[10] & 7) + 1
    bare = gif[:10] + bytes([gif[10] & 0x7F]) + gif[11:13] + gif[13 + table :]
    less = gif[:10] + bytes([gif[10] & 0xF8 | 2]) + gif[11 : 13 + 24] + gif[13 + table :]
    bad = {"a.bmp": none, "b.bmp": short, "c.gif": bare, "d.gif": less}
    for name, data in bad.items():
        Path(name).write_bytes(data)
        with pytest.raises(h5vidstack.SourceError, match="palette"):
            read(name)
