"""Frames from files: images, NumPy arrays, videos, HDF5 datasets."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import SourceError
from ..filter import pipeline
from ..layout import (
    DEFAULT_STACK,
    SEPARATOR,
    damage_as_error,
    find_stacks,
    is_stack,
    split_target,
)
from ..reader import Stack
from .base import Array, ArraySource, FrameSource, LabelledFrames, Source, to_gray

IMAGE_SUFFIXES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}

VIDEO_FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,av1,obu,flv,asf,ogg,"
    "mxf,nut,dv,rm,wtv,yuv4mpegpipe,swf,vc1,mjpeg,nsv,roq,smk,bink,cine"
)
"""FFmpeg's names of the containers that are opened."""

# Pillow modes that are arrays as they stand; the others are converted, without loss
# where the mode allows: a palette becomes the colours it names.
_CONVERTED_MODES = {"P": "RGB", "PA": "RGBA", "LA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB"}


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


def image_source(paths: list[Path], name: str, gray: bool) -> Source:
    """Images in natural order of their paths; each page of a multi-page file is a frame."""
    ordered = sorted(paths, key=lambda path: natural_key(str(path)))
    count = None if len(ordered) == 1 else len(ordered)
    return FrameSource(_read_images(ordered), name, count, gray)


def _read_images(paths: list[Path]) -> LabelledFrames:
    from PIL import Image, UnidentifiedImageError

    for path in paths:
        try:
            with Image.open(path) as image:
                pages = getattr(image, "n_frames", 1)
                for page in range(pages):
                    image.seek(page)
                    label = str(path) if pages == 1 else f"page {page} of {path}"
                    yield label, _pixels(image)
        except SourceError as error:
            raise SourceError(f"cannot read the image {path}: {error}") from error
        except UnidentifiedImageError as error:
            yield from _read_tiff(path, error)
        except Exception as error:  # Pillow's readers let every kind out on damaged files
            raise SourceError(f"cannot read the image {path}: {error}") from error


def _pixels(image: Any) -> Array:
    if ";16" in str(image.tile) and image.mode in ("L", "LA", "RGB", "RGBA"):
        raise SourceError(
            "it has 16 bits a channel, which Pillow would cut to 8; "
            "read it with another library and pass the array"
        )
    mode = _CONVERTED_MODES.get(image.mode, image.mode)
    if image.mode == "P" and "transparency" in image.info:
        mode = "RGBA"
    return np.asarray(image if mode == image.mode else image.convert(mode))


def _read_tiff(path: Path, cause: Exception) -> LabelledFrames:
    """Pages of a TIFF that Pillow does not understand."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise SourceError(f"cannot read the image {path}: not an image, or damaged") from cause
    try:
        import tifffile
    except ImportError as error:
        raise SourceError(
            f"cannot read the image {path} with Pillow; damaged, or a TIFF that needs "
            'tifffile: pip install "h5vidstack[tiff]"'
        ) from error
    try:
        with tifffile.TiffFile(path) as tiff:
            for number, page in enumerate(tiff.pages):
                yield f"page {number} of {path}", page.asarray()
    except Exception as error:  # as with Pillow
        raise SourceError(f"cannot read the image {path}: {error}") from error


def npy_source(path: Path, gray: bool) -> Source:
    """An ``.npy`` array, memory-mapped."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read {path}: {error}") from error
    return ArraySource(array, str(path), gray=gray)


def video_source(path: Path, gray: bool) -> Source:
    """The first video stream of a file, gray or RGB by its pixel format."""
    import av

    try:
        with _open_video(path) as container:
            if not container.streams.video:
                raise SourceError(f"{path} holds no video stream")
            count = container.streams.video[0].frames or None
    except av.FFmpegError as error:
        raise SourceError(
            f"{path} is no input that h5vidstack knows (images, .npy, HDF5, video): "
            f"{error.strerror}"
        ) from error
    return FrameSource(_read_video(path, gray), str(path), count, gray)


def _open_video(path: Path) -> Any:
    """Open a file as a video, and as nothing else that FFmpeg reads (text, play lists)."""
    import av

    # "file:" so that a colon in the name is no protocol.
    return av.open(f"file:{path}", options={"format_whitelist": VIDEO_FORMATS})


def _read_video(path: Path, gray: bool) -> LabelledFrames:
    import av

    number = 0
    try:
        with _open_video(path) as container:
            for frame in container.decode(video=0):
                yield f"frame {number} of {path}", _video_pixels(frame, gray)
                number += 1
    except av.FFmpegError as error:
        raise SourceError(f"cannot decode frame {number} of {path}: {error}") from error


def _video_pixels(frame: Any, gray: bool) -> Array:
    """Pixels of a decoded frame: plane 0 as it is for gray, else RGB by swscale."""
    layout = frame.format
    deep = max(component.bits for component in layout.components) > 8
    planar_luma = layout.is_planar and not layout.is_rgb
    if layout.name.startswith("gray") or (gray and planar_luma):
        plane = frame.planes[0]
        dtype = np.dtype(np.uint16 if deep else np.uint8)
        dtype = dtype.newbyteorder(">" if layout.is_big_endian else "<")
        rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
        return rows[:, : plane.width].astype(dtype.newbyteorder("="))
    pixels: Array = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
    return to_gray(pixels) if gray else pixels


def hdf5_source(name: str, gray: bool) -> Source:
    """``file.h5::/path``: a dataset of at least three axes, or a stack."""
    path, inner = split_target(name)
    inner = inner or DEFAULT_STACK
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise SourceError(f"{path} is not an HDF5 file, or is damaged: {error}") from error
    with contextlib.ExitStack() as cleanup, damage_as_error(name):
        cleanup.callback(file.close)
        node = file.get(inner)
        if isinstance(node, h5py.Dataset) and node.ndim >= 3:
            _check_filters(node, name)
            source = ArraySource(node, name, gray=gray, owner=file)
            cleanup.pop_all()  # the source closes the file
            return source
        if not is_stack(node):
            raise SourceError(
                f"{name} names no stack of images; in {path} would do: {_candidates(file)}"
            )
    stack = Stack(path, inner)
    return ArraySource(stack, name, gray=gray, owner=stack)


def _check_filters(dataset: h5py.Dataset, name: str) -> None:
    for code, _, _, label in pipeline(dataset):
        if not h5py.h5z.filter_avail(code):
            raise SourceError(
                f"{name} needs the HDF5 filter {code} ({label.decode(errors='replace')}); "
                "many are in hdf5plugin: pip install hdf5plugin, then import it first"
            )


def _candidates(file: h5py.File) -> str:
    """Datasets of a file that can be packed, for an error message."""
    stacks = find_stacks(file)
    found = [f"{SEPARATOR}{stack} (stack)" for stack in stacks]

    def visit(path: str, node: h5py.HLObject) -> None:
        in_a_stack = any(f"/{path}".startswith(f"{stack}/") for stack in stacks)
        if isinstance(node, h5py.Dataset) and node.ndim >= 3 and not in_a_stack:
            found.append(f"{SEPARATOR}/{path} {node.shape} {node.dtype}")

    file.visititems(visit)
    return ", ".join(found) or "none (no dataset has three axes or more)"
