"""Frames from datasets of HDF5 and from stacks, also at URLs."""

from __future__ import annotations

import contextlib
import os
import posixpath
from dataclasses import replace
from typing import Any

import h5py
from h5py import h5t

from ...errors import FormatError, SourceError
from ...hdf5.failures import damage_as_error
from ...hdf5.opening import open_hdf5
from ...layout.names import DEFAULT_STACK, SEPARATOR, is_stack
from ...layout.stack_list import stack_paths
from ...metadata.files import SourceFiles
from ...reading.nd_view import NdView
from ...reading.stack_reader import StackReader
from ...shapes import Pixels, Shape
from ..array_description import for_axes
from ..array_source import ArraySource, plain_axes
from ..source import Source, SourceFile, SourceOptions
from .dataset_description import described
from .links import candidates, get, why_absent
from .nexus import shown
from .storage import SHOWN, Storage, examine

_NO_PIXELS = {
    h5t.STRING: "text",
    h5t.COMPOUND: "records of several fields: pass one field of it as an array",
    h5t.REFERENCE: "references to other objects: pack those",
    h5t.VLEN: "arrays of different lengths",
    h5t.ARRAY: "an array in each value: read it, and pass it as an array",
    h5t.OPAQUE: "bytes without a meaning",
    h5t.TIME: "times",
}
"""Kinds of values that are no pixels, in words, with a way out if there is one."""


def is_hdf5_file(file: SourceFile) -> bool:
    """Return whether a file begins as HDF5, or the user named a place inside it."""
    return bool(file.inner) or file.head.startswith(b"\x89HDF")


def is_hidden_hdf5_file(file: SourceFile) -> bool:
    """Return whether HDF5 begins behind bytes of another program, as in files of MATLAB."""
    return bool(h5py.is_hdf5(file.path))


def is_h5py_object(source: Any) -> bool:
    """Return whether an object is a dataset or a group of h5py."""
    return isinstance(source, (h5py.Group, h5py.Dataset))


def h5py_source(source: Any, options: SourceOptions) -> Source:
    """Open a dataset of h5py.

    Raises
    ------
    SourceError
        If it is a group, or its file is closed.
    """
    if not source:
        raise SourceError(f"the HDF5 file of this {type(source).__name__} is closed: open it again")
    name = f"{source.file.filename}{SEPARATOR}{source.name}"
    group = None
    if isinstance(source, h5py.Group):
        found = shown(source)
        if found is None:
            raise SourceError(
                f"{name} is a group of HDF5: give one of its datasets; in the file would do: "
                f"{candidates(source.file)}"
            )
        group, source = found
        name = f"{source.file.filename}{SEPARATOR}{source.name}"
    path = source.file.filename
    files = None
    if os.path.isfile(path):
        files = SourceFiles.of([path])
        if source.file.mode != "r":  # what is written to the file later would change its digest
            files = files.without_digests()
    return dataset_source(source, name, options, group=group, files=files)


def hdf5_source(opened: SourceFile, options: SourceOptions) -> Source:
    """Open what ``file.h5::/path`` names: a dataset of at least three axes, or a stack.

    Raises
    ------
    SourceError
        If there is neither.
    """
    name, path, inner = opened.name, opened.path, opened.inner or DEFAULT_STACK
    try:
        file = open_hdf5(str(path))
    except FormatError as error:
        raise SourceError(str(error)) from error
    with contextlib.ExitStack() as cleanup, damage_as_error(name):
        cleanup.enter_context(file)
        if opened.inner is None and inner not in file and len(only := stack_paths(file)) == 1:
            inner = only[0]
        node = get(file, inner)
        group = get(file, posixpath.dirname(inner) or "/")
        signal = None if is_stack(node) else shown(node if opened.inner else node or file)
        if signal is not None:
            group, node = signal
            name = f"{path}{SEPARATOR}{node.name}"
        if isinstance(node, h5py.Dataset) and len(_known_shape(node, name)) >= 3:
            return dataset_source(
                node, name, options, cleanup.pop_all(), group=group, files=SourceFiles.of([path])
            )
        if node is None and (why := why_absent(file, inner)) is not None:
            raise SourceError(f"{name} is not there: {why}; in {path} would do: {candidates(file)}")
        if node is None and inner in file:
            node = file[inner]  # which raises what is wrong with it
        if not is_stack(node):
            raise SourceError(
                f"{name} names no stack of images; in {path} would do: {candidates(file)}"
            )
    stack = StackReader(path, inner)
    return _stack_source(stack, name, options, SourceFiles.of([path]), owner=stack)


def is_stack_reader(source: Any) -> bool:
    """Return whether an object is an open stack."""
    return isinstance(source, StackReader)


def stack_reader_source(stack: Any, options: SourceOptions) -> Source:
    """Open an open stack, with all that it keeps besides pixels."""
    here = os.path.isfile(stack.path)
    files = SourceFiles.of([stack.path]) if here else None
    return _stack_source(stack, f"{stack.path}{SEPARATOR}{stack.stack}", options, files)


def is_view_of_stack(source: Any) -> bool:
    """Return whether an object is a view of an open stack."""
    return isinstance(source, NdView) and isinstance(source.stack, StackReader)


def view_source(view: NdView, options: SourceOptions) -> Source:
    """Open a view of an open stack, with what is known of the frames that it has."""
    whole = stack_reader_source(view.stack, options)
    source = ArraySource(view, whole.name, gray=options.gray)
    source.file_bytes, source.leftover = whole.file_bytes, whole.leftover
    metadata = replace(view.stack.metadata, files=whole.metadata.files)
    source.metadata = for_axes(view.described(metadata), source)
    return source


def _stack_source(
    stack: StackReader,
    name: str,
    options: SourceOptions,
    files: SourceFiles | None,
    owner: StackReader | None = None,
) -> Source:
    """Open a stack; if it keeps no files that its frames came from, it came from `files`."""
    source = ArraySource(stack, name, gray=options.gray, owner=owner)
    source.file_bytes = stack.stored_bytes
    source.leftover = "its file may hold more than this stack"
    if len(stack.leading_shape) > 1:
        source.leading_shape = stack.leading_shape
    metadata, kept = stack.metadata, stack.source.table
    # Those files may be elsewhere by now, so what is not known of them is not looked up.
    files = files if kept is None or not len(kept) else kept.without_digests()
    source.metadata = for_axes(replace(metadata, files=files), source)
    return source


def _known_shape(dataset: h5py.Dataset, name: str) -> Shape:
    """Return the shape of a dataset, empty if it has none.

    Raises
    ------
    SourceError
        If it is a virtual dataset whose length is that of a source that HDF5 does not find.
    """
    try:
        return dataset.shape or ()
    except RuntimeError as error:
        if not dataset.is_virtual:
            raise
        plist = dataset.id.get_create_plist()
        sources = {
            plist.get_virtual_filename(number).removeprefix(".")
            + SEPARATOR
            + plist.get_virtual_dsetname(number)
            for number in range(plist.get_virtual_count())
        }
        raise SourceError(
            f"{name} is a virtual dataset whose pixels are not there: HDF5 looks for them at "
            f"{', '.join(sorted(sources)[:SHOWN])}. Bring them back to where they were; of a stack "
            "that was moved or copied give the stack itself"
        ) from error


class DatasetSource(ArraySource):
    """A dataset of HDF5; other files that hold its pixels are watched while it is read."""

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

    def _piece(self, index: tuple[Any, ...], count: int) -> Pixels:
        piece = super()._piece(index, count)
        self._storage.check()
        return piece


def dataset_source(
    dataset: h5py.Dataset,
    name: str,
    options: SourceOptions,
    owner: contextlib.ExitStack | None = None,
    *,
    group: h5py.Group | None = None,
    files: SourceFiles | None = None,
) -> Source:
    """Open a dataset, and see that all of its pixels are there.

    Parameters
    ----------
    owner
        It is closed with the source.
    group
        The group through which it was found; None: the one that it is in.
    files
        The file that it is in.
    """
    owner = owner or contextlib.ExitStack()
    try:
        _known_shape(dataset, name)
        _check_type(dataset, name)
        storage = examine(dataset, name, owner)
        pixels, notes = plain_axes(dataset, name)
        source = DatasetSource(pixels, name, options, owner, storage)
        source.notes += [*notes, *storage.notes()]
        described(dataset, name, group).describe(source, files)
    except BaseException:
        owner.close()
        raise
    source.file_bytes = storage.stored_bytes
    source.leftover = "its file may hold more than this dataset"
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
    """Open a stack at a URL."""
    try:
        stack = StackReader(url)
    except FormatError as error:
        raise SourceError(f"{error}; of URLs only stacks are read") from error
    return _stack_source(stack, url, options, None, owner=stack)


def _check_type(dataset: h5py.Dataset, name: str) -> None:
    """Raise SourceError if the values of a dataset are no pixels."""
    kind = dataset.id.get_type().get_class()
    try:
        dtype = dataset.dtype
    except TypeError as error:
        raise SourceError(f"{name} is of a type that NumPy does not have: {error}") from error
    if kind == h5t.COMPOUND and dtype.kind == "c":
        return  # the check of dtypes later says what to do
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
