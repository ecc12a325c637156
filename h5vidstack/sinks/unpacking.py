"""The unpacking of stacks to images, multi-page TIFF, NumPy arrays and plain HDF5 datasets."""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from PIL import Image, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

from ..errors import OutputError
from ..layout.dataset_metadata import describe_dataset
from ..layout.names import SEPARATOR, split_target
from ..layout.output import complete_or_absent, open_hdf5_output
from ..pool import Progress, Step, default_workers, in_order
from ..reading.stack_reader import StackReader
from ..shapes import Pixels, Shape, window_frames
from ..sources.overlap import refuse_source

IMAGE_FORMATS = ("png", "tiff")
STREAM_FORMATS = ("npy", "png", "tiff", "raw")
_EXACT = {"png": {"b1": (1,), "u1": (1, 3, 4), "u2": (1,)}}
_EXACT["tiff"] = _EXACT["png"] | {"i4": (1,), "f4": (1,)}
"""The pixels that Pillow writes exactly: dtypes, each with the numbers of channels."""
_CLASSIC_TIFF_BYTES = 4_000_000_000
"""Larger files are written as BigTIFF, because offsets in classic TIFF have 32 bits."""

Frames = Iterator[Pixels]
Numbers = np.ndarray[Any, np.dtype[np.intp]]

_MAKER = "h5vidstack unpack"
"""The name of the software in each image of an unpacked folder."""
_HEAD = 4096
"""This many bytes at the beginning of such an image contain the name."""


def unpack(
    source: StackReader | str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    frames: slice | int | Sequence[int] | None = None,
    image_format: str = "png",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> int:
    """Write the frames of a stack to other formats, bit for bit.

    Parameters
    ----------
    source
        A stack, or where it is: ``file.h5`` or ``file.h5::/path``.
    target
        ``x.tif`` is a multi-page TIFF, and ``x.npy`` a NumPy array. ``x.h5::/path`` is a plain
        dataset with dimension scales, coordinates and attributes, which is added to an existing
        file. A name without an ending is a folder of
        images, each named by its frame number.
    frames
        The numbers of the frames to write; None means all. With all frames, ``.npy`` and HDF5 get
        back the axes that the source had.
    image_format
        The format of the images in a folder: ``"png"`` or ``"tiff"``.
    overwrite
        Replace an existing target. A folder is replaced only if it holds nothing but unpacked
        frames.
    progress
        Called with a `Step` as frames are written.

    Returns
    -------
    int
        The number of frames that were written.

    Raises
    ------
    OutputError
        If there is no such frame, or if the target exists, cannot be written, or has an unknown
        ending. The target is then as it was before.
    BlockError
        If a block is damaged.
    """
    if not isinstance(source, StackReader):
        with StackReader(source) as stack:
            return unpack(
                stack,
                target,
                frames=frames,
                image_format=image_format,
                overwrite=overwrite,
                progress=progress,
            )
    refuse_source(target, f"{source.path}{SEPARATOR}{source.stack}")
    path, inner = split_target(target)
    kind = path.suffix.lower()
    as_folder = is_folder(target)
    chosen = _chosen(frames, len(source))
    if as_folder:
        chosen = np.array(list(dict.fromkeys(chosen.tolist())))  # one file a frame
    moving = _reporting(_read(source, None if frames is None else chosen), len(chosen), progress)
    leading: Shape = source.leading_shape if frames is None else (len(chosen),)
    shape: Shape = (*leading, *source.shape[1:])
    if inner is not None:
        with open_hdf5_output(path, inner, overwrite, plain=True) as file:
            dataset = _write_hdf5(file, inner, moving, leading, shape, source.dtype)
            metadata = source.metadata.checked(source.leading_shape, source.shape[1:])
            if frames is not None:
                metadata = metadata.take(chosen, source.leading_shape)
            describe_dataset(dataset.parent, dataset, metadata, leading, source.shape[1:])
    elif kind == ".npy":
        with (
            complete_or_absent(path, overwrite=overwrite) as temporary,
            temporary.open("wb") as file,
        ):
            _write_npy(file, moving, shape, source.dtype)
    elif kind in (".tif", ".tiff"):
        _check_pixels(source, "tiff")
        with complete_or_absent(path, overwrite=overwrite) as temporary:
            _write_tiff(temporary, moving, source.nbytes > _CLASSIC_TIFF_BYTES)
    elif as_folder:
        _check_folder(path)
        if image_format not in IMAGE_FORMATS:
            raise OutputError(f"no image format {image_format!r}; there are png and tiff")
        _check_pixels(source, image_format)
        with complete_or_absent(path, overwrite=overwrite, folder=True) as temporary:
            _write_images(temporary, moving, chosen, image_format, len(source))
    else:
        hint = f" (for HDF5 name the dataset: {path}{SEPARATOR}/data)" if "h" in kind else ""
        raise OutputError(
            f"cannot unpack to {path}{hint}: give a folder, x.tif, x.npy or x.h5{SEPARATOR}/path"
        )
    return len(chosen)


def is_folder(target: str | os.PathLike[str]) -> bool:
    """Return whether `unpack` takes this for a folder of images."""
    path, inner = split_target(target)
    return inner is None and (path.suffix == "" or path.is_dir() or os.fspath(target).endswith("/"))


def stream(
    stack: StackReader,
    out: BinaryIO,
    image_format: str,
    *,
    frames: slice | int | Sequence[int] | None = None,
    progress: Progress | None = None,
) -> None:
    """Write frames to a pipe, bit for bit.

    Parameters
    ----------
    out
        A binary file; it is only written to, from its first byte to its last.
    image_format
        ``"npy"``; ``"raw"``, pixels as they lie in memory; ``"tiff"``, one page for each frame; or
        ``"png"``, for one frame.
    frames, progress
        As in `unpack`.

    Raises
    ------
    OutputError
        If there is no such frame, or the format cannot hold the frames.
    BlockError
        If a block is damaged. The frames before it were written.
    """
    chosen = _chosen(frames, len(stack))
    moving = _reporting(_read(stack, None if frames is None else chosen), len(chosen), progress)
    leading: Shape = stack.leading_shape if frames is None else (len(chosen),)
    if image_format == "npy":
        _write_npy(out, moving, (*leading, *stack.shape[1:]), stack.dtype)
    elif image_format == "raw":
        _write_raw(out, moving)
    else:
        _check_pixels(stack, image_format)
        if image_format == "png" and len(chosen) != 1:
            raise OutputError(f"a PNG holds one frame, not {len(chosen)}: choose it by --frames")
        with tempfile.TemporaryFile() as whole:
            if image_format == "png":
                _image(next(moving)).save(whole, "PNG")
            else:
                _write_tiff(whole, moving, stack.nbytes > _CLASSIC_TIFF_BYTES)
            whole.seek(0)
            shutil.copyfileobj(whole, out)


def _chosen(frames: slice | int | Sequence[int] | None, count: int) -> Numbers:
    """Return the wanted frame numbers, counted from the beginning."""
    numbers = np.arange(count)
    if frames is None:
        return numbers
    if isinstance(frames, slice):
        if not len(numbers[frames]):
            raise OutputError(f"no frames in that range: the stack has {count}, 0 to {count - 1}")
        return numbers[frames]
    wanted = [frames] if isinstance(frames, int) else list(frames)
    wrong = [number for number in wanted if not -count <= number < count]
    if wrong or not wanted:
        which = f" {wrong[0]}" if wrong else "s to unpack"
        raise OutputError(f"no frame{which}: the stack has {count}, 0 to {count - 1}")
    return numbers[wanted]


def _check_pixels(stack: StackReader, image_format: str) -> None:
    """Raise OutputError for pixels that an image would not hold exactly."""
    channels = stack.shape[3] if stack.ndim == 4 else 1
    dtype = f"{stack.dtype.kind}{stack.dtype.itemsize}"
    if channels in _EXACT[image_format].get(dtype, ()):
        return
    also = " or --format tiff (or x.tif)" if channels in _EXACT["tiff"].get(dtype, ()) else ""
    raise OutputError(
        f"{image_format.upper()} images would not hold {stack.dtype} pixels of {channels} "
        f"channel{'s' * (channels > 1)} exactly; unpack to x.npy or x.h5{SEPARATOR}/path{also}"
    )


def _check_folder(path: Path) -> None:
    """Raise OutputError for a folder that holds anything but unpacked frames.

    Other programs use such names for frames, too. So each image must name this one as its maker.
    """
    if not path.is_dir():
        return
    for found in path.iterdir():
        head = b""
        if re.fullmatch(r"frame_\d+\.(png|tiff)", found.name) and found.is_file():
            with found.open("rb") as file:
                head = file.read(_HEAD)
        if _MAKER.encode() not in head:
            raise OutputError(
                f"{path} holds {found.name}, which is no frame unpacked by h5vidstack; unpack to "
                "another folder, or remove this one if nobody needs it"
            )


def _read(stack: StackReader, numbers: Numbers | None) -> Frames:
    """Yield all frames with read-ahead, or some frames, a few blocks at a time."""
    if numbers is None:
        yield from stack
        return
    window = window_frames(stack.shape[1:], stack.dtype.itemsize)
    step = max(stack.chunks[0] * default_workers(), window)
    for start in range(0, len(numbers), step):
        yield from stack[numbers[start : start + step]]


def _reporting(frames: Frames, count: int, progress: Progress | None) -> Frames:
    for done, frame in enumerate(frames, 1):
        yield frame
        if progress is not None:
            progress(Step(done, count))


def _write_npy(file: BinaryIO, frames: Frames, shape: Shape, dtype: np.dtype[Any]) -> None:
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    _write_raw(file, frames)


def _write_raw(file: BinaryIO, frames: Frames) -> None:
    for frame in frames:
        file.write(np.ascontiguousarray(frame).data)


def _write_hdf5(
    file: Any, inner: str, frames: Frames, leading: Shape, shape: Shape, dtype: np.dtype[Any]
) -> h5py.Dataset:
    dataset = file.create_dataset(inner, shape=shape, dtype=dtype)
    for number, frame in enumerate(frames):
        dataset[np.unravel_index(number, leading)] = frame
    return dataset


def _write_tiff(file: Any, frames: Frames, big: bool) -> None:
    """Write pages to a path, or to a file that can also be read and sought in."""
    writer = TiffImagePlugin.AppendingTiffWriter(file, new=True)
    try:
        for frame in frames:
            _image(frame).save(writer, format="TIFF", big_tiff=big)
            writer.newFrame()
    finally:
        writer.close()
        writer.f = io.BytesIO()  # Pillow closes its file again when it deletes the writer


def _image(frame: Pixels) -> Image.Image:
    """Return a frame as Pillow's image, which has pixels in native byte order."""
    return Image.fromarray(frame.astype(frame.dtype.newbyteorder("="), copy=False))


def _write_images(
    folder: Path, frames: Frames, numbers: Numbers, image_format: str, count: int
) -> None:
    digits = max(6, len(str(count - 1)))
    png = PngInfo()
    png.add_text("Software", _MAKER)
    marks: dict[str, Any] = {"png": {"pnginfo": png}, "tiff": {"software": _MAKER}}

    def save(numbered: tuple[int, Pixels]) -> None:
        number, frame = numbered
        _image(frame).save(
            folder / f"frame_{number:0{digits}d}.{image_format}", **marks[image_format]
        )

    with ThreadPoolExecutor(default_workers(), "h5vidstack-save") as pool:
        for _ in in_order(pool, save, zip(numbers.tolist(), frames, strict=True), ahead=64):
            pass  # the results are the files
