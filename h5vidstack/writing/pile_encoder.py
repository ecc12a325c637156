"""The encoder of a pile: it codes frames in a pool and writes their blocks in order."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..codecs import block, loss
from ..codecs.noise import NoiseBound
from ..layout.writer import PileWriter
from ..shapes import Pixels, Shape
from .coders import Coder


@dataclass(frozen=True)
class _RowUnderWay:
    """One run of frames, in parts as they came, and its blocks, which the pool is coding."""

    parts: list[Pixels]
    count: int
    blocks: list[tuple[Shape, Future[tuple[bytes, Pixels | None]]]]


class PileEncoder:
    """Encode frames in a pool of threads and write their blocks in order.

    However many frames there are, only a few rows of blocks are in memory: the ones that keep
    the workers busy, and the one that is being filled.

    Parameters
    ----------
    pool, workers
        The pool, and how many rows' worth of threads it has.
    writer
        What takes the blocks.
    coder, chunk
        How to encode, and the shape of a block.
    start
        Frames that the pile has already, a whole number of rows.
    noise
        The bound on errors of a lossy coder, if it is in units of noise.
    block
        Called after each block is written, with the number of frames that this adds. The frames
        of a row are shared out among its tiles.
    row
        Called after each row is written.

    Attributes
    ----------
    losses, crc32
        What a reader will get, run by run, if the coder is lossy.
    """

    def __init__(
        self,
        pool: Executor,
        workers: int,
        writer: PileWriter,
        coder: Coder,
        chunk: Shape,
        *,
        start: int = 0,
        noise: NoiseBound | None = None,
        block: Callable[[int], None] = lambda frames: None,
        row: Callable[[], None] = lambda: None,
    ) -> None:
        self._pool, self._writer, self._coder, self._noise = pool, writer, coder, noise
        self._chunk, self._after_block, self._after_row = chunk, block, row
        frame = writer.frame[:2]
        tiles = math.prod(
            math.ceil(edge / step) for edge, step in zip(frame, chunk[1:3], strict=True)
        )
        self._depth = math.ceil(
            (workers + 1) / tiles
        )  # rows that give all workers work, and one that waits
        self.losses: list[loss.FrameLoss] = []
        self.crc32: list[np.ndarray[Any, np.dtype[np.uint32]]] = []
        self._pending: deque[_RowUnderWay] = deque()
        self._filling: list[Pixels] = []  # less than a row
        self._added = self._written = start

    def add(self, frames: Pixels) -> None:
        """Take any number of frames ``(n, H, W[, C])``, which must not change afterwards."""
        step = self._chunk[0]
        while len(frames):
            room = step - self._added % step
            self._filling.append(frames[:room])
            self._added += len(frames[:room])
            frames = frames[room:]
            if self._added % step == 0:
                self._submit()

    def submit_rest(self) -> None:
        """Begin to encode what is left; no frames are added after that."""
        if self._filling:
            self._submit()

    def finish(self) -> None:
        """Encode what is left, write everything, and release the pile."""
        self.submit_rest()
        self.write_all()
        self._writer.release()

    def write_all(self) -> None:
        """Wait for what is being encoded, and write it."""
        while self._pending:
            self._write_oldest()

    def write_finished(self) -> None:
        """Write what is encoded already, without waiting."""
        while self._pending and all(coded.done() for _, coded in self._pending[0].blocks):
            self._write_oldest()

    def _submit(self) -> None:
        while len(self._pending) >= self._depth:
            self._write_oldest()
        parts, self._filling = self._filling, []
        count = sum(map(len, parts))
        start = self._added - count
        _, rows, columns = self._chunk[:3]
        height, width, *channels = parts[0].shape[1:]
        blocks = []
        for y in range(0, height, rows):
            for x in range(0, width, columns):
                tiles = [part[:, y : y + rows, x : x + columns] for part in parts]
                coded = self._pool.submit(self._encode, tiles, (y, x))
                blocks.append(((start, y, x, *(0 for _ in channels)), coded))
        self._pending.append(_RowUnderWay(parts, count, blocks))

    def _encode(self, tiles: list[Pixels], corner: tuple[int, int]) -> tuple[bytes, Pixels | None]:
        """Encode the parts of a tile, which are joined only now; this runs in the pool."""
        tile = tiles[0] if len(tiles) == 1 else np.concatenate(tiles)
        return self._coder.encode(tile, corner)

    def _write_oldest(self) -> None:
        row = self._pending[0]
        self._writer.extend(self._written + row.count)
        frame, dtype = row.parts[0].shape[1:], row.parts[0].dtype
        decoded = None if self._coder.lossless else np.empty((row.count, *frame), dtype)
        count, parts = row.count, len(row.blocks)
        for number, (offset, coded) in enumerate(row.blocks):
            data, tile = coded.result()
            self._writer.write_block(offset, data)
            if decoded is not None and tile is not None:
                _, y, x = offset[:3]
                decoded[:, y : y + tile.shape[1], x : x + tile.shape[2]] = tile
            self._after_block(count * (number + 1) // parts - count * number // parts)
        if decoded is not None:
            start = 0
            for part in row.parts:
                self.losses.append(
                    loss.measure(part, decoded[start : start + len(part)], self._noise)
                )
                start += len(part)
            as_stored = decoded.astype(self._writer.data.dtype, copy=False)  # in its byte order
            self.crc32.append(block.frame_crcs(as_stored))
        self._written += row.count
        self._pending.popleft()
        self._after_row()
