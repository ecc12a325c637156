"""The interface of all kinds of packing: what each is given, and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..choosing.methods import Method
from ..choosing.quality import Wish
from ..choosing.trials import Trial
from ..codecs.loss import Loss
from ..codecs.recipe import Recipe
from ..layout.writer import Order, StackWriter
from ..pool import Progress, Step
from ..shapes import Shape, frame_bytes
from ..similar.fingerprints import Fingerprints
from ..sources.source import Source
from .appending import Earlier
from .crew import Crew
from .journal import Journal
from .pack_options import PackOptions


@dataclass(frozen=True, kw_only=True)
class Setup:
    """All that a packing works with.

    Attributes
    ----------
    source
        Gives the frames: what the user named, or a spool of it.
    writer
        Takes the blocks.
    options
        What the user asks for, with a method and a profile.
    method
        The row of that method.
    wish, template
        How to code, as far as it is given; the template has the bound in figures.
    chunk
        Shape of a block, ``(G, h, w[, C])``.
    crew
        Does the work.
    before
        The stack that frames are added to, if there is one.
    journal
        Keeps the blocks of an interrupted run, if that is wanted.
    progress
        Is told how far packing has come.
    """

    source: Source
    writer: StackWriter
    options: PackOptions
    method: Method
    wish: Wish
    template: Recipe
    chunk: Shape
    crew: Crew
    before: Earlier | None
    journal: Journal | None
    progress: Progress | None


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What became of the frames of one source.

    Attributes
    ----------
    order
        Where each frame is.
    prints
        Fingerprints of all frames, with the CRC-32 that a reader finds.
    loss
        The difference of the stack to its input.
    sentence
        In which order frames are stored, and why.
    codings
        How each pile is coded, in words.
    trials
        What was tried for each pile.
    reordered
        Whether frames are in another order than the given one.
    """

    order: Order
    prints: Fingerprints
    loss: Loss
    sentence: str
    codings: Sequence[str]
    trials: Sequence[Sequence[Trial]]
    reordered: bool = False


class Packing(ABC):
    """One way to pack the frames of a source.

    Parameters
    ----------
    setup
        All that it works with; the crew is at work while it runs.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._count = setup.source.count

    @abstractmethod
    def run(self) -> Packed:
        """Pack everything."""

    def _tell(self, frames: int, doing: str = "") -> None:
        """Tell how many frames are done."""
        setup = self.setup
        if setup.progress is not None:
            source = setup.source
            raw = 0 if doing else frames * frame_bytes(source.frame, source.dtype.itemsize)
            setup.progress(Step(frames, self._count, doing, raw, setup.writer.stored_bytes))


def given_order(count: int, typical: int) -> Order:
    """Return the order of frames that are all in one pile as they came."""
    numbers = np.arange(count)
    return Order(np.zeros(count, np.uint32), numbers, [numbers], [typical])


def as_read(
    prints: Fingerprints, lost: Loss, crc32: npt.NDArray[np.uint32]
) -> tuple[Fingerprints, Loss]:
    """Return fingerprints and loss of lossy frames, of which a reader finds other CRC-32s.

    A reader may get the same pixels all the same: then nothing is lost.
    """
    exact = lost.max_error == 0 and np.array_equal(crc32, prints.crc32)
    return replace(prints, crc32=crc32), replace(lost, exact=exact)
