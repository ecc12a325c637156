"""Where frames come from: every kind of input as one `Source`."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from ..layout import split_target
from ..opening import is_url
from .base import (
    DEFAULT_OPTIONS,
    Access,
    ArraySource,
    FrameSource,
    Source,
    SourceOptions,
    iterate_frames,
)
from .hdf5 import dataset_source, hdf5_source, remote_source
from .images import IMAGE_SUFFIXES, ImageSource, is_image, list_images
from .links import candidates
from .npy import npy_source
from .video import video_source

__all__ = [
    "DEFAULT_OPTIONS", "Access", "ArraySource", "FrameSource", "Source", "SourceOptions",
    "open_source", "read_image",
]  # fmt: skip


def open_source(source: Any, options: SourceOptions = DEFAULT_OPTIONS) -> Source:
    """Open anything that `pack` takes.

    Parameters
    ----------
    source
        See `h5vidstack.pack`.
    options
        How it is to be read.

    Raises
    ------
    SourceError
        If it is missing, empty, of no known kind, or cannot be read.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, (str, bytes, os.PathLike)):
        return _open_path(os.fsdecode(source), options)
    if isinstance(source, h5py.Group):
        raise SourceError(
            f"{source.file.filename}::{source.name} is a group of HDF5: give one of its datasets; "
            f"in the file would do: {candidates(source.file)}"
        )
    if isinstance(source, h5py.Dataset):
        return dataset_source(source, f"{source.file.filename}::{source.name}", options)
    if all(hasattr(source, name) for name in ("shape", "dtype", "__getitem__")):
        return ArraySource(source, type(source).__name__, gray=options.gray)
    if not isinstance(source, Iterable):
        raise SourceError(
            f"a {type(source).__name__} is no stack: give a path, an array-like of shape "
            "(N, H, W), or an iterable of frames"
        )
    if isinstance(source, (list, tuple)):
        if source and all(isinstance(item, (str, os.PathLike)) for item in source):
            return ImageSource(
                [Path(item) for item in source], f"{len(source)} files", options.gray
            )
        return FrameSource(iterate_frames(source), type(source).__name__, len(source), options.gray)
    return FrameSource(iterate_frames(source), type(source).__name__, None, options.gray)


def _open_path(name: str, options: SourceOptions) -> Source:
    if is_url(name):
        return remote_source(name, options)
    path, inside = split_target(name)
    file = str(path)
    if path.is_dir() and not inside:
        return ImageSource(list_images(path), name, options.gray)
    if not path.exists():
        matches = glob.glob(file)
        if matches and not inside:
            return ImageSource([Path(match) for match in matches], name, options.gray)
        kind = "no file matches" if glob.has_magic(file) else "no such file or folder:"
        raise SourceError(f"{kind} {file}")
    if path.is_dir():
        raise SourceError(f"{file} is a folder, so {name} names nothing in it")
    try:
        with path.open("rb") as opened:
            head = opened.read(8)
    except OSError as error:
        raise SourceError(f"cannot read {file}: {error.strerror}") from error
    if inside or head.startswith(b"\x89HDF"):
        return hdf5_source(name, options)
    if head.startswith(b"\x93NUMPY"):
        return npy_source(path, options)
    if is_image(path):
        return ImageSource([path], name, options.gray)
    if h5py.is_hdf5(path):  # behind bytes of another program, as those of MATLAB
        return hdf5_source(name, options)
    return video_source(path, options)


def read_image(name: str) -> npt.NDArray[Any]:
    """Read one image: an image file, or an ``.npy`` of one frame.

    Raises
    ------
    SourceError
        If it is missing, no image, or holds several.
    """
    path = Path(name)
    if path.suffix.lower() == ".npy" and path.is_file():
        try:
            image: npt.NDArray[Any] = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise SourceError(f"cannot read {name}: {error}") from error
        return image
    if not path.is_file():
        kind = "is a folder, not an image" if path.is_dir() else "does not exist"
        raise SourceError(f"the image {name} {kind}")
    if not is_image(path):
        endings = ", ".join(sorted({*IMAGE_SUFFIXES, ".npy"}))
        raise SourceError(f"{name} is no image file: its name must end in one of {endings}")
    with contextlib.closing(ImageSource([path], name, gray=False)) as source:
        frames = list(source.batches(1))
    if len(frames) > 1:
        raise SourceError(f"{name} holds {len(frames)} images; give one of them")
    only: npt.NDArray[Any] = frames[0][0]
    return only
