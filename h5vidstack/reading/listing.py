"""`stacks`: which stacks a file holds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from ..hdf5.failures import damage_as_error
from ..hdf5.opening import open_file
from ..layout.stack_list import stack_paths
from .stack_file import split_readable


def stacks(
    path: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None
) -> list[str]:
    """List the stacks in a file.

    Parameters
    ----------
    path
        ``file.h5``; ``file.h5::/group`` for those in a group; or such a URL.
    storage_options
        For fsspec, with a URL; see `Stack`.

    Returns
    -------
    list of str
        The path of each stack, as `open` takes it, in natural order. A stack that `repack` made
        has the path of its dataset.

    Raises
    ------
    FormatError
        If there is no such file, or it is not HDF5.
    RemoteError, MissingError
        If a URL cannot be read.
    """
    file, inner = split_readable(path)
    with (
        contextlib.closing(open_file(file, storage_options or {})) as opened,
        damage_as_error(file),
    ):
        found: list[str] = opened.ask(stack_paths)
    within = (inner or "").rstrip("/")
    return [stack for stack in found if f"{stack}/".startswith(f"{within}/")]
