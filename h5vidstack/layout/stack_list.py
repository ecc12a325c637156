"""Which stacks a file holds, by the paths that its users know."""

from __future__ import annotations

import os
import re

import h5py

from ..errors import FormatError
from .names import BESIDE, DEFAULT_STACK, find_stacks


def stack_paths(file: h5py.File) -> list[str]:
    """Return the paths of all stacks in a file, in natural order (2 before 10).

    The path of a stack beside a dataset is that of the dataset.
    """
    found = set()
    for path in find_stacks(file):
        link = file[os.fsencode(path)].get("groups/000000/video", getlink=True)
        beside = path.startswith(f"{BESIDE}/") and isinstance(link, h5py.SoftLink)
        found.add(link.path if beside else path)
    return sorted(found, key=lambda path: [
        (int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", path)
    ])  # fmt: skip


def usual_stack(file: h5py.File) -> str:
    """Return the path of the stack that is meant where none is named.

    It is ``/stack``, or the only stack of the file.

    Raises
    ------
    FormatError
        If there are several others.
    """
    if DEFAULT_STACK in file:
        return DEFAULT_STACK
    paths = stack_paths(file)
    if len(paths) > 1:
        raise FormatError(
            f"{file.filename} holds {len(paths)} stacks; name one of them: {', '.join(paths)}"
        )
    return paths[0] if paths else DEFAULT_STACK
