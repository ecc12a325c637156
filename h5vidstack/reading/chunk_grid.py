"""A coded dataset as a grid of chunks: raw bytes out of HDF5, pixels out of bytes."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import h5py
import numpy as np

from ..codecs import block
from ..codecs.block_format import Block, parse, resealed
from ..codecs.projection import Basis
from ..errors import BlockError, FormatError
from ..hdf5 import standard_filters
from ..hdf5.chunk_bytes import Chunk, LocalChunks, Stored
from ..hdf5.failures import DamageError, damage_as_error, hdf5_errors
from ..hdf5.filter import FILTER_ID, check_chunks, pipeline
from ..hdf5.remote import Range
from ..layout.names import require_dataset, scalar
from ..pool import HERE, Pool
from ..shapes import (
    CHUNK_FRAMES,
    Pixels,
    Shape,
    frame_bytes,
    is_consecutive,
    split_axes,
    stack_shape,
)

PCA_BYTES = 1 << 22
"""Most bytes of frames of a PCA that are rebuilt together."""


def to_words(pixels: Pixels) -> Pixels:
    """View pixels as unsigned numbers of their size, in native byte order."""
    native = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))
    return native.view(f"u{native.itemsize}")


class Chunks:
    """One coded dataset of an open file, chunk by chunk.

    `load` may be called from many threads: only fetching a chunk's bytes takes
    h5py's lock, decoding does not.

    Parameters
    ----------
    video
        The dataset, ``(..., H, W[, C])``.
    name
        What to call it in error messages.
    holes
        Whether chunks that were never written hold the fill value; otherwise they are an error.
    stored
        Where the bytes come from, if not from `video`. Then `video` need not stay open.

    Attributes
    ----------
    lenient
        Whether blocks with a wrong CRC are decoded, too. The caller must check their frames.

    Raises
    ------
    FormatError
        If it is damaged or has another shape.
    """

    def __init__(
        self,
        video: h5py.Dataset,
        name: str,
        *,
        holes: bool = False,
        stored: Stored | None = None,
    ) -> None:
        self.name, self._holes = name, holes
        self.lenient = False
        with damage_as_error(name):
            self._bytes = stored or LocalChunks(video, name)
            self._leading, frame = split_axes(video.shape)
            self.shape: Shape = (math.prod(self._leading), *frame)
            self.dtype: np.dtype[Any] = video.dtype
            self.chunks: Shape = (CHUNK_FRAMES, *frame)
            grid = video.chunks
            if grid is not None:
                steps = grid[: -len(frame)]
                if not is_consecutive(self._leading, steps):
                    raise FormatError(
                        f"{name} of shape {video.shape} has chunks of {grid}, which do "
                        "not hold frames one after another: read it with h5py"
                    )
                self.chunks = (math.prod(steps), *grid[-len(frame) :])
            self._stored = self.dtype
            self._native = self.dtype.newbyteorder("=")
            self._fill = video.fillvalue if holes else 0
            self._chunked, self._filters = grid is not None, pipeline(video)
            self._coded, self._plain = self._is_coded(), standard_filters.is_plain(video)
            if not self._coded and not self._plain:
                check_chunks(video)

    def extent(self, chunk: Shape) -> Shape:
        """Return the shape of the part of a chunk that lies inside the stack."""
        return tuple(
            min(step, edge - number * step)
            for number, step, edge in zip(chunk, self.chunks, self.shape, strict=True)
        )

    def offset(self, chunk: Shape) -> Shape:
        """Return where a chunk begins, in frames and pixels."""
        return tuple(number * step for number, step in zip(chunk, self.chunks, strict=True))

    def row(self, number: int) -> list[Shape]:
        """List all chunks that hold a run of frames, by their numbers on each axis."""
        counts = (
            -(-edge // step) for edge, step in zip(self.shape[1:], self.chunks[1:], strict=True)
        )
        return [(number, *rest) for rest in product(*map(range, counts))]

    def load(
        self, chunk: Shape, frames: int, out: Pixels | None = None, first: int = 0
    ) -> tuple[Pixels, bool]:
        """Decode the first `frames` frames of a chunk, cut to what lies inside the stack.

        Parameters
        ----------
        out
            May be filled and returned, if it has the shape of the result.
        first
            What comes before this frame is not needed.

        Returns
        -------
        tuple
            The frames, and whether each stands alone: then those before `first` are anything.

        Raises
        ------
        BlockError
            If the chunk is damaged; the message names its frames.
        """
        extent = (frames, *self.extent(chunk)[1:])
        with self._errors(chunk):
            place = self._place(self.offset(chunk))
            if not self._direct and (not self._chunked or self._bytes.range(place) is not None):
                return self._read_region(self._region(chunk, frames)), False
            found = self._bytes.get(place)
            if found is None:
                if not self._holes:
                    raise BlockError("the block is missing")
                return np.full(extent, self._fill, self._stored), False
            pixels, alone = self._decode(found, frames, out, first)
        if pixels.shape == extent:
            return pixels, alone  # `out` itself where that was filled
        return block.padded(pixels[tuple(map(slice, extent))], extent), alone

    def _decode(
        self, found: Chunk, frames: int, out: Pixels | None, first: int
    ) -> tuple[Pixels, bool]:
        """Decode a chunk's bytes; the result may be larger than what was asked for."""
        filter_mask, data = found
        if self._plain:
            pixels = standard_filters.unpacked(found, self._filters, self._stored, self.chunks)
            return pixels, False
        if filter_mask:  # HDF5's word for "stored without the filter"
            if len(data) != math.prod(self.chunks) * self._stored.itemsize:
                raise BlockError(f"a chunk without the filter has {len(data)} bytes")
            return np.frombuffer(data, self._stored).reshape(self.chunks), False
        if self.lenient:
            data = resealed(data)
        shape = stack_shape(self.chunks)
        pixels, alone = block.decode_from(first, data, shape, self._native, frames, out)
        return pixels.astype(self._stored, copy=False), alone

    @contextlib.contextmanager
    def _errors(self, chunk: Shape) -> Iterator[None]:
        """Turn damage of a chunk into a BlockError that names its frames."""
        try:
            with hdf5_errors(self.name):
                yield
        except (BlockError, DamageError) as error:
            self._bytes.check()
            offset = self.offset(chunk)
            last = offset[0] + self.extent(chunk)[0] - 1
            where = f"frames {offset[0]}-{last}" + (f" at {offset[1:]}" if any(offset[1:]) else "")
            raise BlockError(f"{self.name}, {where}: {error}") from error

    def block(self, chunk: Shape) -> Block | None:
        """Parse a chunk's block without decoding it; None where there is none.

        Raises
        ------
        BlockError
            If it is damaged.
        """
        if type(self) is not Chunks or not self._coded:
            return None
        with self._errors(chunk):
            filter_mask, data = self._bytes.get(self._place(self.offset(chunk))) or (1, b"")
            return None if filter_mask else parse(data, stack_shape(self.chunks), self._native)

    def stored(self, chunk: Shape) -> Chunk:
        """Return filter mask and bytes of a chunk as they are in the file; it must be there."""
        with self._errors(chunk):
            found = self._bytes.get(self._place(self.offset(chunk)))
            if found is None:
                raise BlockError("the block is missing")
            return found

    def range(self, chunk: Shape) -> Range | None:
        """Return the first byte of a chunk to be fetched and the one behind its last.

        Also where HDF5 reads for us.
        """
        return self._bytes.range(self._place(self.offset(chunk))) if self._direct else None

    def row_frames(self, number: int, pool: Pool = HERE) -> Pixels:
        """Decode all tiles of one run of frames.

        Parameters
        ----------
        pool
            Decodes tiles. It must not be the one that calls this.

        Raises
        ------
        BlockError
            If some are damaged; the message names them all.
        """
        step = self.chunks[0]
        count = min(step, self.shape[0] - number * step)
        frames = np.empty((count, *self.shape[1:]), self.dtype)
        damage = []
        tiles = [pool.submit(self._put_tile, chunk, frames) for chunk in self.row(number)]
        try:
            for tile in tiles:
                try:
                    tile.result()
                except BlockError as error:
                    damage.append(str(error))
        finally:
            for tile in tiles:
                tile.cancel()
        if damage:
            raise BlockError("\n".join(damage))
        return frames

    def _put_tile(self, chunk: Shape, frames: Pixels) -> None:
        """Decode a chunk to its place in the frames of its run."""
        offset, extent = self.offset(chunk), self.extent(chunk)
        place = tuple(slice(o, o + e) for o, e in zip(offset[1:], extent[1:], strict=True))
        frames[(slice(None), *place)] = self.load(chunk, len(frames))[0]

    def leniently(self) -> Chunks:
        """Return the same dataset, but `lenient`."""
        other = copy.copy(self)
        other.lenient = True
        return other

    def row_frame(self, number: int, place: int) -> Pixels:
        """Decode one frame of a run, ``(H, W[, C])``; BlockError if it is damaged."""
        frame = np.empty(self.shape[1:], self.dtype)
        for chunk in self.row(number):
            offset, extent = self.offset(chunk)[1:], self.extent(chunk)[1:]
            where = tuple(slice(o, o + e) for o, e in zip(offset, extent, strict=True))
            frame[where] = self.load(chunk, place + 1, first=place)[0][place]
        return frame

    def _region(self, chunk: Shape, frames: int) -> tuple[slice, ...]:
        """Return where the first frames of a chunk lie in the dataset."""
        extent = (frames, *self.extent(chunk)[1:])
        return tuple(slice(o, o + e) for o, e in zip(self.offset(chunk), extent, strict=True))

    def _is_coded(self) -> bool:
        """Whether chunks are blocks of whole pixels and nothing else, to be fetched as they are."""
        filters = [code for code, *_ in self._filters]
        whole_pixels = stack_shape(self.chunks)[3] == stack_shape(self.shape)[3]
        return filters == [FILTER_ID] and whole_pixels

    @property
    def _direct(self) -> bool:
        """Whether the bytes of its chunks are decoded here, not by HDF5."""
        return self._coded or self._plain

    def _place(self, offset: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return where a chunk begins in a dataset that may have several axes of frames."""
        if len(self._leading) == 1:
            return offset
        first = map(int, np.unravel_index(offset[0], self._leading))
        return (*first, *offset[1:])

    def _read_region(self, region: tuple[slice, ...]) -> Pixels:
        """Read pixels through HDF5, where it alone can."""
        if len(self._leading) == 1:
            return self._bytes.region(region)
        numbers = np.arange(region[0].start, region[0].stop)
        return np.stack([self._bytes.region(self._place((n, *region[1:]))) for n in numbers])


class DifferenceChunks(Chunks):
    """Frames that are kept as their differences to one image.

    Parameters
    ----------
    difference
        ``(N, H, W[, C])`` unsigned, of the pixels' size.
    mean
        ``(H, W[, C])``, of the pixels' dtype.

    Raises
    ------
    FormatError
        If one of them is damaged, or they do not go together.
    """

    def __init__(
        self,
        difference: h5py.Dataset,
        mean: h5py.Dataset,
        name: str,
        stored: Stored | None = None,
    ) -> None:
        super().__init__(difference, name, stored=stored)
        with damage_as_error(name):
            words = f"u{mean.dtype.itemsize}"
            if mean.shape != self.shape[1:] or self.dtype != np.dtype(words):
                raise FormatError(
                    f"{name}: the mean is {mean.shape} {mean.dtype}, differences are "
                    f"{self.shape} {self.dtype}"
                )
            self._mean = to_words(standard_filters.read(mean))
            self.dtype = mean.dtype

    def load(
        self, chunk: Shape, frames: int, out: Pixels | None = None, first: int = 0
    ) -> tuple[Pixels, bool]:
        """See `Chunks.load`."""
        words, alone = super().load(chunk, frames)
        words = words.astype(words.dtype.newbyteorder("="), copy=False)
        pixels = (words + self._mean[self._region(chunk, frames)[1:]]).view(
            self.dtype.newbyteorder("=")
        )
        return pixels.astype(self.dtype, copy=False), alone


class PcaChunks(Chunks):
    """Frames that are made of the components of a PCA.

    Parameters
    ----------
    data
        ``(N, k)`` coefficients, or ``(N, H, W[, C])`` of what is added to what they make.
    pca
        The group of mean, components and coefficients.
    dtype
        Of the pixels.

    Raises
    ------
    FormatError
        If something is damaged, or does not go together.
    """

    def __init__(
        self,
        data: h5py.Dataset,
        pca: h5py.Group,
        dtype: np.dtype[Any],
        name: str,
        stored: Stored | None = None,
    ) -> None:
        with damage_as_error(name):
            mean, components, self._coefficients = (
                standard_filters.read(require_dataset(pca, table))
                for table in ("mean", "components", "coefficients")
            )
            kinds = [table.dtype.kind for table in (mean, components, self._coefficients)]
            expected = (data.shape[0], components.shape[0])
            if kinds != ["f", "i", "i"] or self._coefficients.shape != expected:
                raise FormatError(
                    f"{name}: coefficients are {self._coefficients.shape} "
                    f"{self._coefficients.dtype}, components {components.shape} {components.dtype}"
                )
            step = float(scalar(pca.attrs.get("step")))
            self._basis = Basis(mean, components, step, dtype)
        self._residual = data.ndim != 2
        if self._residual:
            super().__init__(data, name, stored=stored)
            if self.dtype != np.dtype(f"u{dtype.itemsize}") or self.shape[1:] != mean.shape:
                raise FormatError(f"{name}: the residual is {self.shape} {self.dtype}")
        else:
            self.name, self.lenient = name, False
            self._coded = self._plain = False
            self.shape = (data.shape[0], *mean.shape)
            size = frame_bytes(mean.shape, dtype.itemsize)
            self.chunks = (max(1, min(CHUNK_FRAMES, PCA_BYTES // size)), *mean.shape)
        self.dtype = dtype

    def load(
        self, chunk: Shape, frames: int, out: Pixels | None = None, first: int = 0
    ) -> tuple[Pixels, bool]:
        """See `Chunks.load`."""
        region = self._region(chunk, frames)
        start = region[0].start
        if not self._residual:
            pixels = np.empty((frames, *self.shape[1:]), self.dtype)
            made = self._basis.frames(self._coefficients[start + first : start + frames])
            pixels[first:] = made
            return pixels, True
        words, alone = super().load(chunk, frames)
        made = self._basis.frames(self._coefficients[start : start + frames])
        native = words.dtype.newbyteorder("=").type
        words = words + to_words(made)[(slice(None), *region[1:])]
        words -= native(1 << (8 * self.dtype.itemsize - 1))
        return words.view(self.dtype.newbyteorder("=")).astype(self.dtype, copy=False), alone
