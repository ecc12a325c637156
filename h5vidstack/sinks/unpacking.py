"""The unpacking of stacks to images, multi-page TIFF, NumPy arrays and plain HDF5 datasets."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import OutputError
from ..layout.dataset_metadata import describe_dataset
from ..layout.names import SEPARATOR, split_target
from ..layout.output import complete_or_absent, open_hdf5_output
from ..pool import Progress, Step, default_workers
from ..reading.stack_reader import StackReader
from ..shapes import Pixels, Shape, window_frames
from ..sources.overlap import refuse_source
from . import left_out
from .image_folders import ImageFolder, check_folder, png_file
from .left_out import Placed
from .tiff_stacks import TiffStack
from .video_export import CONTAINERS, export

IMAGE_FORMATS = ("png", "tiff")
STREAM_FORMATS = ("npy", "png", "tiff", "raw")
_EXACT = {"png": {"b1": (1,), "u1": (1, 3, 4), "u2": (1,)}}
_EXACT["tiff"] = {"b1": (1,)} | {
    f"{kind}{size}": (1, 3, 4)
    for kind, sizes in (("u", (1, 2, 4, 8)), ("i", (1, 2, 4, 8)), ("f", (2, 4, 8)))
    for size in sizes
}
"""The pixels that are written exactly: dtypes, each with the numbers of channels."""

Frames = Iterator[Pixels]
Numbers = np.ndarray[Any, np.dtype[np.intp]]


class Unpacked(int):
    """How many frames `unpack` wrote.

    Attributes
    ----------
    notes
        Whole sentences that the user must know: what is known of the frames, and was left out.
    """

    notes: tuple[str, ...]

    def __new__(cls, count: int, notes: Sequence[str] = ()) -> Unpacked:
        """Give a number its notes."""
        unpacked = super().__new__(cls, count)
        unpacked.notes = tuple(notes)
        return unpacked


@dataclass(frozen=True)
class _Job:
    """What is to be written, and where."""

    stack: StackReader
    path: Path
    inner: str | None
    numbers: Numbers
    whole: bool
    overwrite: bool
    progress: Progress | None

    @property
    def leading(self) -> Shape:
        return self.stack.leading_shape if self.whole else (len(self.numbers),)

    @property
    def shape(self) -> Shape:
        return (*self.leading, *self.stack.shape[1:])

    def frames(self) -> Frames:
        wanted = None if self.whole else self.numbers
        return _reporting(_read(self.stack, wanted), len(self.numbers), self.progress)

    def left_out(self, target: str) -> list[str]:
        """Return what an array has no place for."""
        known = self.stack.metadata
        metadata = known if self.whole else known.take(self.numbers, self.stack.leading_shape)
        return left_out.notes(metadata, left_out.named_axes(self.stack), Placed(), target)


def unpack(
    source: StackReader | str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    frames: slice | int | Sequence[int] | None = None,
    image_format: str | None = None,
    names: bool | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Unpacked:
    """Write the frames of a stack to other formats, bit for bit.

    What the source says of the frames is written, too, as far as the format has a place for it.
    A TIFF is an OME-TIFF or an ImageJ hyperstack again if the source was one.

    Parameters
    ----------
    source
        A stack, or where it is: ``file.h5`` or ``file.h5::/path``.
    target
        ``x.tif`` is a multi-page TIFF, ``x.ome.tif`` an OME-TIFF, and ``x.npy`` a NumPy array.
        ``x.h5::/path`` is a plain dataset with dimension scales, coordinates and attributes, which
        is added to an existing file. ``x.mkv`` and ``x.mp4`` are videos of all frames; see
        `export`. A name without an ending is a folder of images.
    frames
        The numbers of the frames to write; None means all. With all frames, ``.npy`` and HDF5 get
        back the axes that the source had.
    image_format
        The format of the images in a folder: ``"png"`` or ``"tiff"``. None: that of each name, if
        it holds the pixels; otherwise PNG if that does, or TIFF.
    names
        Give images in a folder the names that the frames had; slashes make folders in it. Only
        the ending is another where the format is. Otherwise a name has the frame's number. None:
        the names that they had, if each has one of its own.
    overwrite
        Replace an existing target. A folder is replaced only if it holds nothing but unpacked
        frames.
    progress
        Called with a `Step` as frames are written.

    Returns
    -------
    Unpacked
        The number of frames that were written. Its `notes` say what was left out.

    Raises
    ------
    OutputError
        If there is no such frame, or if the target exists, cannot be written, or has an unknown
        ending; or if names are wanted and cannot be used. The target is then as it was before.
    BlockError
        If a block is damaged.
    """
    if not isinstance(source, StackReader):
        with StackReader(source) as stack:
            return unpack(
                stack, target, frames=frames, image_format=image_format, names=names,
                overwrite=overwrite, progress=progress,
            )  # fmt: skip
    refuse_source(target, f"{source.path}{SEPARATOR}{source.stack}")
    path, inner = split_target(target)
    as_folder = is_folder(target)
    chosen = _chosen(frames, len(source))
    if as_folder:
        chosen = np.array(list(dict.fromkeys(chosen.tolist())))  # one file a frame
    elif names is not None:
        raise OutputError("names are those of images in a folder; the target is none")
    job = _Job(source, path, inner, chosen, frames is None, overwrite, progress)
    if as_folder:
        return Unpacked(len(chosen), _to_folder(job, image_format, names))
    write = _to_hdf5 if inner is not None else _WRITERS.get(path.suffix.lower())
    if write is None:
        hint = f" (for HDF5 name the dataset: {path}{SEPARATOR}/data)" if "h" in path.suffix else ""
        raise OutputError(
            f"cannot unpack to {path}{hint}: give a folder, x.tif, x.npy, "
            f"x.h5{SEPARATOR}/path, x.mkv or x.mp4"
        )
    return Unpacked(len(chosen), write(job))


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
) -> list[str]:
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

    Returns
    -------
    list of str
        Whole sentences that the user must know: what was left out.

    Raises
    ------
    OutputError
        If there is no such frame, or the format cannot hold the frames.
    BlockError
        If a block is damaged. The frames before it were written.
    """
    chosen = _chosen(frames, len(stack))
    job = _Job(stack, Path(), None, chosen, frames is None, False, progress)
    if image_format == "npy":
        _write_npy(out, job.frames(), job.shape, stack.dtype)
        return job.left_out("an .npy file")
    if image_format == "raw":
        _write_raw(out, job.frames())
        return job.left_out("a run of pixels")
    _check_pixels(stack, image_format)
    if image_format == "png" and len(chosen) != 1:
        raise OutputError(f"a PNG holds one frame, not {len(chosen)}: choose it by --frames")
    with tempfile.TemporaryFile() as whole:
        if image_format == "png":
            data, notes = png_file(stack, int(chosen[0]), next(job.frames()))
            whole.write(data)
        else:
            notes = TiffStack(stack, chosen, job.whole).write(whole, job.frames())
        whole.seek(0)
        shutil.copyfileobj(whole, out)
    return notes


def _to_folder(job: _Job, image_format: str | None, names: bool | None) -> list[str]:
    check_folder(job.path)
    if image_format not in (None, *IMAGE_FORMATS):
        raise OutputError(f"no image format {image_format!r}; there are png and tiff")
    formats = [name for name in IMAGE_FORMATS if _holds(job.stack, name)]
    if image_format or not formats:
        _check_pixels(job.stack, image_format or "png")
    folder = ImageFolder.of(job.stack, job.numbers, formats, image_format, names)
    with complete_or_absent(job.path, overwrite=job.overwrite, folder=True) as temporary:
        return folder.write(temporary, job.frames())


def _to_tiff(job: _Job) -> list[str]:
    _check_pixels(job.stack, "tiff")
    wants_ome = Path(job.path.stem).suffix.lower() == ".ome"
    with (
        complete_or_absent(job.path, overwrite=job.overwrite) as temporary,
        temporary.open("w+b") as file,
    ):
        return TiffStack(job.stack, job.numbers, job.whole, wants_ome).write(file, job.frames())


def _to_npy(job: _Job) -> list[str]:
    with (
        complete_or_absent(job.path, overwrite=job.overwrite) as temporary,
        temporary.open("wb") as file,
    ):
        _write_npy(file, job.frames(), job.shape, job.stack.dtype)
    return job.left_out("an .npy file")


def _to_hdf5(job: _Job) -> list[str]:
    inner = str(job.inner)
    with open_hdf5_output(job.path, inner, job.overwrite, plain=True) as file:
        dataset = file.create_dataset(inner, shape=job.shape, dtype=job.stack.dtype)
        for number, frame in enumerate(job.frames()):
            dataset[np.unravel_index(number, job.leading)] = frame
        stack = job.stack
        metadata = stack.metadata.checked(stack.leading_shape, stack.shape[1:])
        if not job.whole:
            metadata = metadata.take(job.numbers, stack.leading_shape)
        describe_dataset(dataset.parent, dataset, metadata, job.leading, stack.shape[1:])
    return left_out.notes(replace(metadata, coords={}, attrs={}), (), Placed(), "a plain dataset")


def _to_video(job: _Job) -> list[str]:
    if not job.whole:
        raise OutputError(f"{job.path} would be a video, which gets all frames: leave out frames")
    made = export(job.stack, job.path, overwrite=job.overwrite, progress=job.progress)
    return list(made.notes)


_WRITERS: dict[str, Callable[[_Job], list[str]]] = {
    ".npy": _to_npy,
    ".tif": _to_tiff,
    ".tiff": _to_tiff,
    **dict.fromkeys(CONTAINERS, _to_video),
}
"""What writes a file, by its ending."""


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


def _kind_of(stack: StackReader) -> tuple[str, int]:
    return f"{stack.dtype.kind}{stack.dtype.itemsize}", stack.shape[3] if stack.ndim == 4 else 1


def _holds(stack: StackReader, image_format: str) -> bool:
    """Return whether an image holds the pixels exactly."""
    dtype, channels = _kind_of(stack)
    return channels in _EXACT[image_format].get(dtype, ())


def _check_pixels(stack: StackReader, image_format: str) -> None:
    """Raise OutputError for pixels that an image would not hold exactly."""
    if _holds(stack, image_format):
        return
    _, channels = _kind_of(stack)
    also = " or --format tiff (or x.tif)" if _holds(stack, "tiff") else ""
    raise OutputError(
        f"{image_format.upper()} images would not hold {stack.dtype} pixels of {channels} "
        f"channel{'s' * (channels > 1)} exactly; unpack to x.npy or x.h5{SEPARATOR}/path{also}"
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
