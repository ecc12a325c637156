"""The piles of a packed stack, for people and programs to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..codecs.h264 import AS_THEY_CAME
from ..codecs.registry import PRESETS, Coding
from ..hdf5.failures import damage_as_error
from ..hdf5.filter import stored_coding
from ..layout.stack_group import Layout
from ..shapes import frame_bytes
from .stack_file import StackFile


@dataclass(frozen=True, kw_only=True)
class Group:
    """One pile of similar frames.

    Attributes
    ----------
    number
        Of the pile.
    frames
        Original frame numbers in packed order, ``(n,)``; a frame that is stored once
        for several numbers is named by the first.
    typical
        Original number of the frame that stands for the pile.
    raw_bytes, stored_bytes
        Of its frames as an array, and of its blocks.
    blocks
        Number of blocks.
    codec, preset
        Of its streams, or of those of the highest bits; None where another program wrote it, and
        no preset where another program made the packets.
    coding
        How it is coded, in words; None where the file does not say.
    """

    number: int
    frames: npt.NDArray[np.intp]
    typical: int
    raw_bytes: int
    stored_bytes: int
    blocks: int
    codec: str | None
    preset: str | None
    coding: str | None

    @property
    def ratio(self) -> float | None:
        """Raw bytes over stored bytes; None where nothing is stored."""
        return self.raw_bytes / self.stored_bytes if self.stored_bytes else None


def describe_groups(file: StackFile) -> list[Group]:
    """Describe the piles of an open stack.

    Raises
    ------
    FormatError
        If a table is damaged.
    """
    return file.ask(lambda layout: list(_groups(layout, file)))


def _groups(layout: Layout, file: StackFile) -> Iterator[Group]:
    for number, members in enumerate(layout.all_members()):
        with damage_as_error(file.name):
            words = layout.coding(number)
            coding = _named(words) or stored_coding(layout.piles[number].data)
            ours = words is None or not words.startswith(AS_THEY_CAME)
            stored, blocks = layout.stored(number)
            yield Group(
                number=number,
                frames=members,
                typical=layout.typical(number, members),
                raw_bytes=len(members) * frame_bytes(file.shape[1:], file.dtype.itemsize),
                stored_bytes=stored,
                blocks=blocks,
                codec=coding.codec.name if coding else None,
                preset=coding.preset if coding and ours else None,
                coding=words,
            )


def _named(words: str | None) -> Coding | None:
    """Return what codes the highest bits, which a recipe names last.

    Of a pile that was added to, as of the filter's parameters, it is the first recipe's.
    """
    first = words.split(", then ")[0].split() if words else []
    return Coding(first[-1]) if first and first[-1] in PRESETS else None
