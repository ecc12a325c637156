"""The pages of a remote file that HDF5 reads; they are fetched once and kept.

HDF5 never waits for the network. It reads the pages that are here; where one is missing the
question that was asked of the file is given up, the page is fetched, and the question is asked
again, of the file opened anew: HDF5 does not go on well after an error. So a slow server does
not hold up all other HDF5 files of the program (h5py has one lock for all), and fsspec's thread
cannot wait for that lock, in a garbage collection, while what holds it waits for fsspec (h5py
issue 2019).
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import h5py

from ..errors import ClosedError, FormatError
from .remote import Prefetch, Range, RemoteBytes

Answer = TypeVar("Answer")

PAGE = 64 << 10
HEAD, TAIL, STEP = 4 * PAGE, 2 * PAGE, 4 * PAGE
"""Bytes that are fetched when a file is opened: packing puts what HDF5 needs first, other programs
also put it last."""

MOST_AT_ONCE = 64 * PAGE
"""Most bytes of one request. A question that reads on gets twice as much each time."""

KEPT = 1024
"""Pages to keep between questions."""

QUESTION = 16384
"""Most pages that one question may take. Our files need fewer; a damaged one may not end."""


class RemoteFile:
    """A remote HDF5 file, of which questions can be asked from any thread.

    Parameters
    ----------
    url, options
        See `RemoteBytes`.

    Attributes
    ----------
    data
        The bytes behind the URL.
    size, stamp
        Of these; see `RemoteBytes`.

    Raises
    ------
    RemoteError, MissingError
        See `RemoteBytes`.
    """

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        self.url = url
        self.data = RemoteBytes(url, options)
        self.size, self.stamp = self.data.size, self.data.stamp
        self._pages: OrderedDict[int, bytes] = OrderedDict()
        self._next, self._step = 0, STEP
        self._closed = False
        self._asking = threading.local()
        size = self.size
        # The end first: a server without ranges is found out by it.
        self._keep(max(0, size - TAIL) // PAGE * PAGE, size)
        if 0 not in self._pages and size:
            self._keep(0, min(HEAD, size))

    @property
    def view(self) -> io.RawIOBase:
        """The bytes that the question of this thread can read beside HDF5."""
        view: _View = self._asking.view
        return view

    def ask(self, question: Callable[[h5py.File], Answer]) -> Answer:
        """Give what a function finds in the open file; it may be called several times.

        What it returns must not need the file any more.

        Raises
        ------
        FormatError
            If the file is not HDF5, or is damaged.
        RemoteError, FileChangedError
            If a page cannot be fetched, or the file has changed.
        """
        # No lock is held, not even against fetching twice. One thread may hold it and need h5py's
        # lock next, and another, which HDF5 has called, the other way round.
        try:
            while True:
                if self._closed:
                    raise ClosedError(f"{self.url} was closed while it was read")
                self._asking.view = view = _View(self._pages, self.size, self.url)
                answer = self._try(question, view)
                if view.missing is None:
                    return answer[0]
                self._fetch(*view.missing)
        finally:
            with contextlib.suppress(KeyError):  # another thread does this, too
                while len(self._pages) > KEPT:
                    self._pages.popitem(last=False)

    def _try(self, question: Callable[[h5py.File], Answer], view: _View) -> list[Answer]:
        """Return the answer in a list; it is worth nothing if a page was missing."""
        try:
            with _opened(view, self.url) as file:
                return [question(file)]
        except Exception:
            if view.missing is not None:
                return []
            self.data.check_unchanged()  # which would explain it
            raise

    def _fetch(self, start: int, end: int) -> None:
        """Fetch what is missing, and more where reading goes on from what was fetched last."""
        first = start // PAGE * PAGE
        self._step = min(2 * self._step, MOST_AT_ONCE) if first == self._next else STEP
        last = max(end, first + self._step)
        stop = first + PAGE
        while stop < last and stop // PAGE not in self._pages:
            stop += PAGE
        if len(self._pages) + (stop - first) // PAGE > QUESTION:
            raise FormatError(
                f"{self.url} is damaged, or too large to be opened from afar: download it"
            )
        self._keep(first, min(stop, self.size))
        self._next = stop

    def _keep(self, start: int, end: int) -> None:
        data = self.data.fetch(start, end)
        for place in range(0, len(data), PAGE):
            self._pages[(start + place) // PAGE] = data[place : place + PAGE]

    def read(self, start: int, end: int) -> bytes:
        """Get some bytes, of the pages or by a request; see `RemoteBytes.read`."""
        held = self._held(start, end)
        return self.data.read(start, end) if held is None else held

    def ahead(self, ranges: Iterable[Range]) -> Prefetch:
        """Begin to fetch what will be read soon and is in no page; see `RemoteBytes.ahead`."""
        return self.data.ahead(found for found in ranges if self._held(*found) is None)

    def _held(self, start: int, end: int) -> bytes | None:
        """Return some bytes, or None if one of their pages is not here."""
        first = start // PAGE
        pages = [self._pages.get(number) for number in range(first, -(-end // PAGE))]
        held = [page for page in pages if page is not None]
        return (
            None
            if len(held) < len(pages)
            else b"".join(held)[start - first * PAGE :][: end - start]
        )

    def close(self) -> None:
        """Ask nothing any more."""
        self._closed = True
        self.data.close()


def marks_recording(head: bytes) -> bool:
    """Whether the first 12 bytes of a file are of HDF5's single-writer, multiple-readers mode.

    Source: HDF5 File Format Specification, II.A, version 3: byte 11, bit 2.
    """
    return len(head) == 12 and head[:9] == b"\x89HDF\r\n\x1a\n\x03" and bool(head[11] & 4)


class _View(io.RawIOBase):
    """The pages as a file; a miss is an error, and is noted.

    Attributes
    ----------
    missing
        The range that was not here.
    """

    def __init__(self, pages: OrderedDict[int, bytes], size: int, url: str) -> None:
        self._pages, self._size, self._url, self._at = pages, size, url, 0
        self.missing: Range | None = None

    def __repr__(self) -> str:
        return self._url  # h5py makes the file's name of it

    def close(self) -> None:
        """Stay open: who reads some bytes beside HDF5 closes it, too."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        start, end = self._at, min(self._at + len(target), self._size)
        numbers = range(start // PAGE, -(-end // PAGE))
        held = {number: self._pages.get(number) or b"" for number in numbers}
        absent = [number for number, page in held.items() if not page]
        if absent:
            self.missing = self.missing or (absent[0] * PAGE, min((absent[-1] + 1) * PAGE, end))
            raise OSError("not fetched yet")
        for number in numbers:
            page = held[number]
            with contextlib.suppress(KeyError):  # another question drops pages when it ends
                self._pages.move_to_end(number)
            begin, stop = max(start, number * PAGE), min(end, (number + 1) * PAGE)
            target[begin - start : stop - start] = page[
                begin - number * PAGE : stop - number * PAGE
            ]
        self._at = max(start, end)
        return max(0, end - start)


@contextlib.contextmanager
def _opened(view: _View, url: str) -> Iterator[h5py.File]:
    try:
        if marks_recording(view.read(12) or b""):
            raise FormatError(
                f"{url} is being recorded, or was not closed: copy it here (then 'h5vidstack "
                "recover' makes a complete stack of what was not closed)"
            )
        file = h5py.File(view, "r")
    except (OSError, RuntimeError) as error:
        raise FormatError(f"{url} is not an HDF5 file, or is damaged: {error}") from error
    with file:
        yield file
