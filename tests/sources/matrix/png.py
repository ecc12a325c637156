"""PNG files by hand, of every colour type, depth, filter and kind of transparency."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
from PIL import Image

from .core import Case, Unwritable, product, samples, title

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
DEPTHS = {GRAY: [1, 2, 4, 8, 16], RGB: [8, 16], PALETTE: [1, 2, 4, 8], GRAY_ALPHA: [8, 16],
          RGBA: [8, 16]}  # fmt: skip
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
         (1, 0, 2, 1)]  # fmt: skip
"""First row, first column and steps of the passes of an interlaced image."""
EXTRA = {
    "": b"",
    "gAMA": struct.pack(">I", 45455),
    "sRGB": b"\0",
    "iCCP": b"name\0\0" + zlib.compress(b"no profile at all"),
    "pHYs": struct.pack(">IIB", 2835, 2835, 1),
    "tEXt": b"Comment\0by hand",
    "eXIf": b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0",
}


def cases() -> Iterator[Case]:
    """All of them."""
    for colour, depths in DEPTHS.items():
        for row in product(
            bits=depths, interlaced=[False, True], size=[(19, 22), (1, 1), (3, 5)],
            filters=["01234", "0", "4"], key=[False, True], extra=EXTRA, pieces=[1, 3],
        ):  # fmt: skip
            if row["key"] and colour in (GRAY_ALPHA, RGBA):
                continue
            yield _by_hand(colour, row)
    yield from _by_programs()
    yield from _damaged()


def write(path: Path, chunks: list[tuple[bytes, bytes]]) -> None:
    """Write a PNG of chunks."""
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, body in chunks:
            crc = zlib.crc32(name + body)
            file.write(struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc))


def scanlines(values: Any, bits: int, filters: str) -> bytes:
    """Filter and put together the rows of ``(H, W, C)`` values."""
    if not values.size:
        return b""
    step = max(1, values.shape[2] * bits // 8)
    before = None
    out = bytearray()
    for number, line in enumerate(values):
        if bits == 16:
            row = line.astype(">u2").ravel().view(np.uint8)
        else:
            wide = np.unpackbits(line.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - bits :]
            row = np.packbits(wide.ravel())
        above = np.zeros_like(row) if before is None else before
        left, corner = (
            np.concatenate([np.zeros(step, np.uint8), one])[: len(row)] for one in (row, above)
        )
        which = int(filters[number % len(filters)])
        wide_left, wide_above, wide_corner = (one.astype(int) for one in (left, above, corner))
        guess = [
            np.zeros_like(wide_left), wide_left, wide_above, (wide_left + wide_above) // 2,
            _paeth(wide_left, wide_above, wide_corner),
        ][which]  # fmt: skip
        out += bytes([which]) + (row - guess.astype(np.uint8)).tobytes()
        before = row
    return bytes(out)


def _paeth(a: Any, b: Any, c: Any) -> Any:
    base = a + b - c
    near_a, near_b, near_c = abs(base - a), abs(base - b), abs(base - c)
    return np.where((near_a <= near_b) & (near_a <= near_c), a, np.where(near_b <= near_c, b, c))


def _by_hand(colour: int, row: Mapping[str, Any]) -> Case:
    def make(folder: Path) -> tuple[Path, list[Any]]:
        path, bits = folder / "x.png", row["bits"]
        shape = (1, *row["size"], CHANNELS[colour])
        values = samples(shape, "u2" if bits == 16 else "u1", bits)[0]
        passes = [values[y::dy, x::dx] for y, x, dy, dx in ADAM7] if row["interlaced"] else [values]
        data = zlib.compress(b"".join(scanlines(part, bits, row["filters"]) for part in passes))
        height, width = row["size"]
        head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, row["interlaced"])
        chunks = [(b"IHDR", head)]
        if row["extra"]:
            chunks.append((row["extra"].encode(), EXTRA[row["extra"]]))
        palette = samples((1, 1 << min(bits, 8), 3), "u1")[0]
        alphas = samples((1, 1, 1 << min(bits, 8)), "u1")[0, 0][: (1 << bits) - 1]
        if colour == PALETTE:
            chunks.append((b"PLTE", palette.tobytes()))
        key = values[0, 0]
        if row["key"]:
            keyed = alphas.tobytes() if colour == PALETTE else key.astype(">u2").tobytes()
            chunks.append((b"tRNS", keyed))
        step = -(-len(data) // row["pieces"])
        chunks += [(b"IDAT", data[at : at + step]) for at in range(0, len(data), step)]
        write(path, [*chunks, (b"IEND", b"")])
        truth = _meaning(values, bits, colour, palette, alphas, key if row["key"] else None)
        return path, [truth[None], lambda: _second(path, truth)]

    # A transparent value of 2 and 4 bits, or of 1, has no one meaning among decoders.
    refusal = row["key"] and colour == GRAY and row["bits"] < 8
    return Case("PNG", f"type={colour} {title(row)}", make, refusal=refusal)


def _meaning(values: Any, bits: int, colour: int, palette: Any, alphas: Any, key: Any) -> Any:
    """What a PNG is read as: `(H, W)`, or RGB, or RGBA where it has alpha or transparency."""
    if colour == PALETTE:
        colours = palette[values[..., 0]]
        if key is None:
            return colours
        all_alphas = np.full(256, 255, np.uint8)
        all_alphas[: len(alphas)] = alphas
        return np.concatenate([colours, all_alphas[values]], axis=-1)
    full = (1 << bits) - 1
    alpha = None if key is None else np.where((values == key).all(axis=-1, keepdims=True), 0, full)
    if bits < 8:
        values = values * (255 // full)
        alpha = None if alpha is None else alpha * (255 // full)
    if colour == GRAY and alpha is None:
        return values[..., 0].astype(bool) if bits == 1 else values[..., 0]
    if colour in (GRAY, GRAY_ALPHA):
        values = values[..., [0, 0, 0, *range(1, values.shape[2])]]
    if alpha is not None:
        values = np.concatenate([values, alpha.astype(values.dtype)], axis=-1)
    return values


def _second(path: Path, truth: Any) -> Any:
    """Libpng's picture, by imagecodecs or OpenCV, in the form of the truth."""
    try:
        found = imagecodecs.png_decode(path.read_bytes())
    except Exception:  # noqa: BLE001
        found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        found = found[..., [2, 1, 0, 3][: found.shape[2]]] if found.ndim == 3 else found
    if found.ndim == 3 and found.shape[2] == 2:
        found = found[..., [0, 0, 0, 1]]
    return (found != 0 if truth.dtype == bool else found)[None]


def _by_programs() -> Iterator[Case]:
    """By Pillow, OpenCV and imagecodecs."""
    for row in product(mode=["1", "L", "LA", "P", "RGB", "RGBA", "I;16"], optimize=[False, True],
                       level=[0, 1, 9], size=[(19, 22), (70, 33)]):  # fmt: skip

        def by_pillow(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            path, mode = folder / "x.png", row["mode"]
            bands = len(Image.new(mode, (1, 1)).getbands())
            kind = {"1": "?", "I;16": "u2"}.get(mode, "u1")
            frame = samples((1, *row["size"], bands), kind)[0]
            frame = frame[..., 0] if bands == 1 else frame
            image = Image.fromarray(frame)
            truth = frame
            if mode == "P":
                palette = samples((1, 256, 3), "u1")[0]
                image.putpalette(palette.tobytes())
                truth = palette[frame]
            elif mode == "LA":
                truth = frame[..., [0, 0, 0, 1]]
            image.save(path, optimize=row["optimize"], compress_level=row["level"])
            return path, [truth[None], lambda: _second(path, truth)]

        yield Case("PNG", f"Pillow {title(row)}", by_pillow)
    for row in product(program=["cv2", "imagecodecs"], dtype=["u1", "u2"], samples=[1, 2, 3, 4],
                       level=[0, 1, 9], strategy=[0, 1, 2, 3]):  # fmt: skip

        def by_others(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            path, count = folder / "x.png", row["samples"]
            frame = samples((1, 19, 22, count), row["dtype"])[0]
            frame = frame[..., 0] if count == 1 else frame
            if row["program"] == "imagecodecs":
                path.write_bytes(
                    imagecodecs.png_encode(frame, row["level"], strategy=row["strategy"])
                )
            elif count == 2:
                raise Unwritable
            else:
                swapped = frame[..., [2, 1, 0, 3][:count]] if count > 1 else frame
                flags = [cv2.IMWRITE_PNG_COMPRESSION, row["level"],
                         cv2.IMWRITE_PNG_STRATEGY, row["strategy"]]  # fmt: skip
                cv2.imwrite(str(path), np.ascontiguousarray(swapped), flags)
            truth = frame[..., [0, 0, 0, 1]] if count == 2 else frame
            return path, [truth[None], lambda: _second(path, truth)]

        yield Case("PNG", title(row), by_others)
    for row in product(mode=["L", "RGB", "RGBA"], pages=[2, 5]):

        def animated(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            bands = len(row["mode"])
            frames = samples((row["pages"], 19, 22, *([bands] if bands > 1 else [])), "u1")
            first, *others = [Image.fromarray(frame) for frame in frames]
            first.save(folder / "x.png", save_all=True, append_images=others)
            path = folder / "x.png"
            return path, [frames, lambda: imagecodecs.apng_decode(path.read_bytes())]

        yield Case("PNG", f"animated {title(row)}", animated)


def _damaged() -> Iterator[Case]:
    """Cut short, or with a byte that is another."""
    for row in product(dtype=["u1", "u2"], samples=[1, 3], place=[0.2, 0.4, 0.6, 0.8, 0.95],
                       how=["cut", "flipped"]):  # fmt: skip

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            frame = samples((1, 40, 50, row["samples"]), row["dtype"])[0]
            frame = frame[..., 0] if row["samples"] == 1 else frame
            data = bytearray(imagecodecs.png_encode(frame, 1))
            place = int(len(data) * row["place"])
            if row["how"] == "cut":
                del data[place:]
            else:
                data[place] ^= 0x10
            (folder / "x.png").write_bytes(data)
            return folder / "x.png", [frame[None]]

        yield Case("PNG damaged", title(row), make, refusal=True)
