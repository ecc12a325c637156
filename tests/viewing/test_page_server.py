"""The server of the page: only the page itself, on this machine, gets answers."""

import contextlib
import http.client
import json
import socket
import struct
import threading

import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack.viewing.answers import Answers
from h5vidstack.viewing.front_end import files
from h5vidstack.viewing.page_server import IDLE, PageServer

FRAMES = moving((20, 40, 50))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "x.h5"
    h5vidstack.pack(FRAMES, path, chunk_frames=4)
    with h5vidstack.open(path) as stack, PageServer(Answers(stack)).running() as server:
        yield server


def get(server, path, method="GET", body=None, **headers):
    """Send a request; return status, headers and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    with contextlib.closing(connection):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def ask(server, question, **headers):
    status, _, body = get(server, f"/{server.token}/ask", "POST", json.dumps(question), **headers)
    assert status == 200, body
    (length,) = struct.unpack_from("<I", body)
    assert (length + 4) % 8 == 0
    return json.loads(body[4 : 4 + length]), body[4 + length :]


def test_the_page(server):
    assert server.address == f"http://127.0.0.1:{server.server_port}/{server.token}/"
    assert len(server.token) >= 32
    for name in ("", *files()):
        status, headers, body = get(server, f"/{server.token}/{name}")
        assert status == 200
        assert body.decode() == files()[name or "index.html"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Type"].startswith("text/")
    assert get(server, f"/{server.token}/", "HEAD")[::2] == (200, b"")
    assert get(server, f"/{server.token}/?x=1")[0] == 200


def test_only_files_of_the_page(server):
    for name in ("../answers.py", "..%2fanswers.py", "x.h5", "front/viewer.js", "viewer.js/"):
        assert get(server, f"/{server.token}/{name}")[0] == 404


def test_frames(server):
    facts, samples = ask(server, {"ask": "frames", "numbers": [3, 4, 19], "factor": 1})
    assert facts["shape"] == [40, 50]
    assert samples == FRAMES[[3, 4, 19]].tobytes()
    facts, samples = ask(
        server,
        {"ask": "frames", "numbers": [7], "rows": [8, 20], "columns": [16, 50], "factor": 1},
    )
    assert np.frombuffer(samples, "u1").reshape(facts["shape"]).tolist() == (
        FRAMES[7, 8:20, 16:50].tolist()
    )
    facts, samples = ask(server, {"ask": "frames", "numbers": [7], "factor": 16})
    assert facts["shape"] == [3, 4]


def test_problems_are_answers(server):
    facts, samples = ask(server, {"ask": "frames", "numbers": [20], "factor": 1})
    assert facts == {"problem": "there is no frame 20; there are 20", "kind": "QueryError"}
    assert samples == b""


def test_many_questions_on_one_connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    for number in range(20):
        question = json.dumps({"ask": "frames", "numbers": [number], "factor": 1})
        connection.request("POST", f"/{server.token}/ask", question)
        body = connection.getresponse().read()
        assert body.endswith(FRAMES[number].tobytes())
    connection.close()


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "10.0.0.7",
        "",
        "[::",
        "localhost.evil:1",
    ],
)
def test_other_hosts(server, host):
    status, _, body = get(server, f"/{server.token}/", Host=host)
    assert (status, body) == (403, b"this server answers to localhost only\n")
    assert get(server, f"/{server.token}/ask", "POST", "{}", Host=host)[0] == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:9999", "127.0.0.1:1", "[::1]:8000"])
def test_the_near_end_of_a_tunnel(server, host):
    assert get(server, f"/{server.token}/", Host=host)[0] == 200
    assert ask(server, {"ask": "frame", "number": 1}, Host=host, Origin=f"http://{host}")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1"]
)
def test_other_origins(server, origin):
    assert get(server, f"/{server.token}/ask", "POST", "{}", Origin=origin)[0] == 403
    assert get(server, f"/{server.token}/viewer.js", Origin=origin)[0] == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_questions_of_other_sites(server, site):
    assert get(server, f"/{server.token}/ask", "POST", "{}", Sec_Fetch_Site=site)[0] == 403
    assert ask(server, {"ask": "frame", "number": 1}, Sec_Fetch_Site="same-origin")


def test_without_the_token(server):
    wrong = server.token[:-1] + ("A" if server.token[-1] != "A" else "B")
    for path in (
        "/",
        "/ask",
        "/viewer.js",
        f"/{wrong}/",
        f"/{server.token}",
        "//",
        f"/{wrong}/ask",
        "/%C3%A9/",
    ):
        for method in ("GET", "POST"):
            status, _, body = get(server, path, method, "{}")
            assert status == 403
            assert b"token" in body
            assert server.token.encode() not in body


def test_questions_that_are_none(server):
    path = f"/{server.token}/ask"
    assert get(server, path, "POST", "no JSON")[0] == 400
    assert get(server, path, "POST", b"\xff\xfe")[0] == 400
    assert get(server, path, "POST", "[" * 60000)[0] == 400
    assert get(server, path, "POST", "x" * (1 << 17))[0] == 413
    assert get(server, path, "POST")[0] == 400
    assert get(server, path, "GET")[0] == 404
    assert get(server, f"/{server.token}/viewer.js", "POST", "{}")[0] == 403
    assert get(server, path, "PUT", "{}")[0] == 501


def test_each_server_has_its_own_token(server):
    with PageServer(server.answers) as other:
        assert other.token != server.token
        assert get(server, f"/{other.token}/")[0] == 403


def test_it_listens_on_this_machine_only(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken(server):
    with pytest.raises(h5vidstack.AccessError, match="give another --port") as found:
        PageServer(server.answers, server.server_port)
    assert f"port {server.server_port} cannot be used" in str(found.value)


def test_a_client_that_goes_away(server, capfd):
    question = json.dumps({"ask": "frames", "numbers": list(range(20)) * 20, "factor": 1}).encode()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.server_port)) as client:
            head = f"POST /{server.token}/ask HTTP/1.1\r\nHost: localhost\r\n"
            client.sendall(f"{head}Content-Length: {len(question)}\r\n\r\n".encode() + question)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert ask(server, {"ask": "frame", "number": 1})
    assert capfd.readouterr() == ("", "")
    assert IDLE > 0


def test_it_ends():
    h5vidstack.pack(FRAMES, "x.h5")
    before = threading.active_count()
    with h5vidstack.open("x.h5") as stack:
        with PageServer(Answers(stack)).running() as server:
            get(server, f"/{server.token}/")
            port = server.server_port
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", port))
    assert threading.active_count() <= before + 1
