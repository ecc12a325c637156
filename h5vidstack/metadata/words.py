"""What a source says in its own words, for all frames or for each: OME-XML, tags, EXIF."""

from __future__ import annotations

import array
import hashlib
import json
import tempfile
import weakref
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ..errors import MetadataError
from ..shapes import Numbers

NOTHING = 2**32 - 1
"""Stands for a frame of which the source says nothing."""
_SPOOL_BYTES = 8 << 20
_REMEMBERED = 1 << 16
"""How many different values are compared with a new one."""


class WordsKind(StrEnum):
    """How the bytes of a value are meant."""

    TEXT = "text"
    """UTF-8, with `surrogateescape`."""
    JSON = "json"
    """A JSON document in UTF-8."""
    BYTES = "bytes"
    """As they are."""


@dataclass(frozen=True, eq=False)
class Words:
    """One thing that a source says, verbatim; ``words[i]`` is what it says of frame i.

    Attributes
    ----------
    kind
        How the bytes of a value are meant.
    values
        The different values, each once, as bytes.
    of
        ``(N,)``: which value each frame has, `NOTHING` for none. None: the only value is of all.
    """

    kind: WordsKind
    values: Sequence[bytes]
    of: npt.NDArray[np.uint32] | None = field(default=None, repr=False)

    @staticmethod
    def whole(kind: WordsKind, value: bytes | str) -> Words:
        """Make one of what is said of all frames together."""
        data = value.encode(errors="surrogateescape") if isinstance(value, str) else value
        return Words(kind, (data,))

    @property
    def value(self) -> Any:
        """What is said of all frames, or, where frames differ, of the first one."""
        return self[0]

    def __getitem__(self, frame: int) -> Any:
        if self.of is None:
            return self.meant(self.values[0])
        place = int(self.of[frame])
        return None if place == NOTHING else self.meant(self.values[place])

    def meant(self, value: bytes) -> Any:
        """Return a value as text, as what JSON makes of it, or as bytes."""
        if self.kind == WordsKind.BYTES:
            return value
        text = value.decode(errors="surrogateescape")
        if self.kind == WordsKind.TEXT:
            return text
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MetadataError(f"what the source says is no JSON: {error}") from error

    def take(self, numbers: Numbers) -> Words:
        """Return what is said of some frames."""
        return self if self.of is None else Words(self.kind, self.values, self.of[numbers])

    def used(self) -> Words | None:
        """Return it without values that no frame has; None if nothing is said of any frame."""
        if self.of is None:
            return self
        places = np.unique(self.of[self.of != NOTHING])
        if not len(places):
            return None
        of = np.where(self.of == NOTHING, NOTHING, np.searchsorted(places, self.of))
        return Words(self.kind, Chosen(self.values, places), of.astype(np.uint32))

    def for_frames(self, count: int) -> npt.NDArray[np.uint32]:
        """Return which value each of `count` frames has."""
        return np.zeros(count, np.uint32) if self.of is None else self.of


def joined_words(
    one: Words | None, one_count: int, two: Words | None, two_count: int
) -> Words | None:
    """Return what is said of the frames of two sources, one after another.

    Of two kinds it is the one that holds both: text of JSON and text, else bytes.
    """
    if one is None or two is None:
        there = one or two
        if there is None:
            return None
        silent = [
            np.full(count, NOTHING, np.uint32) if words is None else words.for_frames(count)
            for words, count in ((one, one_count), (two, two_count))
        ]
        return Words(there.kind, there.values, np.concatenate(silent))
    kind = one.kind
    if one.kind != two.kind:
        kind = WordsKind.BYTES if WordsKind.BYTES in (one.kind, two.kind) else WordsKind.TEXT
    if one.of is None and two.of is None and one.values[0] == two.values[0]:
        return Words(kind, one.values)
    shifted = two.for_frames(two_count).astype(np.uint64)
    shifted[shifted != NOTHING] += len(one.values)
    of = np.concatenate([one.for_frames(one_count), shifted.astype(np.uint32)])
    return Words(kind, Joined(one.values, two.values), of)


class Chosen(Sequence[bytes]):
    """Some values of a sequence, without a copy."""

    def __init__(self, values: Sequence[bytes], places: npt.NDArray[np.uint32]) -> None:
        self._values, self._places = values, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        return self._values[int(self._places[place])]


class ByteValues(Sequence[bytes]):
    """Byte strings that are not in memory together; `value_at` gives one of them."""

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self.value_at(place)

    @abstractmethod
    def value_at(self, place: int) -> bytes:
        """Return a value by its number, which is one of those that there are."""


class Joined(ByteValues):
    """The values of one sequence after those of another, without a copy."""

    def __init__(self, one: Sequence[bytes], two: Sequence[bytes]) -> None:
        self._one, self._two = one, two

    def __len__(self) -> int:
        return len(self._one) + len(self._two)

    def value_at(self, place: int) -> bytes:
        """See `ByteValues`."""
        first = len(self._one)
        return self._one[place] if place < first else self._two[place - first]


class WordsCollector(ByteValues):
    """Collects what a source says of one frame after another.

    Equal values are kept once, as far as it remembers them; many values are kept on disk.

    Parameters
    ----------
    kind
        Of the values.
    """

    def __init__(self, kind: WordsKind) -> None:
        self._kind = kind
        self._spool: IO[bytes] = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115
        weakref.finalize(self, self._spool.close)
        self._ends = array.array("Q")
        self._of = array.array("I")
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._last: tuple[bytes | str, int] | None = None

    def add(self, value: bytes | str | None) -> None:
        """Note what is said of the next frame; None: nothing."""
        if value is None:
            self._of.append(NOTHING)
            return
        if self._last is not None and value is self._last[0]:
            self._of.append(self._last[1])
            return
        data = value.encode(errors="surrogateescape") if isinstance(value, str) else value
        digest = hashlib.blake2b(data, digest_size=20).digest()
        place = self._known.get(digest)
        if place is None:
            place = self._known[digest] = len(self._ends)
            self._spool.seek(0, 2)
            self._spool.write(data)
            self._ends.append(self._spool.tell())
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(digest)
        self._last = value, place
        self._of.append(place)

    def words(self) -> Words | None:
        """Return all that was said; None if nothing was."""
        of = np.frombuffer(self._of, np.uint32).copy() if len(self._of) else np.empty(0, np.uint32)
        if not len(self._ends):
            return None
        same = len(self._ends) == 1 and not of.any()
        return Words(self._kind, self, None if same else of)

    def __len__(self) -> int:
        return len(self._ends)

    def value_at(self, place: int) -> bytes:
        """See `ByteValues`."""
        start = self._ends[place - 1] if place else 0
        self._spool.seek(start)
        return self._spool.read(self._ends[place] - start)

    def __iter__(self) -> Iterator[bytes]:
        return (self[place] for place in range(len(self)))
