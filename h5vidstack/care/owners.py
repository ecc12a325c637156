"""Which frames the places of a damaged stack hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..reading.stack_file import StackFile


class Owners:
    """Which frames a place of a pile holds, by what is left of the tables.

    Attributes
    ----------
    notes
        What is wrong with them.
    """

    def __init__(self, file: StackFile, crc32: npt.NDArray[np.uint32] | None) -> None:
        self.notes: list[str] = []
        self._crc32 = crc32
        self._by_place: dict[tuple[int, int], list[int]] | None = None
        self._by_crc: dict[int, list[int]] = {}
        for frame, crc in enumerate(() if crc32 is None else crc32.tolist()):
            self._by_crc.setdefault(crc, []).append(frame)
        try:
            places = file.places
            if places is not None:
                self._by_place = {}
                for frame, place in enumerate(zip(*map(np.ndarray.tolist, places), strict=True)):
                    self._by_place.setdefault(place, []).append(frame)
        except FormatError as error:
            self.notes.append(f"{error}; frames were numbered by what each pile says of itself")
            self._by_place = self._from_members(file)

    def _from_members(self, file: StackFile) -> dict[tuple[int, int], list[int]]:
        """Places by the piles' own tables; copies are told by their CRC."""
        found: dict[tuple[int, int], list[int]] = {}
        for number in range(len(file.piles)):
            try:
                members = file.layout.members(number).tolist()
            except FormatError as error:
                self.notes.append(f"{error}; its frames were numbered by their CRC")
                continue
            found |= {(number, position): [frame] for position, frame in enumerate(members)}
        named = {frame for frames in found.values() for frame in frames}
        if self._crc32 is not None:
            for frames in found.values():
                if frames[0] < len(self._crc32):
                    same = self._by_crc[int(self._crc32[frames[0]])]
                    frames += [frame for frame in same if frame not in named]
        return found

    def numbers(self, pile: int, position: int, crc: int) -> list[int]:
        """Frames that are at a place, of those whose CRC it has."""
        if self._by_place is None:
            held = [position]
        elif self._crc32 is None:
            return self._by_place.get((pile, position), [])
        else:
            held = self._by_place.get((pile, position), self._by_crc.get(crc, []))
        if self._crc32 is None:
            return held
        return [frame for frame in held if frame >= len(self._crc32) or self._crc32[frame] == crc]
