"""The bytes behind a URL, fetched through fsspec: few requests, several at once.

fsspec says which ranges one request takes. Its `cat_ranges` is not used to fetch them, because it
returns only when all are there: here blocks are decoded while later ones are fetched, a failed
request is repeated alone, and each request names the version of the file that was opened.
"""

from __future__ import annotations

import bisect
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..errors import ClosedError, MissingError, RemoteError, extra

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
_IDENTITY = ("size", "ETag", "etag", "LastModified", "Last-Modified", "mtime", "created")
_REFUSED = range(400, 500)


class RemoteBytes:
    """A file that fsspec finds, of a size that stays.

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
    identity
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
        protocol = re.split("::|://", url)[0]
        with extra(_EXTRAS.get(protocol, "remote")):
            import fsspec.utils  # optional, and slow to import
        self._merged = fsspec.utils.merge_offset_ranges
        try:
            self._fs, self._path = fsspec.core.url_to_fs(url, **options)
            info = self._info()
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
        if info.get("type") == "directory":
            raise RemoteError(f"{url} is a folder")
        if info.get("size") is None:
            raise RemoteError(f"{url}: its server does not tell its size; {_CURE}")
        if info.get("partial") is False:
            raise self._no_ranges()
        self.size, self.identity = int(info["size"]), _identity(info)
        self._fetch_one = self._opener(info)
        self._pool = ThreadPoolExecutor(CONNECTIONS, "h5vidstack-fetch")
        self._prefetches: list[Prefetch] = []
        self._lock = threading.Lock()

    def _info(self) -> dict[str, Any]:
        self._fs.invalidate_cache()  # some file systems remember listings
        return dict(self._fs.info(self._path))

    def _opener(self, info: Mapping[str, Any]) -> Callable[[int, int], bytes]:
        """Return a function that gets a range, as the file system's own files do.

        These do more than `cat_file`. Those of HTTP refuse a whole file as an answer, and those of
        S3 ask for the version that was opened; for HTTP, a header asks for it here.
        """
        etag, options = info.get("ETag", ""), {}
        if "http" in str(self._fs.protocol):
            headers = {**getattr(self._fs, "kwargs", {}).get("headers", {})}
            headers["Accept-Encoding"] = "identity"
            if etag and not etag.startswith("W/"):  # a weak one never matches (RFC 9110, 13.1.1)
                headers["If-Match"] = etag
            options = {"size": self.size, "headers": headers}
        try:
            opened = self._fs.open(self._path, "rb", cache_type="none", **options)
        except Exception as error:
            raise RemoteError(f"{self.url} cannot be opened: {_reason(error)}") from error
        if hasattr(opened, "_fetch_range"):
            fetch: Callable[[int, int], bytes] = opened._fetch_range
            return fetch
        opened.close()
        return lambda start, end: bytes(self._fs.cat_file(self._path, start=start, end=end))

    def fetch(self, start: int, end: int) -> bytes:
        """Get a range by one request, or as many as it takes if that fails.

        Raises
        ------
        RemoteError
            If it cannot be had, or not of the file that was opened.
        """
        reason: object = "nothing was asked for"
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE * 2**attempt)
            try:
                data = self._fetch_one(start, end)
            except Exception as error:  # each file system has its own
                if "range requests" in str(error):  # fsspec's word over HTTP
                    raise self._no_ranges() from error
                reason = _reason(error)
                final = isinstance(error, (FileNotFoundError, TimeoutError))  # the latter waited
                if final or getattr(error, "status", None) in _REFUSED:
                    break
            else:
                if len(data) == end - start:
                    return data
                reason = f"the server sent {len(data)} bytes instead of {end - start}"
        self.check_unchanged()
        raise RemoteError(f"{self.url}: bytes {start} to {end - 1} cannot be fetched: {reason}")

    def check_unchanged(self) -> None:
        """Raise RemoteError if the file is not the one that was opened."""
        try:
            now = _identity(self._info())
        except Exception as error:
            raise RemoteError(
                f"{self.url} was opened, but cannot be reached any more: {_reason(error)}"
            ) from error
        if now != self.identity:
            raise RemoteError(
                f"{self.url} has changed since it was opened; open it again (or Stack.refresh)"
            )

    def ahead(self, ranges: Iterable[Range]) -> Prefetch:
        """Begin to fetch ranges that will be read soon, neighbours together."""
        prefetch = Prefetch(self)
        wanted = sorted(set(ranges))
        starts, ends = ([found[side] for found in wanted] for side in (0, 1))
        _, firsts, lasts = self._merged([""] * len(wanted), starts, ends, GAP, PIECE)
        try:
            pieces = [
                self._pool.submit(self.fetch, first, last)
                for first, last in zip(firsts, lasts, strict=True)
            ]
        except RuntimeError as error:
            raise ClosedError(f"{self.url} was closed while it was read") from error
        for start, end in wanted:
            number = bisect.bisect_right(firsts, start) - 1
            if end <= lasts[number]:
                prefetch.pieces[start, end] = firsts[number], pieces[number]
        with self._lock:
            self._prefetches.append(prefetch)
        return prefetch

    def read(self, start: int, end: int) -> bytes:
        """Get a range: of what is fetched already, or is being fetched, or by a request."""
        with self._lock:
            found = [
                prefetch.pieces[start, end]
                for prefetch in self._prefetches
                if (start, end) in prefetch.pieces
            ]
        if not found:
            return self.fetch(start, end)
        first, got = found[0]
        return got.result()[start - first : end - first]

    def forget(self, prefetch: Prefetch) -> None:
        """Drop what was fetched ahead."""
        with self._lock:
            self._prefetches.remove(prefetch)
        for _, got in prefetch.pieces.values():
            got.cancel()

    def close(self) -> None:
        """Fetch nothing any more."""
        self._pool.shutdown(cancel_futures=True)

    def _no_ranges(self) -> RemoteError:
        return RemoteError(
            f"{self.url}: its server does not support range requests, and gives only whole "
            f"files; {_CURE}"
        )


_CURE = "download it and open the copy, or serve it by a server that can (nginx, S3)"


class Prefetch:
    """Ranges that are being fetched.

    Attributes
    ----------
    pieces
        For each range the first byte of the piece that holds it, and the piece.
    """

    def __init__(self, file: RemoteBytes) -> None:
        self._file = file
        self.pieces: dict[Range, tuple[int, Future[bytes]]] = {}

    def close(self) -> None:
        """Drop what was fetched."""
        self._file.forget(self)


def _identity(info: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{name} {info[name]}" for name in _IDENTITY if name in info)


def _reason(error: BaseException) -> str:
    """Say what went wrong, in one line; fsspec hides it behind a FileNotFoundError."""
    cause = error.__cause__ or error
    status = getattr(cause, "status", None)
    if status == 0:  # aiohttp's, where the answers were no trouble: TooManyRedirects
        return type(cause).__name__
    if status is not None:
        return f"the server says {status} {getattr(cause, 'message', '')}".rstrip()
    return " ".join(str(cause).split()) or type(cause).__name__
