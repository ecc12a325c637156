"""`recover`: save what is intact of a damaged stack, and say what is lost."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from h5py import h5z

from . import plain
from .block import frame_crcs
from .carving import carve
from .chunks import Chunks, PcaChunks, Pixels
from .codecs import Coding
from .coders import BlockCoder
from .encoder import PileEncoder
from .errors import BlockError, FormatError, OutputError
from .filter import FILTER_ID, pipeline
from .geometry import CHUNK_FRAMES, Numbers, choose_chunk
from .hashing import HASHES, Fingerprints, Hashes, hash_images
from .layout import DEFAULT_STACK, SEPARATOR, split_target
from .layout_writer import Order, Record, StackWriter, write_table
from .loss import NO_LOSS, Loss
from .output import open_hdf5_output
from .owners import Owners
from .packer import pack
from .recipe import Recipe
from .sources import open_source
from .stack_file import StackFile
from .workers import Progress, default_workers, in_order


@dataclass(frozen=True)
class Salvage:
    """What `recover` saved.

    Attributes
    ----------
    path, stack
        Where it is now.
    saved
        Number of frames in it.
    lost
        Original numbers of the frames that are not.
    carved
        Whether the file's structure was destroyed, and blocks were found by their marks: then
        `lost` is known only if the table of CRCs was found.
    notes
        What else there is to say, a sentence each.
    """

    path: str
    stack: str
    saved: int
    lost: tuple[int, ...]
    carved: bool
    notes: tuple[str, ...]


def recover(
    bad: str | os.PathLike[str],
    good: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Salvage:
    """Save every intact frame of a damaged stack, or of a recording that was not closed.

    Blocks that are sound are copied as they are. Of a damaged one, frames whose own CRC-32
    is right are saved, too. Where even the structure of the HDF5 file is destroyed, blocks
    are searched in its bytes.

    Parameters
    ----------
    bad
        ``file.h5`` or ``file.h5::/path``. It stays as it is.
    good
        The same, for what is saved: the intact frames in order. Their original numbers are in
        the table `original`, if some are lost.
    progress
        Called with the number of frames looked at and of all.

    Returns
    -------
    Salvage

    Raises
    ------
    FormatError
        If there is no stack, or nothing is intact.
    OutputError
        If `good` exists or cannot be written.
    """
    source, inner = split_target(bad)
    stack = inner or DEFAULT_STACK
    target, place = split_target(good)
    if target.exists() and source.exists() and target.samefile(source):
        raise OutputError(f"{source} itself stays as it is; save to another file")
    try:
        file = StackFile(os.fspath(source), stack)
    except FormatError as error:
        if not source.is_file():
            raise
        return _carve(source, stack, str(error), target, place, overwrite, progress)
    with contextlib.closing(file):
        if file.layout.group is None:
            raise FormatError(f"{file.name} is a bare dataset; recover takes stacks")
        rescue = _Rescue(file, progress)
        if not rescue.look():
            return _carve(
                source,
                stack,
                "its tables do not say which frames it holds",
                target,
                place,
                overwrite,
                progress,
            )
        with open_hdf5_output(target, place, overwrite) as output:
            rescue.write(StackWriter(
                output.create_group(place or stack), file.shape[1:], file.dtype,
                file.piles[0].chunks,
            ))  # fmt: skip
        lost = tuple(np.setdiff1d(np.arange(file.shape[0]), rescue.saved).tolist())
        return Salvage(
            str(target), place or stack, len(rescue.saved), lost, False, tuple(rescue.notes)
        )


def _carve(
    source: Path,
    stack: str,
    why: str,
    target: Path,
    place: str | None,
    overwrite: bool,
    progress: Progress | None,
) -> Salvage:
    """Save the frames of the blocks that are found without HDF5."""
    try:
        found = carve(source, stack, progress)
    except FormatError as error:
        raise FormatError(f"{why}; {error}") from error
    where = f"{target}{SEPARATOR}{place}" if place is not None else target
    intact = open_source(found.frames())
    intact.numbers = found.numbers if found.lost else None
    pack(intact, where, method="video", overwrite=overwrite)
    notes = [why, "the file's structure is damaged: blocks were found by their marks"]
    if found.numbers is None:
        notes.append("no table of CRCs is left: frames are as they lay in the file")
    lost = tuple(found.lost)
    return Salvage(str(target), place or DEFAULT_STACK, len(found), lost, True, tuple(notes))


def _options(filters: dict[int, tuple[int, ...]]) -> dict[str, Any]:
    """HDF5 filters as h5py's `create_dataset` takes them."""
    if FILTER_ID in filters:
        return {"compression": FILTER_ID, "compression_opts": filters[FILTER_ID][:3]}
    found: dict[str, Any] = {
        "shuffle": h5z.FILTER_SHUFFLE in filters,
        "fletcher32": h5z.FILTER_FLETCHER32 in filters,
    }
    if h5z.FILTER_DEFLATE in filters:
        found |= {"compression": "gzip", "compression_opts": filters[h5z.FILTER_DEFLATE][0]}
    return found


def runs(numbers: Sequence[int]) -> str:
    """Ascending numbers in words, as ``3, 7-9``."""
    ends = [at for at in range(1, len(numbers)) if numbers[at] != numbers[at - 1] + 1]
    parts = zip([0, *ends], [*ends, len(numbers)], strict=True)
    return ", ".join(
        f"{numbers[start]}-{numbers[stop - 1]}" if stop - start > 1 else str(numbers[start])
        for start, stop in parts
    )


class _Rescue:
    """What is intact of a stack whose structure can be read.

    Attributes
    ----------
    saved
        Original numbers of the frames that are saved, ascending.
    """

    def __init__(self, file: StackFile, progress: Progress | None) -> None:
        self._file, self._progress = file, progress
        self.notes: list[str] = []
        self._crc32 = None if file.layout.live else file.layout.crc32()
        if self._crc32 is None and not file.layout.live:
            self.notes.append(
                "the table of the frames' CRCs is damaged: blocks were checked by theirs"
            )
        self._owners = Owners(file, self._crc32)
        self.notes += self._owners.notes
        self._whole: list[list[int]] = []  # of each pile: rows to be copied
        self._loose: list[tuple[int, int, Numbers]] = []  # pile, row, places of single frames
        self._frames: dict[tuple[int, int], list[int]] = {}  # numbers of what a place holds
        self._found_crc: dict[int, int] = {}
        self._found_hash: dict[int, tuple[int, ...]] = {}
        self._hashed = "hashes" in (file.layout.group or ())
        self._hashes = self._stored_hashes()

    def _stored_hashes(self) -> dict[str, Hashes] | None:
        if not self._hashed or self._file.layout.live:
            return None
        try:
            return {name: self._file.hashes(name) for name in HASHES}
        except FormatError:
            self.notes.append("the tables of image hashes were damaged, and are made anew")
            return None

    def look(self) -> bool:
        """Decode everything; whether anything is intact."""
        count = sum(pile.shape[0] for pile in self._file.piles)
        done = 0
        with ThreadPoolExecutor(default_workers(), "h5vidstack-recover") as pool:
            for number, pile in enumerate(self._file.piles):
                rows = range(-(-pile.shape[0] // pile.chunks[0]))
                self._whole.append([])

                def load(row: int, pile: Chunks = pile) -> tuple[bool, list[Pixels | None]]:
                    try:
                        return True, list(pile.row_frames(row))
                    except BlockError:
                        return False, self._single_frames(pile, row)

                for row, (sound, frames) in enumerate(in_order(pool, load, rows, len(rows) and 4)):
                    self._note(number, row, frames, sound)
                    done += len(frames)
                    if self._progress is not None:
                        self._progress(done, count)
        self.saved = np.array(sorted(self._found_crc), np.intp)
        return bool(len(self.saved))

    def _single_frames(self, pile: Chunks, row: int) -> list[Pixels | None]:
        """The frames of a damaged run, as far as something can be decoded."""
        step = pile.chunks[0]
        count = min(step, pile.shape[0] - row * step)
        frames: list[Pixels | None] = [None] * count
        if self._crc32 is None:  # nothing would tell right from wrong
            return frames
        lenient = pile.leniently()
        for place in range(count):
            with contextlib.suppress(BlockError):
                frames[place] = lenient.row_frame(row, place)
        return frames

    def _note(self, number: int, row: int, frames: list[Pixels | None], sound: bool) -> None:
        """Find out which of the frames of a row are intact, and which frames they are."""
        pile = self._file.piles[number]
        first = row * pile.chunks[0]
        intact = []
        for place, frame in enumerate(frames):
            if frame is None:
                continue
            crc = int(frame_crcs(frame[np.newaxis])[0])
            held = self._owners.numbers(number, first + place, crc)
            held = [one for one in held if one not in self._found_crc]
            if not held:
                continue
            intact.append(place)
            self._frames[number, first + place] = held
            hashes: tuple[int, ...] = ()
            if self._hashed and self._hashes is None:
                hashes = tuple(int(table[0]) for table in hash_images(frame[np.newaxis]))
            for one in held:
                self._found_crc[one], self._found_hash[one] = crc, hashes
        full = len(frames) == pile.chunks[0] or first + len(frames) == pile.shape[0]
        if sound and full and len(intact) == len(frames) and not isinstance(pile, PcaChunks):
            self._whole[number].append(row)
        elif intact:
            self._loose.append((number, row, np.array(intact)))

    def write(self, writer: StackWriter) -> None:
        """Write the stack of what is intact."""
        places: list[list[tuple[int, int]]] = []  # of each new pile: where its frames were
        for number, rows in enumerate(self._whole):
            if rows:
                places.append(self._copy(number, rows, writer))
        if self._loose:
            places.append(self._encode(writer))
        new = {int(frame): at for at, frame in enumerate(self.saved)}
        pile, position = np.zeros((2, len(self.saved)), np.intp)
        members, typical = [], []
        for number, held in enumerate(places):
            members.append(np.array([new[self._frames[place][0]] for place in held], np.intp))
            for at, place in enumerate(held):
                for frame in self._frames[place]:
                    pile[new[frame]], position[new[frame]] = number, at
            typical.append(int(members[-1][len(held) // 2]))
        crc32 = np.array([self._found_crc[frame] for frame in self.saved], np.uint32)
        record = self._record()
        writer.finish(
            Order(pile, position, members, typical),
            Fingerprints(
                crc32, **self._hash_tables(), feature=np.empty((len(crc32), 0), np.float32)
            ),
            record,
        )
        if len(self.saved) != self._file.shape[0]:
            write_table(writer.group, "original", self.saved.astype(np.uint64))

    def _copy(self, number: int, rows: list[int], writer: StackWriter) -> list[tuple[int, int]]:
        """Copy sound rows of a pile, chunk by chunk as they are; give the places of its frames."""
        pile, chunks = self._file.layout.piles[number], self._file.piles[number]
        filters = {code: tuple(values) for code, _, values, _ in pipeline(pile.data)}
        mean = plain.read(pile.mean) if pile.mean is not None else None
        coding = self._file.layout.coding(number) or "as it was"
        target = writer.add_pile(coding, _options(filters), mean, chunks.chunks)
        held: list[tuple[int, int]] = []
        step = chunks.chunks[0]
        for row in rows:
            start, first = len(held), row * step
            held += [(number, at) for at in range(first, min(first + step, chunks.shape[0]))]
            target.extend(len(held))
            for chunk in chunks.row(row):
                at = chunks.offset(chunk)
                mask, data = pile.data.id.read_direct_chunk(at)
                target.write_block((start, *at[1:]), data, mask)
        return held

    def _encode(self, writer: StackWriter) -> list[tuple[int, int]]:
        """Encode single frames as a pile of their own; give their places."""
        coder = BlockCoder(Recipe(top=Coding("ffv1")), verify=True)
        frame = self._file.shape[1:]
        chunk = choose_chunk(frame, self._file.dtype.itemsize, None, None, CHUNK_FRAMES)
        target = writer.add_pile(f"{coder}, frames of damaged blocks", coder.options(), None, chunk)
        held = []
        with ThreadPoolExecutor(default_workers(), "h5vidstack-recover") as pool:
            encoder = PileEncoder(pool, default_workers(), target, coder, chunk, lambda _: None)
            for number, row, intact in self._loose:
                pile = self._file.piles[number]
                try:
                    frames = list(pile.row_frames(row))
                except BlockError:
                    frames = self._single_frames(pile, row)
                encoder.add(np.stack([frames[place] for place in intact]))
                held += [(number, row * pile.chunks[0] + int(place)) for place in intact]
            encoder.finish()
        return held

    def _hash_tables(self) -> dict[str, Any]:
        if self._hashes is not None:
            return {name: table[self.saved] for name, table in self._hashes.items()}
        if not self._hashed:
            return dict.fromkeys(HASHES)
        found = np.array([self._found_hash[frame] for frame in self.saved], np.uint64)
        return dict(zip(HASHES, found.T, strict=True))

    def _record(self) -> Record:
        attrs = self._file.layout.attrs
        lost = NO_LOSS
        if not attrs["lossless"]:
            mse, psnr = (float(attrs.get(name, np.nan)) for name in ("mse", "psnr"))
            lost = Loss(attrs["max_error"], mse, psnr, False)
        settings = attrs["settings"] | {"recovered": self._file.name}
        method = attrs["method"]
        if self._loose:
            method = "mixed"
        leading = attrs.get("leading_shape") if len(self.saved) == self._file.shape[0] else None
        return Record(method, settings, leading, lost)
