"""Requests with repeated heads get separate dicts, in every interface of applications."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import httpuv
import pytest
from support import PATIENCE

# In this order: fields that repeat with the same and with another line, other fields in between,
# the same names with other values.
HEADS = [
    ("/a?x=1", "1", "one"),
    ("/a?x=1", "1", "one"),
    ("/a?x=1", "1", "one"),
    ("/b%20c", "1", "one"),
    ("/a?x=2", "1", "two"),
    ("/a?x=1", "1", "one"),
    ("/a?x=1", "0", "one"),
    ("/a?x=1", "0", "one"),
    ("/a?x=1", "0", "one"),
    ("/a?x=1", "1", "one"),
]


class Rook:
    """An application that changes all that it gets, and notes it before."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def call(self, req: dict[str, Any]) -> dict[str, Any]:
        headers = req["HEADERS"]
        self.seen.append(
            {
                "method": req["REQUEST_METHOD"],
                "path": req["PATH_INFO"],
                "query": req["QUERY_STRING"].lstrip("?"),
                "minor": req["SERVER_PROTOCOL"][-1],
                "value": req["HTTP_X_VALUE"],
                "fields": sorted(headers.items()),
                "port": int(req["REMOTE_PORT"]),
                "body": req["rook.input"].read(),
                "extra": req.get("mine"),
                "is_headers": type(headers) is not dict and headers["X-VALUE"],
            }
        )
        headers.clear()
        headers["x-value"] = req["HTTP_X_VALUE"] = req["PATH_INFO"] = "changed"
        req["mine"] = True
        return {"status": 200, "headers": {"Content-Length": "0"}}


class Wsgi:
    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        fields = [("host", environ["HTTP_HOST"]), ("x-value", environ["HTTP_X_VALUE"])]
        self.seen.append(
            {
                "method": environ["REQUEST_METHOD"],
                "path": environ["PATH_INFO"].replace(" ", "%20"),
                "query": environ["QUERY_STRING"],
                "minor": environ["SERVER_PROTOCOL"][-1],
                "value": environ["HTTP_X_VALUE"],
                "fields": fields,
                "port": int(environ["REMOTE_PORT"]),
                "body": environ["wsgi.input"].read(),
                "extra": environ.get("mine"),
                "is_headers": environ["HTTP_X_VALUE"],
            }
        )
        environ["HTTP_X_VALUE"] = environ["PATH_INFO"] = "changed"
        environ["mine"] = True
        start_response("200 OK", [("Content-Length", "0")])
        return []


class Asgi:
    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        fields = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        self.seen.append(
            {
                "method": scope["method"],
                "path": scope["raw_path"].decode(),
                "query": scope["query_string"].decode(),
                "minor": scope["http_version"][-1],
                "value": dict(fields)["x-value"],
                "fields": sorted(fields),
                "port": scope["client"][1],
                "body": (await receive())["body"],
                "extra": scope.get("mine"),
                "is_headers": dict(fields)["x-value"],
            }
        )
        scope["headers"].append((b"x-value", b"changed"))
        scope["path"] = scope["raw_path"] = "changed"
        scope["mine"] = True
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})


@contextlib.contextmanager
def client(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as one:
        yield one


def ask(one: socket.socket, target: str, minor: str, value: str, more: str = "") -> None:
    head = f"GET {target} HTTP/1.{minor}\r\nHost: here\r\nX-Value: {value}\r\n{more}\r\n"
    one.sendall(head.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = one.recv(65536)
        assert piece, answer
        answer += piece
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer


def expected(port: int, target: str, minor: str, value: str) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "method": "GET",
        "path": path,
        "query": query,
        "minor": minor,
        "value": value,
        "fields": [("host", "here"), ("x-value", value)],
        "port": port,
        "body": b"",
        "extra": None,
        "is_headers": value,
    }


@pytest.mark.parametrize("kind", [Rook, Wsgi, Asgi])
def test_each_request_has_what_it_sent_and_no_more(kind: type) -> None:
    app: Any = kind()
    whole = {"call": app.call} if kind is Rook else app
    with httpuv.startServer("127.0.0.1", 0, whole, dispatch="thread") as server:
        wanted = []
        # HTTP/1.0 ends its connection, so each head has one; two more have their own port.
        for target, minor, value in HEADS:
            with client(server.getPort()) as one:
                ask(one, target, minor, value)
                wanted.append(expected(one.getsockname()[1], target, minor, value))
        with client(server.getPort()) as one, client(server.getPort()) as other:
            for _ in range(3):
                for each in (one, other):
                    ask(each, "/a?x=1", "1", "one")
                    wanted.append(expected(each.getsockname()[1], "/a?x=1", "1", "one"))
    assert app.seen == wanted


@pytest.mark.parametrize("kind", [Rook, Wsgi, Asgi])
def test_the_host_of_a_target_counts_each_time(kind: type) -> None:
    app: Any = kind()
    whole = {"call": app.call} if kind is Rook else app
    with (
        httpuv.startServer("127.0.0.1", 0, whole, dispatch="thread") as server,
        client(server.getPort()) as one,
    ):
        for host in ("a", "a", "a", "b", "a"):
            ask(one, f"http://{host}.test/", "1", "one")
    assert [dict(each["fields"])["host"] for each in app.seen] == [
        f"{host}.test" for host in "aaaba"
    ]


def test_a_chunked_body_between_requests_of_the_same_fields() -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read()
        seen.append((environ.get("HTTP_TRANSFER_ENCODING"), environ["CONTENT_LENGTH"], body))
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with (
        httpuv.startServer("127.0.0.1", 0, app, dispatch="thread") as server,
        client(server.getPort()) as one,
    ):
        for size in (1, 2, 3, 4):
            head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            one.sendall(f"{head}{size}\r\n{'x' * size}\r\n0\r\n\r\n".encode())
            assert one.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    assert seen == [(None, str(size), b"x" * size) for size in (1, 2, 3, 4)]


def test_extensions_are_each_request_s_own() -> None:
    seen = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        seen.append("mine" in scope["extensions"])
        scope["extensions"]["mine"] = {}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    with (
        httpuv.startServer("127.0.0.1", 0, app, dispatch="thread") as server,
        client(server.getPort()) as one,
    ):
        for _ in range(4):
            ask(one, "/", "1", "one")
    assert seen == [False] * 4
