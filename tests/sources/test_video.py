"""Video: every pixel as it is stored, every frame, of the right stream, or an error."""

import contextlib
import io
import json
import logging
import sqlite3
import struct
import tarfile
import warnings
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.format import names as known_formats
from click.testing import CliRunner
from PIL import Image
from videos import write_video

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.codecs import h264
from h5vidstack.sources.openers import open_source
from h5vidstack.sources.source import SourceOptions
from h5vidstack.sources.video.pixel_formats import (
    PIXEL_FORMATS,
    SampleKind,
    find_format,
    format_notes,
    pixels,
)

HEIGHT, WIDTH, COUNT = 7, 14, 3


def read(path, **options):
    """The frames of a file, and its source after the last of them."""
    with contextlib.closing(open_source(path, SourceOptions(**options))) as source:
        return np.concatenate(list(source.batches(4))), source


def filled(name, seed=0, size=(HEIGHT, WIDTH)):
    """A picture of any pixel format whose memory is noise, within the bits of its samples."""
    rng = np.random.default_rng(seed)
    frame = av.VideoFrame(size[1], size[0], name)
    found = PIXEL_FORMATS[name]
    for plane in frame.planes:
        memory = np.frombuffer(plane, np.uint8)
        memory[:] = rng.integers(0, 256, memory.size)
        if found.item.kind == "f":
            floats = np.frombuffer(plane, found.item)
            floats[:] = rng.random(floats.size)
        elif found.bits < 8 * found.item.itemsize and not found.shared:
            items = np.frombuffer(plane, found.item)
            items[:] = rng.integers(0, 1 << found.bits, items.size) << found.channels[0].shift
    return frame


def write(path, pictures, codec="rawvideo", options=None, container=None, time_base=None):
    """Code pictures as they are."""
    with av.open(str(path), "w", options=container or {}) as output:
        stream = output.add_stream(codec, rate=25, options=options or {})
        first = pictures[0]
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        for number, picture in enumerate(pictures):
            picture.pts, picture.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def noise(count=12, size=(48, 70), name="gray"):
    return [filled(name, seed, size) for seed in range(count)]


def drift(count=24, size=(48, 64), rough=1):
    """Gray pictures of a pattern that moves, with some noise if wanted, in yuv420p."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size[0], : size[1]]
    pictures = []
    for number in range(count):
        gray = ((x * 2 + y + number * 7) % 256).astype(np.uint8)
        gray ^= rng.integers(0, rough, size).astype(np.uint8)
        pictures.append(av.VideoFrame.from_ndarray(gray, "gray").reformat(format="yuv420p"))
    return pictures


def packets(path):
    with av.open(str(path)) as video:
        return [bytes(packet) for packet in video.demux(video=0) if packet.size]


def damage(path, bad, number):
    """Make the second half of a packet zeros."""
    packet, data = packets(path)[number], bytearray(Path(path).read_bytes())
    assert data.count(packet) == 1
    at = data.find(packet)
    data[at + len(packet) // 2 : at + len(packet)] = bytes(len(packet) - len(packet) // 2)
    Path(bad).write_bytes(data)


def stored_luma(path):
    """Luma by PyAV alone."""
    with av.open(str(path)) as video:
        return np.stack(
            [
                np.frombuffer(frame.planes[0], np.uint8).reshape(frame.height, -1)[:, : frame.width]
                for frame in video.decode(video.streams.video[-1])
            ]
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


def avi(codes, chunks, bits, palette=b"", height=None, fourcc=b"\0\0\0\0", stated=None):
    """An AVI file by hand; chunks are the pictures, empty where one was dropped."""
    height = HEIGHT if height is None else height
    stated = len(chunks) if stated is None else stated

    def chunk(tag, data):
        return tag + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)

    def listed(kind, data):
        return chunk(b"LIST", kind + data)

    form = struct.pack(
        "<IiiHH4sIiiII", 40, WIDTH, height, 1, bits, fourcc, 0, 0, 0, len(palette) // 4, 0
    )
    stream = struct.pack(
        "<4s4sIHHIIIIIIII4H", b"vids", codes, 0, 0, 0, 0, 1, 25, 0, stated, 0, 2**32 - 1, 0, 0, 0,
        WIDTH, abs(height),
    )  # fmt: skip
    head = struct.pack("<14I", 40000, 0, 0, 16, stated, 0, 1, 0, WIDTH, abs(height), 0, 0, 0, 0)
    header = chunk(b"avih", head)
    header += listed(b"strl", chunk(b"strh", stream) + chunk(b"strf", form + palette))
    movie, index = b"", b""
    for data in chunks:
        index += b"00dc" + struct.pack("<III", 16, 4 + len(movie), len(data))
        movie += chunk(b"00dc", data)
    body = listed(b"hdrl", header) + listed(b"movi", movie) + chunk(b"idx1", index)
    return chunk(b"RIFF", b"AVI " + body)


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
    write("x.nut", noise(3, name=name), codec)
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


HEALTHY = [
    (codec, name, ending, options)
    for codec, name, endings, options in [
        ("libx264", "yuv420p", "mp4 mov mkv avi ts flv nut asf h264 3gp", {"bf": "2"}),
        ("libx264", "yuv420p", "mp4 mkv ts", {"x264-params": "open-gop=1:keyint=8:bframes=3"}),
        ("libx264", "yuv420p", "mp4 ts", {"x264-params": "intra-refresh=1:keyint=10"}),
        ("libx264", "yuv420p", "mp4", {"flags": "+ildct+ilme"}),
        ("libx265", "yuv420p", "mp4 mkv ts hevc", {"x265-params": "log-level=none"}),
        ("libvpx", "yuv420p", "webm ivf", {"auto-alt-ref": "1", "lag-in-frames": "16"}),
        ("libvpx-vp9", "yuv420p", "webm mkv", {"auto-alt-ref": "1", "lag-in-frames": "16"}),
        ("libaom-av1", "yuv420p", "mkv mp4 obu", {"cpu-used": "8"}),
        ("mpeg4", "yuv420p", "avi mkv mp4", {"bf": "2"}),
        ("mpeg2video", "yuv420p", "mpg ts mkv m2v", {"bf": "2"}),
        ("mjpeg", "yuvj420p", "avi mkv mov mjpeg", {}),
        ("prores_ks", "yuv422p10le", "mov mxf", {}),
        ("ffv1", "gray", "avi mkv nut", {}),
        ("rawvideo", "yuv420p", "avi nut", {}),
        ("rawvideo", "bgr24", "avi", {}),
        ("wmv2", "yuv420p", "asf avi", {}),
        ("png", "rgb24", "mov", {}),
        ("qtrle", "rgb24", "mov", {}),
        ("jpeg2000", "rgb24", "mxf mov", {}),
        ("utvideo", "gbrp", "avi", {}),
    ]
    for ending in endings.split()
]


@pytest.mark.parametrize(("codec", "name", "ending", "options"), HEALTHY)
def test_sound_files_are_taken_without_a_word(codec, name, ending, options):
    pictures = [picture.reformat(format=name) for picture in drift(20)]
    path = f"x.{ending}"
    try:
        write(path, pictures, codec, options)
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this FFmpeg has no {codec}")
    got, source = read(path, gray=name != "gray")
    assert (source.notes, source.doubtful, len(got)) == ([], [], 20)
    assert source.file_bytes == Path(path).stat().st_size


@pytest.mark.parametrize(
    "container", [{"movflags": "frag_keyframe+empty_moov"}, {"movflags": "faststart"}]
)
def test_other_ways_to_write_mp4(container):  # fmt: skip
    write("x.mp4", drift(), "libx264", container=container)
    got, source = read("x.mp4", gray=True)
    assert (len(got), source.notes) == (24, [])


def test_pictures_at_uneven_times():
    with av.open("x.mkv", "w") as output:
        stream = output.add_stream("libx264", rate=50)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        times = np.random.default_rng(0).integers(1, 6, 24).cumsum()
        for picture, time in zip(drift(), times, strict=True):
            picture.pts, picture.time_base = int(time), Fraction(1, 50)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    got, source = read("x.mkv", gray=True)
    assert (len(got), source.notes) == (24, [])


@pytest.mark.parametrize("skipped", [(4,), (4, 5, 11)])
@pytest.mark.parametrize("ending", ["mkv", "mp4", "ts"])
def test_gaps_in_time(ending, skipped):
    with av.open(f"x.{ending}", "w") as output:
        stream = output.add_stream("mpeg4" if ending != "ts" else "mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pictures = iter(drift(60))
        for time in (time for time in range(63) if time not in skipped):
            picture = next(pictures, None)
            if picture is not None:
                picture.pts, picture.time_base = time, Fraction(1, 25)
                output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    _, source = read(f"x.{ending}", gray=True)
    behind = "frame 3" if len(skipped) == 1 else "frames 3, 8"
    assert len(source.notes) == 1
    assert f"behind {behind}: frames were dropped" in source.notes[0]


def jpeg(number):
    data = io.BytesIO()
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    Image.fromarray((x * 3 + y + number * 7).astype(np.uint8)).save(data, "JPEG")
    return data.getvalue()


def test_frames_that_an_avi_dropped():
    pictures = [b"" if number in (4, 5) else jpeg(number) for number in range(12)]
    Path("x.avi").write_bytes(avi(b"MJPG", pictures, 24, fourcc=b"MJPG"))
    got, source = read("x.avi")
    assert len(got) == 10
    assert "gaps of 2 frames in all, behind frame 3" in source.notes[0]


def test_counts_that_are_wrong():
    pictures = list(map(jpeg, range(12)))
    for stated in (0, 9, 12):
        Path("x.avi").write_bytes(avi(b"MJPG", pictures, 24, fourcc=b"MJPG", stated=stated))
        got, source = read("x.avi")
        assert len(got) == 12
        assert ("states 9 frames, but has 12" in " ".join(source.notes)) == (stated == 9)
    Path("x.avi").write_bytes(avi(b"MJPG", pictures, 24, fourcc=b"MJPG", stated=15))
    with pytest.raises(h5vidstack.SourceError, match=r"states 15 frames, but only 12.*frame 11"):
        read("x.avi")
    got, source = read("x.avi", accept_damaged=True)
    assert len(got) == 12
    assert "cut off" in source.notes[0]


CUT = {"mp4": "libx264", "mkv": "libx264", "avi": "mjpeg", "mov": "prores_ks", "webm": "libvpx-vp9",
       "flv": "libx264", "mxf": "mpeg2video", "ivf": "libvpx", "ts": "libx264"}  # fmt: skip


@pytest.mark.parametrize("ending", CUT)
@pytest.mark.parametrize("container", [{}, {"movflags": "faststart"}])
def test_a_file_that_was_cut_off_is_refused(ending, container):
    """At whatever byte, unless only what stands behind the frames is lost."""
    if container and ending not in ("mp4", "mov"):
        pytest.skip("only for MP4 and MOV")
    name = "yuvj420p" if CUT[ending] == "mjpeg" else "yuv420p"
    name = "yuv422p10le" if ending == "mov" else name
    pictures = [picture.reformat(format=name) for picture in drift()]
    write(f"x.{ending}", pictures, CUT[ending], container=container)
    data, whole = Path(f"x.{ending}").read_bytes(), read(f"x.{ending}", gray=True)[0]
    cuts = np.linspace(1, len(data) - 1, 25).astype(int)
    refused = 0
    for cut in cuts[cuts % 188 > 0]:
        Path(f"cut.{ending}").write_bytes(data[:cut])
        try:
            np.testing.assert_array_equal(read(f"cut.{ending}", gray=True)[0], whole)
        except h5vidstack.SourceError:
            refused += 1
    assert refused >= 20


def test_what_is_left_of_a_cut_file():
    write("x.avi", [one.reformat(format="yuvj420p") for one in drift()], "mjpeg")
    data = Path("x.avi").read_bytes()
    Path("x.avi").write_bytes(data[: data.find(packets("x.avi")[14]) - 8])
    with pytest.raises(
        h5vidstack.SourceError, match=r"24 frames, but only 14 came.*after frame 13"
    ):
        read("x.avi", gray=True)
    report = h5vidstack.pack("x.avi", "x.h5", gray=True, accept_damaged=True)
    assert (report.shape[0], report.doubtful) == (14, ())
    assert "states 24 frames, but only 14 came" in report.notes[0]


@pytest.mark.parametrize("times", [1, 2])  # FFmpeg's log does not repeat a message by itself
@pytest.mark.parametrize("slices", [1, 4])
def test_checksums_of_ffv1(slices, times):
    options = {"level": "3", "slicecrc": "1", "slices": str(slices), "g": "1"}
    write(
        "x.mkv",
        noise(size=(48, 128)),
        "ffv1",
        {**options, "slices": "4"} if slices > 1 else options,
    )
    whole = read("x.mkv")[0]
    packet, data = packets("x.mkv")[7], bytearray(Path("x.mkv").read_bytes())
    data[data.find(packet) + len(packet) // 2] ^= 16
    Path("x.mkv").write_bytes(data)
    for _ in range(times):
        with pytest.raises(h5vidstack.SourceError, match=r"frame 7 of x.mkv is damaged.*CRC"):
            read("x.mkv")
    got, source = read("x.mkv", accept_damaged=True)
    assert source.doubtful == [7]
    assert "Doubtful" in source.notes[0]
    np.testing.assert_array_equal(np.delete(got, 7, 0), np.delete(whole, 7, 0))


@pytest.mark.parametrize("bframes", [0, 2])
def test_a_damaged_packet_of_h264(bframes):
    options = {"g": "8", "keyint_min": "8", "sc_threshold": "0", "bf": str(bframes)}
    write("x.mp4", drift(rough=8), "libx264", options)
    whole = read("x.mp4", gray=True)[0]
    damage("x.mp4", "bad.mp4", 9)
    with pytest.raises(h5vidstack.SourceError, match=r"frame 9 of bad.mp4 is damaged: h264"):
        read("bad.mp4", gray=True)
    report = h5vidstack.pack("bad.mp4", "x.h5", gray=True, accept_damaged=True)
    assert set(report.doubtful) <= {*range(8, 16)}
    assert {*range(11, 16)} <= set(report.doubtful)
    with h5vidstack.open("x.h5") as stack:
        assert len(stack) == 24
        sound = np.setdiff1d(np.arange(24), report.doubtful)
        np.testing.assert_array_equal(stack[:][sound], whole[sound])
        assert stack.attrs["settings"]["doubtful"] == list(report.doubtful)
    done = CliRunner().invoke(main, ["pack", "bad.mp4", "y.h5", "--gray", "--accept-damaged"])
    assert (done.exit_code, "Doubtful" in done.stderr) == (0, True)
    shown = CliRunner().invoke(main, ["info", "x.h5"]).output
    assert f"doubtful   {len(report.doubtful)}: frames" in shown
    facts = json.loads(CliRunner().invoke(main, ["info", "x.h5", "--json"]).output)
    assert facts["settings"]["doubtful"] == list(report.doubtful)


def test_copying_refuses_damage_likewise():
    write("whole.mp4", drift(rough=8), "libx264", {"g": "8", "bf": "2"})
    damage("whole.mp4", "x.mp4", 9)
    with pytest.raises(h5vidstack.SourceError, match="is damaged"):
        h5vidstack.pack("x.mp4", "x.h5", gray=True, copy=True)
    assert not Path("x.h5").exists()


@pytest.mark.parametrize(
    ("codec", "options"),
    [("libx264", {"preset": "veryfast", "x264-params": "keyint=10:bframes=2:repeat-headers=1"}),
     ("mpeg2video", {"g": "10", "bf": "2"}),
     ("libx265", {"preset": "ultrafast",
                  "x265-params": "log-level=none:keyint=10:repeat-headers=1"})],
)  # fmt: skip
def test_a_recording_that_begins_in_the_middle(codec, options):
    write("x.ts", noise(30, (120, 160), "yuv420p"), codec, options)
    whole = read("x.ts", gray=True)[0]
    with av.open("x.ts") as video:
        at = [packet.pos for packet in video.demux(video=0) if packet.size][4]
    Path("cut.ts").write_bytes(Path("x.ts").read_bytes()[at // 188 * 188 :])
    got, source = read("cut.ts", gray=True)
    assert len(got) < 30
    np.testing.assert_array_equal(got, whole[-len(got) :])
    assert len(source.notes) == 1
    assert "Before its first key frame cut.ts has" in source.notes[0]


def test_frames_outside_an_edit_list():
    write_video("x.mp4", first=-3, bf="0")
    got, source = read("x.mp4", gray=True)
    assert len(got) == 18
    assert source.notes == ["Players do not show 3 frames of x.mp4, by an edit list; left out."]


def two_streams(path="x.mp4", first=1, second=24, default=None):
    with av.open(path, "w") as output:
        small = output.add_stream("mjpeg", rate=25)
        small.width, small.height, small.pix_fmt = 32, 24, "yuvj420p"
        large = output.add_stream("libx264", rate=25, options={"qp": "0"})
        large.width, large.height, large.pix_fmt = 64, 48, "yuv420p"
        if default is not None and hasattr(av.stream, "Disposition"):
            (small, large)[1 - default].disposition = av.stream.Disposition(0)
            (small, large)[default].disposition = av.stream.Disposition.default
        for count, stream, size, name in (
            (first, small, (24, 32), "yuvj420p"), (second, large, (48, 64), "yuv420p")
        ):  # fmt: skip
            for picture in drift(count, size):
                output.mux(stream.encode(picture.reformat(format=name)))
            output.mux(stream.encode(None))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_thumbnail_is_not_the_film(ending):
    two_streams(f"x.{ending}")
    got, source = read(f"x.{ending}", gray=True)
    np.testing.assert_array_equal(got, stored_luma(f"x.{ending}"))
    assert source.stream == 1
    assert "Read: stream 1 (h264, 64x48" in source.notes[0]
    assert "left out: stream 0 (mjpeg, 32x24" in source.notes[0]
    got, source = read(f"x.{ending}", gray=True, stream=0)
    assert got.shape == (1, 24, 32)
    with pytest.raises(h5vidstack.SourceError, match=r"stream 2 of .*: stream 0 \(mjpeg, 32x24"):
        read(f"x.{ending}", stream=2)


@pytest.mark.skipif(not hasattr(av.stream, "Disposition"), reason="PyAV cannot set it")
@pytest.mark.parametrize("default", [0, 1])
def test_the_default_stream(default):
    two_streams("x.mkv", first=24, default=default)
    assert read("x.mkv", gray=True)[1].stream == default


def test_copying_takes_the_same_stream():
    two_streams("x.mkv")
    report = h5vidstack.pack("x.mkv", "x.h5", gray=True, copy=True)
    assert report.codings == ("H.264 packets as they came",)
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], stored_luma("x.mkv"))
    with pytest.raises(h5vidstack.UnsupportedError, match="mjpeg"):
        h5vidstack.pack("x.mkv", "y.h5", gray=True, copy=True, stream=0)


def test_sound_without_pictures():
    with av.open("x.mkv", "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
    with pytest.raises(h5vidstack.SourceError, match="holds no video stream"):
        read("x.mkv")


def test_what_ffmpeg_says_of_a_file_that_it_cannot_open():
    write("x.mp4", drift(), "libx264")
    Path("x.mp4").write_bytes(Path("x.mp4").read_bytes()[:2000])
    with pytest.raises(h5vidstack.SourceError, match=r"no input .* \(mov.*(moov atom|header)"):
        read("x.mp4")


def test_pictures_that_change():
    write("a.h264", noise(4, (48, 64), "yuv420p"), "libx264")
    write("b.h264", noise(4, (32, 64), "yuv420p"), "libx264")
    Path("x.h264").write_bytes(Path("a.h264").read_bytes() + Path("b.h264").read_bytes())
    with pytest.raises(
        h5vidstack.SourceError, match="frame 4 of x.h264 is 64x32 yuv420p, but frame 0"
    ):
        read("x.h264", gray=True)


def test_pictures_cut_to_size_at_every_edge():
    """The left edge is cut at pixels, not where memory is aligned."""
    write("x.h264", noise(3, (64, 96), "yuv420p"), "libx264", {"qp": "0"})
    crop = av.bitstream.BitStreamFilterContext
    whole = read("x.h264", gray=True)[0]
    with av.open("x.h264") as video:
        stream = video.streams.video[0]
        chosen = crop("h264_metadata=crop_left=6:crop_right=4:crop_top=2:crop_bottom=8", stream)
        data = b"".join(
            bytes(out)
            for packet in video.demux(stream)
            for out in chosen.filter(packet if packet.size else None)
        )
    Path("cropped.h264").write_bytes(data)
    np.testing.assert_array_equal(read("cropped.h264", gray=True)[0], whole[:, 2:56, 6:92])


def test_the_log_of_ffmpeg_is_left_as_it_was(caplog, capfd):
    write("x.mkv", noise(), "ffv1", {"level": "3", "slicecrc": "1", "g": "1"})
    packet, data = packets("x.mkv")[3], bytearray(Path("x.mkv").read_bytes())
    data[data.find(packet) + len(packet) // 2] ^= 16
    Path("x.mkv").write_bytes(data)
    before = av.logging.get_level(), av.logging.get_skip_repeated()
    for level in (None, av.logging.FATAL, av.logging.VERBOSE):
        av.logging.set_level(level)
        try:
            with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
                read("x.mkv", accept_damaged=True)
            assert (av.logging.get_level(), av.logging.get_skip_repeated()) == (level, before[1])
        finally:
            av.logging.set_level(before[0])
    assert [record for record in caplog.records if "CRC" in record.getMessage()] == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi", "flv"])
@pytest.mark.parametrize("name", ["gray", "gray10le"])
def test_monochrome_h264_is_gray(name, ending):
    pictures = noise(4, (48, 64), name)
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
    write("x.mp4", noise(2, (48, 64), "yuv420p"), "libx264", {"qp": "0"})
    assert read("x.mp4")[0].shape == (2, 48, 64, 3)
    monkeypatch.setattr(h264, "is_monochrome", lambda _head: True)
    with pytest.raises(h5vidstack.SourceError, match=r"frame 0 of x\.mp4 has colour"):
        read("x.mp4")
    assert read("x.mp4", gray=True)[0].shape == (2, 48, 64)


def test_uncompressed_gray_of_quicktime_is_its_palette_or_refused():
    pictures = noise(3, (18, 22))
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


def test_a_file_cut_before_its_first_frame():
    write("x.mkv", noise(6), "ffv1")
    data = Path("x.mkv").read_bytes()
    Path("cut.mkv").write_bytes(data[: data.index(packets("x.mkv")[0])])
    with pytest.raises(h5vidstack.SourceError) as caught:
        read("cut.mkv")
    assert "frame -1" not in str(caught.value)


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


RAW = {"mjpeg": "mjpeg", "m2v": "mpeg2video", "h264": "libx264", "hevc": "libx265", "m4v": "mpeg4",
       "obu": "libsvtav1", "ts": "mpeg2video", "mpg": "mpeg2video", "nut": "ffv1",
       "mxf": "mpeg2video", "y4m": "wrapped_avframe", "mkv": "ffv1", "mp4": "mpeg4"}  # fmt: skip


def in_zip(name, data):
    with zipfile.ZipFile("x.zip", "w") as archive:
        archive.writestr(name, data)
        archive.writestr("notes.txt", "of the author")
    return Path("x.zip").read_bytes()


def in_tar(name, data):
    with tarfile.open("x.tar", "w") as archive:
        Path(name).write_bytes(data)
        archive.add(name)
    return Path("x.tar").read_bytes()


def in_database(name, data):
    Path("x.db").unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect("x.db")) as base:
        base.execute("create table t (name, data)")
        base.execute("insert into t values (?, ?)", (name, data))
        base.commit()
    return Path("x.db").read_bytes()


@pytest.mark.parametrize("ending", RAW)
def test_raw_streams_begin_with_what_they_begin_with(ending):
    name = f"x.{ending}"
    try:
        if ending == "mjpeg":
            Path(name).write_bytes(b"".join(map(jpeg, range(24))))
        else:
            write(name, drift(24, (96, 128)), RAW[ending])
    except (av.codec.codec.UnknownCodecError, av.FFmpegError):
        pytest.skip("this FFmpeg cannot write it")
    data = Path(name).read_bytes()
    assert len(read(name, gray=True)[0]) == 24
    for around in (in_zip, in_tar, in_database, lambda _, data: b"%PDF-1.4\n" + data):
        for suffix in ("bin", ending):
            Path(f"y.{suffix}").write_bytes(around(name, data))
            with pytest.raises(h5vidstack.SourceError):
                read(f"y.{suffix}", gray=True)


def test_jpegs_with_something_between_are_no_video():
    pictures = list(map(jpeg, range(12)))
    Path("x.mjpeg").write_bytes(b"".join(pictures))
    assert len(read("x.mjpeg")[0]) == 12
    for between in (b"\0", b"some text between", b"\xff\xd9", pictures[0][:300]):
        Path("y.mjpeg").write_bytes(b"".join([*pictures[:6], between, *pictures[6:]]))
        with pytest.raises(h5vidstack.SourceError, match=r"JPEGs from end to end.*picture [67]"):
            read("y.mjpeg")
    Path("y.mjpeg").write_bytes(b"".join(pictures)[:-2])
    with pytest.raises(h5vidstack.SourceError, match="end to end"):
        read("y.mjpeg")


def test_inks_are_not_taken_for_colours():
    data = io.BytesIO()
    Image.fromarray(np.zeros((48, 64, 4), np.uint8), "CMYK").save(data, "JPEG")
    Path("x.mjpeg").write_bytes(data.getvalue() * 6)
    Path("x.avi").write_bytes(avi(b"MJPG", [data.getvalue()] * 6, 24, fourcc=b"MJPG"))
    for name in ("x.mjpeg", "x.avi"):
        with pytest.raises(h5vidstack.SourceError, match="CMYK"):
            read(name)


def test_y4m_cut_within_a_frame():
    write("x.y4m", noise(5), "wrapped_avframe")
    data = Path("x.y4m").read_bytes()
    assert len(read("x.y4m")[0]) == 5
    for cut in (1, 2000):
        Path("y.y4m").write_bytes(data[:-cut])
        with pytest.raises(h5vidstack.SourceError, match="ends within a frame"):
            read("y.y4m")
        assert len(read("y.y4m", accept_damaged=True)[0]) == 4
