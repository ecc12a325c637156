"""`create`: record frames as they come, into a file that can be read meanwhile."""

from __future__ import annotations

import contextlib
import operator
import os
import sys
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..choosing import trials
from ..choosing.quality import Wish
from ..choosing.sampling import sample
from ..codecs import block
from ..codecs.av_engine import library_versions
from ..codecs.loss import NO_LOSS
from ..errors import ClosedError, Error, OutputError, SourceError
from ..layout.names import DEFAULT_STACK, split_target
from ..layout.output import (
    closed_tidily,
    errors_of_writing,
    flush_to_disk,
    new_hdf5_file,
    new_or_ours,
)
from ..layout.replacing import check_name
from ..layout.writer import Record
from ..pool import default_workers
from ..shapes import CHUNK_FRAMES, Pixels, Shape, structure_bytes
from ..similar.fingerprints import HASHES, Hashes, hash_images
from .coders import BlockCoder
from .encoder import PileEncoder
from .live import LiveStack

_Tables = tuple[npt.NDArray[np.uint32], tuple[Hashes, ...]]


class Recorder:
    """A stack that is recorded frame by frame; see `create`.

    Leaving its ``with`` block closes it, whatever happened: frames that were taken are kept.
    Several threads may write; one of its own does what they ask for, one thing after the other,
    so that Ctrl-C in a `write` ends the waiting and not the writing. A fork cannot use it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        *,
        profile: str = "fast",
        codec: str | None = None,
        preset: str | None = None,
        chunk_frames: int | None = None,
        tile: tuple[int, int] | None = None,
        hashes: bool = True,
        workers: int | None = None,
        verify: bool = True,
        overwrite: bool = False,
    ) -> None:
        self._frame, self._dtype = _frame_shape(shape), np.dtype(dtype).newbyteorder("=")
        block.check_dtype(self._dtype)
        self._wish = Wish.read(profile, codec, preset, None, None)
        self._template = self._wish.template(0.0, self._dtype)
        if not self._template.lossless:
            raise OutputError(f"preset {preset} is lossy; record losslessly, pack that so then")
        size = self._dtype.itemsize
        self._chunk = self._wish.profile.chunk(self._frame, size, chunk_frames, tile)
        if workers is not None and workers < 1:
            raise OutputError(f"workers is {workers}; it must be at least 1")
        self._workers, self._verify, self._hashed = workers or default_workers(), verify, hashes
        self._target, inner = split_target(path)
        check_name(self._target)
        self._stack = inner or DEFAULT_STACK
        if inner == "/":
            raise OutputError(f"the root of {self._target} cannot be a stack; name a path in it")
        self._taken = 0
        self._waiting: list[Pixels] = []  # for the first block, from which the coding is chosen
        self._unhashed: list[Pixels] = []
        self._hashing: deque[Future[_Tables]] = deque()
        self._live: LiveStack | None = None
        self._encoder: PileEncoder | None = None
        self._closed = self._failed = False
        self._process = os.getpid()
        with contextlib.ExitStack() as naming:
            self._file: h5py.File = new_hdf5_file(
                naming.enter_context(new_or_ours(self._target, overwrite)),
                structure_bytes(None, self._frame, self._dtype.itemsize, self._chunk, False),
            )
            self._naming = naming.pop_all()
        self._pool = ThreadPoolExecutor(self._workers, "h5vidstack-record")
        self._thread = ThreadPoolExecutor(1, "h5vidstack-write")

    @property
    def frames(self) -> int:
        """Frames taken."""
        return self._taken

    def write(self, frame: Any) -> None:
        """Take the next frame; waits where encoding does not keep up.

        Parameters
        ----------
        frame
            ``(H, W)`` or ``(H, W, C)`` of the stack's shape and dtype. It is copied.

        Raises
        ------
        SourceError
            If it is of another shape or dtype; the recording goes on.
        OutputError
            If the disk does not take it. What is in the file can be read.
        ClosedError
            After `close`.
        """
        self._check_open()
        pixels = np.asarray(frame)
        if pixels.shape != self._frame or pixels.dtype.newbyteorder("=") != self._dtype:
            raise SourceError(
                f"the frame is {pixels.shape} {pixels.dtype}; those of this recording are "
                f"{self._frame} {self._dtype}"
            )
        kept = np.array(pixels[np.newaxis], self._dtype, order="C", copy=True)
        self._thread.submit(self._take, kept).result()

    def flush(self) -> None:
        """Wait until all full blocks are in the file."""
        self._check_open()
        self._thread.submit(self._write_all).result()

    def close(self) -> None:
        """Write the last block and the tables, and close the file.

        Raises
        ------
        SourceError
            If no frame was written; there is no file then.
        OutputError
            If the disk does not take it, or did not before. What is in the file can be read.
        """
        if self._closed or os.getpid() != self._process:
            return
        self._closed = True
        try:
            self._thread.submit(self._close).result()
        finally:
            self._thread.shutdown(wait=False)

    def _check_open(self) -> None:
        if os.getpid() != self._process:
            raise ClosedError(f"{self._target} is recorded by another process, not by its fork")
        if self._closed:
            raise ClosedError(f"the recording {self._target} is closed")

    def _check_sound(self) -> None:
        if self._failed:
            raise OutputError(
                f"{self._target} could not be written; it holds the blocks that were complete"
            )

    def _take(self, frame: Pixels) -> None:
        self._check_sound()
        with self._writing():
            self._hash(frame)
            if self._encoder is not None:
                self._encoder.add(frame)
                self._encoder.write_finished()
            else:
                self._waiting.append(frame)
                if len(self._waiting) == self._chunk[0]:
                    self._begin()
        self._taken += 1

    def _write_all(self) -> None:
        self._check_sound()
        if self._encoder is not None:
            with self._writing():
                self._encoder.write_all()

    def _close(self) -> None:
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(self._pool.shutdown, cancel_futures=True)
            cleanup.push(self._naming)  # what has no name yet is removed if there is an error
            cleanup.enter_context(errors_of_writing(self._target))
            cleanup.enter_context(closed_tidily(self._file))
            if self._encoder is None and (self._failed or not self._taken):
                raise SourceError(f"no frame was written; {self._target} is not there")
            self._check_sound()
            with self._writing():
                self._finish()
        with errors_of_writing(self._target):
            flush_to_disk(self._target)
            if self._target.stat().st_ino != self._inode:
                raise OutputError(f"{self._target} was replaced by something else meanwhile")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn errors of writing into our own; nothing is written after one."""
        try:
            with errors_of_writing(self._target):
                yield
        except BaseException as error:
            self._failed = True
            if isinstance(error, RuntimeError):  # after a failed write HDF5 has many words
                raise OutputError(f"cannot write {self._target}: {error}") from error
            raise

    def _begin(self) -> None:
        """Choose how to code, make the file as others may find it, and give it its name."""
        frames = np.concatenate(self._waiting)
        recipe, profile = self._template, self._wish.profile
        if self._wish.fixed is None:
            samples = sample(np.arange(len(frames)), self._chunk[0], profile, frames.__getitem__)
            recipe, _ = trials.choose(
                samples, profile, self._wish.codec, recipe, self._chunk[0], self._pool, False
            )
        coder = BlockCoder(recipe, self._verify)
        settings = {
            "method": "video",
            "order": "time order, as it was recorded",
            "profile": profile.name,
            "codings": [str(coder)],
            "chunk": self._chunk,
            "verified": self._verify,
            "source": "recording",
            "libraries": library_versions(),
        }
        self._live = live = LiveStack(
            self._file,
            self._stack,
            self._frame,
            self._dtype,
            self._chunk,
            coder,
            Record("video", settings, None, NO_LOSS),
            self._hashed,
        )
        self._naming.close()
        self._inode = self._target.stat().st_ino
        self._encoder = PileEncoder(
            self._pool,
            self._workers,
            live.pile,
            coder,
            self._chunk,
            row=live.pile.data.flush,
        )
        self._encoder.add(frames)
        self._waiting = []

    def _finish(self) -> None:
        """Write what is left."""
        if self._encoder is None:
            self._begin()
        if self._encoder is None or self._live is None:
            raise OutputError(f"{self._target} was not begun")
        self._encoder.finish()
        self._submit_hashing()
        parts = [part.result() for part in self._hashing]
        crc32, hashes = zip(*parts, strict=True)
        tables = map(np.concatenate, zip(*hashes, strict=True)) if self._hashed else ()
        self._live.finish(np.concatenate(crc32), dict(zip(HASHES, tables, strict=False)))

    def _hash(self, frame: Pixels) -> None:
        """Take a frame into the tables: some together, since that is faster."""
        self._unhashed.append(frame)
        if len(self._unhashed) == CHUNK_FRAMES:
            self._submit_hashing()
            if len(self._hashing) > self._workers:
                self._hashing[-1 - self._workers].result()  # wait: no more than so many ahead

    def _submit_hashing(self) -> None:
        if self._unhashed:
            frames, self._unhashed = np.concatenate(self._unhashed), []
            self._hashing.append(self._pool.submit(self._fingerprints, frames))

    def _fingerprints(self, frames: Pixels) -> _Tables:
        return block.frame_crcs(frames), hash_images(frames) if self._hashed else ()

    def __del__(self) -> None:
        # After a constructor that failed there is no process; at exit no thread runs any more.
        mine = getattr(self, "_process", None) == os.getpid() and hasattr(self, "_thread")
        if mine and not self._closed and not sys.is_finalizing():
            warnings.warn(f"{self._target} was not closed", ResourceWarning, stacklevel=2)
            with contextlib.suppress(Error):
                self.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            with contextlib.suppress(Error):  # the error under way says more
                self.close()


def create(
    path: str | os.PathLike[str],
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    *,
    profile: str = "fast",
    codec: str | None = None,
    preset: str | None = None,
    chunk_frames: int | None = None,
    tile: tuple[int, int] | None = None,
    hashes: bool = True,
    workers: int | None = None,
    verify: bool = True,
    overwrite: bool = False,
) -> Recorder:
    """Record frames as they come, losslessly, into a new file::

        with h5vidstack.create("run.h5", shape=(512, 512), dtype="uint8") as recorder:
            for frame in camera:
                recorder.write(frame)

    The file appears with the first block. From then on other programs can open it and read
    all blocks that are complete (`Stack.refresh` shows them what came since); after a crash it
    holds those, too, and `recover` makes an ordinary stack of it. Each block is written
    once: a frame can be read when the chunk that it is in is full, and the next frame comes.

    Parameters
    ----------
    path
        ``out.h5`` or ``out.h5::/group``; a new file.
    shape
        Of a frame: ``(H, W)`` or ``(H, W, 3|4)``.
    dtype
        Of the pixels.
    profile, codec, preset, tile, workers, verify
        As `pack` has them. The coding is chosen from the first block.
    chunk_frames
        Frames a block; None: 16, or 256 (profile small).
    hashes
        Store the tables that `Stack.find` searches, when the recording is closed.
    overwrite
        Replace an existing file, when the first block is there.

    Returns
    -------
    Recorder

    Raises
    ------
    OutputError
        If the file exists or cannot be made.
    UnsupportedError
        If no coding takes such frames.
    """
    return Recorder(
        path,
        shape,
        dtype,
        profile=profile,
        codec=codec,
        preset=preset,
        chunk_frames=chunk_frames,
        tile=tile,
        hashes=hashes,
        workers=workers,
        verify=verify,
        overwrite=overwrite,
    )


def _frame_shape(shape: tuple[int, ...]) -> Shape:
    try:
        frame = tuple(operator.index(edge) for edge in shape)
    except TypeError:
        frame = ()
    if len(frame) not in (2, 3) or min(frame) < 1 or frame[2:] not in ((), (3,), (4,)):
        raise SourceError(f"shape is {shape!r}; it must be that of a frame: (H, W) or (H, W, 3|4)")
    return frame
