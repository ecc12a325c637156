"""Frames from HDF5: datasets, and stacks, also at URLs."""

from __future__ import annotations

import contextlib

import h5py

from ..errors import FormatError, SourceError
from ..filter import check_chunks
from ..layout import (
    DEFAULT_STACK,
    SEPARATOR,
    damage_as_error,
    find_stacks,
    is_stack,
    split_target,
)
from ..opening import open_hdf5
from ..reader import Stack
from ..required_filters import require_filters
from .base import ArraySource, Source, SourceOptions


def hdf5_source(name: str, options: SourceOptions) -> Source:
    """``file.h5::/path``: a dataset of at least three axes, or a stack."""
    path, inner = split_target(name)
    inner = inner or DEFAULT_STACK
    try:
        file = open_hdf5(str(path))
    except FormatError as error:
        raise SourceError(str(error)) from error
    with contextlib.ExitStack() as cleanup, damage_as_error(name):
        cleanup.callback(file.close)
        node = file.get(inner)
        if isinstance(node, h5py.Dataset) and node.ndim >= 3:
            check_chunks(node)
            require_filters(node, name)
            source = ArraySource(node, name, gray=options.gray, owner=file)
            cleanup.pop_all()  # the source closes the file
            return source
        if not is_stack(node):
            raise SourceError(
                f"{name} names no stack of images; in {path} would do: {_candidates(file)}"
            )
    stack = Stack(path, inner)
    return ArraySource(stack, name, gray=options.gray, owner=stack)


def remote_source(url: str, options: SourceOptions) -> Source:
    """A stack at a URL."""
    try:
        stack = Stack(url)
    except FormatError as error:
        raise SourceError(f"{error}; of URLs only stacks are read") from error
    return ArraySource(stack, url, gray=options.gray, owner=stack)


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
