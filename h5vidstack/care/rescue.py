"""What is intact of a damaged stack whose structure can be read, and a new stack of it."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from h5py import h5z

from ..codecs.block import frame_crcs
from ..codecs.loss import stated
from ..codecs.recipe import Recipe
from ..codecs.registry import Coding
from ..errors import BlockError, FormatError
from ..hdf5 import standard_filters
from ..hdf5.failures import damage_as_error
from ..hdf5.filter import FILTER_ID, pipeline
from ..layout.metadata_checks import sound_metadata
from ..layout.names import read_table, require_dataset
from ..layout.writer import Order, Record, StackWriter, write_table
from ..pool import Progress, Step, default_workers, in_order
from ..reading.chunk_grid import Chunks, PcaChunks
from ..reading.stack_file import StackFile
from ..shapes import CHUNK_FRAMES, Numbers, Pixels, choose_chunk
from ..similar.fingerprints import HASHES, Fingerprints, Hashes, hash_images
from ..writing.coders import BlockCoder
from ..writing.pile_encoder import PileEncoder


def _options(filters: dict[int, tuple[int, ...]]) -> dict[str, Any]:
    """Return HDF5 filters as h5py's `create_dataset` takes them."""
    if FILTER_ID in filters:
        return {"compression": FILTER_ID, "compression_opts": filters[FILTER_ID][:3]}
    found: dict[str, Any] = {
        "shuffle": h5z.FILTER_SHUFFLE in filters,
        "fletcher32": h5z.FILTER_FLETCHER32 in filters,
    }
    if h5z.FILTER_DEFLATE in filters:
        found |= {"compression": "gzip", "compression_opts": filters[h5z.FILTER_DEFLATE][0]}
    return found


class Owners:
    """Say which frames a place of a pile holds, by what is left of the tables.

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
        """Return what the piles' own tables say of places; copies are found by their CRC."""
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
        """Return the frames that are at a place, of those whose CRC it has."""
        if self._by_place is None:
            held = [position]
        elif self._crc32 is None:
            return self._by_place.get((pile, position), [])
        else:
            held = self._by_place.get((pile, position), self._by_crc.get(crc, []))
        if self._crc32 is None:
            return held
        return [frame for frame in held if frame >= len(self._crc32) or self._crc32[frame] == crc]


class Rescue:
    """What is intact of a stack whose structure can be read.

    Attributes
    ----------
    saved
        Original numbers of the frames that are saved, ascending.
    """

    def __init__(self, file: StackFile, name: str, progress: Progress | None) -> None:
        self._file, self._name, self._progress = file, name, progress
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

                for row, (sound, frames) in enumerate(in_order(pool, load, rows, 4)):
                    self._note(number, row, frames, sound)
                    done += len(frames)
                    if self._progress is not None:
                        self._progress(Step(done, count))
        self.saved = np.array(sorted(self._found_crc), np.intp)
        return bool(len(self.saved))

    def _single_frames(self, pile: Chunks, row: int) -> list[Pixels | None]:
        """Decode the frames of a damaged run one by one, as far as that works."""
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
            Fingerprints(crc32, **self._hash_tables()),
            record,
        )
        numbers = self._original()
        if numbers is not None or len(self.saved) != self._file.shape[0]:
            numbers = np.arange(self._file.shape[0]) if numbers is None else numbers
            write_table(writer.group, "original", numbers[self.saved].astype(np.uint64))

    def _original(self) -> Numbers | None:
        """Return the numbers that frames had in a stack from which they were saved before."""
        group = self._file.layout.group
        with damage_as_error(f"{self._file.name}/original"):
            if group is None or "original" not in group:
                return None
            length = require_dataset(group, "original").shape[0]
            numbers: Numbers = read_table(group, "original", length).astype(np.intp)
        if length < self._file.shape[0]:  # frames that were added since
            numbers = np.append(numbers, np.full(self._file.shape[0] - length, -1))
        return numbers

    def _copy(self, number: int, rows: list[int], writer: StackWriter) -> list[tuple[int, int]]:
        """Copy sound rows of a pile, chunk by chunk as they are; give the places of its frames."""
        pile, chunks = self._file.layout.piles[number], self._file.piles[number]
        filters = {code: tuple(values) for code, _, values, _ in pipeline(pile.data)}
        mean = standard_filters.read(pile.mean) if pile.mean is not None else None
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
                mask, data = chunks.stored(chunk)
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
            encoder = PileEncoder(pool, default_workers(), target, coder, chunk)
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
        settings = attrs["settings"] | {"recovered": self._name}
        method = attrs["method"]
        if self._loose:
            method = "mixed"
        layout = self._file.layout
        metadata, notes = sound_metadata(layout)
        self.notes += notes
        if len(self.saved) == self._file.shape[0]:
            leading = layout.leading_shape
        else:
            metadata, leading = metadata.take(self.saved, layout.leading_shape), ()
        axes = leading if len(leading) > 1 else None
        return Record(method, settings, axes, stated(attrs), metadata=metadata)
