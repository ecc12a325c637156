"""Write a stack (spec/format.md, "Layout") into an open HDF5 file."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from .._version import __version__
from ..codecs.loss import Loss
from ..codecs.projection import Basis, Floats, Whole
from ..hdf5.filter import Video
from ..hdf5.standard_filters import shuffled
from ..shapes import Numbers, Shape, split_axes
from ..similar.fingerprints import Fingerprints, Hashes
from . import view
from .names import FORMAT, FORMAT_ATTRIBUTE, TABLE_CRC, text, write_text
from .piles import Pile


class PileWriter:
    """Write the blocks of one pile.

    Attributes
    ----------
    data
        Its dataset.
    file
        In which that is, as named from the stack's; ``.`` if it is the same.
    stored_bytes
        Bytes of the blocks written so far.
    """

    def __init__(self, data: h5py.Dataset, other_bytes: int = 0, file: str = ".") -> None:
        self.data, self.file = data, file
        self.stored_bytes = other_bytes
        self._rest: Shape = data.shape[1:]

    @property
    def frame(self) -> Shape:
        """Shape of a frame, ``(H, W[, C])``."""
        return split_axes(self.data.shape)[1]

    def extend(self, frames: int) -> None:
        """Make room for `frames` frames in all."""
        # As Dataset.resize, which takes h5py's lock four times, and the encoders wait for it.
        self.data.id.set_extent((frames, *self._rest))

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
    """

    method: str
    settings: Mapping[str, Any]
    leading_shape: Shape | None
    loss: Loss


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
        self._plain = all(pile.plain for pile in held)

    @property
    def stored_bytes(self) -> int:
        """Bytes of all blocks written so far."""
        return sum(pile.stored_bytes for pile in self._piles)

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
            stored = _write_array(group, "mean", mean).id.get_storage_size()
        name = "video" if mean is None else "difference"
        data = self._create_frames(group, name, dtype, options, chunk)
        self._piles.append(PileWriter(data, stored))
        self._plain = self._plain and mean is None
        return self._piles[-1]

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
            _write_array(pca, name, values, one_by_one=name == "components")
        stored = sum(table.id.get_storage_size() for table in pca.values())
        pca.attrs["step"] = basis.step
        self._plain = False
        data = pca["coefficients"]
        if exact:
            words = np.dtype(f"<u{self._dtype.itemsize}")
            data = self._create_frames(group, "residual", words, Video("ffv1"))
        self._piles.append(PileWriter(data, stored))
        return self._piles[-1]

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
        view.remove(group)
        for name in {"index", "hashes"} & group.keys():  # those of fewer frames
            del group[name]
        for name in {"leading_shape", "mse", "psnr"} & group.attrs.keys():
            del group.attrs[name]
        for number, members in enumerate(order.members):
            name = f"groups/{number:06d}"
            write_table(group, f"{name}/members", members.astype(np.uint64))
            group[name].attrs["typical"] = np.uint64(order.typical[number])
        write_table(group, "index/group", order.pile.astype(np.uint32))
        write_table(group, "index/position", order.position.astype(np.uint64))
        write_table(group, "index/crc32", prints.crc32)
        write_hashes(group, prints.hashes)
        videos = [(pile.file, pile.data) for pile in self._piles]
        if self._plain:
            view.write(group, shape, self._dtype, (order.pile, order.position), videos)
        self.write_attributes(shape, record)

    def write_attributes(self, shape: Shape, record: Record) -> None:
        """Say what the stack is, ``(N, H, W[, C])``, and how it was made."""
        group = self.group
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
        write_text(group, "created", datetime.now(UTC).isoformat(timespec="seconds"))
        write_text(group, "creator", f"h5vidstack {__version__}")
        write_text(group, "settings", json.dumps(record.settings))
        write_text(group, FORMAT_ATTRIBUTE, FORMAT)


def _write_array(
    group: h5py.Group, name: str, values: npt.NDArray[Any], *, one_by_one: bool = False
) -> h5py.Dataset:
    """Write an array by HDF5's shuffle and deflate, in one chunk or one for each entry.

    Chunks are made here and written at once: what h5py keeps in a cache it writes later,
    where an error is not seen.
    """
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    chunk = (1, *little.shape[1:]) if one_by_one else little.shape
    dataset = group.create_dataset(
        name, shape=little.shape, dtype=little.dtype, chunks=chunk, shuffle=True, compression="gzip"
    )
    for first in range(0, little.shape[0], chunk[0]):
        data = zlib.compress(shuffled(little[first : first + chunk[0]]))
        dataset.id.write_direct_chunk((first, *(0 for _ in chunk[1:])), data)
    return dataset


def write_hashes(group: h5py.Group, tables: Mapping[str, Hashes]) -> None:
    """Write the hash tables of a stack, by name."""
    for name, table in tables.items():
        write_table(group, f"hashes/{name}", table)


def write_table(group: h5py.Group, name: str, values: npt.NDArray[Any]) -> None:
    """Write a table with a CRC-32."""
    if name in group:
        del group[name]
    table = _write_array(group, name, values)
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    table.attrs[TABLE_CRC] = np.uint32(zlib.crc32(little.tobytes()))
