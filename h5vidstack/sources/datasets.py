"""Frames from HDF5: datasets, and stacks, also at URLs."""

from __future__ import annotations

import contextlib
from typing import Any

import h5py
from h5py import h5t

from ..errors import FormatError, SourceError
from ..hdf5.failures import damage_as_error
from ..hdf5.opening import open_hdf5
from ..layout.names import DEFAULT_STACK, is_stack, split_target
from ..reading.stack_reader import StackReader
from .arrays import plain_axes
from .base import Array, ArraySource, Source, SourceOptions
from .links import candidates, get, why_absent
from .storage import Storage, examine

_NO_PIXELS = {
    h5t.STRING: "text",
    h5t.COMPOUND: "records of several fields: pass one field of it as an array",
    h5t.REFERENCE: "references to other objects: pack those",
    h5t.VLEN: "arrays of different lengths",
    h5t.ARRAY: "an array in each value: read it, and pass it as an array",
    h5t.OPAQUE: "bytes without a meaning",
    h5t.TIME: "times",
}
"""Kinds of values that are no pixels, in words, with a way out where there is one."""


def hdf5_source(name: str, options: SourceOptions) -> Source:
    """``file.h5::/path``: a dataset of at least three axes, or a stack."""
    path, inner = split_target(name)
    inner = inner or DEFAULT_STACK
    try:
        file = open_hdf5(str(path))
    except FormatError as error:
        raise SourceError(str(error)) from error
    with contextlib.ExitStack() as cleanup, damage_as_error(name):
        cleanup.enter_context(file)
        node = get(file, inner)
        if isinstance(node, h5py.Dataset) and len(node.shape or ()) >= 3:
            return dataset_source(node, name, options, cleanup.pop_all())
        if node is None and (why := why_absent(file, inner)) is not None:
            raise SourceError(f"{name} is not there: {why}; in {path} would do: {candidates(file)}")
        if node is None and inner in file:
            node = file[inner]  # which raises what is wrong with it
        if not is_stack(node):
            raise SourceError(
                f"{name} names no stack of images; in {path} would do: {candidates(file)}"
            )
    stack = StackReader(path, inner)
    source = ArraySource(stack, name, gray=options.gray, owner=stack)
    source.file_bytes = stack.stored_bytes
    return source


class DatasetSource(ArraySource):
    """An HDF5 dataset; where its pixels are in other files, these are watched while it is read."""

    def __init__(
        self,
        pixels: Any,
        name: str,
        options: SourceOptions,
        owner: contextlib.ExitStack,
        storage: Storage,
    ) -> None:
        super().__init__(pixels, name, gray=options.gray, owner=owner)
        self._storage = storage

    def _piece(self, index: tuple[Any, ...], count: int) -> Array:
        piece = super()._piece(index, count)
        self._storage.check()
        return piece


def dataset_source(
    dataset: h5py.Dataset,
    name: str,
    options: SourceOptions,
    owner: contextlib.ExitStack | None = None,
) -> Source:
    """A dataset, all of whose pixels are there.

    Parameters
    ----------
    owner
        Is closed with the source.
    """
    owner = owner or contextlib.ExitStack()
    try:
        _check_type(dataset, name)
        storage = examine(dataset, name, owner)
        pixels, notes = plain_axes(dataset, name)
        source = DatasetSource(pixels, name, options, owner, storage)
    except BaseException:
        owner.close()
        raise
    source.file_bytes = storage.stored_bytes
    source.notes += [*notes, *storage.notes()]
    if b"MATLAB_class" in _attributes(dataset):
        source.notes.append(
            f"{name} was written by MATLAB, which stores axes in reverse order: rows of a frame "
            "here are columns there"
        )
    made_of = sorted(storage.dtypes - {dataset.dtype.name})
    if made_of:
        source.conversion = f"{dataset.dtype.name} made by HDF5 from {', '.join(made_of)}"
    return source


def remote_source(url: str, options: SourceOptions) -> Source:
    """A stack at a URL."""
    try:
        stack = StackReader(url)
    except FormatError as error:
        raise SourceError(f"{error}; of URLs only stacks are read") from error
    return ArraySource(stack, url, gray=options.gray, owner=stack)


def _check_type(dataset: h5py.Dataset, name: str) -> None:
    """Raise SourceError if the values of a dataset are no pixels."""
    kind = dataset.id.get_type().get_class()
    try:
        dtype = dataset.dtype
    except TypeError as error:
        raise SourceError(f"{name} is of a type that NumPy has not: {error}") from error
    if kind == h5t.COMPOUND and dtype.kind == "c":
        return  # whoever checks dtypes says what to do
    if kind in _NO_PIXELS:
        raise SourceError(f"{name} holds no pixels, but {_NO_PIXELS[kind]}")
    names = h5py.check_enum_dtype(dtype)
    if names is not None:
        raise SourceError(
            f"{name} holds an enumeration ({', '.join(list(names)[:3])}, ...), and a stack would "
            "lose its names: pass the numbers as an array (dataset[()]), or use 'h5vidstack repack'"
        )


def _attributes(dataset: h5py.Dataset) -> list[bytes]:
    found: list[bytes] = []
    h5py.h5a.iterate(dataset.id, found.append)
    return found
