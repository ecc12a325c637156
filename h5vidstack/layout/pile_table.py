"""The table of a stack's piles, which is read when the stack is opened; piles are when used.

It repeats what each pile says of itself (spec/format.md, "Table of piles"), because to open
thousands of datasets takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

import h5py
import numpy as np

from ..hdf5.failures import DamageError, hdf5_errors
from ..shapes import Numbers, Shape
from .names import read_table

TABLE, CODINGS = "index/piles", "index/codings"

MOST_OPEN = 1024
"""Most piles that are kept open: HDF5 takes some ten kilobytes for each."""

_COLUMNS = 7

Item = TypeVar("Item")


@dataclass(frozen=True)
class PileFacts:
    """What the table says of one pile.

    Attributes
    ----------
    length
        Number of frames.
    chunk
        ``(G, h, w)``: frames, rows and columns of a chunk.
    stored_bytes
        Bytes that it takes in the file.
    typical
        Original number of the frame that stands for the pile.
    coding
        How it is coded, in words; None where the file does not say.
    """

    length: int
    chunk: Shape
    stored_bytes: int
    typical: int
    coding: str | None


class PileTable:
    """What is known of all piles of a stack without opening them.

    Parameters
    ----------
    rows
        ``(P, 7)``: a row a pile, as the file has them.
    codings
        All different words for codings.
    """

    def __init__(self, rows: Numbers, codings: Sequence[str]) -> None:
        self._rows, self._codings = rows, codings

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> PileFacts:
        length, *chunk, stored, typical, coding = map(int, self._rows[number])
        words = self._codings[coding]
        return PileFacts(length, tuple(chunk), stored, typical, words or None)

    @property
    def lengths(self) -> Numbers:
        """Number of frames of each pile."""
        lengths: Numbers = self._rows[:, 0]
        return lengths

    @property
    def chunks(self) -> Numbers:
        """``(P, 3)``: frames, rows and columns of the chunks of each pile."""
        chunks: Numbers = self._rows[:, 1:4]
        return chunks

    @property
    def stored_bytes(self) -> int:
        """Bytes that all piles take in the file."""
        return int(self._rows[:, 4].sum())


def tabulate(piles: Sequence[PileFacts]) -> tuple[Numbers, bytes]:
    """Return the rows of the table, and the text of all codings, as the file has them."""
    words = {coding: number for number, coding in enumerate({p.coding or "": 0 for p in piles})}
    rows = [
        (pile.length, *pile.chunk, pile.stored_bytes, pile.typical, words[pile.coding or ""])
        for pile in piles
    ]
    return np.array(rows, np.intp).reshape(-1, _COLUMNS), json.dumps(list(words)).encode()


def read_piles(group: h5py.Group, count: int) -> PileTable | None:
    """Return the table of a stack of so many piles; None if it has none.

    Raises
    ------
    DamageError
        If it is damaged, or says what cannot be.
    """
    with hdf5_errors(TABLE):
        if TABLE not in group:
            return None
    rows = read_table(group, TABLE, (count, _COLUMNS)).astype(np.intp)
    try:
        codings = list(json.loads(read_table(group, CODINGS, None).tobytes()))
    except (TypeError, ValueError, RecursionError) as error:
        raise DamageError(f"{CODINGS} is no JSON array: {error}") from error
    texts = all(isinstance(coding, str) for coding in codings)
    if not texts or (rows < 0).any() or (rows[:, :4] < (0, 1, 1, 1)).any():
        raise DamageError(f"{TABLE} or {CODINGS} says what cannot be")
    if (rows[:, -1] >= len(codings)).any():
        raise DamageError(f"{TABLE} names a coding that is not in {CODINGS}")
    return PileTable(rows, codings)


class OpenedOnUse(Sequence[Item], Generic[Item]):
    """Things with numbers, each opened when it is first asked for.

    Parameters
    ----------
    count
        How many there are.
    open_one
        Opens the one of a number. It may be called again for a number, since not all are kept.
    """

    def __init__(self, count: int, open_one: Callable[[int], Item]) -> None:
        self._count, self._open_one = count, open_one
        self._open: dict[int, Item] = {}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int) -> Item: ...
    @overload
    def __getitem__(self, number: slice) -> list[Item]: ...
    def __getitem__(self, number: int | slice) -> Item | list[Item]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(self._count))]
        number = range(self._count)[number]
        found = self._open.get(number)
        if found is None:
            found = self._open_one(number)
            if len(self._open) >= MOST_OPEN:
                self._open = {}  # at once, because other threads may use it
            self._open[number] = found
        return found

    def __iter__(self) -> Iterator[Item]:
        return (self[number] for number in range(self._count))
