import io
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.format import names as known_formats
from click.testing import CliRunner
from films import COUNT, HEIGHT, WIDTH, avi, filled, noisy, read, write
from PIL import Image

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.codecs import h264
from h5vidstack.sources.video.pixel_formats import (
    PIXEL_FORMATS,
    SampleKind,
    find_format,
    format_notes,
    pixels,
)

# By bytes of a pixel, in the order of the stack: an independent reading of FFmpeg's names.
BYTES = {
    "rgb24": [0, 1, 2], "bgr24": [2, 1, 0], "rgba": [0, 1, 2, 3], "bgra": [2, 1, 0, 3],
    "argb": [1, 2, 3, 0], "abgr": [3, 2, 1, 0], "rgb0": [0, 1, 2], "bgr0": [2, 1, 0],
    "0rgb": [1, 2, 3], "0bgr": [3, 2, 1],
}  # fmt: skip
LUMA_BYTES = {"yuyv422": (0, 2), "yvyu422": (0, 2), "uyvy422": (1, 2)}
PLANES = {"gbrp": [2, 0, 1], "gbrap": [2, 0, 1, 3]}


def expected(frame, gray):
    """Pixels of a picture, by its memory; None where this test knows no formula."""
    name, height, width = frame.format.name, frame.height, frame.width
    order = ">" if frame.format.is_big_endian else "<"
    bits = frame.format.components[0].bits
    if bits > 16 or PIXEL_FORMATS[name].item.kind == "f":
        return None
    rows = [
        np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:height] for plane in frame.planes
    ]
    if name in BYTES:
        size = 3 if name.endswith("24") else 4
        return rows[0][:, : size * width].reshape(height, width, size)[..., BYTES[name]]
    if name in LUMA_BYTES:
        first, step = LUMA_BYTES[name]
        return rows[0][:, first::step][:, :width] if gray else None
    item = np.dtype(f"{order}u{1 if bits <= 8 else 2}")
    planes = [row.view(item)[:, :width] for row in rows if row.shape[1] >= width * item.itemsize]
    stem = name.removesuffix("le").removesuffix("be").rstrip("0123456789")
    if stem in PLANES:
        return np.stack([planes[place] for place in PLANES[stem]], -1)
    if name.startswith("gray"):
        return planes[0]
    if name.startswith("bayer"):
        return rows[0].view(f"{order}u{1 if name.endswith('8') else 2}")[:, :width]
    if name.startswith("yuv") and "msb" not in name:
        return planes[0] if gray else None
    if name.startswith(("rgb48", "bgr48")):
        values = rows[0].view(f"{order}u2")[:, : 3 * width].reshape(height, width, 3)
        return values if name.startswith("rgb") else values[..., ::-1]
    return None


RAW = sorted(
    name for name in PIXEL_FORMATS
    if name in known_formats and PIXEL_FORMATS[name].kind in (SampleKind.GRAY, SampleKind.BAYER, SampleKind.RGB, SampleKind.YUV)
)  # fmt: skip


@pytest.mark.parametrize("name", RAW)
def test_samples_come_out_as_they_are_stored(name):
    """Through a file where NUT has a code for the pixel format, else of the picture itself."""
    found, gray = PIXEL_FORMATS[name], PIXEL_FORMATS[name].kind in (SampleKind.YUV, SampleKind.GRAY)
    frames = [filled(name, seed) for seed in range(COUNT)]
    want = [pixels(frame, found, gray) for frame in frames]
    for frame, one in zip(frames, want, strict=True):
        formula = expected(frame, gray)
        if formula is not None:
            np.testing.assert_array_equal(one, formula)
    assert want[0].dtype == found.dtype
    channels = len(found.channels) if found.kind is SampleKind.RGB else 1
    assert want[0].shape == (HEIGHT, WIDTH, channels)[: 2 + (channels > 1)]
    try:
        write("x.nut", frames)
    except (av.FFmpegError, ValueError):
        return
    with av.open("x.nut") as video:
        if video.streams.video[0].codec_context.pix_fmt != name:
            return  # NUT does not tell this format from another
    got, source = read("x.nut", gray=gray)
    np.testing.assert_array_equal(got, np.stack(want), strict=True)
    assert source.conversion is None


EXACT = {  # pixel formats that FFmpeg makes of another one without loss
    "gray": ["ya8", "gray16le"],
    "gray10le": ["gray10be"],
    "gray16le": ["gray16be", "ya16le", "ya16be"],
    "rgb24": ["bgr24", "rgb0", "0rgb", "bgr0", "0bgr", "gbrp"],
    "rgba": ["bgra", "argb", "abgr"],
    "gbrp10le": ["gbrp10be", "x2rgb10le", "x2bgr10le"],
    "gbrp12le": ["gbrp12be"],
    "gbrp16le": ["rgb48le", "rgb48be", "bgr48le", "bgr48be", "gbrp16be"],
    "gbrap16le": ["rgba64le", "rgba64be", "bgra64le", "bgra64be"],
    "yuv444p": ["yuyv422", "yvyu422", "uyvy422", "nv12", "nv24", "yuv410p", "yuva420p", "vuya"],
    "yuv444p10le": ["p010le", "p010be", "p210le", "y210le", "yuv420p10be", "xv30le", "v30xle"],
    "yuv444p12le": ["p012le", "y212le", "xv36le", "xv36be"],
    "yuv444p16le": ["p016le", "ayuv64le", "xv48le"],
}


@pytest.mark.skipif(
    av.library_versions["libswscale"] < (9,), reason="FFmpeg 7 converts some with loss, or crashes"
)
@pytest.mark.parametrize("name", [(one, *others) for one, others in EXACT.items()])
def test_formats_agree_where_ffmpeg_converts_without_loss(name):
    one, *others = name
    gray = PIXEL_FORMATS[one].kind is not SampleKind.RGB
    frame = filled(one)
    for plane in frame.planes[1:] if PIXEL_FORMATS[one].kind is SampleKind.YUV else ():
        items = np.frombuffer(plane, PIXEL_FORMATS[one].item)
        items[:] = 1 << (PIXEL_FORMATS[one].bits - 1)
    want = pixels(frame, PIXEL_FORMATS[one], gray)
    for other in others:
        if other not in known_formats:
            continue
        got = pixels(frame.reformat(format=other), PIXEL_FORMATS[other], gray)
        scale = 257 if other == "gray16le" and one == "gray" else 1
        np.testing.assert_array_equal(got, want.astype(got.dtype) * scale, err_msg=other)


def test_four_luma_samples_in_six_bytes():
    frame = filled("uyyvyy411", size=(5, 13))
    row = np.frombuffer(frame.planes[0], np.uint8).reshape(5, -1)
    want = row[:, : 6 * 4].reshape(5, 4, 6)[..., [1, 2, 4, 5]].reshape(5, 16)[:, :13]
    np.testing.assert_array_equal(pixels(frame, PIXEL_FORMATS["uyyvyy411"], gray=True), want)


@pytest.mark.parametrize("name", ["monow", "monob"])
def test_bits(name):
    bits = np.random.default_rng(0).integers(0, 2, (HEIGHT, WIDTH)).astype(bool)
    frame = av.VideoFrame(WIDTH, HEIGHT, name)
    rows = np.frombuffer(frame.planes[0], np.uint8).reshape(HEIGHT, -1)
    rows[:, :2] = np.packbits(bits, axis=1)
    write("x.nut", [frame] * 2)
    got, source = read("x.nut")
    np.testing.assert_array_equal(got, np.stack([bits] * 2), strict=True)
    assert ("True is black" in " ".join(source.notes)) == (name == "monow")


def test_rows_from_the_last_to_the_first():
    """Uncompressed RGB of AVI has its last row first, unless its height is negative."""
    frames = np.random.default_rng(0).integers(0, 256, (4, HEIGHT, WIDTH, 3), np.uint8)
    padded = np.zeros((4, HEIGHT, -(-WIDTH * 3 // 4) * 4), np.uint8)
    padded[:, :, : WIDTH * 3] = frames[..., ::-1].reshape(4, HEIGHT, -1)
    Path("up.avi").write_bytes(avi(b"DIB ", [one[::-1].tobytes() for one in padded], 24))
    Path("down.avi").write_bytes(
        avi(b"DIB ", [one.tobytes() for one in padded], 24, height=-HEIGHT)
    )
    for name in ("up.avi", "down.avi"):
        got, source = read(name)
        np.testing.assert_array_equal(got, frames, strict=True)
        assert source.notes == []


def test_palettes():
    numbers = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH), np.uint8)
    colours = np.random.default_rng(1).integers(0, 256, (256, 4), np.uint8)
    colours[:, 3] = 0  # AVI keeps nothing there
    padded = np.zeros((3, HEIGHT, -(-WIDTH // 4) * 4), np.uint8)
    padded[..., :WIDTH] = numbers
    data = [one[::-1].tobytes() for one in padded]
    Path("x.avi").write_bytes(avi(b"DIB ", data, 8, colours.tobytes()))
    got, _ = read("x.avi")
    np.testing.assert_array_equal(got, colours[numbers][..., [2, 1, 0]], strict=True)
    gray = np.repeat(np.arange(256, dtype=np.uint8)[::-1, None], 4, axis=1)
    Path("gray.avi").write_bytes(avi(b"DIB ", data, 8, gray.tobytes()))
    np.testing.assert_array_equal(read("gray.avi", gray=True)[0], 255 - numbers, strict=True)


@pytest.mark.parametrize(
    ("name", "codec", "dtype", "channels"),
    [("yuv420p", "ffv1", "u1", 3), ("yuv422p10le", "ffv1", "u2", 3), ("yuva420p", "ffv1", "u1", 4),
     ("nv12", "rawvideo", "u1", 3), ("yuyv422", "rawvideo", "u1", 3), ("yuva444p16le", "ffv1", "u2", 4)],
)  # fmt: skip
def test_rgb_of_yuv_is_named_and_as_deep(name, codec, dtype, channels):
    write("x.nut", noisy(3, name=name), codec)
    report = h5vidstack.pack("x.nut", "x.h5")
    rgb = "RGBA" if channels == 4 else "RGB"
    assert report.conversion == f"{rgb} made by FFmpeg from {name}"
    with h5vidstack.open("x.h5") as stack:
        assert (stack.dtype, stack.shape) == (np.dtype(dtype), (3, 48, 70, channels))
        assert stack.attrs["settings"]["conversion"] == report.conversion
    shown = CliRunner().invoke(main, ["info", "x.h5"]).output
    assert f"RGB{'A' * (channels == 4)} made by FFmpeg from {name}" in shown


@pytest.mark.parametrize("name", ["yuva420p", "ayuv", "vuya"])
def test_alpha_of_yuv_is_that_of_the_file(name):
    if name not in known_formats:
        pytest.skip(f"this FFmpeg has no {name}")
    frame, found = filled(name), PIXEL_FORMATS[name]
    rows = np.frombuffer(frame.planes[-1], np.uint8).reshape(HEIGHT, -1)
    want = rows[:, :WIDTH] if name == "yuva420p" else rows[:, name.index("a") :: 4][:, :WIDTH]
    np.testing.assert_array_equal(pixels(frame, found, gray=False)[..., 3], want)


def test_what_cannot_be_had_is_refused_with_a_way_out():
    write("565.nut", [av.VideoFrame(WIDTH, HEIGHT, "rgb565le")] * 2)
    with pytest.raises(h5vidstack.SourceError, match=r"rgb565le, .* ffmpeg -i IN .* bgr0 OUT"):
        read("565.nut")
    write("ya.nut", [filled("ya8")] * 2)
    with pytest.raises(h5vidstack.SourceError, match="ya8: gray and alpha.*--gray"):
        read("ya.nut")
    assert read("ya.nut", gray=True)[1].notes == [
        "Only gray was kept; the alpha of ya8 was left out."
    ]
    write("deep.nut", [filled("rgb48le")] * 2)
    with pytest.raises(h5vidstack.SourceError, match="rgb48le.*Leave out --gray"):
        read("deep.nut", gray=True)
    write("rgb.nut", [filled("rgb24")] * 2)
    assert read("rgb.nut", gray=True)[1].conversion == "gray made from rgb24 by ITU-R BT.601"


def test_notes_on_samples():
    write("bayer.nut", [filled("bayer_gbrg8")] * 2)
    assert "Bayer mosaic as it is stored (bayer_gbrg8)" in read("bayer.nut")[1].notes[0]
    high = PIXEL_FORMATS["p010le"]
    assert pixels(filled("p010le"), high, gray=True).max() < 1024
    (note,) = format_notes(high, gray=True)
    assert "0 to 1023: p010le stores their 10 bits as the upper ones of 16" in note
    assert list(format_notes(high, gray=False)) == []


def test_every_pixel_format_can_be_had_or_says_why():
    for name in set(PIXEL_FORMATS) & set(known_formats):
        if PIXEL_FORMATS[name].kind is SampleKind.YUV:
            made, said = None, f"{name}; --gray"
            try:
                made = pixels(filled(name), PIXEL_FORMATS[name], gray=False).shape
            except h5vidstack.SourceError as error:
                said = str(error)
            assert f"{name}; --gray" in said
            assert made in (None, (HEIGHT, WIDTH, 3 + PIXEL_FORMATS[name].alpha))
    for name in set(known_formats) - set(PIXEL_FORMATS):
        with pytest.raises(
            h5vidstack.SourceError, match=f"x has pixel format {name}, .* ffmpeg -i"
        ):
            find_format(name, "x")


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi", "flv"])
@pytest.mark.parametrize("name", ["gray", "gray10le"])
def test_monochrome_h264_is_gray(name, ending):
    pictures = noisy(4, (48, 64), name)
    try:
        write(f"x.{ending}", pictures, "libx264", {"qp": "0", "preset": "ultrafast"})
    except (av.FFmpegError, ValueError):
        pytest.skip("this x264 does not code gray")
    got, source = read(f"x.{ending}")
    assert source.conversion is None
    np.testing.assert_array_equal(got, np.stack([expected(one, gray=True) for one in pictures]))
    np.testing.assert_array_equal(got, read(f"x.{ending}", gray=True)[0])
    h5vidstack.pack(f"x.{ending}", "copy.h5", copy=True)
    with h5vidstack.open("copy.h5") as stack:
        np.testing.assert_array_equal(stack[:], got)


def test_colour_is_not_lost_behind_a_head_of_monochrome(monkeypatch):
    write("x.mp4", noisy(2, (48, 64), "yuv420p"), "libx264", {"qp": "0"})
    assert read("x.mp4")[0].shape == (2, 48, 64, 3)
    monkeypatch.setattr(h264, "is_monochrome", lambda _head: True)
    with pytest.raises(h5vidstack.SourceError, match=r"frame 0 of x\.mp4 has colour"):
        read("x.mp4")
    assert read("x.mp4", gray=True)[0].shape == (2, 48, 64)


def test_uncompressed_gray_of_quicktime_is_its_palette_or_refused():
    pictures = noisy(3, (18, 22))
    want = np.stack([expected(one, gray=True) for one in pictures])
    write("x.mov", pictures)  # FFmpeg stores 255 - x, and a palette from white to black
    np.testing.assert_array_equal(read("x.mov")[0], np.stack([want] * 3, axis=-1))
    np.testing.assert_array_equal(read("x.mov", gray=True)[0], want)
    data = Path("x.mov").read_bytes()
    assert data.count(b"raw \0\0\0\0\0\0\0\1") == 1
    Path("y.mov").write_bytes(data.replace(b"raw \0\0\0\0\0\0\0\1", b"Y800\0\0\0\0\0\0\0\1"))
    with pytest.raises(h5vidstack.SourceError, match=r"0 for white, .* negate"):
        read("y.mov")
    for ending in ("avi", "mkv", "nut"):
        write(f"x.{ending}", pictures)
        np.testing.assert_array_equal(read(f"x.{ending}")[0], want)


def test_which_parameter_sets_tell_of_luma_only():
    high, mono, base = (
        bytes.fromhex("67640014ac"),
        bytes.fromhex("67640014e0"),
        b"\x67\x42\0\x14\xe0",
    )

    def boxed(*found):
        sets = b"".join(len(one).to_bytes(2, "big") + one for one in found)
        return bytes([1, 100, 0, 20, 255, 224 + len(found)]) + sets

    for form in (boxed, lambda *found: h264.joined(found)):
        assert h264.is_monochrome(form(mono))
        assert h264.is_monochrome(form(mono, mono))
        for others in ((), (high,), (base,), (mono, high), (mono, mono[:1])):
            assert not h264.is_monochrome(form(*others))
    for end in range(8 + len(mono)):
        assert not h264.is_monochrome(boxed(mono)[:end])


def test_inks_are_not_taken_for_colours():
    data = io.BytesIO()
    Image.fromarray(np.zeros((48, 64, 4), np.uint8), "CMYK").save(data, "JPEG")
    Path("x.mjpeg").write_bytes(data.getvalue() * 6)
    Path("x.avi").write_bytes(avi(b"MJPG", [data.getvalue()] * 6, 24, fourcc=b"MJPG"))
    for name in ("x.mjpeg", "x.avi"):
        with pytest.raises(h5vidstack.SourceError, match="CMYK"):
            read(name)
