"""The tables of all kinds of sources, and `open_source`, which goes through them.

To add a kind of source, write its file beside this one, with a predicate and an opener, and add
one row to a table here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from ..errors import SourceError
from ..hdf5.opening import is_url
from ..shapes import Pixels
from .classic_netcdf import is_classic_netcdf, refuse_classic_netcdf
from .file_names import check_paths, find_named
from .hdf5_files.datasets import (
    h5py_source,
    hdf5_source,
    is_h5py_object,
    is_hdf5_file,
    is_hidden_hdf5_file,
    is_stack_reader,
    is_view_of_stack,
    remote_source,
    stack_reader_source,
    view_source,
)
from .images.image_source import (
    IMAGE_SUFFIXES,
    files_source,
    folder_source,
    image_source,
    is_image,
    is_image_file,
    open_image,
)
from .npy import is_npy, is_npz, npy_source, refuse_npz
from .objects import object_source
from .source import DEFAULT_OPTIONS, Source, SourceFile, SourceOptions
from .tiff.tiff_source import is_tiff_file, tiff_source
from .video.video_source import video_source
from .xarray_objects import is_xarray_object, xarray_source
from .zarr_arrays import is_zarr_folder, is_zarr_object, zarr_folder_source, zarr_source

_HEAD = 8
"""How many bytes of a file tell its kind."""

Given = TypeVar("Given")


@dataclass(frozen=True)
class SourceKind(Generic[Given]):
    """One row of a table of sources.

    Attributes
    ----------
    name
        What it is, for people.
    fits
        Whether it takes what was given.
    open
        Opens what was given, or raises SourceError.
    """

    name: str
    fits: Callable[[Given], bool]
    open: Callable[[Given, SourceOptions], Source]


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
    return _open_by(OBJECT_KINDS, source, options)


def read_image(name: str) -> Pixels:
    """Read one image: an image file, or an ``.npy`` of one frame.

    Raises
    ------
    SourceError
        If it is missing, no image, or holds several.
    """
    path = Path(name)
    if path.suffix.lower() == ".npy" and path.is_file():
        try:
            image: Pixels = np.load(path, allow_pickle=False)
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


def _open_by(kinds: Iterable[SourceKind[Given]], given: Given, options: SourceOptions) -> Source:
    """Open what was given by the first kind that takes it; the last kind takes anything."""
    return next(kind for kind in kinds if kind.fits(given)).open(given, options)


def _is_name(source: Any) -> bool:
    return isinstance(source, (str, bytes, os.PathLike))


def _open_name(source: Any, options: SourceOptions) -> Source:
    """Open what a name names: a URL, a pattern, a folder or a file."""
    name = os.fsdecode(source)
    if is_url(name):
        return remote_source(name, options)
    named = find_named(name)
    if len(named.matches) > 1:
        return files_source(list(named.matches), name, options)
    path = named.matches[0] if named.matches else named.path
    if path.is_dir():
        if is_zarr_folder(path):
            return zarr_folder_source(path, named.inner, options)
        if named.inner:
            raise SourceError(f"{path} is a folder, so {name} names nothing in it")
        return folder_source(path, name, options)
    try:
        with path.open("rb") as opened:
            head = opened.read(_HEAD)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    opened_source = _open_by(FILE_KINDS, SourceFile(path, named.inner, head), options)
    if opened_source.file_bytes is None and named.inner is None:
        opened_source.file_bytes = path.stat().st_size
    return opened_source


def _is_list_of_names(source: Any) -> bool:
    return isinstance(source, (list, tuple)) and bool(source) and all(map(_is_name, source))


def _open_names(names: Any, options: SourceOptions) -> Source:
    """Open a list of image files."""
    if not all(map(os.fsdecode, names)):
        raise SourceError("a name in the list of sources is empty")
    paths = [Path(os.fsdecode(name)) for name in names]
    check_paths(paths)
    return files_source(paths, f"{len(paths)} files", options)


OBJECT_KINDS: tuple[SourceKind[Any], ...] = (
    SourceKind("source", lambda given: isinstance(given, Source), lambda given, _: given),
    SourceKind("name", _is_name, _open_name),
    SourceKind("list of names", _is_list_of_names, _open_names),
    SourceKind("object of h5py", is_h5py_object, h5py_source),
    SourceKind("stack", is_stack_reader, stack_reader_source),
    SourceKind("view of a stack", is_view_of_stack, view_source),
    SourceKind("object of xarray", is_xarray_object, xarray_source),
    SourceKind("object of zarr", is_zarr_object, zarr_source),
    SourceKind("array, reader or iterable of frames", lambda _: True, object_source),
)
"""The kinds of objects that can be given as a source, in the order in which they are asked."""

FILE_KINDS: tuple[SourceKind[SourceFile], ...] = (
    SourceKind("TIFF", is_tiff_file, tiff_source),
    SourceKind("classic netCDF", is_classic_netcdf, refuse_classic_netcdf),
    SourceKind("HDF5", is_hdf5_file, hdf5_source),
    SourceKind("npy", is_npy, npy_source),
    SourceKind("npz", is_npz, refuse_npz),
    SourceKind("image", is_image_file, image_source),
    SourceKind("HDF5 behind bytes of another program", is_hidden_hdf5_file, hdf5_source),
    SourceKind("video", lambda _: True, video_source),
)
"""The kinds of files, in the order in which they are asked."""
