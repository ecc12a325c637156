"""The samples of a PyAV picture as arrays that share its memory."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt


def plane_rows(plane: Any) -> npt.NDArray[np.uint8]:
    """Return the bytes of a PyAV plane as a writable view ``(H, line size)``.

    The rows of some pictures are stored from the last to the first, as in AVI files of
    uncompressed RGB. Then FFmpeg's line size is negative, but PyAV's buffer runs forwards from
    the first row all the same. So the view is made from the address of the last row.
    """
    line, height = plane.line_size, plane.height
    if line > 0:
        return np.frombuffer(plane, np.uint8)[: line * height].reshape(height, line)
    first = plane.buffer_ptr + line * (height - 1)
    memory = (ctypes.c_uint8 * (-line * height)).from_address(first)
    return np.frombuffer(memory, np.uint8).reshape(height, -line)[::-1]


def plane_items(plane: Any, dtype: npt.DTypeLike, per_pixel: int = 1) -> npt.NDArray[Any]:
    """Return the items of a PyAV plane as a writable view ``(H, W * per_pixel)``.

    Parameters
    ----------
    plane
        One of a VideoFrame's `planes`.
    dtype
        Type of an item, with its byte order.
    per_pixel
        How many items a pixel has.
    """
    item = np.dtype(dtype)
    return plane_rows(plane)[:, : plane.width * per_pixel * item.itemsize].view(item)
