"""What image files say of themselves, and their pixels: only those of `TABLE`, and these whole.

Each format has a short parser that finds out what its header says (bits, kind of colour, frames),
whether the file is complete, and how it is to be turned. What `TABLE` does not name is refused, and
so is a file that ends early or whose checksums are wrong. The decoder gets only the parts that
pixels need: it cannot meet metadata, further pictures, or limits of its own. So

- gray of 2 and 4 bits (PNG) becomes 8 bits, times 85 and 17, as every PNG decoder gives it;
- 1 bit (PNG) is bool;
- numbers of a palette become the colours that they name;
- a transparent colour (PNG's tRNS) or palette entry becomes alpha; gray with alpha becomes RGBA;
- gamma, colour profiles and orientation are not applied;
- interlaced is as any other;
- of a JPEG the first picture is taken; YCbCr becomes RGB; CMYK is refused;
- the frames of an animation (GIF, PNG, WebP) are the whole pictures that a viewer shows.
"""

from __future__ import annotations

import importlib
import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SourceError

Array = npt.NDArray[Any]

WAY_OUT = "read it by another library and pack the array"

_PNG, _GIF, _BMP, _RIFF = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a"), b"BM", b"RIFF"


@dataclass(frozen=True)
class Header:
    """What an image file says of itself.

    Attributes
    ----------
    kind
        The format, and what its pixels are: a key of `TABLE`.
    data
        What the decoder is to get.
    count
        Number of frames.
    alpha
        Whether any pixel can be transparent.
    orientation
        As EXIF numbers it; 1: it is shown as stored.
    conversion
        As of a `Source`.
    colours
        Length of the palette, if there is one.
    """

    kind: tuple[str, str]
    data: bytes
    count: int = 1
    alpha: bool = False
    orientation: int = 1
    conversion: str | None = None
    colours: int | None = None


Decoder = Callable[[Header], Callable[[int], Array]]


def read_header(data: bytes) -> Header:
    """Read what an image file says of itself.

    Raises
    ------
    SourceError
        If it is of no format that is read, or not whole.
    """
    if data.startswith(_PNG):
        header = _read_png(data)
    elif data.startswith(b"\xff\xd8"):
        header = _read_jpeg(data)
    elif data.startswith(_GIF):
        header = _read_gif(data)
    elif data.startswith(_BMP):
        header = _read_bmp(data)
    elif data.startswith(_RIFF) and data[8:12] == b"WEBP":
        header = _read_webp(data)
    else:
        raise SourceError("it is no PNG, JPEG, BMP, GIF, WebP or TIFF, or is damaged")
    if header.kind not in TABLE:
        raise SourceError(f"{' '.join(header.kind)} is not read, since {WHY_NOT}; {WAY_OUT}")
    return header


def open_frames(header: Header) -> Callable[[int], Array]:
    """Return what decodes a frame by its number."""
    return TABLE[header.kind](header)


# PNG ------------------------------------------------------------------------------------------

_PNG_COLOURS = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGBA"}
_NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}


def _read_png(data: bytes) -> Header:
    """Walk all chunks, and keep those that pixels need."""
    kept, names, bodies, orientation, count = [_PNG], list[bytes](), dict[bytes, bytes](), 1, 1
    for name, body, whole in _png_chunks(data):
        names.append(name)
        bodies[name] = body
        if name in _NEEDED:
            kept.append(whole)
        elif not name[0] & 0x20:
            raise SourceError(f"it has a chunk {name!r} that is not of the PNG standard")
        if name == b"acTL":
            count = int.from_bytes(body[:4], "big")
        elif name == b"eXIf":
            orientation = _orientation(body)
    bits, colour = _check_png(names, bodies)
    if b"acTL" in names and names.count(b"fcTL") != count:
        raise SourceError(f"it tells of {count} frames, but has {names.count(b'fcTL')}")
    still = b"acTL" in names and names.index(b"fcTL") > names.index(b"IDAT")
    count += still  # a picture beside the animation, for programs that know none
    kind = f"{bits} bits {_PNG_COLOURS.get(colour, colour)}" + (" animation" if count > 1 else "")
    if bits < 8 and colour == 0 and b"tRNS" in names:
        kind += " with a transparent value"
    scaled = {2: 85, 4: 17}.get(bits) if colour == 0 else None
    return Header(
        ("PNG", kind), b"".join(kept), count, colour in (4, 6) or b"tRNS" in names, orientation,
        f"8 bits made of {bits} bits of gray (times {scaled})" if scaled else None,
        len(bodies[b"PLTE"]) // 3 if colour == 3 else None,
    )  # fmt: skip


def _check_png(names: list[bytes], bodies: dict[bytes, bytes]) -> tuple[int, int]:
    """Return bits and colour type of a PNG whose chunks are as the standard wants them."""
    head = bodies.get(b"IHDR", b"")
    if names[:1] != [b"IHDR"] or len(head) != 13 or b"IDAT" not in names:
        raise SourceError("it has no picture, or is damaged")
    bits, colour, *ways = head[8:]
    if ways not in ([0, 0, 0], [0, 0, 1]):
        raise SourceError("it is packed in a way that is not of the PNG standard")
    first = names.index(b"IDAT")
    order = [name for name in (b"IHDR", b"PLTE", b"tRNS") if name in names]
    early = [name for name in names[:first] if name in (b"IHDR", b"PLTE", b"tRNS")]
    twice = any(names.count(name) > 1 for name in order)
    if early != order or twice or set(names[first : first + names.count(b"IDAT")]) != {b"IDAT"}:
        raise SourceError("it is damaged: its chunks are not in the order of the PNG standard")
    palette, keys = len(bodies.get(b"PLTE", b"")), len(bodies.get(b"tRNS", b""))
    most = {3: 3 << bits, 2: 768, 6: 768}.get(colour, 0)
    if palette > most or palette % 3 or (colour == 3 and not palette):
        raise SourceError(f"it is damaged: a palette of {palette} bytes, at {bits} bits")
    fit = {0: range(2, 3), 2: range(6, 7), 3: range(1, palette // 3 + 1)}.get(colour, ())
    if b"tRNS" in names and keys not in fit:
        raise SourceError(f"it is damaged: transparency (tRNS) of {keys} bytes")
    return bits, colour


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    at, name = len(_PNG), b""
    while name != b"IEND":
        length = int.from_bytes(data[at : at + 4], "big")
        whole = data[at : at + length + 12]
        name, body = whole[4:8], whole[8:-4]
        if len(whole) < length + 12:
            raise SourceError("it is truncated: it ends inside a chunk")
        if zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:], "big"):
            raise SourceError(f"it is damaged: the checksum of its chunk {name!r} is wrong")
        yield name, body, whole
        at += length + 12


# JPEG -----------------------------------------------------------------------------------------

_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive: what libjpeg decodes


def _read_jpeg(data: bytes) -> Header:
    """Walk the segments of the first picture; leave out those of applications but Adobe's."""
    kept, orientation, kind, transform, ids = list[bytes](), 1, "", None, b""
    jfif = False
    for marker, part, _ in jpeg_parts(data):
        if marker == 0xE1 and part[4:10] == b"Exif\0\0":
            orientation = _orientation(part[10:])
        if marker == 0xEE and part[4:9] == b"Adobe":
            transform = part[15]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            parts = part[9]
            kind = f"{part[4]} bits " + {1: "gray", 3: "colour", 4: "CMYK"}.get(parts, "?")
            kind += "" if marker in _FRAMES else f" of SOF{marker - 0xC0}"
            ids = part[10 : 10 + 3 * parts : 3]
        jfif = jfif or (marker == 0xE0 and part[4:8] == b"JFIF")
        if not 0xE1 <= marker <= 0xED and marker not in (0xEF, 0xFE):
            kept.append(part)
    direct = not jfif and (transform == 0 or (transform is None and ids == b"RGB"))
    made = "RGB made by Pillow from the YCbCr of JPEG" if "colour" in kind and not direct else None
    return Header(("JPEG", kind), b"".join(kept), orientation=orientation, conversion=made)


def jpeg_parts(data: Any, at: int = 0) -> Iterator[tuple[int, bytes, int]]:
    """Walk a JPEG from its first marker to its last; a scan's data belong to the marker before.

    Parameters
    ----------
    data
        What slices of give bytes.
    at
        Where it begins.

    Yields
    ------
    marker, part, end
        Its number, its bytes, and where the next begins.

    Raises
    ------
    SourceError
        If there is none, or it ends early.
    """
    marker = 0xD8
    if data[at : at + 2] != b"\xff\xd8":
        raise SourceError("it is damaged: a JPEG without its beginning")
    yield marker, b"\xff\xd8", at + 2
    at += 2
    while marker != 0xD9:
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        start, head = at, data[at : at + 4]
        marker = head[1] if len(head) > 1 and head[0] == 0xFF else -1
        length = 0 if marker == 0xD9 else int.from_bytes(head[2:], "big")
        at += 2 + length
        if marker < 0 or at > len(data) or length == 1 or (length == 0 and marker != 0xD9):
            raise SourceError("it is truncated or damaged: a JPEG without its end")
        if marker == 0xDA:
            end = _SCAN_END.search(data, at)
            if end is None:
                raise SourceError("it is truncated: a JPEG without its end")
            at = end.start()
        yield marker, data[start:at], at


# GIF ------------------------------------------------------------------------------------------


def _read_gif(data: bytes) -> Header:
    """Walk all blocks: how many pictures, in gray or colours, and what is disposed of."""
    width, height, flags = struct.unpack("<HHB", data[6:11])
    at, palettes = 13, list[bytes]()
    if flags & 128:
        palettes.append(data[13 : 13 + (6 << (flags & 7))])
        at += len(palettes[0])
    count, colours, alpha, mixed, disposed, key = 0, 0, False, False, False, False
    while data[at : at + 1] != b";":
        if data[at : at + 2] == b"!\xf9":
            key = bool(data[at + 3] & 1)
            disposed = disposed or data[at + 3] >> 2 & 7 > 1
        if data[at : at + 1] == b"!":
            at += 2
        elif data[at : at + 1] == b"," and at + 10 < len(data):
            *place, local = struct.unpack("<HHHHB", data[at + 1 : at + 10])
            whole = place == [0, 0, width, height]
            mixed = mixed or key or not whole
            if not count and not whole:
                raise SourceError(f"its first picture is not as large as the GIF; {WAY_OUT}")
            at += 10
            if not (local | flags) & 128:
                raise SourceError(f"its picture {count} has no palette; {WAY_OUT}")
            if local & 128:
                palettes.append(data[at : at + (6 << (local & 7))])
                at += 6 << (local & 7)
            colours = colours or 2 << ((local if local & 128 else flags) & 7)
            alpha = alpha or (key and not count)  # later it says: as before
            at, count, key = at + 1, count + 1, False
        else:
            raise SourceError("it is truncated or damaged: a GIF without its end")
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    if not count:
        raise SourceError("it has no picture")
    if count > 1 and disposed and mixed:
        raise SourceError(
            "its pictures are taken away before the next is shown, which programs do in several "
            f"ways; {WAY_OUT}"
        )
    gray = not alpha and all(p[::3] == p[1::3] == p[2::3] for p in palettes)
    kind = "gray" if gray else "palette"
    return Header(("GIF", kind), data, count, alpha, colours=colours)


# BMP ------------------------------------------------------------------------------------------


def _read_bmp(data: bytes) -> Header:
    """Read the bitmap's header, and see that all rows are there."""
    start, size = struct.unpack("<II", data[10:18])
    if size < 40:
        raise SourceError(f"a BMP with a header of OS/2 is not read; {WAY_OUT}")
    width, height, _, bits, compression = struct.unpack("<iiHHI", data[18:34])
    rows = (width * bits + 31) // 32 * 4 * abs(height)
    if compression in (0, 3, 6) and start + rows > len(data):
        raise SourceError("it is truncated: a BMP without all of its rows")
    masks = struct.unpack("<4I", data[54:70]) if compression in (3, 6) and size >= 56 else ()
    alpha = len(masks) == 4 and masks[3] == 0xFF000000
    if compression == 3 and masks and masks[:3] == (0xFF0000, 0xFF00, 0xFF):
        compression = 0
    kind = f"{bits} bits" + (f" of compression {compression}" if compression else "")
    colours = None
    if bits <= 8 and not compression:
        colours = struct.unpack("<I", data[46:50])[0] or 1 << bits
        end = 14 + size + 4 * colours
        if colours > 1 << bits or end > start:
            raise SourceError(f"it is damaged: a BMP without its palette of {colours} colours")
        entries = data[14 + size : end]
        if entries[::4] == entries[1::4] == entries[2::4]:
            kind += " black and white" if entries[::4] == b"\0\xff" else " gray"
    if bits == 32 and not alpha and any(data[start + 3 : start + rows : 4]):
        raise SourceError(f"it has a fourth channel of which its header does not tell; {WAY_OUT}")
    return Header(("BMP", kind), data, alpha=alpha, colours=colours)


# WebP -----------------------------------------------------------------------------------------


def _read_webp(data: bytes) -> Header:
    """Walk the chunks: lossy or not, frames, alpha, orientation."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise SourceError("it is truncated: a WebP without its end")
    names, at, orientation, alpha = list[bytes](), 12, 1, False
    while at + 8 <= end:
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + length]
        names.append(name)
        if name == b"EXIF":
            orientation = _orientation(body.removeprefix(b"Exif\0\0"))
        elif name == b"VP8X":
            alpha = bool(body[0] & 16)
        elif name == b"VP8L":
            alpha = alpha or bool(body[4] & 16)
        elif name == b"ANMF":
            names.append(body[16:20] if body[16:20] != b"ALPH" else b"VP8 ")
        at += 8 + length + length % 2
    lossy = b"VP8 " in names
    made = "RGB made by Pillow from the YUV of WebP" if lossy else None
    count = max(1, names.count(b"ANMF"))
    return Header(("WebP", "8 bits"), data[:end], count, alpha, orientation, made)


# EXIF -----------------------------------------------------------------------------------------


def _orientation(exif: bytes) -> int:
    """The tag of EXIF's first directory; 1 where it is missing or damaged."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 10:
        return 1
    (at,) = struct.unpack(order + "I", exif[4:8])
    (count,) = struct.unpack(order + "H", exif[at : at + 2].ljust(2, b"\0"))
    for place in range(at + 2, min(at + 2 + 12 * count, len(exif) - 9), 12):
        tag, _, _, value = struct.unpack(order + "HHIH", exif[place : place + 10])
        if tag == 274:
            return int(value) if 1 <= value <= 8 else 1
    return 1


# Decoders -------------------------------------------------------------------------------------


def _by_pillow(plugin: str, mode: str) -> Decoder:
    """Decode by one of Pillow's plugins, in a mode that holds all that is there."""

    def decode(header: Header) -> Callable[[int], Array]:
        module = importlib.import_module(f"PIL.{plugin}ImagePlugin")
        wanted = "RGBA" if header.alpha else mode
        # Not by `Image.open`, which has a limit of pixels and tries other formats.
        opener = getattr(module, f"{plugin}ImageFile")
        image = opener(io.BytesIO(header.data))

        def read(number: int) -> Array:
            nonlocal image
            if header.count > 1:
                if number < image.tell():  # of a PNG, Pillow goes back to no frame but the first
                    image = opener(io.BytesIO(header.data))
                image.seek(number)
            _check_numbers(image, header.colours)
            return np.asarray(image if image.mode == wanted else image.convert(wanted))

        return read

    return decode


def _check_numbers(image: Any, colours: int | None) -> None:
    """Refuse numbers beyond the end of a palette, which decoders take for any colour."""
    # Gray is such numbers, too, where they are the same as their colours.
    if colours is not None and image.mode in ("P", "L"):
        most = int(np.asarray(image).max())
        if most >= colours:
            raise SourceError(f"it is damaged: colour {most} of a palette of {colours}")


def _by_ffmpeg(header: Header) -> Callable[[int], Array]:
    """Decode a PNG of 16 bits, of which Pillow would keep 8."""
    import av

    def read(_number: int) -> Array:
        codec = av.CodecContext.create("png", "r")
        pictures = [*codec.decode(av.Packet(header.data)), *codec.decode(None)]
        if len(pictures) != 1 or pictures[0].is_corrupt:
            raise SourceError("it is damaged: FFmpeg gives no picture of it")
        channels = _DEEP.get(pictures[0].format.name)
        if channels is None:
            raise SourceError(f"FFmpeg gives {pictures[0].format.name} of it; {WAY_OUT}")
        plane = pictures[0].planes[0]
        rows = np.frombuffer(memoryview(plane), ">u2").reshape(plane.height, -1)[
            :, : plane.width * channels
        ]
        pixels: Array = rows.reshape(plane.height, plane.width, channels).astype(np.uint16)
        if channels == 2:  # gray with alpha
            pixels = pixels[..., [0, 0, 0, 1]]
        return pixels[..., 0] if channels == 1 else pixels

    return read


_DEEP = {"gray16be": 1, "ya16be": 2, "rgb48be": 3, "rgba64be": 4}
"""FFmpeg's formats of PNGs of 16 bits, and how many channels they have."""

WHY_NOT = "it could not be kept exactly or has no one meaning"

TABLE: dict[tuple[str, str], Decoder] = {
    ("PNG", "1 bits gray"): _by_pillow("Png", "1"),
    ("PNG", "2 bits gray"): _by_pillow("Png", "L"),
    ("PNG", "4 bits gray"): _by_pillow("Png", "L"),
    ("PNG", "8 bits gray"): _by_pillow("Png", "L"),
    ("PNG", "8 bits gray with alpha"): _by_pillow("Png", "RGBA"),
    ("PNG", "8 bits RGB"): _by_pillow("Png", "RGB"),
    ("PNG", "8 bits RGBA"): _by_pillow("Png", "RGBA"),
    ("PNG", "8 bits gray animation"): _by_pillow("Png", "L"),
    ("PNG", "8 bits RGB animation"): _by_pillow("Png", "RGB"),
    ("PNG", "8 bits RGBA animation"): _by_pillow("Png", "RGBA"),
    **{("PNG", f"{bits} bits palette"): _by_pillow("Png", "RGB") for bits in (1, 2, 4, 8)},
    **{
        ("PNG", f"16 bits {colour}"): _by_ffmpeg
        for colour in ("gray", "gray with alpha", "RGB", "RGBA")
    },
    ("JPEG", "8 bits gray"): _by_pillow("Jpeg", "L"),
    ("JPEG", "8 bits colour"): _by_pillow("Jpeg", "RGB"),
    ("GIF", "gray"): _by_pillow("Gif", "L"),
    ("GIF", "palette"): _by_pillow("Gif", "RGB"),
    ("BMP", "1 bits black and white"): _by_pillow("Bmp", "1"),
    **{("BMP", f"{bits} bits gray"): _by_pillow("Bmp", "L") for bits in (1, 4, 8)},
    **{("BMP", f"{bits} bits"): _by_pillow("Bmp", "RGB") for bits in (1, 4, 8, 24, 32)},
    ("WebP", "8 bits"): _by_pillow("WebP", "RGB"),
}
"""What is read: format and kind of pixels -> how. All else is refused."""
