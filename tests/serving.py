"""A file server on this machine, with byte ranges as HTTP has them, and servers that fail."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Server(ThreadingHTTPServer):
    """Serves a folder; counts requests.

    `ranges`: whether it gives parts of files. `etag`: how it says which version a file is: by an
    "etag", a "weak" one, a "date", or not at all.
    `fault`: called with the number of the GET; what it gives is done instead of answering:
    "close" the connection, "short": send less, promised or "cut" promise more; a status.
    """

    daemon_threads = True

    def __init__(
        self,
        folder: str | Path,
        ranges: bool = True,
        etag: str | None = "etag",
        fault: Callable[[int], str | int | None] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.ranges, self.etag, self.fault = Path(folder), ranges, etag, fault
        self.connections: list[Any] = []
        self.requests: list[tuple[str, str, str | None]] = []
        self.bytes, self._lock = 0, threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def note(self, method: str, path: str, asked: str | None) -> int:
        with self._lock:
            self.requests.append((method, path, asked))
            return sum(method == "GET" for method, _, _ in self.requests)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        """Also what is open to clients."""
        super().server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.server.note("HEAD", self.path, None)
        self._answer(None)

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        number = self.server.note("GET", self.path, asked)
        fault = self.server.fault(number) if self.server.fault else None
        if fault == "close":
            self.close_connection = True
            return
        if isinstance(fault, int):
            self._end(fault, b"")
            return
        self._answer(asked, fault)

    def _answer(self, asked: str | None, fault: str | None = None) -> None:
        path = self.server.folder / self.path.lstrip("/").partition("?")[0]
        if path.name == "moved":  # to itself, for ever
            self._end(302, b"", {"Location": self.path})
            return
        if not path.is_file():
            self._end(404, b"")
            return
        status = path.stat()
        etag = f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'
        date = self.date_time_string(status.st_mtime)
        headers = {
            "etag": {"ETag": etag}, "weak": {"ETag": f"W/{etag}"}, "date": {"Last-Modified": date},
        }.get(self.server.etag or "", {})  # fmt: skip
        if self.server.ranges:
            headers["Accept-Ranges"] = "bytes"
        wanted = self.headers.get("If-Match")
        if wanted not in (None, etag):
            self._end(412, b"")
            return
        first, last, code = 0, status.st_size - 1, 200
        if asked and self.server.ranges:
            begin, _, end = asked.removeprefix("bytes=").partition("-")
            first, last, code = int(begin), min(int(end), last), 206
            headers["Content-Range"] = f"bytes {first}-{last}/{status.st_size}"
        with path.open("rb") as file:
            file.seek(first)
            data = file.read(last + 1 - first)
        self._end(code, data[:-1] if fault == "short" else data, headers, fault == "cut")

    def _end(
        self, status: int, data: bytes, headers: Mapping[str, str] = NO_HEADERS, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):
                self.wfile.write(data[: len(data) // 2] if cut else data)
            self.server.bytes += len(data)
        self.close_connection = cut


@contextlib.contextmanager
def serving(folder: str | Path = ".", **options: Any) -> Iterator[Server]:
    """Run a server for a while."""
    server = Server(folder, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
