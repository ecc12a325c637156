"""Stacks as lazy image layers of napari, which finds this reader by ``napari.yaml``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, UnsupportedError
from ..hdf5.opening import open_hdf5
from ..layout.names import find_stacks, split_target
from ..reading.stack_reader import StackReader

Layer = tuple[StackReader, dict[str, Any], str]
"""The data of a layer, its options, and its kind."""


def get_reader(path: str | list[str]) -> Callable[[str], list[Layer]] | None:
    """Return the function that reads a path, or None if this reader cannot read it.

    napari calls this first.

    Parameters
    ----------
    path
        ``file.h5`` for all its stacks, or ``file.h5::/path`` for one of them.

    Returns
    -------
    callable or None
        `read`, or None for several paths and for files without a stack, which other plugins may
        read.
    """
    if not isinstance(path, str):
        return None
    try:
        return read if _stacks(path) else None
    except (FormatError, UnsupportedError):  # `split_target` refuses URLs
        return None


def read(path: str) -> list[Layer]:
    """Return an image layer for each stack; frames are decoded when they are shown.

    Raises
    ------
    FormatError
        If a stack is damaged or of a newer format.
    """
    file = str(split_target(path)[0])
    return [_layer(StackReader(file, stack), file, stack) for stack in _stacks(path)]


def _stacks(path: str) -> list[str]:
    file, inner = split_target(path)
    with open_hdf5(str(file)) as opened:
        found = find_stacks(opened)
    return found if inner is None else [stack for stack in found if stack == inner]


def _layer(stack: StackReader, file: str, path: str) -> Layer:
    options: dict[str, Any] = {
        "name": f"{Path(file).stem} {path.strip('/')}",
        "metadata": dict(stack.attrs) | {"file": file, "stack": path},
        "rgb": stack.ndim == 4,
    }
    limits = None if options["rgb"] else _limits(stack)
    if limits is not None:
        options["contrast_limits"] = limits
    return stack, options, "image"


def _limits(stack: StackReader) -> tuple[float, float] | None:
    """Return the range of the first, middle and last frame; napari cannot handle infinities."""
    if stack.dtype in (np.bool_, np.uint8):
        return 0, np.iinfo(np.uint8).max if stack.dtype == np.uint8 else 1
    frames = stack[sorted({0, len(stack) // 2, len(stack) - 1})] if len(stack) else stack[:]
    finite = frames[np.isfinite(frames)]
    if not len(finite):
        return None
    low, high = float(finite.min()), float(finite.max())
    return low, high if high > low else low + 1
