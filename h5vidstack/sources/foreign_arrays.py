"""Arrays and pictures of other packages, made numpy's own arrays or refused."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import Error, SourceError
from ..shapes import Pixels

AS_ARRAY = "pass an array of numpy made of it, as numpy.asarray(source)"
"""The way out for arrays that cannot be read piece by piece."""
LAST_AXIS = "The last axis of the frames is 1 long, and was left out: they are gray, (H, W)."
"""The note of a source with one channel that has an axis of its own."""


@contextlib.contextmanager
def errors_of_reading(name: str) -> Iterator[None]:
    """Turn whatever an array of another package raises into a SourceError."""
    try:
        yield
    except Error:
        raise
    except MemoryError as error:
        raise SourceError(f"cannot read {name}: there is not enough memory") from error
    except (OSError, RuntimeError) as error:  # reading a file behind the array failed
        raise SourceError(f"cannot read {name}: {error}") from error
    except Exception as error:  # packages raise every kind of exception
        what = f"{type(error).__name__}: {error}"
        raise SourceError(f"cannot read {name} ({what}); {AS_ARRAY}") from error


def plain_array(pixels: Any, name: str) -> Pixels:
    """Return pixels of any package as numpy's own array.

    Raises
    ------
    SourceError
        If they have a mask, which `np.asarray` would drop without a word.
    """
    if hasattr(pixels, "__dask_graph__"):  # its own conversion to numpy drops masks
        pixels = pixels.compute()
    array = np.asanyarray(pixels)
    refuse_mask(array, name)
    return np.asarray(array)


def refuse_mask(array: Any, name: str) -> None:
    """Raise SourceError for an array with a mask."""
    if isinstance(array, np.ndarray) and getattr(array, "mask", None) is not None:
        raise SourceError(f"{name} is a masked array, and a stack holds no mask: fill it first")


_PICTURES = ("1", "L", "RGB", "RGBA", "I", "F", "I;16")
"""Modes of Pillow's images whose samples are the pixels."""


def refuse_picture(frame: Any, name: str) -> None:
    """Raise SourceError for an image of Pillow whose samples are not its pixels."""
    module = sys.modules.get("PIL.Image")
    if module is None or not isinstance(frame, module.Image):
        return
    way = f"give {name} as image.convert('RGB') or another mode that holds it, or give its file"
    if frame.mode not in _PICTURES:
        raise SourceError(
            f"{name} is an image of mode {frame.mode}, whose samples are no gray or colours; {way}"
        )
    if "transparency" in frame.info:
        raise SourceError(
            f"{name} is an image of mode {frame.mode} with a transparent colour beside its "
            f"samples; {way.replace('RGB', 'RGBA')}"
        )


def tidy_bools(pixels: Pixels) -> Pixels:
    """Return bools that store True as 1; Pillow's arrays of 1-bit images store it as 255."""
    return pixels.view(np.uint8) != 0 if pixels.dtype == np.bool_ else pixels


def to_gray(colour: Pixels) -> Pixels:
    """Return the luma of ``(..., 3|4)`` uint8 RGB, rounded as Pillow's ``convert("L")`` does.

    Source: ITU-R BT.601, in 16-bit fixed point.
    """
    if colour.dtype != np.uint8:
        raise SourceError(
            f"gray of colour is only made of uint8, not of {colour.dtype}; make it before packing"
        )
    red, green, blue = (colour[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)
