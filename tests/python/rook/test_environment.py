"""The Rook environment that call gets."""

import socket
from collections.abc import Callable

import httpuv
import pytest
from conftest import Log, Serve
from support import Wire, address, fetch, request


class Recorder:
    """An application that keeps what it was asked."""

    def __init__(self) -> None:
        self.seen: list[dict] = []

    def call(self, req: dict) -> dict:
        self.seen.append(req)
        return {"status": 200}


@pytest.fixture
def ask(serve: Serve) -> Callable[..., dict]:
    app = Recorder()
    server = serve(app)

    def send(data: bytes) -> dict:
        fetch(address(server), data)
        return app.seen.pop()

    return send


Ask = Callable[..., dict]


def test_every_key(serve: Serve) -> None:
    app = Recorder()
    server = serve(app)
    with Wire(address(server)) as wire:
        port = wire.socket.getsockname()[1]
        wire.send(request("/a%20b/c?x=1&y=%20#f", "X-Some-Thing: yes", host="example.org:80"))
        wire.response()
    (req,) = app.seen
    assert type(req) is dict
    stream, errors, headers = req.pop("rook.input"), req.pop("rook.errors"), req.pop("HEADERS")
    assert req == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a%20b/c",
        "QUERY_STRING": "x=1&y=%20",
        "REQUEST_URI": "/a%20b/c?x=1&y=%20#f",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(server.getPort()),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(port),
        "HTTP_HOST": "example.org:80",
        "HTTP_X_SOME_THING": "yes",
        "rook.version": "1.1-0",
        "rook.url_scheme": "http",
        "httpuv.version": httpuv.__version__,
    }
    assert headers == {"host": "example.org:80", "x-some-thing": "yes"}
    assert stream.read() == b""
    assert hasattr(errors, "cat")


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/?", "/", ""),
        ("/??", "/", "?"),
        ("/a/../b//c/./", "/a/../b//c/./", ""),
        ("/%2e%2E/%00?%41", "/%2e%2E/%00", "%41"),
        ("/;a=b,c", "/;a=b,c", ""),
        ("http://other.example/x?y", "/x", "y"),
        ("http://other.example", "/", ""),
        ("http://other.example?q", "/", "q"),
    ],
)
def test_targets(ask: Ask, target: str, path: str, query: str) -> None:
    req = ask(request(target))
    assert (req["REQUEST_URI"], req["PATH_INFO"], req["QUERY_STRING"]) == (target, path, query)


def test_asterisk(ask: Ask) -> None:
    req = ask(request("*", method="OPTIONS"))
    assert (req["REQUEST_METHOD"], req["PATH_INFO"], req["REQUEST_URI"]) == ("OPTIONS", "*", "*")


def test_absolute_form_overrides_host(ask: Ask) -> None:
    req = ask(request("http://other.example:81/x", host="localhost"))
    assert req["HTTP_HOST"] == req["HEADERS"]["host"] == "other.example:81"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"])
def test_methods(ask: Ask, method: str) -> None:
    assert ask(request(method=method))["REQUEST_METHOD"] == method


def test_http_1_0(ask: Ask) -> None:
    req = ask(request(version="1.0", host=None))
    assert req["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert "HTTP_HOST" not in req


def test_repeated_fields(ask: Ask) -> None:
    req = ask(request("/", "A: 1", "Cookie: x=1", "a: 2", "cookie: y=2", "A:", "B:  c  d\t"))
    assert req["HTTP_A"] == req["HEADERS"]["a"] == "1, 2, "
    assert req["HTTP_COOKIE"] == req["HEADERS"]["cookie"] == "x=1; y=2"
    assert req["HTTP_B"] == "c  d"


def test_content_fields(ask: Ask) -> None:
    req = ask(request("/", "Content-Type: text/plain", method="POST", body=b"abc"))
    assert req["CONTENT_TYPE"] == "text/plain"
    assert req["CONTENT_LENGTH"] == "3"
    assert "HTTP_CONTENT_TYPE" not in req and "HTTP_CONTENT_LENGTH" not in req
    assert req["HEADERS"]["content-type"] == "text/plain"
    assert req["HEADERS"]["content-length"] == "3"


def test_underscores_do_not_pass_for_hyphens(ask: Ask) -> None:
    req = ask(request("/", "X-Real: proxy", "X_Real: client"))
    assert req["HTTP_X_REAL"] == "proxy"
    assert req["HEADERS"]["x_real"] == "client"


def test_bytes_of_fields_are_latin_1(ask: Ask) -> None:
    req = ask(request("/", "X-Name: J\xfcrg \xe6\x97\xa5"))
    assert req["HTTP_X_NAME"] == "J\xfcrg \xe6\x97\xa5"


def test_requests_share_nothing(serve: Serve) -> None:
    def call(req: dict) -> dict:
        body = f"{req.get('mark')} {req['HEADERS'].get('mark')} {req['SCRIPT_NAME']!r}"
        req["mark"] = req["HEADERS"]["mark"] = "x"
        req["SCRIPT_NAME"] = "changed"
        return {"status": 200, "body": body}

    server = serve(call)
    with Wire(address(server)) as wire:
        for _ in range(3):
            wire.send(request())
            assert wire.response().body == b"None None ''"


def test_ipv6_peer(running: object) -> None:
    app = Recorder()
    with (
        httpuv.startServer("::1", 0, app) as server,
        socket.create_connection(("::1", server.getPort())) as connection,
    ):
        connection.sendall(request())
        connection.recv(1000)
        assert app.seen[0]["REMOTE_ADDR"] == "::1"
        assert app.seen[0]["REMOTE_PORT"] == str(connection.getsockname()[1])
        assert app.seen[0]["SERVER_NAME"] == "::1"


def test_ipv4_peer_of_an_ipv6_socket(running: object) -> None:
    app = Recorder()
    with httpuv.startServer("::", 0, app) as server:
        fetch(address(server), request())
    assert app.seen[0]["REMOTE_ADDR"] == "127.0.0.1"


def test_unix_peer(running: object, tmp_path) -> None:
    app = Recorder()
    name = str(tmp_path / "socket")
    with httpuv.startPipeServer(name, None, app):
        fetch(name, request())
    (req,) = app.seen
    assert req["REMOTE_ADDR"] == ""
    assert req["REMOTE_PORT"] == ""
    assert "SERVER_NAME" in req and "SERVER_PORT" in req


def test_errors_stream(serve: Serve, log: Log) -> None:
    def call(req: dict) -> dict:
        req["rook.errors"].cat("something", 5)
        print("printed", file=req["rook.errors"])
        return {"status": 200}

    assert fetch(address(serve(call)), request()).status == 200
    log.expect("ERROR something 5", "ERROR printed")


def test_fields_are_found_in_any_case_of_letters(serve: Serve) -> None:
    app = Recorder()
    server = serve(app)
    with Wire(address(server)) as wire:
        wire.send(request("/", "X-Some-THING: yes", "User-Agent: me"))
        wire.response()
    headers = app.seen[0]["HEADERS"]
    assert isinstance(headers, dict)
    assert headers == {"host": "localhost", "x-some-thing": "yes", "user-agent": "me"}
    for name in ("User-Agent", "user-agent", "USER-AGENT"):
        assert headers[name] == "me"
        assert headers.get(name) == "me"
        assert name in headers
    assert "Missing" not in headers
    assert headers.get("Missing") is None
    assert headers.get("Missing", "x") == "x"
    with pytest.raises(KeyError, match="Missing"):
        headers["Missing"]
    with pytest.raises(KeyError, match="missing"):
        headers["missing"]
    headers["X-New"] = "1"
    assert headers["x-new"] == headers.pop("X-NEW") == "1"
    headers.update({"A-B": "1"}, c="2")
    assert headers.setdefault("a-B", "3") == "1"
    del headers["a-b"]
    assert headers.copy()["C"] == "2"
    assert 5 not in headers
