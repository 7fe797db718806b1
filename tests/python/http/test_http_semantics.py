"""What RFC 9110 says of methods, statuses and their content, beyond framing and strictness."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import httpuv
import pytest
from conftest import Log
from support import Wire, address, fetch, request, run_script

_CONNECT = b"CONNECT other.example:80 HTTP/1.1\r\nHost: other.example:80\r\n\r\n"


@contextlib.contextmanager
def _serving(app: Any, **options: Any) -> Iterator[httpuv.WebServer]:
    with httpuv.startServer("127.0.0.1", 0, app, dispatch="thread", **options) as server:
        yield server


def _hello(req: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": "hello"}


# --- CONNECT (section 9.3.6) ---


@pytest.mark.parametrize("app", [_hello, {"call": _hello, "allowConnect": False}, {}])
def test_connect_is_not_allowed(app: Any) -> None:
    with _serving(app) as server, Wire(address(server)) as wire:
        wire.send(_CONNECT)
        answer = wire.response()
        assert answer.status == 405
        assert "GET" in (answer.get("Allow") or "")
        assert wire.at_end()


@pytest.mark.parametrize("kind", ["plain", "stream"])
def test_an_application_may_take_connect(kind: str) -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        assert req["REQUEST_METHOD"] == "CONNECT"
        return {"status": 200, "body": "tunnel" if kind == "plain" else iter(["tun", "nel"])}

    with _serving({"call": call, "allowConnect": True}) as server, Wire(address(server)) as wire:
        wire.send(_CONNECT)
        head = wire.head()
        assert head.status == 200
        assert head.get("Content-Length") is None
        assert head.get("Transfer-Encoding") is None
        assert wire.rest() == b"tunnel"


def test_an_application_may_refuse_connect() -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        return {"status": 403, "body": "no"}

    with _serving({"call": call, "allowConnect": True}) as server, Wire(address(server)) as wire:
        wire.send(_CONNECT)
        answer = wire.response()
        assert (answer.status, answer.body) == (403, b"no")
        assert wire.at_end()


def test_allow_connect_is_checked() -> None:
    with pytest.raises(TypeError, match="allowConnect must be bool"):
        httpuv.startServer("127.0.0.1", 0, {"call": _hello, "allowConnect": 1})


# --- OPTIONS * (section 9.3.7) ---


def test_options_of_a_server_without_call() -> None:
    with _serving({"staticPaths": {"/": "."}}) as server:
        answer = fetch(address(server), b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (answer.status, answer.body) == (204, b"")
        assert answer.get("Allow") == "GET, HEAD, OPTIONS"
        assert answer.get("Content-Length") is None


def test_options_are_the_applications() -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        return {"status": 200, "body": req["PATH_INFO"]}

    with _serving(call) as server:
        answer = fetch(address(server), b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.body == b"*"


# --- content that may not be there ---


@pytest.mark.parametrize("body", ["some", "", iter(["so", "me"])])
def test_205_has_no_content(body: Any) -> None:
    with (
        _serving(lambda req: {"status": 205, "body": body}) as server,
        Wire(address(server)) as wire,
    ):
        wire.send(request("/"), request("/nothing"))
        answer = wire.response()
        assert (answer.status, answer.get("Content-Length"), answer.body) == (205, "0", b"")
        assert wire.response().status == 205


@pytest.mark.parametrize("body", [None, ""])
def test_head_without_a_body_says_no_length(body: Any) -> None:
    """A GET may well have one: what is not known is not said (section 8.6)."""

    def call(req: dict[str, Any]) -> dict[str, Any]:
        return {"status": 200, "body": body if req["REQUEST_METHOD"] == "HEAD" else "hello"}

    with _serving(call) as server, Wire(address(server)) as wire:
        wire.send(request("/", method="HEAD"), request("/"))
        answer = wire.response("HEAD")
        assert (answer.status, answer.get("Content-Length")) == (200, None)
        assert wire.response().body == b"hello"


def test_head_with_a_body_or_a_length_says_it() -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        if req["PATH_INFO"] == "/length":
            return {"status": 200, "headers": {"Content-Length": "0"}}
        return {"status": 200, "body": "hello"}

    with _serving(call) as server, Wire(address(server)) as wire:
        wire.send(request("/", method="HEAD"), request("/length", method="HEAD"))
        assert wire.response("HEAD").get("Content-Length") == "5"
        assert wire.response("HEAD").get("Content-Length") == "0"


# --- versions, methods, codings ---


@pytest.mark.parametrize("version", ["1.2", "1.9"])
def test_a_higher_minor_version_is_taken_as_1_1(version: str) -> None:
    with _serving(_hello) as server, Wire(address(server)) as wire:
        for _ in range(2):  # and the connection is kept
            wire.send(f"GET / HTTP/{version}\r\nHost: a\r\n\r\n".encode())
            assert wire.response().body == b"hello"


def test_a_method_that_is_too_long() -> None:
    with _serving(_hello) as server:
        assert fetch(address(server), b"A" * 100_000).status == 501


@pytest.mark.parametrize("codings", ["gzip, chunked", "identity, chunked", "deflate, chunked"])
def test_only_chunked_is_decoded(codings: str) -> None:
    with _serving(_hello) as server:
        coded = request("/", f"Transfer-Encoding: {codings}", method="POST")
        assert fetch(address(server), coded + b"0\r\n\r\n").status == 501


# --- what is refused can be found out about ---


def test_that_connections_cannot_be_accepted_is_in_the_log() -> None:
    """Out of descriptors: the client is turned away, the log tells, and the server goes on."""
    output = run_script("""
        import logging, os, resource, socket, threading, urllib.request
        import httpuv

        told, said = threading.Event(), []
        class Handler(logging.Handler):
            def emit(self, record):
                if "cannot accept connections" in record.getMessage():
                    said.append(f"{record.levelname} {record.getMessage()}")
                    told.set()
        logging.getLogger("httpuv").addHandler(Handler())
        app = lambda req: {"status": 200, "body": "late"}
        with httpuv.startServer("127.0.0.1", 0, app, dispatch="thread") as server:
            client = socket.socket()
            free = os.dup(0)  # the lowest free descriptor
            os.close(free)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
            client.connect(("127.0.0.1", server.getPort()))
            print(client.recv(1))
            told.wait(20)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            print(*said, sep="\\n")
            url = f"http://127.0.0.1:{server.getPort()}/"
            print(urllib.request.urlopen(url).read(), server.stats()["accept_failures"] > 0)
    """)
    lines = sorted(output.splitlines())
    assert lines[0].startswith("WARNING cannot accept connections: ")
    assert lines[1:] == ["b''", "b'late' True"]


def test_why_a_request_was_refused_is_in_the_log(log: Log) -> None:
    with _serving(_hello) as server:
        assert fetch(address(server), b"GET / HTTP/1.1\r\n\r\n").status == 400
        log.expect("refused a request of 127.0.0.1", "400", "Host")


def test_a_flood_of_nonsense_does_not_flood_the_log(log: Log) -> None:
    began = time.monotonic()
    with _serving(_hello) as server:
        for _ in range(100):
            assert fetch(address(server), b"GET\r\n\r\n").status == 400
        log.expect("refused a request")
        assert server._core.stats()["refused"] == 100
    seconds = int(time.monotonic() - began) + 2
    assert log.text().count("refused a request") <= 10 * seconds
