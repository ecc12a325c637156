"""The two forms of every input: random access (`ArraySource`), one pass (`FrameSource`)."""

from __future__ import annotations

import contextlib
import itertools
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from ..codecs.loss import Loss
from ..errors import Error, SourceError
from ..shapes import Shape, stack_shape

Array = npt.NDArray[Any]
LabelledFrames = Generator[tuple[str, Array], None, None]


@dataclass(frozen=True)
class SourceOptions:
    """How a source is to be read, where there is a choice.

    Attributes
    ----------
    gray
        Keep the luma of colour only.
    stream
        Number of the video stream to read, among all streams of the file; None: the one that a
        player would show.
    accept_damaged
        Pack what decoders make of damaged data, and record which frames are doubtful.
    """

    gray: bool = False
    stream: int | None = None
    accept_damaged: bool = False


DEFAULT_OPTIONS = SourceOptions()
AS_ARRAY = "pass an array of numpy made of it, as numpy.asarray(source)"
"""The way out for arrays that cannot be read piece by piece."""
LAST_AXIS = "The last axis of the frames is 1 long, and was left out: they are gray, (H, W)."
"""The note of a source with one channel that has an axis of its own."""


class Access(IntEnum):
    """How frames can be read apart from once in order; each level can do what is below it."""

    ONCE = 0
    """Not at all."""
    AGAIN = 1
    """`Source.take` gives the frames that `Source.batches` has passed."""
    RANDOM = 2
    """It gives any frame at any time, and `Source.count` is exact."""
    CHEAP = 3
    """That costs no more than copying the frames."""


class Source(ABC):
    """A stack of frames of one shape and dtype, to be read from first to last.

    Attributes
    ----------
    name
        What the user called it.
    frame
        ``(H, W)`` or ``(H, W, C)``.
    dtype
        Of every frame.
    count
        Number of frames, or None where only reading tells.
    leading_shape
        Axes before ``(H, W[, C])`` where there is not just one, else None.
    access
        What `take` can do.
    numbers
        Of each frame the number that it had in a stack from which it was saved, if some of
        that are lost; `pack` keeps them.
    loss
        What is known of the difference of frames that were saved to what they once were.
    notes
        Whole sentences that the user must read: what was passed over, kept as stored, or is
        doubtful. Reading may add to them, so they are complete only after the last batch.
    conversion
        What made the samples, if they are not as the file stores them, as
        ``"RGB made by FFmpeg from yuv420p"``.
    doubtful
        Numbers of the frames that were decoded from damaged data. Complete after the last batch.
    file_bytes
        Size of the source's file or files, or None where there are none.
    """

    name: str
    frame: Shape
    dtype: np.dtype[Any]
    count: int | None
    leading_shape: Shape | None = None
    access: Access = Access.ONCE
    numbers: list[int] | None = None
    loss: Loss | None = None
    notes: list[str]
    conversion: str | None = None
    doubtful: list[int]
    file_bytes: int | None = None

    def __new__(cls, *_args: Any, **_options: Any) -> Self:
        """Give each source lists of its own."""
        source = super().__new__(cls)
        source.notes, source.doubtful = [], []
        return source

    @property
    def can_take_any(self) -> bool:
        """Whether `take` gives any frame at any time."""
        return self.access >= Access.RANDOM

    @abstractmethod
    def batches(self, size: int) -> Iterator[Array]:
        """Yield C-contiguous arrays ``(size, *frame)``; the last one may be shorter."""

    def take(self, numbers: npt.NDArray[np.intp]) -> Array:
        """Frames in any order, ``(len(numbers), *frame)``, as far as `access` allows."""
        raise NotImplementedError

    @abstractmethod
    def close(self) -> None:
        """Release files."""


class ArraySource(Source):
    """Anything with shape, dtype and ``__getitem__``: numpy, memmap, h5py, zarr, a `Stack`."""

    def __init__(
        self, array: Any, name: str, *, gray: bool = False, owner: Any | None = None
    ) -> None:
        refuse_mask(array, name)
        self._array, self.name, self._gray, self._owner = array, name, gray, owner
        self.count, height, width, channels = stack_shape(array.shape)
        if 0 in array.shape:
            raise SourceError(f"{name} has shape {tuple(array.shape)}: it holds no frames")
        leading = array.shape[: -2 if channels == 1 else -3]
        self.leading_shape = tuple(map(int, leading)) if len(leading) > 1 else None
        self._leading = leading
        # Asking for an empty piece gives numpy's dtype whatever library the array is of; but
        # HDF5 cannot read one of a virtual dataset whose sources have numbered names.
        dtype = array.dtype if isinstance(array, h5py.Dataset) else self._taken(slice(0, 0)).dtype
        self.dtype = dtype.newbyteorder("=")
        self.frame = (height, width) if gray or channels == 1 else (height, width, channels)
        plain = isinstance(array, np.ndarray) or (
            isinstance(array, h5py.Dataset) and array.chunks is None and not array.is_virtual
        )
        self.access = Access.CHEAP if plain and not gray else Access.RANDOM

    def batches(self, size: int) -> Iterator[Array]:  # noqa: D102
        *outer, inner = self._leading
        for start in range(0, math.prod(self._leading), size):
            stop = min(start + size, math.prod(self._leading))
            pieces = []
            while start < stop:
                row, first = divmod(start, inner)
                taken = min(stop - start, inner - first)
                index = (*np.unravel_index(row, tuple(outer)), slice(first, first + taken))
                pieces.append(self._piece(index, taken))
                start += taken
            yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def take(self, numbers: npt.NDArray[np.intp]) -> Array:  # noqa: D102
        index = np.unravel_index(numbers, self._leading)
        if isinstance(self._array, np.ndarray):
            return self._piece(index, len(numbers))
        frames = np.empty((len(numbers), *self.frame), self.dtype)
        for frame, place in zip(frames, zip(*index, strict=True), strict=True):
            *outer, inner = map(int, place)
            frame[...] = self._piece((*outer, slice(inner, inner + 1)), 1)[0]
        return frames

    def _taken(self, index: Any) -> Array:
        with errors_of_reading(self.name):
            return plain_array(self._array[index], self.name)

    def _piece(self, index: tuple[Any, ...], count: int) -> Array:
        """Read `count` frames."""
        piece = self._taken(index)
        want = (count, *map(int, self._array.shape[len(self._leading) :]))
        if piece.shape != want or piece.dtype.newbyteorder("=") != self.dtype:
            raise SourceError(
                f"{self.name} has shape {tuple(self._array.shape)} {self.dtype}, but a piece of it "
                f"that should be {want} {self.dtype} is {piece.shape} {piece.dtype}; {AS_ARRAY}"
            )
        if self._gray and piece.ndim == 4:
            piece = to_gray(piece)
        # Encoding goes on while the next piece is read: only numpy's own arrays stay as they are.
        keep = None if isinstance(self._array, np.ndarray) else True
        return tidy_bools(np.array(piece, self.dtype, order="C", copy=keep))

    def close(self) -> None:  # noqa: D102
        if self._owner is not None:
            self._owner.close()


class FrameSource(Source):
    """Frames that come one after another, each with a label for error messages."""

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
        self._frames = itertools.chain([first], frames)

    def batches(self, size: int) -> Iterator[Array]:  # noqa: D102
        while True:
            batch, count = np.empty((size, *self.frame), self.dtype), 0
            for label, image in itertools.islice(self._frames, size):
                batch[count] = self._check(label, image)
                count += 1
            if count:
                yield batch[:count]
            if count < size:
                return

    def _check(self, label: str, image: Array) -> Array:
        image = self._convert(image)
        if image.shape != self.frame or image.dtype != self.dtype:
            raise SourceError(
                f"{label} is {_describe(image.shape, image.dtype)}, but {self._first} is "
                f"{_describe(self.frame, self.dtype)}: all frames must be of one size and dtype"
            )
        return image

    def _convert(self, image: Array) -> Array:
        image = tidy_bools(image.astype(image.dtype.newbyteorder("="), copy=False))
        if image.ndim == 3 and image.shape[2] == 1:
            if LAST_AXIS not in self.notes:
                self.notes.append(LAST_AXIS)
            image = image[:, :, 0]
        return to_gray(image) if self._gray and image.ndim == 3 else image

    def close(self) -> None:
        """Run the clean-up of the generator that the frames come from."""
        self._origin.close()


@contextlib.contextmanager
def errors_of_reading(name: str) -> Iterator[None]:
    """Turn whatever an array of another package raises into a SourceError."""
    try:
        yield
    except Error:
        raise
    except MemoryError as error:
        raise SourceError(f"cannot read {name}: memory does not suffice") from error
    except (OSError, RuntimeError) as error:  # of a file behind it
        raise SourceError(f"cannot read {name}: {error}") from error
    except Exception as error:  # packages raise every kind
        what = f"{type(error).__name__}: {error}"
        raise SourceError(f"cannot read {name} ({what}); {AS_ARRAY}") from error


def plain_array(pixels: Any, name: str) -> Array:
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
    """Raise SourceError for an image of Pillow that is no array of its pixels as it stands."""
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


def tidy_bools(pixels: Array) -> Array:
    """True as 1: Pillow's arrays of 1-bit images have it as 255."""
    return pixels.view(np.uint8) != 0 if pixels.dtype == np.bool_ else pixels


def iterate_frames(frames: Iterable[Any]) -> LabelledFrames:
    """Label the frames of an iterable by their number."""
    for number, frame in enumerate(frames):
        refuse_picture(frame, f"frame {number}")
        try:
            pixels = plain_array(frame, f"frame {number}")
        except (TypeError, ValueError) as error:
            raise SourceError(f"frame {number} is no array of pixels: {error}") from error
        yield f"frame {number}", pixels


def to_gray(colour: Array) -> Array:
    """Luma of ``(..., 3|4)`` uint8 RGB, rounded as Pillow's ``convert("L")`` does.

    Source: ITU-R BT.601, in 16-bit fixed point.
    """
    if colour.dtype != np.uint8:
        raise SourceError(f"gray of colour is only made of uint8, not of {colour.dtype}")
    red, green, blue = (colour[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)


def _volume_advice(shape: Shape) -> str:
    """What to do with a frame that may hold many frames, or many channels."""
    if len(shape) < 3 or 0 in shape:
        return ""
    return (
        ". If each is a volume of frames, as some readers give it, pack all as one array: "
        "np.concatenate(list(source)). If its last axis holds channels, make these frames: "
        "np.concatenate([np.moveaxis(frame, -1, 0) for frame in source])"
    )


def _describe(shape: Shape, dtype: np.dtype[Any]) -> str:
    return "x".join(map(str, shape)) + f" {dtype}"
