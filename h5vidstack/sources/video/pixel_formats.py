"""The pixel formats of FFmpeg that are read, and where the samples of a decoded picture are.

`PIXEL_FORMATS` is the whole list; all other formats are refused. Samples are taken as they are
stored. Only colour that is stored as luma and chroma (YUV) is made RGB by FFmpeg.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import product
from typing import Any

import av
import numpy as np

from ...codecs.av_planes import plane_items, plane_rows
from ...errors import SourceError
from ...shapes import Pixels


class SampleKind(Enum):
    """What the samples of a pixel are."""

    GRAY = "gray"
    BAYER = "one colour of a mosaic"
    BIT = "one bit"
    PALETTE = "the number of a colour"
    RGB = "red, green and blue"
    YUV = "luma and chroma"


@dataclass(frozen=True)
class Channel:
    """Where the samples of one channel are in a row of a plane.

    Attributes
    ----------
    plane
        The number of the plane.
    places
        A row consists of groups of `group` items. These items of each group are samples, in this
        order.
    group
        How many items a group has.
    shift
        The sample lies this many bits up in its item.
    """

    plane: int = 0
    places: tuple[int, ...] = (0,)
    group: int = 1
    shift: int = 0


@dataclass(frozen=True)
class PixelFormat:
    """A pixel format of FFmpeg.

    Attributes
    ----------
    name
        FFmpeg's name.
    kind
        What the samples of a pixel are.
    item
        The type of the items in a plane, with its byte order.
    bits
        The bits of a sample.
    channels
        The channels that are read, in the order of the stack; of YUV the luma and the alpha.
    alpha
        Whether there is alpha. It is the last of `channels`, except for gray, which has only one.
    """

    name: str
    kind: SampleKind
    item: np.dtype[Any]
    bits: int
    channels: tuple[Channel, ...]
    alpha: bool = False

    @property
    def shared(self) -> bool:
        """Whether an item holds several samples, as three of 10 bits in 32."""
        return self.item.itemsize == 4 and self.bits <= 16

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the samples in a stack."""
        if self.kind is SampleKind.BIT:
            return np.dtype(np.bool_)
        if self.item.kind == "f":
            return self.item.newbyteorder("=")
        return np.dtype(f"u{next(size for size in (1, 2, 4) if self.bits <= 8 * size)}")


def _orders(kind: str, size: int) -> Iterator[tuple[str, np.dtype[Any]]]:
    """Yield the endings of names, and the types of items, for both byte orders."""
    for ending, order in (("le", "<"), ("be", ">")):
        yield ending, np.dtype(f"{order}{kind}{size}")


def _grays() -> Iterator[PixelFormat]:
    gray, byte = (Channel(),), np.dtype(np.uint8)
    with_alpha = (Channel(group=2),)
    yield PixelFormat("gray", SampleKind.GRAY, byte, 8, gray)
    yield PixelFormat("ya8", SampleKind.GRAY, byte, 8, with_alpha, alpha=True)
    yield PixelFormat("monow", SampleKind.BIT, byte, 1, gray)
    yield PixelFormat("monob", SampleKind.BIT, byte, 1, gray)
    yield PixelFormat("pal8", SampleKind.PALETTE, byte, 8, gray)
    patterns = ("bggr", "rggb", "gbrg", "grbg")
    for pattern in patterns:
        yield PixelFormat(f"bayer_{pattern}8", SampleKind.BAYER, byte, 8, gray)
    for ending, item in _orders("u", 2):
        for bits in (9, 10, 12, 14, 16):
            yield PixelFormat(f"gray{bits}{ending}", SampleKind.GRAY, item, bits, gray)
        for pattern in patterns:
            yield PixelFormat(f"bayer_{pattern}16{ending}", SampleKind.BAYER, item, 16, gray)
        yield PixelFormat(f"ya16{ending}", SampleKind.GRAY, item, 16, with_alpha, alpha=True)
    for ending, item in _orders("u", 4):
        yield PixelFormat(f"gray32{ending}", SampleKind.GRAY, item, 32, gray)
    for size in (2, 4):
        for ending, item in _orders("f", size):
            yield PixelFormat(f"grayf{8 * size}{ending}", SampleKind.GRAY, item, 8 * size, gray)
            yield PixelFormat(
                f"yaf{8 * size}{ending}", SampleKind.GRAY, item, 8 * size, with_alpha, True
            )


def _packed_rgb() -> Iterator[PixelFormat]:
    byte = np.dtype(np.uint8)

    def named(name: str, item: np.dtype[Any], order: str) -> PixelFormat:
        """Return the format whose pixel has the channels of `order`; x is no channel."""
        names = "rgba" if "a" in order else "rgb"
        channels = tuple(Channel(0, (order.index(one),), len(order)) for one in names)
        return PixelFormat(name, SampleKind.RGB, item, 8 * item.itemsize, channels, "a" in order)

    for order in ("rgb", "bgr"):
        yield named(f"{order}24", byte, order)
        yield named(f"{order}0", byte, f"{order}x")
        yield named(f"0{order}", byte, f"x{order}")
    for order in ("rgba", "bgra", "argb", "abgr"):
        yield named(order, byte, order)
    for ending, item in _orders("u", 2):
        for order in ("rgb", "bgr"):
            yield named(f"{order}48{ending}", item, order)
            yield named(f"{order}a64{ending}", item, f"{order}a")
    for ending, item in _orders("u", 4):
        yield named(f"rgb96{ending}", item, "rgb")
        yield named(f"rgba128{ending}", item, "rgba")
        for order, shifts in (("rgb", (20, 10, 0)), ("bgr", (0, 10, 20))):
            channels = tuple(Channel(shift=shift) for shift in shifts)
            yield PixelFormat(f"x2{order}10{ending}", SampleKind.RGB, item, 10, channels)
    for size, order in product((2, 4), ("rgb", "rgba")):
        for ending, item in _orders("f", size):
            yield named(f"{order}f{8 * size}{ending}", item, order)


def _planar_rgb() -> Iterator[PixelFormat]:
    def named(depth: str, item: np.dtype[Any], bits: int, shift: int = 0) -> Iterator[PixelFormat]:
        planes = tuple(Channel(plane, shift=shift) for plane in (2, 0, 1, 3))
        yield PixelFormat(f"gbrp{depth}", SampleKind.RGB, item, bits, planes[:3])
        yield PixelFormat(f"gbrap{depth}", SampleKind.RGB, item, bits, planes, alpha=True)

    yield from named("", np.dtype(np.uint8), 8)
    for ending, item in _orders("u", 2):
        for bits in (9, 10, 12, 14, 16):
            yield from named(f"{bits}{ending}", item, bits)
        for bits in (10, 12):
            yield from named(f"{bits}msb{ending}", item, bits, 16 - bits)
    for ending, item in _orders("u", 4):
        yield from named(f"32{ending}", item, 32)
    for size in (2, 4):
        for ending, item in _orders("f", size):
            yield from named(f"f{8 * size}{ending}", item, 8 * size)


def _planar_yuv() -> Iterator[PixelFormat]:
    byte, luma, over = np.dtype(np.uint8), Channel(), Channel(3)
    samplings = ("410", "411", "420", "422", "440", "444")
    for sampling in samplings:
        for name in (f"yuv{sampling}p", f"yuvj{sampling}p", f"yuva{sampling}p"):
            alpha = name.startswith("yuva")
            yield PixelFormat(name, SampleKind.YUV, byte, 8, (luma, *[over] * alpha), alpha)
    for name in ("nv12", "nv21", "nv16", "nv24", "nv42"):
        yield PixelFormat(name, SampleKind.YUV, byte, 8, (luma,))
    for ending, item in _orders("u", 2):
        for sampling, bits, alpha in product(samplings, (9, 10, 12, 14, 16), (False, True)):
            name = f"yuv{'a' * alpha}{sampling}p{bits}{ending}"
            yield PixelFormat(name, SampleKind.YUV, item, bits, (luma, *[over] * alpha), alpha)
        yield PixelFormat(f"nv20{ending}", SampleKind.YUV, item, 10, (luma,))
        for bits in (10, 12, 16):
            high = (replace(luma, shift=16 - bits),)
            for name in (f"p0{bits}", f"p2{bits}", f"p4{bits}"):
                yield PixelFormat(f"{name}{ending}", SampleKind.YUV, item, bits, high)
            yield PixelFormat(f"yuv444p{bits}msb{ending}", SampleKind.YUV, item, bits, high)


def _packed_yuv() -> Iterator[PixelFormat]:
    byte = np.dtype(np.uint8)

    def named(name: str, item: np.dtype[Any], bits: int, order: str, shift: int = 0) -> PixelFormat:
        """Return the format whose pixels have the samples of `order`; y is luma, a is alpha."""
        size = len(order)
        channels = tuple(
            Channel(0, tuple(at for at, one in enumerate(order) if one == wanted), size, shift)
            for wanted in ("ya" if "a" in order else "y")
        )
        return PixelFormat(name, SampleKind.YUV, item, bits, channels, "a" in order)

    for name, order in {
        "yuyv422": "yuyv", "yvyu422": "yvyu", "uyvy422": "uyvy", "uyyvyy411": "uyyvyy",
        "ayuv": "ayuv", "vuya": "vuya", "vuyx": "vuyx", "uyva": "uyva", "vyu444": "vyu",
    }.items():  # fmt: skip
        yield named(name, byte, 8, order)
    for ending, item in _orders("u", 2):
        for bits in (10, 12, 16):
            yield named(f"y2{bits}{ending}", item, bits, "yuyv", 16 - bits)
        yield named(f"ayuv64{ending}", item, 16, "ayuv")
        yield named(f"xv36{ending}", item, 12, "uyvx", 4)
        yield named(f"xv48{ending}", item, 16, "uyvx")
    for ending, item in _orders("u", 4):
        yield named(f"xv30{ending}", item, 10, "y", 10)
        yield named(f"v30x{ending}", item, 10, "y", 12)


PIXEL_FORMATS = {
    one.name: one
    for family in (_grays, _packed_rgb, _planar_rgb, _planar_yuv, _packed_yuv)
    for one in family()
}
"""All pixel formats that are read, by FFmpeg's names. Only newer versions of FFmpeg know some."""


_CRASHES_FFMPEG_7 = frozenset((
    "ayuv64be", "nv20be", "nv20le", "uyyvyy411", "xv30be", "xv36be", "y210be", "y212be",
))  # fmt: skip
"""Formats of which FFmpeg 7 cannot make RGB; PyAV tries without asking it first."""


def find_format(name: str, where: str) -> PixelFormat:
    """Return a pixel format by its name; the error says what to do if it is not read.

    Parameters
    ----------
    name
        FFmpeg's name.
    where
        What to call the picture in the error.

    Raises
    ------
    SourceError
        If it is not in `PIXEL_FORMATS`.
    """
    found = PIXEL_FORMATS.get(name)
    if found is None:
        raise SourceError(
            f"{where} has pixel format {name}, which cannot be read exactly. "
            f"FFmpeg can convert it first: {_command(name)}"
        )
    return found


def _command(name: str) -> str:
    """Return a command that makes a video of another pixel format, without further loss."""
    deep = any(component.bits > 8 for component in av.VideoFormat(name).components)
    return f"ffmpeg -i IN -c:v ffv1 -pix_fmt {'gbrp16le' if deep else 'bgr0'} OUT.mkv"


def luma_only(found: PixelFormat) -> PixelFormat:
    """Return a planar YUV format as gray, because FFmpeg decodes pictures with luma only as YUV."""
    return replace(found, kind=SampleKind.GRAY, channels=found.channels[:1], alpha=False)


def is_neutral(frame: Any) -> bool:
    """Return whether all chroma of a decoded planar YUV picture is that of gray."""
    found = PIXEL_FORMATS[frame.format.name]
    for plane in frame.planes[1:3]:
        if (plane_items(plane, found.item) != 1 << (found.bits - 1)).any():
            return False
    return True


def check_use(found: PixelFormat, gray: bool, where: str) -> None:
    """Refuse a pixel format that a stack cannot hold.

    Raises
    ------
    SourceError
        If the format has gray with alpha, or deep colour of which gray is wanted.
    """
    if found.kind is SampleKind.GRAY and found.alpha and not gray:
        raise SourceError(
            f"{where} has pixel format {found.name}: gray and alpha, two channels, which a stack "
            "cannot hold. --gray (gray=True) keeps the gray"
        )
    if gray and found.kind is SampleKind.RGB and found.dtype != np.uint8:
        raise SourceError(
            f"{where} has pixel format {found.name}, and gray of colour is only made of 8 bits. "
            "Leave out --gray (gray=True) to keep the colour exactly, or make gray by FFmpeg: "
            "ffmpeg -i IN -c:v ffv1 -pix_fmt gray16le OUT.mkv"
        )


def conversion(found: PixelFormat, gray: bool) -> str | None:
    """Return what makes the pixels of a stack, if they are not the samples as stored."""
    if gray and found.kind in (SampleKind.RGB, SampleKind.PALETTE):
        return f"gray made from {found.name} by ITU-R BT.601"
    if found.kind is SampleKind.YUV and not gray:
        return f"RGB{'A' * found.alpha} made by FFmpeg from {found.name}"
    return None


def format_notes(found: PixelFormat, gray: bool) -> Iterator[str]:
    """Yield what the user must know of the samples of a format, in whole sentences."""
    if found.kind is SampleKind.BAYER:
        yield (
            f"Frames are the Bayer mosaic as it is stored ({found.name}), one value a pixel; "
            "no colour was made of it."
        )
    if found.name == "monow":
        yield "Bits are kept as they are stored (monow): True is black."
    if gray and found.alpha:
        yield f"Only gray was kept; the alpha of {found.name} was left out."
    if found.channels[0].shift and not found.shared and (gray or found.kind is SampleKind.RGB):
        yield (
            f"Values are 0 to {(1 << found.bits) - 1}: {found.name} stores their {found.bits} bits "
            f"as the upper ones of {8 * found.item.itemsize}."
        )


def pixels(frame: Any, found: PixelFormat, gray: bool) -> Pixels:
    """Take the pixels of a decoded picture.

    Parameters
    ----------
    frame
        PyAV's VideoFrame.
    found
        Its pixel format.
    gray
        Take the luma of YUV; without it, FFmpeg makes RGB.

    Returns
    -------
    Pixels
        ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``. A palette that has alpha gives the last.

    Raises
    ------
    SourceError
        If FFmpeg does not convert this pixel format.
    """
    if found.kind is SampleKind.BIT:
        bits = np.unpackbits(plane_rows(frame.planes[0]), axis=1)[:, : frame.width]
        return bits.astype(np.bool_)
    if found.kind is SampleKind.PALETTE:
        return _by_palette(frame)
    if found.kind is SampleKind.YUV and not gray:
        return _converted(frame, found)
    return _stored(
        frame, found, found.channels[:1] if found.kind is SampleKind.YUV else found.channels
    )


def _converted(frame: Any, found: PixelFormat) -> Pixels:
    """Return RGB or RGBA that FFmpeg makes of YUV; alpha of 8 bits is taken as stored."""
    exact = found.alpha and found.bits <= 8
    names = (("rgb24", "rgb24"), ("rgb48le", "rgba64le"))
    target = PIXEL_FORMATS[names[found.bits > 8][found.alpha]]
    unable = SourceError(
        f"FFmpeg cannot make RGB from pixel format {found.name}; --gray (gray=True) keeps its luma"
    )
    if found.name in _CRASHES_FFMPEG_7 and av.library_versions["libswscale"] < (9,):
        raise unable
    try:
        made = frame.reformat(format=target.name)
    except av.FFmpegError as error:
        raise unable from error
    colour = _stored(made, target, target.channels)
    if not exact:
        return colour
    return np.concatenate([colour, _samples(frame, found, found.channels[-1])[..., None]], axis=2)


def _stored(frame: Any, found: PixelFormat, channels: tuple[Channel, ...]) -> Pixels:
    """Return channels as they are stored, ``(H, W)`` for one channel, else ``(H, W, C)``."""
    taken = np.empty((len(channels), frame.height, frame.width), found.dtype)
    for channel, out in zip(channels, taken, strict=True):
        out[...] = _samples(frame, found, channel)
    return taken[0] if len(taken) == 1 else np.ascontiguousarray(np.moveaxis(taken, 0, -1))


def _samples(frame: Any, found: PixelFormat, channel: Channel) -> Pixels:
    """Return the samples of one channel, ``(H, W)``."""
    rows = plane_rows(frame.planes[channel.plane])
    height, width, places = frame.height, frame.width, channel.places
    groups = -(-width // len(places))
    items = rows[:, : groups * channel.group * found.item.itemsize].view(found.item)
    if len(places) == 1:
        samples = items[:, places[0] :: channel.group]
    else:
        samples = items.reshape(height, groups, channel.group)[..., places].reshape(height, -1)
    if found.shared or channel.shift:
        samples = (samples >> channel.shift) & ((1 << found.bits) - 1)
    return samples[:, :width]


def _by_palette(frame: Any) -> Pixels:
    """Return RGB or RGBA by the palette, in which a colour is a native 32-bit number ARGB."""
    numbers = plane_items(frame.planes[0], np.uint8)
    palette = np.frombuffer(frame.planes[1], np.uint32)[:256]
    shifts = np.array([16, 8, 0, 24], np.uint32)
    colours = ((palette[:, None] >> shifts) & 255).astype(np.uint8)
    found = colours[numbers]
    return found if (found[..., 3] != 255).any() else np.ascontiguousarray(found[..., :3])
