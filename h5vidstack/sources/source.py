"""What a source is: how it is to be read, what it says of its frames, and how it gives them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..codecs.loss import Loss
from ..errors import SourceError
from ..layout.names import SEPARATOR
from ..metadata.description import NO_METADATA, Metadata
from ..shapes import Pixels, Shape


@dataclass(frozen=True)
class SourceOptions:
    """How a source is to be read, where there is a choice.

    Attributes
    ----------
    gray
        Keep only the luma of colour.
    stream
        The number of the video stream to read, among all streams of the file; None: the one that
        a player would show.
    accept_damaged
        Take what decoders make of damaged data, and record which frames are doubtful.
    """

    gray: bool = False
    stream: int | None = None
    accept_damaged: bool = False


DEFAULT_OPTIONS = SourceOptions()


class Access(IntEnum):
    """How frames can be read besides once in order. Each level can do what those below it can."""

    ONCE = 0
    """Frames cannot be read in any other way."""
    AGAIN = 1
    """`Source.take` gives the frames that `Source.batches` has passed."""
    RANDOM = 2
    """`Source.take` gives any frame at any time, and `Source.count` is exact."""
    CHEAP = 3
    """As RANDOM, and it takes no longer than copying the frames."""


class Source(ABC):
    """A stack of frames of one shape and dtype, which is read from first to last.

    Attributes
    ----------
    name
        What the user called it.
    frame
        ``(H, W)`` or ``(H, W, C)``.
    dtype
        Of every frame.
    count
        The number of frames, or None if only reading shows it.
    leading_shape
        The axes before ``(H, W[, C])``, or None if there is just one.
    access
        What `take` can do.
    numbers
        The number that each frame had in the stack from which it was recovered, if others of that
        are lost. `pack` keeps these numbers.
    loss
        What is known of the difference of recovered frames to what they once were.
    notes
        Whole sentences that the user must read: what was left out, what was kept as it is stored,
        and what is doubtful. Reading may add to them until the last batch.
    conversion
        What made the samples, if they are not as the file stores them, for example
        ``"RGB made by FFmpeg from yuv420p"``.
    doubtful
        The numbers of the frames that were decoded from damaged data. Reading may add to them until
        the last batch.
    file_bytes
        The size of the source's file or files, or None if there are none.
    leftover
        What its files hold besides these frames, a sentence; None if that is nothing.
    left_out
        What else its files hold and a stack does not keep, in a few words each.
    metadata
        What it says of the frames besides their pixels. Reading may replace it until the last
        batch; coordinates and words then have a value for each frame that was read.
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
    leftover: str | None = None
    left_out: tuple[str, ...] = ()
    metadata: Metadata = NO_METADATA

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
    def batches(self, size: int) -> Iterator[Pixels]:
        """Yield C-contiguous arrays ``(size, *frame)``; the last one may be shorter."""

    def take(self, numbers: npt.NDArray[np.intp]) -> Pixels:
        """Return frames in any order, ``(len(numbers), *frame)``, as far as `access` allows."""
        raise NotImplementedError

    def likely_count(self) -> int | None:
        """Return about how many frames there are, without reading them; None if nothing tells."""
        return self.count

    def sample_run(self, share: float, length: int) -> Pixels:
        """Return a few frames that follow each other, without reading all before them.

        It is for estimates of frames that are read in another way later. Afterwards `metadata` has
        what is known of the frames that were read, by the names under which all of it would be
        kept.

        Parameters
        ----------
        share
            Where they are: 0 for the first ones, 1 for the last ones.
        length
            How many are wanted; there may be fewer.

        Raises
        ------
        SourceError
            If the source gives its frames only in order, and only once.
        """
        if not self.can_take_any or self.count is None:
            raise SourceError(
                f"{self.name} gives its frames only once, so that looking at some of them would "
                "use them up: give an array or a list of some of the frames"
            )
        first = round(share * max(0, self.count - length))
        return self.take(np.arange(first, min(first + length, self.count)))

    @abstractmethod
    def close(self) -> None:
        """Release files."""


@dataclass(frozen=True)
class SourceFile:
    """A file that is to be opened as a source.

    Attributes
    ----------
    path
        The file.
    inner
        The place inside the file that the user named, or None.
    head
        Its first bytes.
    """

    path: Path
    inner: str | None
    head: bytes

    @property
    def name(self) -> str:
        """What the user called it."""
        return f"{self.path}{SEPARATOR}{self.inner}" if self.inner else str(self.path)
