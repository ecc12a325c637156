"""What tells a stack that was opened from every other, and from what it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..hdf5.file_stamp import Stamp
from ..shapes import Shape


@dataclass(frozen=True)
class Identity:
    """What a stack was when it was opened. Two that are equal hold the same pixels.

    Attributes
    ----------
    uuid
        Renewed by each change of the stack; None for a bare dataset.
    lineage
        The same as long as the stack only grows; None for a bare dataset.
    place
        Of a bare dataset: its path, the file's inode (0 if it is remote) and HDF5's address.
    shape, dtype
        Of the stack.
    file
        The stamp of the file; None while it is being recorded, since that changes it.
    parts
        The stamps of other files in which frames are, by their names.
    """

    uuid: str | None
    lineage: str | None
    place: tuple[str, int, int] | None
    shape: Shape
    dtype: str
    file: Stamp | None
    parts: tuple[tuple[str, Stamp], ...] = ()

    def change(self, now: Identity) -> str | None:
        """Say in words why what is there now has other pixels; None if it has the same.

        A recording may have more frames now, behind the same ones.
        """
        if self.uuid != now.uuid:
            return self._other(now)
        if self.file is None:
            grown = now.shape[0] >= self.shape[0]
            return None if grown else f"it had {self.shape[0]} frames and has {now.shape[0]}"
        if now.file is not None and (change := self.file.difference(now.file)):
            return change
        if self.parts != now.parts:
            return self._other_parts(dict(now.parts))
        return "it is another dataset" if self._kind != now._kind else None

    def growth(self, now: Identity) -> str | None:
        """Say in words why what is there now is not the same stack, perhaps with more frames."""
        same = self.lineage == now.lineage and self.place == now.place
        if not same or self._kind[1:] != now._kind[1:]:
            return "it is another stack"
        if now.shape[0] < self.shape[0]:
            return f"it had {self.shape[0]} frames and has {now.shape[0]}"
        return None

    @property
    def _kind(self) -> tuple[object, ...]:
        return self.shape[0], self.place, self.shape[1:], self.dtype

    def _other(self, now: Identity) -> str:
        if self.growth(now) is not None:
            return "it is another stack"
        more = now.shape[0] - self.shape[0]
        return f"{more} frames were added" if more else "something beside its frames was changed"

    def _other_parts(self, now: Mapping[str, Stamp]) -> str:
        name, before = next((name, stamp) for name, stamp in self.parts if now.get(name) != stamp)
        change = before.difference(now[name]) if name in now else None
        return f"its part {name} changed: {change or 'it is not there'}"
