"""The encoder of a pile: it codes frames in a pool and writes their blocks in order."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..codecs import block, loss
from ..layout.writer import PileWriter
from ..reading.chunk_grid import Chunks
from ..shapes import Pixels, Shape
from .coders import Coder

DECODED_BYTES = 1 << 26
"""Most bytes of decoded rows that are kept, to compare frames that may be copies with them."""


@dataclass(frozen=True)
class _RowUnderWay:
    """One run of frames, and its blocks, which the pool is coding."""

    frames: Pixels
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
        block: Callable[[int], None] = lambda frames: None,
        row: Callable[[], None] = lambda: None,
    ) -> None:
        self._pool, self._writer, self._coder = pool, writer, coder
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
        self._decoded: OrderedDict[int, Pixels] = OrderedDict()  # rows that `frame` read
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

    def frame(self, position: int) -> Pixels:
        """Return one of the frames that were added, from memory or out of the file."""
        found: Pixels
        start = self._written
        for frames in [*(row.frames for row in self._pending), *self._filling]:
            if start <= position < start + len(frames):
                found = frames[position - start]
                return found
            start += len(frames)
        row, place = divmod(position, self._chunk[0])
        if row not in self._decoded:
            self._decoded[row] = Chunks(self._writer.data, self._writer.data.name).row_frames(row)
            held = sum(frames.nbytes for frames in self._decoded.values())
            while held > DECODED_BYTES and len(self._decoded) > 1:
                held -= self._decoded.popitem(last=False)[1].nbytes
        self._decoded.move_to_end(row)
        found = self._decoded[row][place]
        return found

    def finish(self) -> None:
        """Encode what is left and write everything."""
        if self._filling:
            self._submit()
        self.write_all()

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
        parts = self._filling
        frames = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._filling = []
        start = self._added - len(frames)
        _, rows, columns = self._chunk[:3]
        height, width = frames.shape[1:3]
        blocks = []
        for y in range(0, height, rows):
            for x in range(0, width, columns):
                tile = frames[:, y : y + rows, x : x + columns]
                coded = self._pool.submit(self._coder.encode, tile, (y, x))
                blocks.append(((start, y, x, *(0 for _ in frames.shape[3:])), coded))
        self._pending.append(_RowUnderWay(frames, blocks))

    def _write_oldest(self) -> None:
        row = self._pending[0]
        self._writer.extend(self._written + len(row.frames))
        decoded = None if self._coder.lossless else np.empty_like(row.frames)
        count, parts = len(row.frames), len(row.blocks)
        for number, (offset, coded) in enumerate(row.blocks):
            data, tile = coded.result()
            self._writer.write_block(offset, data)
            if decoded is not None and tile is not None:
                _, y, x = offset[:3]
                decoded[:, y : y + tile.shape[1], x : x + tile.shape[2]] = tile
            self._after_block(count * (number + 1) // parts - count * number // parts)
        if decoded is not None:
            self.losses.append(loss.measure(row.frames, decoded))
            self.crc32.append(block.frame_crcs(decoded))
        self._written += len(row.frames)
        self._pending.popleft()
        self._after_row()
