"""Make `frames` of a stack anew, after the stack was moved or copied."""

from __future__ import annotations

import contextlib
import os

import h5py
import numpy as np

from ..errors import FormatError
from ..hdf5.filter import stored_coding
from ..hdf5.opening import open_hdf5
from ..layout import metadata_writing, view
from ..layout.names import DEFAULT_STACK, ND, SEPARATOR, split_target
from ..layout.output import edit_hdf5
from ..layout.stack_group import Layout, open_layout


def remap(path: str | os.PathLike[str]) -> bool:
    """Make `frames` of a stack anew, so that every HDF5 program sees its frames again.

    A stack needs that if it was reordered, or is made of parts in other files, and was then moved
    or copied. `open` reads it without. The file is replaced by a complete new one, or left as it
    was.

    Parameters
    ----------
    path
        ``file.h5`` or ``file.h5::/path``.

    Returns
    -------
    bool
        Whether `frames` was made anew. Otherwise it is the pixels themselves, which move with the
        stack, or HDF5 alone cannot show them.

    Raises
    ------
    FormatError
        If there is no stack, or it is damaged.
    OutputError
        If the file cannot be replaced.
    """
    target, inner = split_target(path)
    inner = inner or DEFAULT_STACK
    with open_hdf5(str(target)) as file, contextlib.closing(open_layout(file, inner)) as layout:
        if layout.group is None:
            raise FormatError(
                f"{target}{SEPARATOR}{inner} is a bare dataset, which any HDF5 program reads"
            )
        shown = ND in layout.group or not layout.in_order
        if not shown or not all(pile.plain for pile in layout.piles):
            return False
    with edit_hdf5(target) as file, contextlib.closing(open_layout(file, inner)) as layout:
        _remap(layout, layout.group)
    return True


def _remap(layout: Layout, group: h5py.Group) -> None:
    numbers = np.arange(layout.shape[0])
    places = layout.places() or (np.zeros_like(numbers), numbers)
    videos = [pile.source for pile in layout.piles]
    first = layout.piles[0]
    coded = stored_coding(first.data) is not None
    view.write(group, layout.shape, first.dtype, places, videos, coded=coded)
    metadata_writing.show_again(group, layout.leading_shape, layout.shape[1:], first.dtype)
