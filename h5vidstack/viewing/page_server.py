"""A server of the viewer for a browser of this machine: nobody else gets an answer."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

from ..errors import AccessError
from ..text import json_text
from .answers import Answer, Answers
from .front_end import INDEX, KINDS, files

LOOPBACK = "127.0.0.1"
OUR_HOSTS = (LOOPBACK, "localhost", "::1")
"""How a browser names this machine, also at the near end of a tunnel, where the port may differ."""
ASK = "ask"
"""Where questions go."""
MOST_QUESTION = 1 << 16
"""The most bytes of a question."""
MOST_DROPPED = 1 << 20
"""The most bytes that are read of a question that is refused."""
TEXT = "text/plain; charset=utf-8"
IDLE = 120
"""Seconds after which a silent connection is closed."""
ALIGNMENT = 8
"""Samples begin at a multiple of this in the body of an answer, so that any dtype can view them."""

_OURS_ONLY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageServer(ThreadingHTTPServer):
    """Serves the viewer of one stack on this machine, under an address that nobody can guess.

    Parameters
    ----------
    answers
        Answers what the page asks.
    port
        To listen on; 0 for any that is free.

    Raises
    ------
    AccessError
        If the port is taken, or may not be used.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name != "nt"  # there it would let two servers share a port

    def __init__(self, answers: Answers, port: int = 0) -> None:
        self.answers = answers
        self.token = secrets.token_urlsafe(24)
        self._connections: set[socket.socket] = set()
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            cure = "give another --port, or none for one that is free"
            raise AccessError(f"port {port}", error.errno or 0, cure) from error

    def server_bind(self) -> None:
        """Listen, without asking the network for the name of this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])

    @property
    def address(self) -> str:
        """The address of the page, with the token."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own, and remember it."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """End it, and the connections that browsers keep open."""
        super().server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that goes away in the middle of an answer is no error."""

    @contextlib.contextmanager
    def running(self) -> Iterator[PageServer]:
        """Serve while the body runs."""
        thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True,
            name="h5vidstack-viewer",
        )  # fmt: skip
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


def body(answer: Answer) -> bytes:
    """Return what comes before the samples of an answer: the length of its facts, and these."""
    facts = json_text(answer.facts).encode()
    facts += b" " * (-(len(facts) + 4) % ALIGNMENT)
    return struct.pack("<I", len(facts)) + facts


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version = "h5vidstack"
    sys_version = ""
    timeout = IDLE
    disable_nagle_algorithm = True
    rbufsize: ClassVar[int] = 1 << 16

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Send a file of the page."""
        name = self._name()
        if name is None:
            return
        name = name or INDEX
        text = files().get(name)
        if text is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")
            return
        kind = KINDS[name[name.rindex(".") :]]
        self._send(HTTPStatus.OK, kind, text.encode())

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """Answer a question."""
        name = self._name()
        if name is None:
            return
        length = self.headers.get("Content-Length", "")
        if name != ASK or self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            self._refuse(HTTPStatus.FORBIDDEN, "only the page itself may ask")
        elif not length.isdecimal() or int(length) > MOST_QUESTION:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a question has a length, and is short"
            )
        else:
            text = self.rfile.read(int(length))
            try:
                question = json.loads(text)
            except (ValueError, RecursionError):
                self._send(HTTPStatus.BAD_REQUEST, TEXT, b"a question is JSON\n")
                return
            answer = self.server.answers.answer(question)
            self._send(HTTPStatus.OK, "application/octet-stream", body(answer), answer.samples)

    def _name(self) -> str | None:
        """Return what is asked for below the token; None if the request was refused."""
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        if _hostname(host) not in OUR_HOSTS:
            self._refuse(HTTPStatus.FORBIDDEN, "this server answers to localhost only")
        elif origin is not None and origin != f"http://{host}":
            self._refuse(HTTPStatus.FORBIDDEN, "other sites may not ask this server")
        else:
            token, slash, name = urlsplit(self.path).path.removeprefix("/").partition("/")
            if slash and secrets.compare_digest(token.encode(), self.server.token.encode()):
                return name
            self._refuse(
                HTTPStatus.FORBIDDEN,
                "the address lacks its token: open all of what 'h5vidstack view' printed",
            )
        return None

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        # A body is read first: closing a connection before that may lose the answer.
        length = self.headers.get("Content-Length", "")
        if length.isdecimal():
            self.rfile.read(min(int(length), MOST_DROPPED))
        self.close_connection = True
        self._send(status, TEXT, f"{why}\n".encode())

    def _send(
        self, status: HTTPStatus, kind: str, data: bytes, samples: bytes | memoryview = b""
    ) -> None:
        self.send_response(status)
        for name, value in _OURS_ONLY.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) + len(samples)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
            if len(samples):
                self.wfile.write(samples)


def _hostname(host: str) -> str | None:
    """Return the name in a Host header; None if it is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
