"""Where frames come from: every kind of input as one `Source`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from ..hdf5.opening import is_url
from ..layout.names import SEPARATOR
from .arrays import object_source
from .base import DEFAULT_OPTIONS, Access, ArraySource, FrameSource, Source, SourceOptions
from .datasets import dataset_source, hdf5_source, remote_source
from .headers import compare_headers
from .images import IMAGE_SUFFIXES, ImageSource, is_image, list_images, open_image
from .links import candidates
from .names import check_paths, find_named
from .npy import npy_source
from .tiff import TiffSource, is_tiff
from .video import video_source

__all__ = [
    "DEFAULT_OPTIONS", "Access", "ArraySource", "FrameSource", "Source", "SourceOptions",
    "open_source", "read_image",
]  # fmt: skip

_IMAGE_MAGIC = (b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
"""How files begin that are images whatever their names end in."""


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
    if isinstance(source, (h5py.Group, h5py.Dataset)) and not source:
        raise SourceError(f"the HDF5 file of this {type(source).__name__} is closed: open it again")
    if isinstance(source, h5py.Group):
        raise SourceError(
            f"{source.file.filename}::{source.name} is a group of HDF5: give one of its datasets; "
            f"in the file would do: {candidates(source.file)}"
        )
    if isinstance(source, h5py.Dataset):
        return dataset_source(source, f"{source.file.filename}::{source.name}", options)
    named = isinstance(source, (list, tuple)) and bool(source)
    if named and all(isinstance(item, (str, bytes, os.PathLike)) for item in source):
        if not all(map(os.fsdecode, source)):
            raise SourceError("a name in the list of sources is empty")
        paths = [Path(os.fsdecode(item)) for item in source]
        check_paths(paths)
        return ImageSource(paths, f"{len(paths)} files", options.gray)
    return object_source(source, options)


def _open_path(name: str, options: SourceOptions) -> Source:
    if is_url(name):
        return remote_source(name, options)
    named = find_named(name)
    path, inner = named.path, named.inner
    if len(named.matches) > 1:
        return ImageSource(list(named.matches), name, options.gray)
    if named.matches:
        path = named.matches[0]
    if path.is_dir():
        if inner:
            raise SourceError(f"{path} is a folder, so {name} names nothing in it")
        paths, notes = list_images(path)
        images = ImageSource(paths, name, options.gray)
        images.notes += notes
        return images
    source = _open_file(path, inner, options)
    if inner is None and not isinstance(source, ImageSource):  # which compares each of its files
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(source.close)
            compare_headers(
                path, source.frame, source.dtype, source.count,
                gray=options.gray, stream=getattr(source, "stream", None),
            )  # fmt: skip
            cleanup.pop_all()
    if source.file_bytes is None and inner is None:
        source.file_bytes = path.stat().st_size
    return source


def _open_file(path: Path, inner: str | None, options: SourceOptions) -> Source:
    """Open a file by how it begins, and by its name where that does not tell."""
    name = f"{path}{SEPARATOR}{inner}" if inner else str(path)
    try:
        with path.open("rb") as opened:
            head = opened.read(8)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    if is_tiff(head):
        return TiffSource(path, inner, name, options)
    if inner or head.startswith(b"\x89HDF"):
        return hdf5_source(name, options)
    if head.startswith(b"\x93NUMPY"):
        return npy_source(path, options)
    if head.startswith(b"PK\x03\x04") and path.suffix.lower() == ".npz":
        raise SourceError(f"{path} holds several arrays: pass one, as numpy.load({name!r})['name']")
    if head.startswith(_IMAGE_MAGIC) or is_image(path):
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
    with contextlib.closing(open_image(path)) as frames:
        if frames.count > 1:
            raise SourceError(f"{name} holds {frames.count} images; give one of them")
        return frames.read(0)
