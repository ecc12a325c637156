"""Stacks as lazy image layers of napari, which finds this reader by ``napari.yaml``."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, UnsupportedError
from ..hdf5.opening import open_hdf5
from ..layout.names import find_stacks, split_target
from ..reading.nd_view import NdView
from ..reading.stack_reader import StackReader

Frames = StackReader | NdView
Layer = tuple[Frames, dict[str, Any], str]
"""The data of a layer, its options, and its kind."""


CHANNEL_AXES = ("c", "ch", "channel", "channels")
"""Names, in lower case, of an axis each of whose places becomes a layer."""
PIXEL = "pixel"
"""What napari takes for an axis without a unit."""
UNITS = {
    **dict.fromkeys(("nm", "nanometer", "nanometre"), "nm"),
    **dict.fromkeys(("um", "\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m"), "um"),
    **dict.fromkeys(("micrometer", "micrometre", "micron", "microns"), "um"),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), "mm"),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), "cm"),
    **dict.fromkeys(("m", "meter", "metre"), "m"),
    **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("min", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hour", "hours"), "h"),
}
"""Units of coordinates, and what napari calls them."""


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
    """Return an image layer for each stack, or for each channel that an axis of it counts.

    Layers have the names, scales and units of the axes. Frames are decoded when they are shown.

    Raises
    ------
    FormatError
        If a stack is damaged or of a newer format.
    """
    file = str(split_target(path)[0])
    return [
        layer for stack in _stacks(path) for layer in _layers(StackReader(file, stack), file, stack)
    ]


def _stacks(path: str) -> list[str]:
    file, inner = split_target(path)
    with open_hdf5(str(file)) as opened:
        found = find_stacks(opened)
    return found if inner is None else [stack for stack in found if stack == inner]


def _layers(stack: StackReader, file: str, path: str) -> list[Layer]:
    """Return the layers of a stack."""
    name = f"{Path(file).stem} {path.strip('/')}"
    facts = dict(stack.attrs) | {"file": file, "stack": path}
    if len(stack.leading_shape) == 1:
        return [_layer(stack, stack, name, facts)]
    view, outer = stack.nd, stack.dims[: len(stack.leading_shape)]
    channels = [dim for dim in outer if dim.lower() in CHANNEL_AXES]
    if len(channels) != 1:
        return [_layer(stack, view, name, facts)]
    (axis,) = channels
    count = view.shape[outer.index(axis)]
    labels: Sequence[Any] = range(count)
    if axis in stack.coords:
        labels = stack.coords[axis].values.tolist()
    return [
        _layer(stack, view.at(**{axis: number}), f"{name} {label}", facts | {"channel": label})
        for number, label in enumerate(labels)
    ]


def _layer(stack: StackReader, frames: Frames, name: str, facts: dict[str, Any]) -> Layer:
    colour = stack.ndim == 4
    options: dict[str, Any] = {"name": name, "metadata": facts, "rgb": colour}
    limits = None if colour else _limits(frames)
    if limits is not None:
        options["contrast_limits"] = limits
    dims = frames.dims[:-1] if colour else frames.dims
    places = [_place(stack, dim) for dim in dims]
    options["scale"] = tuple(step for _, step, _ in places)
    options["translate"] = tuple(first for first, _, _ in places)
    image = getattr(sys.modules.get("napari.layers"), "Image", None)
    # Versions of napari before these options refuse them.
    known = None if image is None else inspect.signature(image).parameters
    more = {"axis_labels": tuple(dims), "units": tuple(unit for *_, unit in places)}
    options |= {key: value for key, value in more.items() if known is None or key in known}
    return frames, options, "image"


def _place(stack: StackReader, dim: str) -> tuple[float, float, str]:
    """Return the first place on an axis, the distance of places, and their unit."""
    found = stack.coords.get(dim)
    if found is None or found.dtype.kind not in "iuf" or len(found) < 1:
        return 0.0, 1.0, PIXEL
    values = found.values.astype(np.float64)
    step = float(values[-1] - values[0]) / (len(values) - 1) if len(values) > 1 else 1.0
    even = values[0] + step * np.arange(len(values))
    if not (np.isfinite(values).all() and step > 0 and np.allclose(even, values, 1e-6, step / 1e3)):
        return 0.0, 1.0, PIXEL
    return float(values[0]), step, UNITS.get(found.units or "", PIXEL)


def _limits(frames: Frames) -> tuple[float, float] | None:
    """Return the range of the first, middle and last frame; napari cannot handle infinities."""
    if frames.dtype in (np.bool_, np.uint8):
        return 0, np.iinfo(np.uint8).max if frames.dtype == np.uint8 else 1
    leading = frames.shape[:-2]
    count = math.prod(leading)
    numbers = sorted({0, count // 2, count - 1}) if count else []
    some = frames[np.unravel_index(np.array(numbers, np.intp), leading)] if count else frames[:]
    finite = some[np.isfinite(some)]
    if not len(finite):
        return None
    low, high = float(finite.min()), float(finite.max())
    return low, high if high > low else low + 1
