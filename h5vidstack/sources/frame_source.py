"""Frames that come one after another, as iterables and files that are decoded give them."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import numpy as np

from ..errors import SourceError
from ..shapes import Pixels, Shape
from .foreign_arrays import LAST_AXIS, plain_array, refuse_picture, tidy_bools, to_gray
from .source import Source

LabelledFrames = Generator[tuple[str, Pixels], None, None]
"""Frames, each with a label for error messages."""


class FrameSource(Source):
    """A source whose frames come one after another, each with a label for error messages."""

    def __init__(
        self,
        frames: LabelledFrames,
        name: str,
        count: int | None,
        gray: bool = False,
    ) -> None:
        self.name, self.count, self._gray = name, count, gray
        first = next(frames, None)
        if first is None:
            raise SourceError(f"{name} holds no frames")
        self._first, image = first
        image = self._convert(image)
        self.dtype, self.frame = image.dtype, image.shape
        if 0 in image.shape or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,), (4,)):
            raise SourceError(
                f"{self._first} has shape {image.shape}; a frame is (H, W), (H, W, 3) or "
                f"(H, W, 4), and no axis is 0 long{_volume_advice(image.shape)}"
            )
        self._origin = frames
        self._waiting = [first]

    def batches(self, size: int) -> Iterator[Pixels]:  # noqa: D102
        while True:
            batch, count = np.empty((size, *self.frame), self.dtype), 0
            while count < size and self._copy_next(batch[count]):
                count += 1
            if count:
                yield batch[:count]
            if count < size:
                return
            del batch

    def _copy_next(self, place: Pixels) -> bool:
        """Copy the next frame to its place, and say whether there was one."""
        found = self._waiting.pop() if self._waiting else next(self._origin, None)
        if found is None:
            return False
        place[...] = self._check(*found)
        return True

    def _check(self, label: str, image: Pixels) -> Pixels:
        image = self._convert(image)
        if image.shape != self.frame or image.dtype != self.dtype:
            raise SourceError(
                f"{label} is {_describe(image.shape, image.dtype)}, but {self._first} is "
                f"{_describe(self.frame, self.dtype)}: all frames must be of one size and dtype"
            )
        return image

    def _convert(self, image: Pixels) -> Pixels:
        image = tidy_bools(image.astype(image.dtype.newbyteorder("="), copy=False))
        if image.ndim == 3 and image.shape[2] == 1:
            if LAST_AXIS not in self.notes:
                self.notes.append(LAST_AXIS)
            image = image[:, :, 0]
        return to_gray(image) if self._gray and image.ndim == 3 else image

    def sample_run(self, share: float, length: int) -> Pixels:
        """Return the next frames, wherever they are wanted, because they come only in order."""
        if self.can_take_any:
            return super().sample_run(share, length)
        return next(self.batches(length), np.empty((0, *self.frame), self.dtype))

    def close(self) -> None:
        """Run the clean-up of the generator that the frames come from."""
        self._origin.close()


def iterate_frames(frames: Iterable[Any]) -> LabelledFrames:
    """Label the frames of an iterable by their number."""
    numbers = itertools.count()  # `enumerate` keeps what it gave last while the next is made
    for frame in frames:
        label = f"frame {next(numbers)}"
        refuse_picture(frame, label)
        try:
            found = [(label, plain_array(frame, label))]
        except (TypeError, ValueError) as error:
            raise SourceError(f"{label} is no array of pixels: {error}") from error
        del frame  # a frame may take much memory, as that of the next one
        yield found.pop()


def _volume_advice(shape: Shape) -> str:
    """Return what to do with a frame that may hold many frames, or many channels."""
    if len(shape) < 3 or 0 in shape:
        return ""
    return (
        ". If each is a volume of frames, as some readers give it, pack all as one array: "
        "np.concatenate(list(source)). If its last axis holds channels, make these frames: "
        "np.concatenate([np.moveaxis(frame, -1, 0) for frame in source])"
    )


def _describe(shape: Shape, dtype: np.dtype[Any]) -> str:
    return "x".join(map(str, shape)) + f" {dtype}"
