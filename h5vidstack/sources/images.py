"""Frames from image files, by Pillow; TIFFs that it does not understand by tifffile."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from .base import Access, Array, FrameSource, LabelledFrames

IMAGE_SUFFIXES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}

# Pillow modes that are arrays as they stand; the others are converted, without loss
# where the mode allows: a palette becomes the colours it names.
_CONVERTED_MODES = {"P": "RGB", "PA": "RGBA", "LA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB"}

_Pages = tuple[int, Callable[[int], Array]]
"""How many pages a file has, and what gives one."""


def natural_key(name: str) -> list[tuple[bool, int, str]]:
    """Sort key that puts img2 before img10."""
    # re.split puts the runs of digits at the odd places.
    parts = enumerate(re.split(r"(\d+)", name))
    return [(place % 2 == 1, int(part) if place % 2 else 0, part) for place, part in parts]


def list_images(folder: Path) -> list[Path]:
    """Images directly in a folder, by the endings of their names."""
    found = [path for path in folder.iterdir() if is_image(path) and path.is_file()]
    if not found:
        endings = ", ".join(sorted(IMAGE_SUFFIXES))
        raise SourceError(f"the folder {folder} holds no image (no file ends in {endings})")
    return found


def is_image(path: Path) -> bool:
    """Whether a file's name ends as an image's."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


class ImageSource(FrameSource):
    """Images in natural order of their paths; each page of a multi-page file is a frame."""

    access = Access.AGAIN

    def __init__(self, paths: list[Path], name: str, gray: bool) -> None:
        ordered = sorted(paths, key=lambda path: natural_key(str(path)))
        self._places: list[tuple[Path, int, str]] = []  # of the frames read so far
        self._held = contextlib.ExitStack()  # the file that `take` opened last
        self._held_path: Path | None = None
        count = None if len(ordered) == 1 else len(ordered)
        super().__init__(self._read(ordered), name, count, gray)

    def _read(self, paths: list[Path]) -> LabelledFrames:
        for path in paths:
            with _open_pages(path) as (count, page):
                for number in range(count):
                    label = str(path) if count == 1 else f"page {number} of {path}"
                    self._places.append((path, number, label))
                    yield label, page(number)

    def take(self, numbers: npt.NDArray[np.intp]) -> Array:  # noqa: D102
        frames = np.empty((len(numbers), *self.frame), self.dtype)
        for frame, number in zip(frames, numbers, strict=True):
            path, page, label = self._places[number]
            if path != self._held_path:
                self._held.close()
                self._held_path = None
                self._pages = self._held.enter_context(_open_pages(path))
                self._held_path = path
            frame[...] = self._check(label, self._pages[1](page))
        return frames

    def close(self) -> None:  # noqa: D102
        self._held.close()
        super().close()


@contextlib.contextmanager
def _open_pages(path: Path) -> Iterator[_Pages]:
    """Open an image file; whatever goes wrong with it is a SourceError."""
    from PIL import Image, UnidentifiedImageError

    with contextlib.ExitStack() as cleanup:
        with _as_source_error(path):
            try:
                image = cleanup.enter_context(Image.open(path))
                count = getattr(image, "n_frames", 1)
            except UnidentifiedImageError as error:
                count, read = cleanup.enter_context(_open_tiff(path, error))
            else:

                def read(number: int) -> Array:
                    image.seek(number)
                    return _pixels(image)

        def page(number: int) -> Array:
            with _as_source_error(path):
                return read(number)

        yield count, page


@contextlib.contextmanager
def _as_source_error(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # readers let every kind out on damaged files
        raise SourceError(f"cannot read the image {path}: {error}") from error


def _pixels(image: Any) -> Array:
    if ";16" in str(image.tile) and image.mode in ("L", "LA", "RGB", "RGBA"):
        raise SourceError(
            "it has 16 bits a channel, which Pillow would cut to 8; "
            "read it with another library and pass the array"
        )
    mode = _CONVERTED_MODES.get(image.mode, image.mode)
    keyed = image.mode == "P" or (image.format == "PNG" and image.mode in ("L", "RGB"))
    if keyed and "transparency" in image.info:
        mode = "RGBA"
    return np.asarray(image if mode == image.mode else image.convert(mode))


@contextlib.contextmanager
def _open_tiff(path: Path, cause: Exception) -> Iterator[_Pages]:
    """Pages of a TIFF that Pillow does not understand."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise SourceError("not an image, or damaged") from cause
    try:
        import tifffile
    except ImportError as error:
        raise SourceError(
            "damaged, or a TIFF that Pillow does not understand and tifffile may: "
            'pip install "h5vidstack[tiff]"'
        ) from error
    with tifffile.TiffFile(path) as tiff:
        yield len(tiff.pages), lambda number: tiff.pages[number].asarray()
