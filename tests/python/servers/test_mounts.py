"""Applications of several interfaces on one server, each below its path; and how each is known."""

from __future__ import annotations

import functools
import http.client
from pathlib import Path
from typing import Any

import httpuv
import pytest
from httpuv.gateways.interfaces import detect
from support import PATIENCE


def rook(req: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": f"rook {req['SCRIPT_NAME']}|{req['PATH_INFO']}"}


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [f"wsgi {environ['SCRIPT_NAME']}|{environ['PATH_INFO']}".encode("latin-1")]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        raise NotImplementedError
    text = f"asgi {scope['root_path']}|{scope['path']}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})


class Callable3:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Callable2:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...


class RookObject:
    def call(self, req: Any) -> Any: ...


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (rook, "rook"),
        (lambda req: None, "rook"),
        ({"call": rook}, "rook"),
        (RookObject(), "rook"),
        (RookObject().call, "rook"),
        (functools.partial(lambda extra, req: None, 1), "rook"),
        (asgi, "asgi"),
        (Callable3(), "asgi"),
        (Callable3().__call__, "asgi"),
        (functools.partial(asgi), "asgi"),
        (lambda scope, receive, send: asgi(scope, receive, send), "asgi"),
        (wsgi, "wsgi"),
        (Callable2(), "wsgi"),
        (lambda environ, start_response=None: [], "wsgi"),
        (lambda: asgi, "asgi-factory"),
    ],
)
def test_detect(app: object, interface: str) -> None:
    assert detect(app) == interface


@pytest.mark.parametrize("app", [lambda *arguments: None, lambda a, b, c, d: None, print])
def test_what_cannot_be_told(app: Any) -> None:
    with pytest.raises(TypeError, match=r"httpuv\.Mount"):
        httpuv.startServer("127.0.0.1", 0, app)


def get(server: httpuv.WebServer, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.getPort(), timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_mounts(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("static")
    app = {"call": rook, "staticPaths": {"/api/static": str(tmp_path)}}
    mounts = {"/api": asgi, "/old": wsgi, "/old/newer/": rook, "/caf\u00e9": {"call": rook}}
    with httpuv.startServer("127.0.0.1", 0, app, mounts=mounts, dispatch="thread") as server:
        for path, expected in [
            ("/", "rook |/"),
            ("/apix", "rook |/apix"),
            ("/api", "asgi /api|/api"),
            ("/api/a%20b", "asgi /api|/api/a b"),
            ("/%61pi/x", "asgi /api|/api/x"),
            ("/api/static/f", "static"),
            ("/old", "wsgi /old|"),
            ("/old/a%20b?c", "wsgi /old|/a b"),
            ("/old/newer/%78", "rook /old/newer|/%78"),
            ("/caf%C3%A9/x", "rook /caf\u00c3\u00a9|/x"),
        ]:
            assert get(server, path) == (200, expected), path


def test_one_at_the_root() -> None:
    with httpuv.startServer("127.0.0.1", 0, {}, mounts={"/": wsgi}, dispatch="thread") as server:
        assert get(server, "/x") == (200, "wsgi |/x")
    mounts = {"/": httpuv.Mount(wsgi, "wsgi", root_path="/under")}
    with httpuv.startServer("127.0.0.1", 0, {}, mounts=mounts, dispatch="thread") as server:
        assert get(server, "/x") == (200, "wsgi /under|/x")


def test_a_failing_one() -> None:
    def fails(req: Any) -> Any:
        raise ValueError("on purpose")

    mounts = {"/a": fails, "/b": rook}
    with httpuv.startServer("127.0.0.1", 0, {}, mounts=mounts, dispatch="thread") as server:
        assert get(server, "/a")[0] == 500
        assert get(server, "/b")[0] == 200
        assert get(server, "/c")[0] == 404


@pytest.mark.parametrize(
    ("app", "mounts", "text"),
    [
        (rook, {"/": asgi}, "'/' hides"),
        (asgi, {"/": asgi}, "'/' hides"),
        ({}, {"/a": asgi, "/a/": wsgi}, "there twice"),
        ({}, {"/a/../b": asgi}, "must not have"),
        ({}, {"/a": {"call": rook, "onHeaders": rook}}, "onHeaders"),
        ({}, {1: asgi}, "must be str"),
        ({}, [asgi], "must be a dict"),
        ({}, {"/a": 5}, "app must be"),
    ],
)
def test_wrong_mounts(app: Any, mounts: Any, text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        httpuv.startServer("127.0.0.1", 0, app, mounts=mounts)


def test_wrong_mount() -> None:
    with pytest.raises(ValueError, match="interface must be"):
        httpuv.Mount(asgi, "cgi")
    with pytest.raises(ValueError, match="scheme must be"):
        httpuv.Mount(asgi, scheme="ftp")
    with pytest.raises(ValueError, match="lifespan must be"):
        httpuv.Mount(asgi, lifespan="maybe")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="app must be a WSGI application, not NoneType"):
        httpuv.Mount(None, "wsgi")
    with pytest.raises(TypeError, match="app must be an ASGI application, not dict"):
        httpuv.Mount({}, "asgi")
    with pytest.raises(TypeError, match="app must be a WSGI application"):
        httpuv.wsgi.run(None)
