import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tiffs import LONG, SHORT, gray_tags, read, same, values, write_tiff

import h5vidstack

imagecodecs = pytest.importorskip("imagecodecs")


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


def test_too_few_bytes_for_its_strip():
    frame = values((24, 32), "u2")
    tags = gray_tags(24, 32, 16)
    tags[279] = (LONG, [1000])
    write_tiff("a.tif", [(tags, [frame.tobytes()])])
    with pytest.raises(h5vidstack.SourceError, match="1000 of the 1536 bytes"):
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
