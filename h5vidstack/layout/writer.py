"""Write a stack (spec/format.md, "Layout") into an open HDF5 file."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from .._version import __version__
from ..codecs.block import padded
from ..codecs.loss import NOISE_ATTRIBUTES, Loss, noise_attributes
from ..codecs.projection import Basis, Floats, Whole
from ..hdf5.filter import Video, stored_coding
from ..hdf5.standard_filters import shuffled
from ..metadata.description import NO_METADATA, Metadata
from ..shapes import Numbers, Shape, split_axes
from ..similar.fingerprints import Fingerprints, Hashes
from . import metadata_writing, view
from .names import FORMAT, FORMAT_ATTRIBUTE, LINEAGE, TABLE_CRC, UUID, text, write_text
from .pile_table import CODINGS, TABLE, PileFacts, tabulate
from .piles import Pile

TABLE_ROWS = 1 << 16
"""Most rows of a chunk of a table."""


class PileWriter:
    """Write the blocks of one pile.

    Attributes
    ----------
    name, shape
        Of its dataset.
    file
        In which that is, as named from the stack's; ``.`` if it is the same.
    stored_bytes
        Bytes of the blocks written so far.
    """

    def __init__(self, data: h5py.Dataset, other_bytes: int = 0, file: str = ".") -> None:
        self._data: h5py.Dataset | None = data
        self._home, self.name, self.file = data.file, data.name, file
        self.stored_bytes = other_bytes
        self.shape: Shape = data.shape

    @property
    def data(self) -> h5py.Dataset:
        """Its dataset."""
        return self._home[self.name] if self._data is None else self._data

    def facts(self, typical: int) -> PileFacts:
        """Return what the table of piles says of it."""
        home = self.data.parent
        parts = [self.data, home["mean"]] if "mean" in home else [self.data]
        stored = sum(part.id.get_storage_size() for part in parts)
        coding = text(home.attrs.get("coding", b""))
        return PileFacts(len(self.data), self.data.chunks[:3], stored, typical, coding)

    @property
    def frame(self) -> Shape:
        """Shape of a frame, ``(H, W[, C])``."""
        return split_axes(self.shape)[1]

    @property
    def released(self) -> bool:
        """Whether nothing more is written to it."""
        return self._data is None

    def release(self) -> None:
        """Release the dataset, of which HDF5 keeps 80 KB of memory. `data` opens it again."""
        self._data = None

    def extend(self, frames: int) -> None:
        """Make room for `frames` frames in all."""
        # As Dataset.resize, which takes h5py's lock four times, and the encoders wait for it.
        self.shape = (frames, *self.shape[1:])
        self.data.id.set_extent(self.shape)

    def write_block(self, offset: Shape, block: bytes, filter_mask: int = 0) -> None:
        """Store the block of the chunk that begins at `offset`."""
        self.data.id.write_direct_chunk(offset, block, filter_mask)
        self.stored_bytes += len(block)


@dataclass(frozen=True)
class Order:
    """Where the frames are.

    Attributes
    ----------
    pile, position
        ``(N,)``: where each frame is.
    members
        For each pile the frame number of each position.
    typical
        For each pile the number of a frame that stands for it.
    """

    pile: Numbers
    position: Numbers
    members: Sequence[Numbers]
    typical: Sequence[int]

    @property
    def in_order(self) -> bool:
        """Whether one pile holds all frames in order."""
        same: bool = np.array_equal(self.members[0], np.arange(len(self.pile)))
        return len(self.members) == 1 and same


@dataclass(frozen=True)
class Record:
    """What a stack's attributes say of how it was made.

    Attributes
    ----------
    method
        In the words of spec/format.md.
    settings
        For people.
    leading_shape
        Axes before the frame's, where there is not just one.
    loss
        The difference to what was packed.
    metadata
        What is known of the frames besides their pixels. None: a dataset that has a path of its
        own says it.
    """

    method: str
    settings: Mapping[str, Any]
    leading_shape: Shape | None
    loss: Loss
    metadata: Metadata | None = NO_METADATA


class StackWriter:
    """Write a stack, pile after pile, into an open file.

    Parameters
    ----------
    group
        Of the stack, in a file that is open for writing.
    frame
        ``(H, W[, C])``.
    chunk
        ``(G, h, w[, C])``.
    held
        Piles that are there already.
    """

    def __init__(
        self,
        group: h5py.Group,
        frame: Shape,
        dtype: np.dtype[Any],
        chunk: Shape,
        held: Sequence[Pile] = (),
    ) -> None:
        self.group = group
        self._frame, self._dtype, self._chunk = frame, dtype, chunk
        self._piles = [PileWriter(pile.data) for pile in held]
        for pile in self._piles[:-1]:
            pile.release()
        self._open, self._complete_bytes = self._piles[-1:], 0
        self._plain = all(pile.plain for pile in held)

    @property
    def stored_bytes(self) -> int:
        """Bytes of all blocks written so far."""
        # That of piles which are complete changes no more, and there may be many.
        self._complete_bytes += sum(pile.stored_bytes for pile in self._open if pile.released)
        self._open = [pile for pile in self._open if not pile.released]
        return self._complete_bytes + sum(pile.stored_bytes for pile in self._open)

    def go_on(self, coding: str) -> PileWriter:
        """Add to the last pile; `coding` is said in words."""
        pile = self._piles[-1]
        before = text(pile.data.parent.attrs.get("coding", coding.encode()))
        if coding not in before.split(", then "):
            write_text(pile.data.parent, "coding", f"{before}, then {coding}")
        return pile

    def add_pile(
        self,
        coding: str,
        options: Mapping[str, Any],
        mean: npt.NDArray[Any] | None = None,
        chunk: Shape | None = None,
    ) -> PileWriter:
        """Begin the next pile.

        Parameters
        ----------
        coding
            In words.
        options
            Filters, as h5py's `create_dataset` takes them.
        mean
            ``(H, W[, C])``: then differences to it are written instead of pixels.
        chunk
            If it is another than that of the others.
        """
        group = self.group.create_group(f"groups/{len(self._piles):06d}")
        write_text(group, "coding", coding)
        dtype, stored = self._dtype, 0
        if mean is not None:
            dtype = np.dtype(f"<u{dtype.itemsize}")
            stored = _write_array(group, "mean", mean)[0].id.get_storage_size()
        name = "video" if mean is None else "difference"
        data = self._create_frames(group, name, dtype, options, chunk)
        self._plain = self._plain and mean is None
        return self._added(PileWriter(data, stored))

    def add_pca(
        self,
        coding: str,
        basis: Basis,
        coefficients: Whole,
        spectrum: Mapping[str, Floats],
        exact: bool,
    ) -> PileWriter:
        """Write the only pile as a PCA.

        Parameters
        ----------
        exact
            Make room for what it leaves, too.
        """
        group = self.group.create_group("groups/000000")
        write_text(group, "coding", coding)
        pca = group.create_group("pca")
        short = np.dtype(np.float32) if basis.narrow else np.dtype(np.float64)
        tables = {
            "mean": basis.mean.astype(short),
            "components": basis.components,
            "coefficients": coefficients,
            **spectrum,
        }
        for name, values in tables.items():
            _write_array(pca, name, values, rows=1 if name == "components" else None)
        stored = sum(table.id.get_storage_size() for table in pca.values())
        pca.attrs["step"] = basis.step
        self._plain = False
        data = pca["coefficients"]
        if exact:
            words = np.dtype(f"<u{self._dtype.itemsize}")
            data = self._create_frames(group, "residual", words, Video("ffv1"))
        return self._added(PileWriter(data, stored))

    def _added(self, pile: PileWriter) -> PileWriter:
        self._piles.append(pile)
        self._open.append(pile)
        return pile

    def link_pile(self, pile: Pile, stack: str, number: int, file: str, coding: str) -> None:
        """Make the next pile of one that lies in another file.

        Parameters
        ----------
        pile
            There, open.
        stack, number
            Which one it is.
        file
            Name of that file as seen from the folder of this one.
        """
        path = f"{stack}/groups/{number:06d}"
        group = self.group.create_group(f"groups/{len(self._piles):06d}")
        if coding:
            write_text(group, "coding", coding)
        for name in {"video", "difference", "mean", "pca", "residual"} & pile.home.keys():
            group[name] = h5py.ExternalLink(file, f"{path}/{name}")
        self._piles.append(PileWriter(pile.data, file=file))
        self._piles[-1].release()
        self._plain = self._plain and pile.plain

    def _create_frames(
        self,
        group: h5py.Group,
        name: str,
        dtype: np.dtype[Any],
        options: Mapping[str, Any],
        chunk: Shape | None = None,
    ) -> h5py.Dataset:
        """Create a dataset to which frames are added."""
        return group.create_dataset(
            name,
            shape=(0, *self._frame),
            maxshape=(None, *self._frame),
            chunks=chunk or self._chunk,
            dtype=dtype,
            **options,
        )

    def finish(self, order: Order, prints: Fingerprints, record: Record) -> None:
        """Write the tables and the attributes; the stack is complete after this."""
        n = len(order.pile)
        group = self.group
        shape = (n, *self._frame)
        metadata_writing.clear(group)
        view.remove(group)
        for name in {"index", "hashes"} & group.keys():  # those of fewer frames
            del group[name]
        for name in {"leading_shape", "mse", "psnr"} & group.attrs.keys():
            del group.attrs[name]
        for number, members in enumerate(order.members):
            name = f"groups/{number:06d}"
            write_table(group, f"{name}/members", members, np.uint64)
            group[name].attrs["typical"] = np.uint64(order.typical[number])
        write_table(group, "index/group", order.pile, np.uint32)
        write_table(group, "index/position", order.position, np.uint64)
        write_table(group, "index/crc32", prints.crc32)
        if len(self._piles) > 1 and all(pile.file == "." for pile in self._piles):
            self._write_piles(order.typical)
        write_hashes(group, prints.hashes)
        videos = [(pile.file, pile) for pile in self._piles]
        if self._plain:
            coded = stored_coding(self._piles[0].data) is not None
            places = order.pile, order.position
            view.write(group, shape, self._dtype, places, videos, coded=coded)
        if record.metadata is not None:
            leading = record.leading_shape or shape[:1]
            metadata = record.metadata.checked(leading, self._frame)
            metadata_writing.write(group, metadata, leading, self._frame, self._dtype)
        self.write_attributes(shape, record)

    def _write_piles(self, typical: Sequence[int]) -> None:
        """Write the table of piles."""
        facts = [pile.facts(one) for pile, one in zip(self._piles, typical, strict=True)]
        rows, codings = tabulate(facts)
        write_table(self.group, TABLE, rows.astype(np.uint64))
        write_table(self.group, CODINGS, np.frombuffer(codings, np.uint8))

    def write_attributes(self, shape: Shape, record: Record) -> None:
        """Say what the stack is, ``(N, H, W[, C])``, and how it was made."""
        group = self.group
        renew_uuid(group)
        if record.leading_shape is not None:
            group.attrs["leading_shape"] = np.array(record.leading_shape, np.uint64)
        group.attrs["shape"] = np.array(shape, np.uint64)
        write_text(group, "dtype", self._dtype.str)
        write_text(group, "method", record.method)
        loss = record.loss
        group.attrs["lossless"] = np.uint8(loss.exact)  # few programs know HDF5's bool, an enum
        group.attrs["max_error"] = loss.max_error
        if not loss.exact:
            group.attrs["mse"], group.attrs["psnr"] = loss.mse, loss.psnr
        for name in filter(group.attrs.__contains__, NOISE_ATTRIBUTES):
            del group.attrs[name]  # frames with another loss may have been added
        for name, value in noise_attributes(None if loss.exact else loss.noise).items():
            group.attrs[name] = np.float64(value)
        write_text(group, "created", datetime.now(UTC).isoformat(timespec="seconds"))
        write_text(group, "creator", f"h5vidstack {__version__}")
        write_text(group, "settings", json.dumps(record.settings))
        write_text(group, FORMAT_ATTRIBUTE, FORMAT)


def renew_uuid(group: h5py.Group) -> None:
    """Note that a stack is new, or was changed; its lineage stays if it has one.

    The lengths of the attributes stay, too, so that a recording can be marked as complete.
    """
    fresh = str(uuid.uuid4())
    for name in (UUID, LINEAGE):
        if name not in group.attrs:
            write_text(group, name, fresh)
    group.attrs.modify(UUID, np.bytes_(fresh.encode()))


def _write_array(
    group: h5py.Group,
    name: str,
    values: npt.NDArray[Any],
    dtype: npt.DTypeLike | None = None,
    rows: int | None = None,
) -> tuple[h5py.Dataset, int]:
    """Write an array by HDF5's shuffle and deflate; return it, and the CRC-32 of its bytes.

    Chunks are made here and written at once: what h5py keeps in a cache it writes later,
    where an error is not seen.

    Parameters
    ----------
    dtype
        Under which it is stored, if not its own.
    rows
        Of a chunk; None: all.
    """
    little = np.dtype(dtype or values.dtype).newbyteorder("<")
    chunk = (min(rows or len(values), len(values)), *values.shape[1:])
    dataset = group.create_dataset(
        name, shape=values.shape, dtype=little, chunks=chunk, shuffle=True, compression="gzip"
    )
    crc32 = 0
    for first in range(0, len(values), chunk[0]):
        part = np.ascontiguousarray(values[first : first + chunk[0]], little)
        crc32 = zlib.crc32(part.data, crc32)
        data = zlib.compress(shuffled(padded(part, chunk)))
        dataset.id.write_direct_chunk((first, *(0 for _ in chunk[1:])), data)
    return dataset, crc32


def write_hashes(group: h5py.Group, tables: Mapping[str, Hashes]) -> None:
    """Write the hash tables of a stack, by name."""
    for name, table in tables.items():
        write_table(group, f"hashes/{name}", table)


def write_table(
    group: h5py.Group, name: str, values: npt.NDArray[Any], dtype: npt.DTypeLike | None = None
) -> None:
    """Write a table with a CRC-32, perhaps under another dtype."""
    if name in group:
        del group[name]
    table, crc32 = _write_array(group, name, values, dtype, TABLE_ROWS)
    table.attrs[TABLE_CRC] = np.uint32(crc32)
