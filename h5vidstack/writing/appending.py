"""The earlier stack that frames are added to: what it holds, and how its tables go on."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..choosing.methods import METHODS, Kept, Method
from ..choosing.profiles import PROFILES
from ..codecs.loss import stated, stated_noise, together
from ..codecs.noise import NoiseBound, NoiseModel
from ..errors import FormatError, SourceError, UnsupportedError
from ..hdf5.failures import DamageError, damage_as_error
from ..hdf5.filter import pipeline
from ..hdf5.opening import open_hdf5
from ..layout import metadata_reading
from ..layout.names import read_table
from ..layout.stack_group import Layout
from ..layout.writer import Order, Record
from ..metadata.description import Metadata
from ..reading.stack_file import StackFile
from ..shapes import Numbers, Pixels, Shape
from ..similar.fingerprints import HASHES, Fingerprints


class Earlier:
    """A stack as it was before frames are added to it.

    Parameters
    ----------
    path, stack
        The file, and the path of the stack in it.

    Attributes
    ----------
    file
        The open stack.
    crc32
        ``(N,)``: the CRC-32 of each frame.
    places
        ``(pile, position)`` of each frame, ``(N,)`` each.
    members
        For each pile the frame number of each position.
    metadata
        What is known of the frames besides their pixels.
    extends
        Whether new frames go on in the last pile. Else they get piles of their own.

    Raises
    ------
    FormatError
        If there is no stack, or its tables are damaged or do not list all of its frames.
    """

    def __init__(self, path: str | os.PathLike[str], stack: str | None) -> None:
        self.file = StackFile(os.fspath(path), stack)
        layout, self.extends = self.file.layout, False
        try:
            if layout.group is None:
                raise FormatError(f"{self.file.name} is a bare dataset; pack it as a stack first")
            n = len(self)
            if layout.live:
                raise FormatError(
                    f"{self.file.name} is being recorded, or its recording was not closed; "
                    "then 'h5vidstack recover' makes a complete stack of it"
                )
            try:
                self.crc32 = read_table(layout.group, "index/crc32", n)
            except DamageError as error:
                raise FormatError(
                    f"{self.file.name}: {error}; 'h5vidstack recover' makes a sound stack of it"
                ) from error
            self.members = [layout.members(number) for number in range(len(layout.piles))]
            self.metadata = stored_metadata(layout)
            found = self.file.places
            self.places = (np.zeros(n, np.intp), np.arange(n)) if found is None else found
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return self.file.shape[0]

    def check(self, name: str, frame: Shape, dtype: np.dtype[Any]) -> None:
        """Raise SourceError if frames of a source cannot be added."""
        held = (self.file.shape[1:], self.file.dtype.newbyteorder("="))
        if held != (frame, dtype):
            own = "x".join(map(str, frame))
            raise SourceError(
                f"frames of {name} are {own} {dtype}, those of {self.file.name} are "
                f"{'x'.join(map(str, held[0]))} {held[1]}: a stack holds frames of one kind"
            )

    def firsts(self) -> tuple[Numbers, npt.NDArray[np.uint32]]:
        """Return numbers and CRC-32 of the frames that are stored, each once."""
        numbers = np.sort(np.concatenate(self.members))
        return numbers, self.crc32[numbers]

    def frame(self, number: int) -> Pixels:
        """Return the pixels of a frame, ``(H, W[, C])``."""
        pile, position = (int(table[number]) for table in self.places)
        row, place = divmod(position, self.file.piles[pile].chunks[0])
        frame: Pixels = self.file.piles[pile].row_frames(row)[place]
        return frame

    @property
    def usual_method(self) -> str:
        """The method for more frames: the same again, or auto, since a PCA takes no more frames."""
        own = self.file.layout.attrs["method"]
        return own if own in METHODS and METHODS[own].kept != Kept.PCA else "auto"

    @property
    def usual_profile(self) -> str | None:
        """The profile for more frames: the same again, if the file says which."""
        own = self.file.layout.attrs["settings"].get("profile")
        return own if own in PROFILES else None

    @property
    def noise(self) -> NoiseModel | None:
        """The noise of the camera in units of which the stack's loss is bounded, if it is."""
        found = stated_noise(self.file.layout.attrs)
        return None if found is None else found.model

    def check_bound(self, bound: float | NoiseBound) -> None:
        """Raise UnsupportedError if the loss of all frames could not be said in one noise."""
        if self.noise is None or bound == 0:
            return
        if not isinstance(bound, NoiseBound):
            raise UnsupportedError(
                f"{self.file.name} states its loss in units of its camera's noise: give max-error "
                "in these, as 0.5s, add frames losslessly, or pack these as a stack of their own"
            )
        if not self.noise.same_camera(bound.model):
            raise UnsupportedError(
                f"{self.file.name} states its loss in units of the noise of another camera "
                f"({self.noise}): leave out noise to take that, or pack these frames as a stack "
                "of their own"
            )

    def go_on(
        self, method: Method, chunk: Shape, chunk_frames: int | None, tile: tuple[int, int] | None
    ) -> Shape:
        """See whether lossless frames in order go on in the only pile, and note it.

        Parameters
        ----------
        method
            The method of the new frames.
        chunk
            The chunk that new piles would have.
        chunk_frames, tile
            What the user asked for.

        Returns
        -------
        tuple of int
            The chunk of the pile that takes the frames.
        """
        pile = self.file.layout.piles[-1]
        held: Shape = pile.data.chunks
        self.extends = (
            len(self.members) == 1
            and pile.plain
            and bool(self.file.layout.attrs["lossless"])
            and {code for code, *_ in pipeline(pile.data)} == method.filters
            and chunk_frames in (None, held[0])
            and (tile is None or chunk[1:] == held[1:])
        )
        return held if self.extends else chunk

    def tail(self) -> Pixels:
        """Return the frames of the last pile's last block if it is not full, ``(n, H, W[, C])``."""
        chunks = self.file.piles[-1]
        row, count = divmod(len(self.members[-1]), chunks.chunks[0])
        return chunks.row_frames(row) if count else np.empty((0, *chunks.shape[1:]), chunks.dtype)

    def joined_metadata(self, added: Metadata, leading: Shape) -> Metadata:
        """Return what is known of all frames.

        Parameters
        ----------
        added
            Of frames to add, checked.
        leading
            The lengths of their axes that count frames.

        Raises
        ------
        MetadataError
            If it contradicts what the stack says.
        """
        return self.metadata.join(added, self.file.layout.leading_shape, leading)

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def join(
        self, order: Order, prints: Fingerprints, record: Record
    ) -> tuple[Order, Fingerprints, Record]:
        """Return tables and record of all frames.

        Parameters
        ----------
        order
            Where the new frames are. Both they and their piles are numbered from 0. A frame that
            equals an earlier one is in pile -1, and its position is the number of that frame.
        prints, record
            Those of the new frames.
        """
        count = len(prints)
        added = record.leading_shape or (count,)
        own = self.file.layout.attrs
        news = {name: record.settings[name] for name in ("method", "order", "codings", "source")}
        settings = own["settings"] | {
            "added": [*own["settings"].get("added", ()), {"frames": count} | news]
        }
        record = Record(
            joined_method(own["method"], record.method),
            settings,
            self._leading_shape(added),
            together(stated(own), len(self), record.loss, count),
            metadata=self.joined_metadata(record.metadata or Metadata(), added),
        )
        return self._order(order), self._prints(prints), record

    def _order(self, added: Order) -> Order:
        """Return where all frames are."""
        n, piles = len(self), len(self.members)
        first, start = piles - self.extends, len(self.members[-1]) * self.extends
        old = added.pile < 0
        place = np.where(old, added.position, 0)
        pile = np.where(old, self.places[0][place], added.pile + first)
        shift = np.where(added.pile == 0, start, 0)
        position = np.where(old, self.places[1][place], added.position + shift)
        members = [*self.members, *(frames + n for frames in added.members)]
        typical = [self.file.layout.typical(i, held) for i, held in enumerate(self.members)]
        typical += [frame + n for frame in added.typical]
        if self.extends and added.members:
            members[piles - 1 : piles + 1] = [np.concatenate(members[piles - 1 : piles + 1])]
            del typical[piles]
        return Order(
            np.concatenate([self.places[0], pile]),
            np.concatenate([self.places[1], position]),
            members,
            typical,
        )

    def _prints(self, added: Fingerprints) -> Fingerprints:
        """Return tables of all frames, with image hashes where all frames have some."""
        group = self.file.layout.group
        tables: dict[str, Any] = dict.fromkeys(HASHES)
        if added.hashes and group is not None and "hashes" in group:
            for name, table in added.hashes.items():
                tables[name] = np.concatenate([self.file.hashes(name), table])
        return replace(added, crc32=np.concatenate([self.crc32, added.crc32]), **tables)

    def _leading_shape(self, added: Shape) -> Shape | None:
        """Return the axes before those of a frame for all frames, if there are several."""
        joined = joined_axes(self.file.layout.leading_shape, added)
        return joined if len(joined) > 1 else None


def stored_metadata(layout: Layout) -> Metadata:
    """Return what is known of the frames of an open stack, with a name for each axis."""
    metadata = Metadata()
    if layout.group is not None:
        metadata = metadata_reading.read(layout.group, layout.attrs)
    return metadata.checked(layout.leading_shape, layout.shape[1:])


def joined_method(one: str, other: str) -> str:
    """Return the method of a stack whose frames were packed by these two methods."""
    if one == other:
        return one
    return "groupvideo" if {one, other} == {"video", "groupvideo"} else "mixed"


def joined_axes(one: Shape, other: Shape) -> Shape:
    """Return the axes before those of a frame, if `other` goes on along the first; else none."""
    return (one[0] + other[0], *one[1:]) if one and one[1:] == other[1:] else ()


def find_earlier(target: Path, stack: str) -> Earlier | None:
    """Return the stack that frames are to be added to; None if there is none yet.

    Raises
    ------
    FormatError
        If something else is there, or the stack is damaged.
    UnsupportedError
        If the frames of the stack are in other files, or in a dataset at a path of its own.
    """
    if not target.exists():
        return None
    with damage_as_error(str(target)), open_hdf5(str(target)) as file:
        if stack not in file:
            return None
    found = Earlier(target, stack)
    why = None
    if found.file.layout.linked:
        why = (
            "is made of parts in other files; append to the last of these and link them again, or "
            "pack it into a file of its own"
        )
    elif found.file.layout.beside is not None:
        why = (
            f"is beside the dataset {found.file.layout.beside}, which repack coded at its path; "
            "frames are added to stacks that pack made"
        )
    if why is not None:
        found.close()
        raise UnsupportedError(f"{found.file.name} {why}")
    return found
