import struct
from pathlib import Path

import numpy as np
import pytest
from frames import moving
from pictures import KINDS, RANDOM, SAMPLES, chunk, make_png, pictures, read, same
from PIL import Image

import h5vidstack


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


def test_palettes_become_their_colours():
    rgb = moving((1, 20, 20, 3))[0] // 64 * 64
    palette = Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE)
    palette.save("p.png")
    np.testing.assert_array_equal(read("p.png")[0][0], np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_transparent_colour_becomes_alpha(mode, tmp_path):
    pixels = moving((1, 9, 12, 3))[0] if mode == "RGB" else moving((1, 9, 12))[0]
    key = tuple(map(int, pixels[4, 5])) if mode == "RGB" else int(pixels[4, 5])
    Image.fromarray(pixels).save(tmp_path / "x.png", transparency=key)
    h5vidstack.pack(tmp_path, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        found = stack[0]
    expected = pixels if mode == "RGB" else np.stack([pixels] * 3, -1)
    np.testing.assert_array_equal(found[..., :3], expected)
    clear = (expected == expected[4, 5]).all(axis=-1)
    np.testing.assert_array_equal(found[..., 3], np.where(clear, 0, 255))


def test_orientation_is_said():
    picture = Image.fromarray(RANDOM.integers(0, 256, (9, 13, 3)).astype(np.uint8))
    exif = Image.Exif()
    exif[274] = 6
    picture.save("o.png", exif=exif)
    assert "EXIF orientation 6" in same("o.png", np.asarray(picture)[None]).notes[0]


def test_a_chunk_that_is_needed_and_unknown():
    sound = make_png(np.zeros((3, 4, 1), int), 8, 0)
    for name, words in ((b"abCd", None), (b"ABCD", "needs its chunk b'ABCD'")):
        Path("x.png").write_bytes(sound[:33] + chunk(name, b"?") + sound[33:])
        if words is None:
            same("x.png", np.zeros((1, 3, 4), np.uint8))
            continue
        with pytest.raises(h5vidstack.SourceError, match=words):
            read("x.png")


def test_an_animation_of_fewer_frames_than_it_states():
    pages = [Image.fromarray(page) for page in RANDOM.integers(0, 256, (3, 9, 13)).astype("u1")]
    pages[0].save("x.png", save_all=True, append_images=pages[1:])
    data = Path("x.png").read_bytes()
    at = data.index(b"acTL") - 4
    told = chunk(b"acTL", struct.pack(">II", 4, 0))
    Path("x.png").write_bytes(data[:at] + told + data[at + len(told) :])
    with pytest.raises(h5vidstack.SourceError, match="states 4 frames, but has 3"):
        read("x.png")
