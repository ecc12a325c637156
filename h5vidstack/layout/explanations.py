"""What a file says, in words, to people who meet it without this package."""

from __future__ import annotations

import h5py

from ..hdf5.filter import FILTER_ID
from .names import FORMAT, HOW_TO_READ, SEPARATOR, write_text

_WAYS = (
    "In Python: pip install h5vidstack, then h5vidstack.open('FILE.h5')[0], or import h5vidstack "
    "and read by h5py. Other programs read it by the plugin for HDF5 that comes with h5vidstack, "
    f"filter {FILTER_ID}: set HDF5_PLUGIN_PATH to what 'h5vidstack plugin-path' prints."
)


def explain_file(file: h5py.File) -> None:
    """Say at the root of a new file what reads the stacks in it."""
    write_text(
        file,
        HOW_TO_READ,
        f"The stacks of images in this file were written by h5vidstack, format {FORMAT}. {_WAYS}",
    )


def explain_frames(group: h5py.Group, coded: bool) -> None:
    """Say at a stack's `frames` what reads it; `coded`: its pixels are coded by the filter."""
    frames = group["frames"]
    parts = []
    if frames.is_virtual:
        parts.append(
            "The frames in their order: a virtual dataset that shows piles of similar frames. It "
            f"finds them as long as the stack is at {group.name}. After the stack was moved or "
            f"copied, make it anew: h5vidstack remap FILE.h5{SEPARATOR}PATH"
        )
    if not coded:
        parts.append("The pixels are stored by HDF5's own filters, which every HDF5 program reads.")
    else:
        parts.append(f"The pixels are coded by the HDF5 filter {FILTER_ID} of h5vidstack. {_WAYS}")
    write_text(frames, HOW_TO_READ, " ".join(parts))
