from pathlib import Path

import numpy as np
import pytest
import tifffile
from frames import moving
from pictures import read, same
from PIL import Image

import h5vidstack
from h5vidstack.sources.images.jpeg import jpeg_parts


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


def test_cmyk_is_refused():
    Image.new("CMYK", (8, 8)).save("c.jpg")
    with pytest.raises(h5vidstack.SourceError, match=r"c\.jpg: JPEG 8 bits CMYK is not read.*pack"):
        read("c.jpg")


def test_jpeg_as_pillow_decodes_it():
    Path("in").mkdir()
    for number, frame in enumerate(moving((3, 16, 24))):
        Image.fromarray(frame).save(f"in/img{number}.jpg")
    want = np.stack([np.asarray(Image.open(f"in/img{number}.jpg")) for number in range(3)])
    np.testing.assert_array_equal(read("in")[0], want)


@pytest.mark.parametrize("progressive", [False, True])
def test_parts_join_to_the_whole(progressive):
    pixels = np.stack([moving((1, 33, 47))[0]] * 3, -1)
    Image.fromarray(pixels).save("x.jpg", progressive=progressive)
    data = Path("x.jpg").read_bytes()
    before, after = b"before", b"after"
    found = list(jpeg_parts(before + data + after, len(before)))
    assert b"".join(part for _, part, _ in found) == data
    assert [found[0][0], found[-1][0]] == [0xD8, 0xD9]
    assert found[-1][2] == len(before) + len(data)
    assert (sum(marker == 0xDA for marker, _, _ in found) > 1) == progressive
    with pytest.raises(h5vidstack.SourceError, match="without its beginning"):
        list(jpeg_parts(before + data, 0))


def segment(marker, body):
    return b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2, "big") + body


def test_words_in_several_segments():
    Image.fromarray(moving((1, 16, 24))[0]).save("x.jpg")
    data = Path("x.jpg").read_bytes()
    packet, resources = b"<x:xmpmeta>" + b"a" * 90_000, b"8BIM\x04\x04" + bytes(range(256)) * 300
    head = b"http://ns.adobe.com/xmp/extension/\0" + b"F" * 32 + len(packet).to_bytes(4, "big")
    said = [
        segment(0xE1, head + at.to_bytes(4, "big") + packet[at : at + 60_000])
        for at in (60_000, 0)  # in any order
    ]
    said += [
        segment(0xED, b"Photoshop 3.0\0" + resources[at : at + 60_000])
        for at in range(0, len(resources), 60_000)
    ]
    Path("x.jpg").write_bytes(data[:2] + b"".join(said) + data[2:])
    h5vidstack.pack("x.jpg", "x.h5")
    with h5vidstack.open("x.h5") as stack:
        assert stack.source.words["xmp_extended"].value == packet.decode()
        assert stack.source.words["photoshop"].value == resources
    done = h5vidstack.unpack("x.h5", "x.tif")
    assert done.notes == (
        "What a plain TIFF has no place for was left out: words of the source xmp_extended.",
    )
    with tifffile.TiffFile("x.tif") as tiff:
        assert bytes(tiff.pages[0].tags[34377].value) == resources
    Path("x.jpg").write_bytes(data[:2] + said[1] + data[2:])  # a part is not there
    h5vidstack.pack("x.jpg", "x.h5", overwrite=True)
    with h5vidstack.open("x.h5") as stack:
        assert not stack.source.words
