"""The writing pipeline: source -> blocks -> a pool of encoders -> one HDF5 file, in order."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import block
from .codecs import Coding, Frames, library_versions
from .errors import OutputError, SourceError
from .geometry import Shape, choose_chunk, frame_bytes
from .layout import DEFAULT_STACK, StackWriter, split_target
from .output import open_hdf5_output
from .sources import Source, open_source
from .workers import Progress, default_workers

METHODS = ("video",)


@dataclass(frozen=True)
class PackReport:
    """What `pack` wrote. Sizes are in bytes."""

    path: str
    stack: str
    shape: Shape
    dtype: str
    raw_bytes: int
    stored_bytes: int
    seconds: float
    verified: bool

    @property
    def ratio(self) -> float:
        """Raw bytes over stored bytes."""
        return self.raw_bytes / self.stored_bytes


def pack(
    source: Any,
    path: str | os.PathLike[str],
    *,
    method: str = "video",
    codec: str = "x264",
    preset: str = "x264-interm",
    chunk_frames: int | None = None,
    tile: tuple[int, int] | None = None,
    gray: bool = False,
    workers: int | None = None,
    verify: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> PackReport:
    """Pack a stack of images into an HDF5 file, losslessly.

    Parameters
    ----------
    source
        An array-like of shape ``(N, H, W)`` or ``(N, H, W, 3|4)`` (anything with
        shape, dtype and ``__getitem__``; further leading axes are flattened and
        remembered), an iterable of frames, or a path: a folder or glob of images, a
        multi-page TIFF, ``.npy``, a video file, ``file.h5::/dataset``, another
        stack. Several paths of images may be given as a list. Frames are read once.
    path
        ``out.h5`` or ``out.h5::/group``; the latter adds to an existing file.
    method
        ``"video"``: frames in their order, each run of them a closed GOP.
    codec, preset
        See `Video`.
    chunk_frames
        Frames a block; None: 16, fewer where a raw block would be over 64 MiB.
    tile
        Height and width of tiles; None: frames over 4 megapixels get tiles of about
        a megapixel; ``(0, 0)``: no tiles.
    gray
        Make gray of colour: the luma plane of a video as it is stored, else
        ITU-R BT.601 luma as Pillow's ``convert("L")``.
    workers
        Encoder threads; None: one a core.
    verify
        Decode each block and compare it with its input before it is written.
    overwrite
        Replace an existing output.
    progress
        Called with the number of frames written and of all, or None, as it goes.

    Returns
    -------
    PackReport

    Raises
    ------
    SourceError, UnsupportedError, OutputError, NotExactError
        `path` is then as it was before.
    """
    if method not in METHODS:
        raise OutputError(f"no method {method!r}; there is {', '.join(METHODS)}")
    if workers is not None and workers < 1:
        raise OutputError(f"workers is {workers}; it must be at least 1")
    started = time.perf_counter()
    coding = Coding(codec, preset)
    with contextlib.closing(open_source(source, gray=gray)) as opened:
        block.check_dtype(opened.dtype)
        chunk = choose_chunk(opened.frame, opened.dtype.itemsize, chunk_frames, tile)
        settings = {
            "codec": codec,
            "preset": preset,
            "chunk": chunk,
            "verified": verify,
            "source": opened.name,
            "libraries": library_versions(),
        }
        target, inner = split_target(path)
        stack = inner or DEFAULT_STACK
        with open_hdf5_output(target, inner, overwrite) as file:
            writer = StackWriter(file, stack, opened.frame, opened.dtype, chunk, coding, verify)
            encoder = _Encoder(coding, verify, chunk, workers or default_workers())
            crc32 = encoder.run(opened, writer, progress)
            writer.finish(crc32, method, settings, opened.leading_shape)
    n = len(crc32)
    return PackReport(
        str(target),
        stack,
        (n, *opened.frame),
        opened.dtype.name,
        n * frame_bytes(opened.frame, opened.dtype.itemsize),
        writer.stored_bytes,
        time.perf_counter() - started,
        verify,
    )


class _Encoder:
    """Encode the frames of a source in a pool of threads and write them in order.

    However long the source is, only a few rows of blocks are in memory: those that
    keep the workers busy, and the one being read.
    """

    def __init__(self, coding: Coding, verify: bool, chunk: Shape, workers: int) -> None:
        self._coding, self._verify, self._chunk, self._workers = coding, verify, chunk, workers

    def run(
        self, source: Source, writer: StackWriter, progress: Progress | None
    ) -> npt.NDArray[np.uint32]:
        """Return the CRC-32 of each frame's raw bytes, shape ``(N,)``."""
        tiles = math.prod(
            math.ceil(edge / step)
            for edge, step in zip(source.frame[:2], self._chunk[1:3], strict=True)
        )
        depth = math.ceil((self._workers + 1) / tiles)  # rows: work for all, and one waiting
        pending: deque[_Row] = deque()
        crc32: list[int] = []

        def write_oldest() -> None:
            row = pending.popleft()
            crc32.extend(row.crc32.result())
            writer.extend(len(crc32))
            for offset, coded in row.blocks:
                writer.write_block(offset, coded.result())
            if progress is not None:
                progress(len(crc32), source.count)

        pool = ThreadPoolExecutor(self._workers, "h5vidstack-encode")
        try:
            start = 0
            for frames in source.batches(self._chunk[0]):
                while len(pending) >= depth:
                    write_oldest()
                pending.append(self._submit(pool, frames, start))
                start += len(frames)
            while pending:
                write_oldest()
        finally:
            pool.shutdown(cancel_futures=True)
        if not crc32:
            raise SourceError(f"{source.name} holds no frames")
        return np.array(crc32, np.uint32)

    def _submit(self, pool: ThreadPoolExecutor, frames: Frames, start: int) -> _Row:
        _, rows, columns = self._chunk[:3]
        height, width = frames.shape[1:3]
        blocks = []
        for y in range(0, height, rows):
            for x in range(0, width, columns):
                tile = frames[:, y : y + rows, x : x + columns]
                coded = pool.submit(block.encode, tile, self._coding, verify=self._verify)
                blocks.append(((start, y, x, *(0 for _ in frames.shape[3:])), coded))
        return _Row(pool.submit(block.frame_crcs, frames), blocks)


@dataclass(frozen=True)
class _Row:
    """The blocks of one run of frames on their way through the pool."""

    crc32: Future[npt.NDArray[np.uint32]]
    blocks: list[tuple[Shape, Future[bytes]]]
