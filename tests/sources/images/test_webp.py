from pathlib import Path

import numpy as np
import pytest
from frames import moving
from pictures import read, same
from PIL import Image

import h5vidstack


def test_webp_as_pillow_decodes_it():
    rgba = moving((1, 20, 21, 4))[0]
    Image.fromarray(rgba).save("x.webp", lossless=True, exact=True)
    assert same("x.webp", rgba[None]).conversion is None


def test_lossy_pictures_name_their_conversion():
    Image.fromarray(moving((1, 20, 21, 3))[0]).save("x.webp", quality=80)
    with Image.open("x.webp") as opened:
        want = np.asarray(opened.convert("RGB"))
    assert same("x.webp", want[None]).conversion == "RGB made by Pillow from the YUV of WebP"


@pytest.mark.parametrize("lossless", [False, True])
def test_an_animation_and_how_it_is_coded(lossless):
    pages = [Image.fromarray(frame) for frame in moving((3, 20, 21, 3)) // 2]
    pages[0].save("x.webp", save_all=True, append_images=pages[1:], lossless=lossless)
    found, source = read("x.webp")
    assert (source.count, source.conversion is None) == (3, lossless)
    if lossless:
        np.testing.assert_array_equal(found[..., :3], moving((3, 20, 21, 3)) // 2)
        assert (found[..., 3:] == 255).all()  # later pictures leave out what stays as before


def test_orientation_is_said():
    picture = Image.fromarray(moving((1, 20, 21, 3))[0])
    exif = Image.Exif()
    exif[274] = 6
    picture.save("o.webp", exif=exif, lossless=True)
    assert "EXIF orientation 6" in same("o.webp", np.asarray(picture)[None]).notes[0]


def test_what_follows_the_picture_is_not_its_part():
    picture = moving((1, 20, 21, 3))
    Image.fromarray(picture[0]).save("x.webp", lossless=True)
    data = Path("x.webp").read_bytes()
    Path("x.webp").write_bytes(data + b"ANMF and more")
    same("x.webp", picture)
    Path("x.webp").write_bytes(data[:-2])
    with pytest.raises(h5vidstack.SourceError, match="a WebP without its end"):
        read("x.webp")
