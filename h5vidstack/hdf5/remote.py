"""The bytes behind a URL, fetched through fsspec: few requests, several at once.

fsspec says which ranges one request takes. Its `cat_ranges` is not used to fetch them, because it
returns only when all are there: here blocks are decoded while later ones are fetched, a failed
request is repeated alone, and each request names the version of the file that was opened.
"""

from __future__ import annotations

import bisect
import re
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from typing import Any

from ..errors import (
    ClosedError,
    Error,
    FileChangedError,
    MissingError,
    RemoteError,
    RemoteWarning,
    UnsupportedError,
    extra,
)
from ..pool import Pending, Threads
from .file_stamp import Stamp, changed_words, of_description
from .library_lock import no_garbage_collection

Range = tuple[int, int]
"""First byte, and the one behind the last."""

GAP = 64 << 10
"""Most bytes between two ranges that are fetched with them, to save a request."""

PIECE = 4 << 20
"""Most bytes that one request fetches for several ranges."""

CONNECTIONS = 8
ATTEMPTS = 3
PAUSE = 0.1
"""Seconds before a request that failed is made again; twice as long each time."""

_EXTRAS = {"http": "remote", "https": "remote", "s3": "s3", "s3a": "s3"}
_REFUSED = range(400, 500)
_COPYING = ("simplecache", "filecache")
"""fsspec's file systems that copy a whole file to this machine."""
_MIXING = ("blockcache", "cached")
"""Those that keep parts of a file, and find them by its name alone."""
INSIDE = ("zip", "tar", "libarchive", *_COPYING, *_MIXING)
"""Those whose files lie in a file of another file system, or are copies of one."""


def protocol_of(url: str) -> str:
    """Return the first file system of a URL: ``https``, ``s3``, ``zip``, ..."""
    return re.split("::|://", url)[0]


def local_copy(url: str, options: Mapping[str, Any]) -> str | None:
    """Return the path of the copy that fsspec makes of a file; None if it makes none.

    Raises
    ------
    UnsupportedError
        For fsspec's cache of blocks.
    RemoteError, MissingError
        If the file cannot be copied.
    """
    protocol = protocol_of(url)
    if protocol in _MIXING:
        raise UnsupportedError(
            f"{url}: {protocol}:: keeps parts of a file under its name. When the file changes on "
            "the server, it gives parts of both. Leave it out, since only the blocks that are "
            "needed are fetched anyway; or use filecache::, which keeps whole files"
        )
    if protocol not in _COPYING:
        return None

    def copy() -> str:
        system, path = _located(url, options)
        with system.open(path, "rb") as file:
            return str(file.name)

    threads = Threads(1)
    try:
        name: str = threads.submit(lambda: _opened(url, copy)).result()
        return name
    finally:
        threads.close(wait=False)


def _located(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it."""
    with extra(_EXTRAS.get(protocol_of(url), "remote")):
        import fsspec.core  # optional, and slow to import
    found: tuple[Any, str] = fsspec.core.url_to_fs(url, **options)
    return found


def _opened(url: str, work: Callable[[], Any]) -> Any:
    """Do something with a file system, and turn its errors into ours."""
    protocol = protocol_of(url)
    try:
        return work()
    except Error:
        raise
    except ImportError as error:
        if protocol not in _EXTRAS:
            raise MissingError(f"{url}: {error}") from error
        with extra(_EXTRAS[protocol]):
            raise
    except FileNotFoundError as error:  # fsspec's word for all that went wrong over HTTP, too
        reason = _reason(error) if error.__cause__ else "there is no such file"
        raise RemoteError(f"{url} cannot be opened: {reason}") from error
    except Exception as error:  # each file system has its own
        raise RemoteError(f"{url} cannot be opened: {_reason(error)}") from error


class RemoteBytes:
    """A file that fsspec finds, of a size that stays.

    Each answer of the server is compared with what it said of the file when that was opened.

    Only threads of its own call fsspec, whose calls wait in a way that no interrupt may end: after
    a Ctrl-C at the wrong moment fsspec would never answer again.

    Parameters
    ----------
    url
        What `fsspec.open` takes.
    options
        Of the file system: credentials, an endpoint.

    Attributes
    ----------
    size
        In bytes.
    stamp
        What changes when the file does, as far as the server says.

    Raises
    ------
    MissingError
        If fsspec, or what it needs for this protocol, is not installed.
    RemoteError
        If there is no such file, it cannot be reached, or the server gives it only whole.
    """

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        self.url = url
        self._threads = Threads(CONNECTIONS)
        self._prefetches: list[weakref.ref[Prefetch]] = []
        found = self._do(lambda: _opened(url, lambda: self._find(options)))
        info, self._merged, self._fs, self._path = found
        if info.get("type") == "directory":
            raise RemoteError(f"{url} is a folder")
        if info.get("size") is None:
            raise RemoteError(f"{url}: its server does not tell its size; {_CURE}")
        if info.get("partial") is False:
            raise self._no_ranges()
        self.size = int(info["size"])
        self.stamp = of_description(info, self.size)
        if not self.stamp.marks:
            _warn(url)
        self._fetch_one = self._do(lambda: _opened(url, lambda: self._opener(info)))

    def _do(self, work: Callable[[], Any]) -> Any:
        """Have a thread do something, and wait for it."""
        try:
            with no_garbage_collection():
                return self._threads.submit(work).result()
        except CancelledError as error:
            raise ClosedError(f"{self.url} was closed while it was read") from error

    def _find(self, options: Mapping[str, Any]) -> tuple[dict[str, Any], Any, Any, str]:
        system, path = _located(self.url, options)
        from fsspec.utils import merge_offset_ranges  # optional, as in `_located`

        return _info(system, path), merge_offset_ranges, system, path

    def _opener(self, info: Mapping[str, Any]) -> Callable[[int, int], bytes]:
        """Return a function that gets a range of the file that was opened, and of no other.

        Files of S3 ask for the version that was opened. Answers of HTTP say which version they are
        of. After each answer of other servers it is asked which version they have.
        """
        if "http" in str(self._fs.protocol):
            etag = info.get("ETag", "")
            strong = etag and not etag.startswith(
                "W/"
            )  # a weak one never matches (RFC 9110, 13.1.1)
            fetch = _HttpRanges(self, self._fs, self._path, {"If-Match": etag} if strong else {})
            return fetch.get
        opened = self._fs.open(self._path, "rb", cache_type="none")
        if getattr(opened, "read_kw", {}).get("IfMatch"):
            of_version: Callable[[int, int], bytes] = opened._fetch_range
            return of_version
        opened.close()

        def checked(start: int, end: int) -> bytes:
            data = bytes(self._fs.cat_file(self._path, start=start, end=end))
            self._check_now()
            return data

        return checked

    def fetch(self, start: int, end: int) -> bytes:
        """Get a range by one request, or as many as it takes if that fails.

        Raises
        ------
        RemoteError
            If it cannot be had.
        FileChangedError
            If it would be of another file than the one that was opened.
        """
        data: bytes = self._do(lambda: self._fetch(start, end))
        return data

    def _fetch(self, start: int, end: int) -> bytes:
        reason: object = "nothing was asked for"
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE * 2**attempt)
            try:
                data: bytes = self._fetch_one(start, end)
            except Error:
                raise
            except Exception as error:  # noqa: BLE001  # each file system has its own
                reason = _reason(error)
                final = isinstance(error, (FileNotFoundError, TimeoutError))  # the latter waited
                if final or getattr(error, "status", None) in _REFUSED:
                    break
            else:
                if len(data) == end - start:
                    return data
                reason = f"the server sent {len(data)} bytes instead of {end - start}"
        self._check_now()
        raise RemoteError(f"{self.url}: bytes {start} to {end - 1} cannot be fetched: {reason}")

    def check_unchanged(self) -> None:
        """Raise FileChangedError if the file is not the one that was opened."""
        self._do(self._check_now)

    def _check_now(self) -> None:
        try:
            info = _info(self._fs, self._path)
        except Exception as error:
            raise RemoteError(
                f"{self.url} was opened, but cannot be reached any more: {_reason(error)}"
            ) from error
        size = info.get("size")
        self.compare(of_description(info, None if size is None else int(size)))

    def compare(self, now: Stamp) -> None:
        """Raise FileChangedError if a stamp is not of the file that was opened."""
        change = self.stamp.difference(now)
        if change is not None:
            raise FileChangedError(changed_words(self.url, change))

    def ahead(self, ranges: Iterable[Range]) -> Prefetch:
        """Begin to fetch ranges that will be read soon, neighbours together."""
        wanted = sorted(set(ranges))
        starts, ends = ([found[side] for found in wanted] for side in (0, 1))
        _, firsts, lasts = self._merged([""] * len(wanted), starts, ends, GAP, PIECE)
        prefetch = Prefetch()
        try:
            for first, last in zip(firsts, lasts, strict=True):
                prefetch.tasks.append(self._threads.submit(_Fetching(self, first, last)))
        except CancelledError as error:
            raise ClosedError(f"{self.url} was closed while it was read") from error
        for start, end in wanted:
            number = bisect.bisect_right(firsts, start) - 1
            if end <= lasts[number]:
                prefetch.pieces[start, end] = firsts[number], prefetch.tasks[number]
        self._prefetches = [*(ref for ref in self._prefetches if ref()), weakref.ref(prefetch)]
        return prefetch

    def read(self, start: int, end: int) -> bytes:
        """Get a range: of what is fetched already, or is being fetched, or by a request."""
        for reference in self._prefetches:
            prefetch = reference()
            found = prefetch.pieces.get((start, end)) if prefetch is not None else None
            if found is not None:
                first, got = found
                try:
                    with no_garbage_collection():
                        piece: bytes = got.result()
                    return piece[start - first : end - first]
                except CancelledError:
                    break  # it was dropped
        return self.fetch(start, end)

    def close(self) -> None:
        """Fetch nothing any more."""
        self._threads.close(wait=False)

    def _no_ranges(self) -> RemoteError:
        return RemoteError(
            f"{self.url}: its server does not support range requests, and gives only whole "
            f"files; {_CURE}"
        )


class _Fetching:
    """A request that a thread makes."""

    def __init__(self, file: RemoteBytes, start: int, end: int) -> None:
        self._file, self._start, self._end = file, start, end

    def __call__(self) -> bytes:
        return self._file._fetch(self._start, self._end)


class _HttpRanges:
    """Ranges of a file over HTTP.

    fsspec's own files do not show the headers of an answer, which say what it is a part of.
    """

    def __init__(self, file: RemoteBytes, system: Any, path: str, headers: dict[str, str]) -> None:
        from fsspec.asyn import sync

        self._sync, self._file, self._system, self._path = sync, file, system, path
        self._options = {**system.kwargs}
        self._headers = {
            **self._options.pop("headers", {}), "Accept-Encoding": "identity", **headers,
        }  # fmt: skip

    def get(self, start: int, end: int) -> bytes:
        """Get a range by one request."""
        data: bytes = self._sync(self._system.loop, self._get, start, end)
        return data

    async def _get(self, start: int, end: int) -> bytes:
        session = await self._system.set_session()
        headers = self._headers | {"Range": f"bytes={start}-{end - 1}"}
        url = self._system.encode_url(self._path)
        async with session.get(url, headers=headers, **self._options) as answer:
            answer.raise_for_status()
            part = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            whole = answer.status != 206  # the server ignored what was asked for
            total = part[3] if part else answer.headers.get("Content-Length", "*") if whole else "*"
            self._file.compare(
                of_description(answer.headers, int(total) if total.isdigit() else None)
            )
            if whole and (start, end) != (0, self._file.size):
                raise self._file._no_ranges()
            if part and (int(part[1]), int(part[2])) != (start, end - 1):
                raise RemoteError(
                    f"{self._file.url}: the server sent bytes {part[1]} to {part[2]} instead of "
                    f"{start} to {end - 1}"
                )
            data: bytes = await answer.read()
            return data


_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


def _info(system: Any, path: str) -> dict[str, Any]:
    system.invalidate_cache()  # some file systems remember listings
    return dict(system.info(path))


_named: set[str] = set()


def _warn(url: str) -> None:
    """Name a server once that gives neither time nor ETag."""
    server = url.split("/", 3)[2] if "://" in url else url
    if server not in _named:
        _named.add(server)
        warnings.warn(
            f"{server} does not say which version of a file it sends (no ETag, no Last-Modified): "
            "a change of a file that is open is noticed only if its size changes",
            RemoteWarning,
            stacklevel=2,
        )


_CURE = "download it and open the copy, or serve it by a server that can (nginx, S3)"


class Prefetch:
    """Ranges that are being fetched; they are dropped when it is closed, or forgotten.

    Attributes
    ----------
    tasks
        The requests.
    pieces
        For each range the first byte of the piece that holds it, and the piece.
    """

    def __init__(self) -> None:
        self.tasks: list[Pending[bytes]] = []
        self.pieces: dict[Range, tuple[int, Pending[bytes]]] = {}

    def close(self) -> None:
        """Drop what was fetched, and what is not fetched yet."""
        self.pieces = {}
        for task in self.tasks:
            task.cancel()


def _reason(error: BaseException) -> str:
    """Say what went wrong, in one line; fsspec hides it behind a FileNotFoundError."""
    cause = error.__cause__ or error
    status = getattr(cause, "status", None)
    if status == 0:  # aiohttp's, where the answers were no trouble: TooManyRedirects
        return type(cause).__name__
    if status is not None:
        return f"the server says {status} {getattr(cause, 'message', '')}".rstrip()
    return " ".join(str(cause).split()) or type(cause).__name__
