"""JPEG, BMP, GIF and WebP files by Pillow, OpenCV, imagecodecs and by hand."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
from frames import moving
from PIL import Image

from .core import Case, Unwritable, product, samples, title


def cases() -> Iterator[Case]:
    """All of them."""
    for group in (_jpeg, _jpeg_by_others, _bmp, _gif, _webp, _animated_webp, _cut):
        yield from group()


def swapped(frame: Any) -> Any:
    """OpenCV's order of colours, and back."""
    return (
        np.ascontiguousarray(frame[..., [2, 1, 0, 3][: frame.shape[2]]])
        if frame.ndim == 3
        else frame
    )


def _smooth(size: tuple[int, int], channels: int) -> Any:
    frame = moving((1, *size, channels))[0] if channels > 1 else moving((1, *size))[0]
    return np.ascontiguousarray(frame)


# JPEG: all decoders here are libjpeg-turbo, each built and called by another program. -----------


def _jpeg() -> Iterator[Case]:
    exif = Image.Exif()
    exif[274] = 6
    for row in product(
        mode=["L", "RGB", "CMYK"], size=[(19, 22), (40, 33), (8, 8)], quality=[30, 90, 100],
        subsampling=[0, 1, 2], progressive=[False, True], exif=[False, True], pages=[1, 2],
    ):  # fmt: skip
        if row["mode"] != "RGB" and row["subsampling"] != 0:
            continue

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            path, mode = folder / "x.jpg", row["mode"]
            frame = _smooth(row["size"], {"L": 1, "RGB": 3, "CMYK": 4}[mode])
            image = Image.frombytes(mode, frame.shape[1::-1], frame.tobytes())
            how = {name: row[name] for name in ("quality", "subsampling", "progressive")}
            how |= {"exif": exif} if row["exif"] else {}
            if row["pages"] > 1:
                if mode != "RGB":
                    raise Unwritable
                more = Image.fromarray(frame[::2, ::2])
                image.save(path, "MPO", save_all=True, append_images=[more], **how)
            else:
                image.save(path, **how)
            return path, [lambda: imagecodecs.jpeg8_decode(path.read_bytes())[None]]

        yield Case("JPEG", f"Pillow {title(row)}", make, refusal=row["mode"] == "CMYK")


def _jpeg_by_others() -> Iterator[Case]:
    for row in product(
        program=["cv2", "imagecodecs"], channels=[1, 3], size=[(19, 22), (64, 48)],
        quality=[50, 95], subsampling=["444", "422", "420", "440", "411"], progressive=[0, 1],
        restart=[0, 3],
    ):  # fmt: skip

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            path, frame = folder / "x.jpg", _smooth(row["size"], row["channels"])
            if row["program"] == "cv2":
                factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{row['subsampling']}")
                flags = [cv2.IMWRITE_JPEG_QUALITY, row["quality"],
                         cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor,
                         cv2.IMWRITE_JPEG_PROGRESSIVE, row["progressive"],
                         cv2.IMWRITE_JPEG_RST_INTERVAL, row["restart"]]  # fmt: skip
                cv2.imwrite(str(path), swapped(frame), flags)
            elif row["progressive"] or row["restart"]:
                raise Unwritable
            else:
                how = {"subsampling": row["subsampling"]} if row["channels"] == 3 else {}
                try:
                    data = imagecodecs.jpeg8_encode(frame, row["quality"], **how)
                except Exception as error:
                    raise Unwritable from error
                path.write_bytes(data)
            return path, [
                lambda: imagecodecs.jpeg8_decode(path.read_bytes())[None],
                lambda: swapped(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))[None],
            ]

        yield Case("JPEG", title(row), make)
    for row in product(space=["RGB", "CMYK", "YCCK"], bits=[8, 12, 16], lossless=[False, True],
                       channels=[1, 3, 4]):  # fmt: skip

        def odd(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            path, bits = folder / "x.jpg", row["bits"]
            shape = (1, 24, 32) if row["channels"] == 1 else (1, 24, 32, row["channels"])
            frame = samples(shape, "u1" if bits == 8 else "u2", bits)[0]
            space = "GRAYSCALE" if row["channels"] == 1 else row["space"]
            inks = "CMYK" if row["channels"] == 4 else space
            try:
                data = imagecodecs.jpeg8_encode(
                    frame, 95, colorspace=inks, outcolorspace=space, lossless=row["lossless"],
                    bitspersample=bits, subsampling="444",
                )  # fmt: skip
            except Exception as error:
                raise Unwritable from error
            path.write_bytes(data)
            if row["lossless"] and space in ("GRAYSCALE", "RGB"):
                return path, [frame[None]]
            return path, [lambda: imagecodecs.jpeg8_decode(data)[None]]

        yield Case("JPEG", f"odd {title(row)}", odd, refusal=True)


# BMP --------------------------------------------------------------------------------------------


def _bmp() -> Iterator[Case]:
    for row in product(
        bits=[1, 4, 8, 16, 24, 32], size=[(19, 22), (3, 5), (1, 1)], down=[False, True],
        header=[12, 40, 52, 56, 108, 124], compression=["", "rle", "fields"], gray=[False, True],
        alpha=[False, True],
    ):  # fmt: skip
        bits, compression = row["bits"], row["compression"]
        if compression == "rle" and (bits not in (4, 8) or row["down"] or row["header"] != 40):
            continue
        if compression == "fields" and (bits not in (16, 32) or row["header"] == 12):
            continue
        if row["gray"] and bits > 8:
            continue
        if row["alpha"] and (bits != 32 or compression != "fields" or row["header"] < 56):
            continue
        if row["header"] == 12 and (row["down"] or bits in (16, 32)):
            continue
        usual = row["header"] in (40, 108, 124) and compression == "" and bits != 16
        yield Case("BMP", title(row), lambda f, row=row: _make_bmp(f, row), refusal=not usual)
    for row in product(mode=["1", "L", "P", "RGB", "RGBA"], program=["Pillow", "cv2"],
                       size=[(19, 22), (3, 5)]):  # fmt: skip

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            path, mode = folder / "x.bmp", row["mode"]
            channels = {"RGB": 3, "RGBA": 4}.get(mode)
            shape = (1, *row["size"]) if channels is None else (1, *row["size"], channels)
            frame = truth = samples(shape, "?" if mode == "1" else "u1")[0]
            if row["program"] == "cv2":
                if mode in ("1", "P"):
                    raise Unwritable
                cv2.imwrite(str(path), swapped(frame))
            else:
                image = Image.fromarray(frame)
                if mode == "P":
                    palette = samples((1, 256, 3), "u1")[0]
                    image.putpalette(palette.tobytes())
                    truth = palette[frame]
                image.save(path)
            return path, [truth[None]]

        yield Case("BMP", title(row), make, refusal=row["mode"] == "RGBA")


def _make_bmp(folder: Path, row: Mapping[str, Any]) -> tuple[Path, list[Any]]:
    path, bits, compression = folder / "x.bmp", row["bits"], row["compression"]
    height, width = row["size"]
    palette, masks = b"", b""
    if bits <= 8:
        values = samples((1, height, width), "u1", bits)[0]
        colours = samples((1, 1 << bits, 3), "u1")[0]
        if row["gray"]:
            levels = np.linspace(0, 255, 1 << bits).astype(np.uint8)
            colours = np.repeat(levels[:, None], 3, axis=1)
        truth = colours[values]
        if row["gray"]:
            truth = truth[..., 0] != 0 if bits == 1 else truth[..., 0]
        entries = np.zeros((1 << bits, 3 if row["header"] == 12 else 4), np.uint8)
        entries[:, :3] = colours[:, ::-1]
        palette = entries.tobytes()
        lines = [_bits_row(line, bits) for line in values]
    elif bits == 16:
        values = samples((1, height, width), "u2")[0]
        green = 6 if compression else 5
        parts = [(values >> (5 + green), 5), (values >> 5, green), (values, 5)]
        truth = np.stack(
            [np.rint((part & ((1 << n) - 1)) * 255 / ((1 << n) - 1)) for part, n in parts], axis=-1
        ).astype(np.uint8)
        lines = [line.astype("<u2").tobytes() for line in values]
        masks = struct.pack("<4I", 31 << (5 + green), ((1 << green) - 1) << 5, 31, 0)
    else:
        truth = samples((1, height, width, 4 if row["alpha"] else 3), "u1")[0]
        stored = truth[..., [2, 1, 0, *range(3, truth.shape[2])]]
        if bits == 32 and not row["alpha"]:
            stored = np.pad(stored, ((0, 0), (0, 0), (0, 1)))
        lines = [line.tobytes() for line in stored]
        masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000 if row["alpha"] else 0)
    lines = [line + bytes(-len(line) % 4) for line in lines]
    data = b"".join(lines if row["down"] else lines[::-1])
    if compression == "rle":
        data = _run_lengths(values[::-1], bits)
    code = {"": 0, "rle": 2 if bits == 4 else 1, "fields": 3}[compression]
    used = masks if compression == "fields" else b""
    if row["header"] == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", row["header"], width, -height if row["down"] else height,
                           1, bits, code, len(data), 2835, 2835, 0, 0)  # fmt: skip
        inside = {52: 12, 56: 16}.get(row["header"], 16 if row["header"] > 56 else 0)
        info += used[:inside].ljust(row["header"] - 40, b"\0")
        if row["header"] == 40:
            info += used[:12]
    start = 14 + len(info) + len(palette)
    path.write_bytes(
        struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start) + info + palette + data
    )
    # Decoders make 8 bits of 5 in more than one way; OpenCV takes OS/2's header for another size.
    known_only = bits == 16 or row["header"] == 12
    return path, [truth[None], None if known_only else lambda: _second_bmp(path, truth)]


def _second_bmp(path: Path, truth: Any) -> Any:
    """OpenCV's picture; it makes colours of gray, and knows no single bits."""
    found = swapped(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
    if truth.ndim == 2 and found.ndim == 3:
        found = found[..., 0]
    if truth.ndim == 3:
        found = found[..., : truth.shape[2]]
    return (found != 0 if truth.dtype == bool else found)[None]


def _bits_row(line: Any, bits: int) -> bytes:
    wide = np.unpackbits(line.reshape(-1, 1), axis=1)[:, 8 - bits :]
    return bytes(np.packbits(wide.ravel()).tobytes())


def _run_lengths(lines: Any, bits: int) -> bytes:
    out = bytearray()
    for line in lines:
        for value in line.tolist():
            out += bytes([1, value << 4 if bits == 4 else value])
        out += b"\0\0"
    return bytes(out + b"\0\1")


# GIF and WebP -----------------------------------------------------------------------------------


def _gif() -> Iterator[Case]:
    for row in product(
        colours=["gray", "palette"], pages=[1, 4], size=[(19, 22), (5, 3)], interlace=[0, 1],
        key=[False, True], loop=[False, True], program=["Pillow", "imagecodecs"],
    ):  # fmt: skip

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            path = folder / "x.gif"
            numbers = samples((row["pages"], *row["size"]), "u1")
            palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
            if row["colours"] == "palette":
                palette = samples((1, 256, 3), "u1")[0]
            if row["program"] == "imagecodecs":
                if row["key"] or row["interlace"] or row["loop"]:
                    raise Unwritable
                path.write_bytes(imagecodecs.gif_encode(numbers, colormap=palette.copy()))
            else:
                images = [Image.fromarray(one) for one in numbers]
                for image in images:
                    if row["colours"] == "palette":
                        image.putpalette(palette.tobytes())
                how = {"loop": 0} if row["loop"] else {}
                how |= {"transparency": 7} if row["key"] else {}
                images[0].save(path, save_all=row["pages"] > 1, append_images=images[1:],
                               interlace=row["interlace"], optimize=False, **how)  # fmt: skip
            truth = palette[numbers]
            if row["key"]:
                return path, [_shown(numbers, palette)]
            gray = row["colours"] == "gray"
            return path, [truth[..., 0] if gray else truth, lambda: _second_gif(path, gray=gray)]

        yield Case("GIF", title(row), make, refusal=row["key"])


def _shown(numbers: Any, palette: Any) -> Any:
    """What is seen of pictures in which 7 lets those before shine through."""
    colours = np.concatenate([palette, np.full((256, 1), 255, np.uint8)], axis=1)
    colours[7, 3] = 0
    shown = colours[numbers]
    for number in range(1, len(numbers)):
        through = numbers[number] == 7
        shown[number][through] = shown[number - 1][through]
    return shown


def _second_gif(path: Path, *, gray: bool = False) -> Any:
    """Giflib's pictures."""
    found = np.asarray(imagecodecs.gif_decode(path.read_bytes(), asrgb=True))
    found = found if found.ndim == 4 else found[None]
    return found[..., 0] if gray else found[..., :3]


def _webp() -> Iterator[Case]:
    for row in product(
        lossless=[False, True], alpha=[False, True], size=[(19, 22), (40, 33)], quality=[50, 100],
        program=["Pillow", "imagecodecs", "cv2"], exif=[False, True],
    ):  # fmt: skip

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            path = folder / "x.webp"
            frame = _smooth(row["size"], 4 if row["alpha"] else 3)
            if row["program"] == "Pillow":
                exif = Image.Exif()
                exif[274] = 6
                how = {"exif": exif} if row["exif"] else {}
                Image.fromarray(frame).save(path, lossless=row["lossless"], exact=True,
                                            quality=row["quality"], **how)  # fmt: skip
            elif row["exif"]:
                raise Unwritable
            elif row["program"] == "cv2":
                quality = 101 if row["lossless"] else row["quality"]
                cv2.imwrite(str(path), swapped(frame), [cv2.IMWRITE_WEBP_QUALITY, quality])
            else:
                path.write_bytes(imagecodecs.webp_encode(
                    frame, row["quality"], lossless=row["lossless"]))  # fmt: skip
            exact = row["lossless"] and row["program"] == "Pillow"
            return path, [
                *([frame[None]] if exact else []),
                lambda: imagecodecs.webp_decode(path.read_bytes())[None],
            ]

        yield Case("WebP", title(row), make)


def _animated_webp() -> Iterator[Case]:
    for row in product(lossless=[False, True], channels=[3, 4], pages=[2, 5]):

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            frames = moving((row["pages"], 19, 22, row["channels"]))
            if row["channels"] == 4:
                frames[..., 3] |= 128
            first, *others = [Image.fromarray(frame) for frame in frames]
            path = folder / "x.webp"
            first.save(path, save_all=True, append_images=others, lossless=row["lossless"],
                       exact=True, minimize_size=False)  # fmt: skip
            exact = row["lossless"] and row["channels"] == 3
            return path, [lambda: _second_webp(path, row), lambda: _opaque(path, frames, exact)]

        yield Case("WebP", f"animated {title(row)}", make)


def _second_webp(path: Path, row: Mapping[str, Any]) -> Any:
    data = path.read_bytes()
    return np.stack([imagecodecs.webp_decode(data, index=page) for page in range(row["pages"])])


def _opaque(path: Path, frames: Any, exact: bool) -> Any:
    """What was written; an animation may state alpha, though no pixel has any."""
    if not exact:
        raise ValueError(path)
    alpha = path.read_bytes()[20] & 16
    return np.pad(frames, ((0, 0),) * 3 + ((0, 1),), constant_values=255) if alpha else frames


# Damage -----------------------------------------------------------------------------------------


def _cut() -> Iterator[Case]:
    for row in product(suffix=["jpg", "bmp", "gif", "webp"], mode=["L", "RGB"], pages=[1, 3],
                       kept=[0.05, 0.3, 0.6, 0.9, 0.97, 0.995]):  # fmt: skip

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            shape = (3, 60, 50) if row["mode"] == "L" else (3, 60, 50, 3)
            images = [Image.fromarray(one) for one in moving(shape)]
            more = {"save_all": True, "append_images": images[1:]} if row["pages"] > 1 else {}
            if more and row["suffix"] in ("jpg", "bmp"):
                raise Unwritable
            buffer = io.BytesIO()
            images[0].save(buffer, {"jpg": "JPEG"}.get(row["suffix"], row["suffix"]), **more)
            data = buffer.getvalue()
            path = folder / f"x.{row['suffix']}"
            path.write_bytes(data[: int(len(data) * row["kept"])])
            with Image.open(io.BytesIO(data)) as image:
                whole = np.asarray(image.convert(row["mode"]))[None]
            return path, [whole if row["pages"] == 1 else None]

        yield Case("images cut short", title(row), make, refusal=True)
