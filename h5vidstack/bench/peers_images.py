"""Peers that store each frame as an image, in one file with a table of their places."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ..pool import default_workers, in_order
from .contestants import Contestant, Pixels, Reader

Coder = Callable[[Any], Any]
"""Turns an image into bytes, or back."""


def image_peers(frames: Pixels) -> Iterator[Contestant]:
    """Yield JPEG XL, JPEG 2000 and JPEG-LS of imagecodecs, lossless, on all cores."""
    dtype = frames.dtype
    small = dtype in (np.uint8, np.uint16)
    yield _images(
        "JPEG XL 7",
        lambda codecs: lambda frame: codecs.jpegxl_encode(frame, lossless=True, effort=7),
        lambda codecs: codecs.jpegxl_decode,
        None if small or dtype == np.float32 else f"takes no {dtype}",
    )
    yield _images(
        "JPEG 2000",
        lambda codecs: lambda frame: codecs.jpeg2k_encode(frame, level=0, reversible=True),
        lambda codecs: codecs.jpeg2k_decode,
        None if small else f"takes no {dtype}",
    )
    yield _images(
        "JPEG-LS",
        lambda codecs: codecs.jpegls_encode,
        lambda codecs: codecs.jpegls_decode,
        None if small else f"takes no {dtype}",
    )


class ImageFile:
    """A file of images laid end to end, then their ends as uint64, and last their number."""

    def __init__(self, path: Path, decode: Coder) -> None:
        self._bytes = np.memmap(path, np.uint8, "r")
        self._decode = decode
        (count,) = self._bytes[-8:].view("<u8")
        table = self._bytes[-8 - 8 * int(count) : -8]
        self._ends = np.frombuffer(table.tobytes(), "<u8").astype(np.int64)

    def __getitem__(self, key: Any) -> Pixels:
        if not isinstance(key, slice):
            return self._frame(key)
        numbers = range(*key.indices(len(self._ends)))
        first = self._frame(0)
        frames = np.empty((len(numbers), *first.shape), first.dtype)
        with ThreadPoolExecutor(default_workers()) as pool:
            for place, frame in enumerate(pool.map(self._frame, numbers)):
                frames[place] = frame
        return frames

    def _frame(self, number: int) -> Pixels:
        start = int(self._ends[number - 1]) if number else 0
        frame: Pixels = self._decode(self._bytes[start : int(self._ends[number])].tobytes())
        return frame


def write_images(frames: Pixels, path: Path, encode: Coder) -> None:
    """Write a file that `ImageFile` reads."""
    workers, ends, end = default_workers(), [], 0
    with ThreadPoolExecutor(workers) as pool, path.open("wb") as file:
        for image in in_order(pool, encode, map(np.ascontiguousarray, frames), 2 * workers):
            end += file.write(image)
            ends.append(end)
        file.write(np.array([*ends, len(ends)], "<u8").tobytes())


def _images(
    name: str,
    encoder: Callable[[Any], Coder],
    decoder: Callable[[Any], Coder],
    refusal: str | None,
) -> Contestant:
    def write(frames: Pixels, path: Path) -> None:
        import imagecodecs  # inside, because it is optional

        write_images(frames, path, encoder(imagecodecs))

    @contextlib.contextmanager
    def read(path: Path) -> Iterator[Reader]:
        import imagecodecs  # inside, because it is optional

        yield ImageFile(path, decoder(imagecodecs))

    return Contestant(name, write, read, needs=("imagecodecs",), refusal=refusal)
