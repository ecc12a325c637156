"""Videos of raw samples in each pixel format, written and read by the ffmpeg program."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product as combinations
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

from h5vidstack.sources.source import SourceOptions

from .core import Case, Unwritable, product, samples, title

COUNT = 3


@dataclass(frozen=True)
class Layout:
    """How ffmpeg's rawvideo has the samples of a pixel format.

    `planes` has for each: items in a group, pixels in a group, rows of the picture for one of its
    own. `channels` says for each in the order of a stack (only luma of YUV): plane, places in the
    group, how far its sample is shifted up in the item.
    """

    kind: str
    item: str
    bits: int
    planes: tuple[tuple[int, int, int], ...]
    channels: tuple[tuple[int, tuple[int, ...], int], ...]
    shared: bool = False
    """An item holds several samples."""

    def raw(self, count: int, height: int, width: int) -> bytes:
        """Random frames, as ffmpeg reads them."""
        frames = bytearray()
        for number in range(count):
            for plane in range(len(self.planes)):
                rows, items = self._size(plane, height, width)
                seed = samples((7, rows, items), self.item[1:])[(number + plane) % 7]
                if self.item[1] == "f":
                    seed = np.nan_to_num(seed, nan=0.5, posinf=1, neginf=0)
                elif not self.shared:
                    low = seed >> (8 * seed.itemsize - self.bits)
                    seed = low << max(shift for *_, shift in self.channels)
                frames += seed.astype(self.item).tobytes()
        return bytes(frames)

    def _size(self, plane: int, height: int, width: int) -> tuple[int, int]:
        items, pixels, step = self.planes[plane]
        return -(-height // step), -(-width // pixels) * items

    def read(self, raw: bytes, height: int, width: int) -> Any:
        """Frames as a stack has them."""
        sizes = [self._size(plane, height, width) for plane in range(len(self.planes))]
        items = np.frombuffer(raw, self.item).reshape(-1, sum(a * b for a, b in sizes))
        starts = np.cumsum([0, *(a * b for a, b in sizes)])
        found = []
        for plane, places, shift in self.channels:
            group = self.planes[plane][0]
            part = items[:, starts[plane] : starts[plane + 1]]
            part = part.reshape(len(items), sizes[plane][0], -1, group)[..., list(places)]
            part = part.reshape(len(items), height, -1)[..., :width]
            if self.shared or shift:
                part = (part >> shift) & ((1 << self.bits) - 1)
            found.append(part)
        small = np.dtype("u1" if self.bits <= 8 else "u2")
        dtype = small if self.shared else np.dtype(self.item).newbyteorder("=")
        frames = np.stack(found, axis=-1).astype(dtype)
        return frames[..., 0] if len(found) == 1 else frames


def _packed(kind: str, order: str, item: str, bits: int, wanted: str, shift: int = 0) -> Layout:
    """Samples side by side; `order` names them, `wanted` those of the stack."""
    pixels = max(1, order.count("y"))
    channels = tuple(
        (0, tuple(place for place, one in enumerate(order) if one == name), shift)
        for name in wanted
    )
    return Layout(kind, item, bits, ((len(order), pixels, 1),), channels)


def _planar(kind: str, planes: tuple[tuple[int, int, int], ...], item: str, bits: int,
            wanted: tuple[int, ...], shift: int = 0) -> Layout:  # fmt: skip
    return Layout(kind, item, bits, planes, tuple((plane, (0,), shift) for plane in wanted))


@cache
def layouts() -> dict[str, Layout]:
    """All pixel formats whose samples can be told exactly."""
    one = (1, 1, 1)
    found = {"gray": _packed("gray", "k", "|u1", 8, "k"), "ya8": _packed("ya", "ka", "|u1", 8, "k")}
    for pattern in ("bggr", "rggb", "gbrg", "grbg"):
        found[f"bayer_{pattern}8"] = found["gray"]
    for order in ("rgb", "bgr"):
        found[f"{order}24"] = _packed("rgb", order, "|u1", 8, "rgb")
        found[f"{order}0"] = _packed("rgb", f"{order}x", "|u1", 8, "rgb")
        found[f"0{order}"] = _packed("rgb", f"x{order}", "|u1", 8, "rgb")
    for order in ("rgba", "bgra", "argb", "abgr"):
        found[order] = _packed("rgb", order, "|u1", 8, "rgba")
    found["gbrp"] = _planar("rgb", (one,) * 3, "|u1", 8, (2, 0, 1))
    found["gbrap"] = _planar("rgb", (one,) * 4, "|u1", 8, (2, 0, 1, 3))
    for name, order in {"yuyv422": "yuyv", "yvyu422": "yvyu", "uyvy422": "uyvy", "vyu444": "vyu",
                        "uyyvyy411": "uyyvyy", "ayuv": "ayuv", "vuya": "vuya", "vuyx": "vuyx",
                        "uyva": "uyva"}.items():  # fmt: skip
        found[name] = _packed("yuv", order, "|u1", 8, "y")
    halves = {
        "410": (4, 4),
        "411": (4, 1),
        "420": (2, 2),
        "422": (2, 1),
        "440": (1, 2),
        "444": (1, 1),
    }
    pairs = {"nv12": (2, 2), "nv21": (2, 2), "nv16": (2, 1), "nv24": (1, 1), "nv42": (1, 1)}
    for name, (across, down) in pairs.items():
        found[name] = _planar("yuv", (one, (2, across, down)), "|u1", 8, (0,))
    for name, (across, down) in halves.items():
        chroma = (1, across, down)
        found[f"yuv{name}p"] = found[f"yuvj{name}p"] = _planar(
            "yuv", (one, chroma, chroma), "|u1", 8, (0,)
        )
        found[f"yuva{name}p"] = _planar("yuv", (one, chroma, chroma, one), "|u1", 8, (0,))
        for bits, end in combinations((9, 10, 12, 14, 16), ("le", "be")):
            item = ("<" if end == "le" else ">") + "u2"
            found[f"yuv{name}p{bits}{end}"] = _planar(
                "yuv", (one, chroma, chroma), item, bits, (0,)
            )
            found[f"yuva{name}p{bits}{end}"] = _planar(
                "yuv", (one, chroma, chroma, one), item, bits, (0,)
            )
    for end in ("le", "be"):
        order = "<" if end == "le" else ">"
        for bits in (9, 10, 12, 14, 16):
            found[f"gray{bits}{end}"] = _packed("gray", "k", f"{order}u2", bits, "k")
            found[f"gbrp{bits}{end}"] = _planar("rgb", (one,) * 3, f"{order}u2", bits, (2, 0, 1))
            found[f"gbrap{bits}{end}"] = _planar(
                "rgb", (one,) * 4, f"{order}u2", bits, (2, 0, 1, 3)
            )
        for bits, family in combinations((10, 12, 16), ("p0", "p2", "p4")):
            across, down = {"p0": (2, 2), "p2": (2, 1), "p4": (1, 1)}[family]
            found[f"{family}{bits}{end}"] = _planar(
                "yuv", (one, (2, across, down)), f"{order}u2", bits, (0,), 16 - bits
            )
        for bits in (10, 12, 16):
            found[f"y2{bits}{end}"] = _packed("yuv", "yuyv", f"{order}u2", bits, "y", 16 - bits)
        for pattern in ("bggr", "rggb", "gbrg", "grbg"):
            found[f"bayer_{pattern}16{end}"] = found[f"gray16{end}"]
        found[f"ya16{end}"] = _packed("ya", "ka", f"{order}u2", 16, "k")
        for name in ("rgb", "bgr"):
            found[f"{name}48{end}"] = _packed("rgb", name, f"{order}u2", 16, "rgb")
            found[f"{name}a64{end}"] = _packed("rgb", f"{name}a", f"{order}u2", 16, "rgba")
            shifts = (20, 10, 0) if name == "rgb" else (0, 10, 20)
            channels = tuple((0, (0,), shift) for shift in shifts)
            found[f"x2{name}10{end}"] = Layout(
                "rgb", f"{order}u4", 10, (one,), channels, shared=True
            )
        found[f"ayuv64{end}"] = _packed("yuv", "ayuv", f"{order}u2", 16, "y")
        found[f"xv36{end}"] = _packed("yuv", "uyvx", f"{order}u2", 12, "y", 4)
        found[f"xv30{end}"] = Layout("yuv", f"{order}u4", 10, (one,), ((0, (0,), 10),), shared=True)
        found[f"grayf32{end}"] = _packed("gray", "k", f"{order}f4", 32, "k")
        found[f"gbrpf32{end}"] = _planar("rgb", (one,) * 3, f"{order}f4", 32, (2, 0, 1))
    return found


CODECS: dict[str, tuple[str, ...]] = {
    "rawvideo": ("rawvideo",), "ffv1": ("ffv1",), "ffv1 v3": ("ffv1", "-level", "3", "-slices", "4"),
    "ffvhuff": ("ffvhuff",), "huffyuv": ("huffyuv",), "utvideo": ("utvideo",),
    "magicyuv": ("magicyuv",), "png": ("png",), "qtrle": ("qtrle",), "zlib": ("zlib",),
    "x264": ("libx264", "-qp", "0", "-preset", "ultrafast"),
    "x264 B": ("libx264", "-qp", "0", "-bf", "2", "-g", "2"),
    "x264rgb": ("libx264rgb", "-qp", "0"), "x265": ("libx265", "-x265-params", "lossless=1:log-level=0"),
    "v210": ("v210",), "tiff": ("tiff",), "bmp": ("bmp",), "dpx": ("dpx",), "mjpeg": ("mjpeg",),
    "prores": ("prores_ks",), "jpegls": ("jpegls",), "mpeg4": ("mpeg4",), "vp9": ("libvpx-vp9", "-lossless", "1"),
}  # fmt: skip
RAW = ("nut", "mkv", "avi", "mov")
CODED = {"ffv1": RAW, "ffv1 v3": ("mkv",), "ffvhuff": ("avi", "mkv"), "huffyuv": ("avi",),
         "utvideo": ("avi", "mkv"), "magicyuv": ("avi",), "png": ("mov", "mkv"), "qtrle": ("mov",),
         "zlib": ("avi",), "x264": ("mp4", "mkv", "ts"), "x264 B": ("mp4", "mkv", "avi"),
         "x264rgb": ("mkv",), "x265": ("mp4",), "v210": ("mov", "avi"), "tiff": ("mkv",),
         "bmp": ("mov",), "dpx": ("mov",), "mjpeg": ("avi", "mov"), "prores": ("mov",),
         "jpegls": ("avi",), "mpeg4": ("mp4", "avi"), "vp9": ("webm",)}  # fmt: skip


def cases() -> Iterator[Case]:
    """All of them."""
    names = list(layouts())
    yield from _files(
        product(name=names, codec=["rawvideo"], container=RAW, size=[(18, 22), (17, 21)])
    )
    for codec, containers in CODED.items():
        size = [(66, 70)] if codec in ("x264", "x264 B", "x264rgb", "x265", "vp9") else [(18, 22)]
        yield from _files(product(name=names, codec=[codec], container=containers, size=size))
    yield from _cut()


@cache
def _taken(codec: str) -> frozenset[str]:
    """Names of the pixel formats that an encoder takes; of rawvideo all."""
    said = run("-h", f"encoder={CODECS[codec][0]}")[0].decode()
    found = re.search("Supported pixel formats: (.*)", said)
    return frozenset(found[1].split() if found else layouts())


def _files(rows: Iterator[Mapping[str, Any]]) -> Iterator[Case]:
    for row in rows:
        if row["name"] not in _taken(row["codec"]):
            continue
        kind = layouts()[row["name"]].kind
        for gray in {"yuv": [True, False], "ya": [False, True]}.get(kind, [False]):
            if (
                kind == "yuv"
                and not gray
                and (row["codec"], row["container"]) != ("rawvideo", "nut")
            ):
                continue
            yield Case(
                "video", f"{title(row)} gray={gray}", lambda folder, row=row: _make(folder, row),
                SourceOptions(gray=gray), converted=not gray and kind == "yuv",
                refusal=(kind == "ya" and not gray) or _unread(row),
            )  # fmt: skip


def _unread(row: Mapping[str, Any]) -> bool:
    """Whether older versions of FFmpeg do not read this, or any writes it short."""
    if row["codec"] == "rawvideo":
        return row["name"] == "gray" and row["container"] == "mov"
    return row["codec"] == "zlib" or "bayer" in row["name"]


def run(*arguments: Any) -> tuple[bytes, str]:
    """Run ffmpeg; return what it gives, and what it says."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-threads", "1"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, check=False)
    said = done.stderr.decode(errors="replace")
    if done.returncode:
        raise Unwritable(said)
    return done.stdout, said


def write(path: Path, name: str, codec: str, size: tuple[int, int], count: int = COUNT) -> bytes:
    """Write a video of random samples, and return these."""
    height, width = size
    raw = layouts()[name].raw(count, height, width)
    (path.parent / "in.raw").write_bytes(raw)
    run("-f", "rawvideo", "-pix_fmt", name, "-s", f"{width}x{height}", "-i", path.parent / "in.raw",
        "-pix_fmt", f"+{name}", "-threads", "1", "-c:v", *CODECS[codec], "-strict", "-2", path)  # fmt: skip
    return raw


def _make(folder: Path, row: Mapping[str, Any]) -> tuple[Path, list[Any]]:
    path, size = folder / f"x.{row['container']}", row["size"]
    raw = write(path, row["name"], row["codec"], size)
    decoded, said = run(
        "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-"
    )
    line = re.search(r"Stream #0:0.*?Video: (.*)", said.partition("Output #0")[2])
    found = re.search(r", (\w+)(\(|,)", line[1]) if line else None
    known = layouts().get(found[1]) if found else None
    # FFmpeg decodes H.264 that has luma only as YUV, with chroma that it makes up.
    luma_only = row["name"].startswith("gray") and row["codec"].startswith("x264")
    kinds = (layouts()[row["name"]].kind, "yuv" if luma_only else None)
    if known is None or known.kind not in kinds:
        raise Unwritable("the container has no name for the format, so all take it for another")
    truth = known.read(decoded, *size)
    lossy = row["codec"] in ("mjpeg", "prores", "mpeg4", "v210")
    # FFmpeg reads gray of its own uncompressed QuickTime files with black for white.
    inverted = row["codec"] == "rawvideo" and row["name"] == "gray" and row["container"] == "mov"
    same_format = (found[1] == row["name"] or luma_only) and not lossy and not inverted
    return path, [truth, layouts()[row["name"]].read(raw, *size) if same_format else None]


def _cut() -> Iterator[Case]:
    kinds = [("rawvideo", "avi"), ("rawvideo", "mov"), ("rawvideo", "mkv"), ("ffv1", "mkv"),
             ("ffv1", "avi"), ("x264", "mp4"), ("x264", "mkv"), ("huffyuv", "avi")]  # fmt: skip
    for row in product(kind=kinds, name=["gray", "yuv422p"], kept=[0.1, 0.3, 0.5, 0.7, 0.9, 0.98]):

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            codec, container = row["kind"]
            path = folder / f"x.{container}"
            raw = write(path, row["name"], codec, (66, 70), 12)
            data = path.read_bytes()
            path.write_bytes(data[: int(len(data) * row["kept"])])
            return path, [layouts()[row["name"]].read(raw, 66, 70)]

        yield Case("video cut short", title(row), make, SourceOptions(gray=True), refusal=True)
