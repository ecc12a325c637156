"""`create` and its `Recorder`: record frames into a file that can be read meanwhile."""

from __future__ import annotations

import contextlib
import operator
import os
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..choosing.trials import Chooser
from ..codecs import block
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
from ..metadata import given
from ..metadata.description import NO_METADATA
from ..shapes import CHUNK_FRAMES, Pixels, Shape, structure_bytes
from ..similar.fingerprints import Fingerprints, fingerprint
from . import provenance
from .coders import BlockCoder
from .crew import Crew
from .live import LiveStack
from .option_signatures import collected, takes_options
from .pack_options import PackOptions
from .pile_encoder import PileEncoder
from .recorded_columns import RecordedColumns


class Recorder:
    """A stack that is recorded frame by frame; `create` makes it.

    Leaving its ``with`` block closes it, whatever happened: frames that were taken are kept.
    Several threads may write. A thread of the recorder does what they ask for, one thing after
    the other, so that Ctrl-C in `write` ends the waiting and not the writing. A forked process
    cannot use it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        options: PackOptions,
    ) -> None:
        self._frame, self._dtype = _frame_shape(shape), np.dtype(dtype).newbyteorder("=")
        block.check_dtype(self._dtype)
        self._options, self._wish = options, options.wish
        self._template = self._wish.template(0.0, self._dtype)
        if not self._template.lossless:
            raise OutputError(
                f"{self._wish.fixed} is lossy: record losslessly, and pack the recording afterwards"
            )
        self._chunk = self._wish.profile.chunk(
            self._frame, self._dtype.itemsize, options.chunk_frames, options.tile
        )
        self._target, inner = split_target(path)
        check_name(self._target)
        self._stack = inner or DEFAULT_STACK
        self._columns = RecordedColumns(
            given.completed(
                NO_METADATA, (0,), self._frame, dims=options.dims, coords=options.coords,
                attrs=options.attrs,
            )
        )  # fmt: skip
        if inner == "/":
            raise OutputError(f"the root of {self._target} cannot be a stack; name a path in it")
        self._taken = 0
        self._waiting: list[Pixels] = []  # for the first block, from which the coding is chosen
        self._unhashed: list[Pixels] = []
        self._hashing: deque[Future[Fingerprints]] = deque()
        self._live: LiveStack | None = None
        self._encoder: PileEncoder | None = None
        self._closed = self._failed = False
        self._process = os.getpid()
        with contextlib.ExitStack() as naming:
            self._file: h5py.File = new_hdf5_file(
                naming.enter_context(new_or_ours(self._target, options.overwrite)),
                structure_bytes(None, self._frame, self._dtype.itemsize, self._chunk, False),
            )
            self._naming = naming.pop_all()
        self._crew = Crew(options.workers)
        self._thread = ThreadPoolExecutor(1, "h5vidstack-write")

    @property
    def frames(self) -> int:
        """Number of frames taken."""
        return self._taken

    def write(self, frame: Any, /, **columns: Any) -> None:
        """Take the next frame; wait where encoding does not keep up.

        Parameters
        ----------
        frame
            ``(H, W)`` or ``(H, W, C)`` of the stack's shape and dtype. It is copied.
        **columns
            A number, truth value, time or text for each column: ``time=0.04, exposure=12.5``.
            The first frame says which columns there are, and of which dtype; `create` can say it
            before. Numbers for ``time`` are seconds. A text has up to 64 bytes in UTF-8, or as
            many as the first one.

        Raises
        ------
        SourceError
            If the frame has another shape or dtype, or other columns than the first one, or if a
            column cannot hold its value exactly. The frame is not taken; the recording goes on.
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
        self._thread.submit(self._take, kept, columns).result()

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
            raise ClosedError(
                f"{self._target} is recorded by the process that made the recorder, not by its fork"
            )
        if self._closed:
            raise ClosedError(f"the recording {self._target} is closed")

    def _check_sound(self) -> None:
        if self._failed:
            raise OutputError(
                f"{self._target} could not be written; it holds the blocks complete before that"
            )

    def _take(self, frame: Pixels, columns: Mapping[str, Any]) -> None:
        self._check_sound()
        self._columns.add(columns)
        with self._writing():
            if len(self._columns) >= self._chunk[0]:
                self._write_columns(self._taken + 1)
            self._hash(frame)
            if self._encoder is not None:
                self._encoder.add(frame)
                self._encoder.write_finished()
            else:
                self._waiting.append(frame)
                if len(self._waiting) == self._chunk[0]:
                    self._begin()
        self._taken += 1

    def _write_columns(self, frames: int) -> None:
        """Write the values that wait; `frames` were taken with them."""
        if self._live is not None:
            self._live.add_columns(self._columns.take(), frames)

    def _write_all(self) -> None:
        self._check_sound()
        if self._encoder is not None:
            with self._writing():
                self._write_columns(self._taken)
                self._encoder.write_all()

    def _close(self) -> None:
        with contextlib.ExitStack() as cleanup:
            cleanup.enter_context(self._crew)
            cleanup.push(self._naming)  # a file without a name yet goes if there is an error
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
        """Turn errors of writing into our own; after one, nothing more is written."""
        try:
            with errors_of_writing(self._target):
                yield
        except BaseException as error:
            self._failed = True
            if isinstance(error, RuntimeError):  # HDF5's long words after a write that failed
                raise OutputError(f"cannot write {self._target}: {error}") from error
            raise

    def _begin(self) -> None:
        """Choose how to code, make the file as readers may find it, and give it its name."""
        frames = np.concatenate(self._waiting)
        chooser = Chooser(
            wish=self._wish, template=self._template, chunk=self._chunk, pool=self._crew.coding
        )
        recipe = chooser.choose(np.arange(len(frames)), frames.__getitem__).recipe
        coder = BlockCoder(recipe, self._options.verify)
        settings = provenance.settings(
            method="video",
            order="time order, as it was recorded",
            codings=[str(coder)],
            chunk=self._chunk,
            verified=self._options.verify,
            profile=self._wish.profile.name,
            source="recording",
        )
        self._live = live = LiveStack(
            self._file,
            self._stack,
            self._frame,
            self._dtype,
            self._chunk,
            coder,
            Record("video", settings, None, NO_LOSS, metadata=self._columns.metadata),
            self._options.hashes,
        )
        self._naming.close()
        self._inode = self._target.stat().st_ino
        self._encoder = self._crew.encoder(live.pile, coder, self._chunk, row=live.pile.data.flush)
        self._write_columns(len(frames))
        self._encoder.add(frames)
        self._waiting = []

    def _finish(self) -> None:
        """Write what is left."""
        if self._encoder is None:
            self._begin()
        if self._encoder is None or self._live is None:
            raise OutputError(f"{self._target} was not begun")
        self._write_columns(self._taken)
        self._encoder.finish()
        self._submit_hashing()
        self._note_hashed(0)
        self._live.finish()

    def _hash(self, frame: Pixels) -> None:
        """Compute the CRC-32 and hashes of frames, several together, since that is faster."""
        self._unhashed.append(frame)
        if len(self._unhashed) == CHUNK_FRAMES:
            self._submit_hashing()
            self._note_hashed(self._crew.size)

    def _submit_hashing(self) -> None:
        if self._unhashed:
            frames, self._unhashed = np.concatenate(self._unhashed), []
            look = partial(fingerprint, hashes=self._options.hashes)
            self._hashing.append(self._crew.here.submit(look, frames))

    def _note_hashed(self, ahead: int) -> None:
        """Write fingerprints into the tables; no more than so many may still be under way."""
        while self._live is not None and len(self._hashing) > ahead:
            self._live.extend(self._hashing.popleft().result())

    def __del__(self) -> None:
        # A constructor that failed has set no process. When Python ends, no thread runs any more.
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
            with contextlib.suppress(Error):  # the error that is raised says more
                self.close()


@takes_options("create", profile="fast")
def create(
    path: str | os.PathLike[str],
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    *,
    options: PackOptions | None = None,
    **named: Any,
) -> Recorder:
    """Record frames as they come, losslessly, into a new file.

    The file appears with the first block, from which the coding is chosen. From then on other
    programs can open it and read all blocks that are complete; `Stack.refresh` shows them what
    came since. After a crash the file holds those blocks, too, and `recover` makes an ordinary
    stack of it. Each block is written once: a frame can be read when its block is full and the
    next frame comes. Use it so::

        with h5vidstack.create("run.h5", shape=(512, 512), dtype="uint8") as recorder:
            for frame in camera:
                recorder.write(frame, time=camera.time)

    Parameters
    ----------
    path
        ``out.h5`` or ``out.h5::/group``; a new file.
    shape
        Of a frame: ``(H, W)`` or ``(H, W, 3|4)``.
    dtype
        Of the pixels.
    options
        All options at once, as a `PackOptions`.
    <options of create>

    Returns
    -------
    Recorder

    Raises
    ------
    OutputError
        If the file exists or cannot be made.
    MetadataError
        If `dims`, `coords` or `attrs` do not fit the frames.
    UnsupportedError
        If no coding takes such frames.
    """
    chosen = collected("create", named, options).completed(profile="fast")
    return Recorder(path, shape, dtype, chosen)


def _frame_shape(shape: tuple[int, ...]) -> Shape:
    try:
        frame = tuple(operator.index(edge) for edge in shape)
    except TypeError:
        frame = ()
    if len(frame) not in (2, 3) or min(frame) < 1 or frame[2:] not in ((), (3,), (4,)):
        raise SourceError(f"shape is {shape!r}; it must be that of a frame: (H, W) or (H, W, 3|4)")
    return frame
