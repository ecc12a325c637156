"""A packed stack as a virtual array with random access."""

from __future__ import annotations

import dataclasses
import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ClosedError, FormatError, OutputError
from ..layout.metadata_names import unreserved
from ..layout.names import DEFAULT_STACK, STACK_ATTRIBUTES
from ..pool import default_workers
from ..reading import search
from ..shapes import WINDOW_BYTES, Pixels, Shape, frame_bytes
from ..similar.fingerprints import Hashes
from .array_protocol import ArrayProtocol
from .described import Described
from .groups import Group, describe_groups
from .identity import Identity
from .nd_view import NdView
from .selection import Selection, parse
from .session import Session
from .stack_file import StackFile, split_readable

CACHE_BYTES = 256 << 20
PART_BYTES = 16 << 20
"""Bytes of pixels that are best read at a time where a stack is split among workers."""


class StackReader(ArrayProtocol, Described):
    """A packed stack of images: an ``(N, H, W)`` or ``(N, H, W, C)`` array on disk.

    ``stack[key]`` gives what numpy gives for the same key on the same array: integers,
    slices of any step, ``...``, ``None``, boolean masks, integer arrays in any order
    with duplicates, on every axis. It follows numpy and not h5py where they differ:
    several index arrays are broadcast together and pick points (h5py allows one), lists
    need not be sorted or unique, slices may run backwards, and masks may cover several
    axes. Only the blocks that hold what was asked for are decoded, each no further than
    needed, several at a time.

    A stack may be used from many threads, inside HDF5's callbacks, pickled, and used after a fork.
    It is bound to the file that it opened. A file that is replaced or grows while it is open is
    read as it was, also after a fork and by copies. A pickled stack travels as a path: whoever
    opens that finds the same stack there, or gets a FileChangedError. If the very bytes of an open
    file are written over, reading raises FileChangedError, too. `refresh` shows frames that were
    added.

    Stacks are equal, have one hash and one name in dask if they hold the same pixels, because
    they were opened from the same state of one file.

    Parameters
    ----------
    path
        ``file.h5`` or ``file.h5::/path``, or such a URL: ``https://...``, ``s3://...``.
    stack
        Path of the stack in the file; or of any dataset written through `Video`. None:
        ``/stack``, or the only stack of the file.
    cache_bytes
        Bytes of decoded pixels to keep at most.
    workers
        Decoder threads; None: one a core.
    storage_options
        For fsspec, with a URL: ``{"anon": True}`` for a public bucket of S3.

    Raises
    ------
    FormatError
        If the file or the stack is missing, damaged, or of a newer format.
    RemoteError, MissingError
        If a URL cannot be read, or what reads such URLs is not installed.

    Warns
    -----
    RemoteWarning
        If a server does not say which version of a file it sends; once for each server.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        stack: str | None = None,
        *,
        cache_bytes: int = CACHE_BYTES,
        workers: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        target, inner = split_readable(path)
        if cache_bytes < 0 or (workers is not None and workers < 1):
            raise FormatError("cache_bytes must be at least 0 and workers at least 1")
        how = cache_bytes, workers or default_workers(), dict(storage_options or {})
        self._set_up(target, inner or stack, *how)
        self._describe(self._live().file)

    def _set_up(
        self, path: str, stack: str | None, cache_bytes: int, workers: int, options: dict[str, Any]
    ) -> None:
        self._path, self._stack, self._options = path, stack, options
        self._cache_bytes, self._workers = cache_bytes, workers
        self._closed = False
        self._session: Session | None = None
        self._locks: dict[int, threading.Lock] = {}

    @property
    def _changing(self) -> threading.Lock:
        """Held for a moment, while the session is exchanged.

        Each process has its own: the thread that holds a lock is not there after a fork.
        """
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def _describe(self, file: StackFile) -> None:
        """Note what stays when the stack is closed."""
        self._described = {}
        self._stack = file.stack
        self._shape, self._dtype, self._chunks = file.shape, file.dtype, file.piles[0].chunks
        self._attrs, self._identity = dict(file.attrs), file.identity
        self._leading_shape = file.leading_shape

    def live(self) -> Session:
        """Return the session of this process; after a fork or unpickling it is a new one.

        Raises
        ------
        FileChangedError
            If the file is not what was opened.
        """
        session = self._session
        if session is not None and session.process == os.getpid():
            return session
        held = None if session is None else session.file
        return self._live(lambda: self._again(self._identity, held))

    def _live(self, find: Callable[[], StackFile] | None = None) -> Session:
        """Open the file, or what a function finds, and read it from now on."""
        if self._closed:
            raise ClosedError(f"the stack {self._path} is closed")
        # No lock is held meanwhile: one thread could hold it and need h5py's, and another the other
        # way round. Of several threads that open the file at once, all but one close it again.
        return self._install((find or self._open)(), instead=False)

    def _open(self, held: StackFile | None = None) -> StackFile:
        return StackFile(self._path, self._stack, self._options, held)

    def _again(self, identity: Identity, held: StackFile | None) -> StackFile:
        """Open what was opened before.

        Parameters
        ----------
        held
            The file that was opened before, where this process has it: then it can be read even
            if another is at its path now.

        Raises
        ------
        FileChangedError
            If the file is not what was opened, and was not opened by this process.
        """
        return _checked(self._open(held), lambda file: file.expect(identity))

    def _install(self, file: StackFile, *, instead: bool) -> Session:
        """Read a file from now on, `instead` of another that is open in this process."""
        fresh = Session(file, self._cache_bytes, self._workers)
        with self._changing:
            session = self._session
            other = session is not None and session.process == os.getpid() and not instead
            if not self._closed and not other:
                self._session = fresh  # reads that are under way keep the old one; then it ends
                return fresh
        fresh.close()
        if session is None or self._closed:
            raise ClosedError(f"the stack {self._path} is closed")
        return session

    @property
    def path(self) -> str:
        """Absolute path of the file, or its URL."""
        return self._path

    @property
    def storage_options(self) -> dict[str, Any]:
        """What was given for fsspec, with a URL."""
        return dict(self._options)

    @property
    def identity(self) -> Identity:
        """What tells the stack from any other, and from what it becomes when it changes."""
        return self._identity

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return "h5vidstack.Stack", *dataclasses.astuple(self._identity)

    @property
    def stack(self) -> str:
        """Path of the stack in the file."""
        return self._stack or DEFAULT_STACK

    @property
    def shape(self) -> Shape:
        """``(N, H, W)`` or ``(N, H, W, C)``."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the pixels."""
        return self._dtype

    @property
    def chunks(self) -> Shape:
        """Shape of a block: frames, rows, columns[, channels]."""
        return self._chunks

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Attributes of the stack: those of the format (spec/format.md), and those of its users.

        `settings` is a dict. A user's attribute whose name the format has, too, has an underscore
        behind its name: ``method_``. Frames in a dataset that has a path of its own have the
        attributes of that, too.
        """
        own = None if self._closed else self.of_dataset
        if own is None:
            return self._attrs
        renamed = {unreserved(name, STACK_ATTRIBUTES): own.attrs[name] for name in own.attrs}
        return {**renamed, **self._attrs}

    @property
    def leading_shape(self) -> Shape:
        """The axes before the frame's as they were packed; usually ``(N,)``."""
        return self._leading_shape

    @property
    def nd(self) -> NdView:
        """The stack with all its axes, as they were packed: ``stack.nd[t, c, z]``; see `NdView`."""
        return NdView(self)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self._shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole stack as an array."""
        return self.size * self._dtype.itemsize

    def __len__(self) -> int:
        return self._shape[0]

    def __repr__(self) -> str:
        state = "closed " if self._closed else ""
        return f"<{state}h5vidstack.Stack {self._path} {self._shape} {self._dtype}>"

    def __getitem__(self, key: Any) -> Any:
        return self.read(key)

    def __getitems__(self, indices: list[int]) -> list[Pixels]:
        """Return several frames, each block decoded once: PyTorch's DataLoader asks so."""
        return list(self.read(indices))

    def read(self, key: Any = ..., out: npt.NDArray[Any] | None = None) -> Any:
        """Read ``stack[key]``, into `out` if it is given.

        Parameters
        ----------
        key
            Any index; see the class.
        out
            Array of the result's shape and dtype; need not be contiguous.

        Returns
        -------
        ndarray or scalar
            `out` if it was given.

        Raises
        ------
        SelectionError
            For an index that numpy refuses.
        OutputError
            If `out` has another shape or dtype, or is read-only.
        BlockError
            If a block that is needed is damaged.
        """
        session = self.live()
        selection = parse(key, session.file.shape)
        if out is not None:
            return self._read_into(session, selection, out)
        plain = np.empty(selection.plain_shape, self._dtype)
        session.read(selection, plain)
        result = selection.finish(plain)
        return result if result.ndim else result[()]

    def _read_into(self, session: Session, selection: Selection, out: Pixels) -> Pixels:
        if not isinstance(out, np.ndarray):
            raise OutputError(f"out is a {type(out).__name__}; it must be a numpy array")
        if out.shape != selection.shape or out.dtype != self._dtype or not out.flags.writeable:
            raise OutputError(
                f"out is {out.shape} {out.dtype}{'' if out.flags.writeable else ' read-only'}; "
                f"the result is {selection.shape} {self._dtype}"
            )
        plain = selection.plain_view(out)
        if plain is None:
            plain = np.empty(selection.plain_shape, self._dtype)
            session.read(selection, plain)
            out[...] = selection.finish(plain)
        else:
            session.read(selection, plain)
        return out

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Pixels:
        if copy is False:
            raise ValueError("a Stack is on disk: an array of it is always a copy")
        array: Pixels = self[...]
        return array if dtype is None else array.astype(dtype, copy=False)

    def __iter__(self) -> Iterator[Pixels]:
        """Yield the frames in order, decoding the next blocks meanwhile."""
        return self.live().frames()

    @property
    def preferred_frames(self) -> int:
        """How many frames are best read at a time by those who split the stack among workers."""
        # Neighbours in a reordered stack lie in many blocks, each of which is decoded again for
        # every part that has a frame of it, so there the parts are larger.
        in_order = self.live().file.places is None
        block = self.chunks[0] * frame_bytes(self.shape[1:], self.dtype.itemsize)
        return max(1, (PART_BYTES if in_order else WINDOW_BYTES) // block) * self.chunks[0]

    @property
    def stored_bytes(self) -> int:
        """Bytes that its blocks take in the file."""
        return self.live().file.stored_bytes

    @property
    def groups(self) -> list[Group]:
        """The piles of similar frames, in packed order."""
        return describe_groups(self.live().file)

    def hashes(self, name: str = "phash") -> Hashes:
        """Return the table of one image hash: phash, ahash or dhash.

        Returns
        -------
        ndarray
            ``(N,)`` uint64; ``f"{value:016x}"`` is what imagehash prints.

        Raises
        ------
        FormatError
            If the stack has no hashes.
        """
        search.check_hash(name)
        return self.live().file.hashes(name).copy()

    def find(
        self,
        image: Any,
        k: int = 10,
        *,
        hash: str = "phash",
        max_distance: int | None = None,
        rerank: bool = True,
    ) -> list[search.Match]:
        """Find the frames most like an image.

        Frames are proposed by the Hamming distance of their hashes; since hashes
        collide, the nearest ones (at least 64) are then compared pixel by pixel.

        Parameters
        ----------
        image
            ``(H, W)`` or ``(H, W, 3|4)``: an array or a Pillow image. One of another
            size or dtype than the stack's frames is compared by its hash only.
        k
            How many frames to give.
        hash
            ``"phash"``, ``"ahash"`` or ``"dhash"``.
        max_distance
            Only frames whose hash differs in at most so many of 64 bits.
        rerank
            Compare pixels.

        Returns
        -------
        list of Match
            At most `k`, the most similar first.

        Raises
        ------
        FormatError
            If the stack has no hashes.
        QueryError
            If `image` is none, or there is no such hash.
        """
        return search.find(self, image, k, hash, max_distance, rerank)

    def near_duplicates(
        self, max_distance: int = 4, *, hash: str = "phash"
    ) -> Iterator[npt.NDArray[np.intp]]:
        """Yield groups of frames whose hashes are nearly equal.

        Parameters
        ----------
        max_distance
            Most bits of 64 in which a frame's hash differs from that of the group's
            first frame.
        hash
            ``"phash"``, ``"ahash"`` or ``"dhash"``.

        Yields
        ------
        ndarray
            Frame numbers of a group of at least two, in order; no frame is in two.
        """
        return search.near_duplicates(self.hashes(hash), max_distance)

    def refresh(self) -> None:
        """See what was added to the file since it was opened.

        Reads of other threads that are under way end as they began.

        Raises
        ------
        FileChangedError
            If another stack is there now: one that was packed anew, or has fewer frames. Then
            this one goes on showing what it has shown.
        """
        if self._closed:
            raise ClosedError(f"the stack {self._path} is closed")
        if self._identity.file is None:
            # A recording. As long as it is open, HDF5 does not look at the file again.
            with self._changing:
                self._session = None
        fresh = _checked(self._open(), lambda file: file.expect_growth(self._identity))
        self._describe(self._install(fresh, instead=True).file)

    def close(self) -> None:
        """Close the file and stop the threads; later reads raise ClosedError."""
        with self._changing:
            session, self._session, self._closed = self._session, None, True
        if session is not None and session.process == os.getpid():
            session.close()

    def __enter__(self) -> StackReader:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (type(self), self._identity, *self._how)

    @property
    def _how(self) -> tuple[Any, ...]:
        return self._path, self._stack, self._cache_bytes, self._workers, self._options

    def __copy__(self) -> StackReader:
        session = self._session
        held = None if session is None or session.process != os.getpid() else session.file
        return _opened(type(self), self._identity, *self._how, held=held)

    def __deepcopy__(self, memo: Any) -> StackReader:
        return self.__copy__()


def _opened(
    kind: type[StackReader], identity: Identity, *how: Any, held: StackFile | None = None
) -> StackReader:
    stack = kind.__new__(kind)
    stack._set_up(*how)
    stack._describe(stack._live(lambda: stack._again(identity, held)).file)
    return stack


def _checked(file: StackFile, check: Callable[[StackFile], None]) -> StackFile:
    """Check a file that was opened just now, and close it if that fails."""
    try:
        check(file)
    except BaseException:
        file.close()
        raise
    return file
