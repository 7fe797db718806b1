"""Flask, Quart, Litestar and python-socketio."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest


@pytest.mark.parametrize("threads", [1, 4])
def test_flask(wsgi: Callable[..., Any], threads: int) -> None:
    flask = pytest.importorskip("flask")
    app = flask.Flask(__name__)
    app.secret_key = "secret"
    closed: list[str] = []

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        closed.append(flask.request.path)

    @app.get("/hello/<name>")
    def hello(name: str) -> dict[str, Any]:
        flask.session["name"] = name
        return {"name": name, "args": flask.request.args, "url": flask.url_for("session")}

    @app.get("/session")
    def session() -> str:
        return str(flask.session.get("name"))

    @app.post("/upload")
    def upload() -> dict[str, Any]:
        file = flask.request.files["file"]
        return {"size": len(file.read()), "name": file.filename, "form": flask.request.form["a"]}

    @app.get("/stream")
    def stream() -> Any:
        def pieces() -> Iterator[str]:
            for number in range(20):
                time.sleep(0.001)
                yield f"{number} {flask.request.path}\n"

        return flask.Response(flask.stream_with_context(pieces()), mimetype="text/plain")

    @app.get("/file")
    def file() -> Any:
        return flask.send_file(io.BytesIO(b"0123456789"), mimetype="text/plain")

    @app.get("/disk")
    def disk() -> Any:
        return flask.send_file(__file__, conditional=True)

    site = wsgi(app, threads)
    http = site.http
    assert http.get("/hello/é?x=1").json() == {"name": "é", "args": {"x": "1"}, "url": "/session"}
    assert http.get("/session").text == "é"
    answer = http.post("/upload", files={"file": ("f", b"x" * 2_000_000)}, data={"a": "b"})
    assert answer.json() == {"size": 2_000_000, "name": "f", "form": "b"}
    assert http.get("/stream").text == "".join(f"{number} /stream\n" for number in range(20))
    assert http.get("/file").content == b"0123456789"
    with open(__file__, "rb") as own:
        content = own.read()
    assert http.get("/disk").content == content
    answer = http.get("/disk", headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, content[10:20])
    assert http.get("/nothing").status_code == 404
    assert "/stream" in closed


def test_quart(asgi: Callable[..., Any]) -> None:
    quart = pytest.importorskip("quart")
    app = quart.Quart(__name__)
    events: list[str] = []

    @app.before_serving
    async def startup() -> None:
        events.append("startup")

    @app.get("/hello")
    async def hello() -> dict[str, Any]:
        return {"path": quart.request.path, "args": quart.request.args["a"]}

    @app.post("/size")
    async def size() -> str:
        return str(len(await quart.request.get_data()))

    @app.get("/stream")
    async def stream() -> Any:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(10):
                await asyncio.sleep(0.001)
                yield b"%d " % number

        return pieces(), 200, {"Content-Type": "text/plain"}

    @app.websocket("/ws")
    async def socket() -> None:
        while True:
            await quart.websocket.send("echo " + await quart.websocket.receive())

    site = asgi(app)
    assert events == ["startup"]
    assert site.http.get("/hello?a=b").json() == {"path": "/hello", "args": "b"}
    assert site.http.post("/size", content=b"x" * 1_000_000).text == "1000000"
    assert site.http.get("/stream").text == "0 1 2 3 4 5 6 7 8 9 "
    with site.websocket("/ws") as client:
        client.send("hi")
        assert client.recv(timeout=30) == "echo hi"


def test_litestar(asgi: Callable[..., Any]) -> None:
    litestar = pytest.importorskip("litestar")

    @litestar.get("/hello/{number:int}")
    async def hello(number: int) -> dict[str, int]:
        return {"number": number}

    @litestar.post("/size")
    async def size(body: bytes) -> int:
        return len(body)

    @litestar.websocket_listener("/ws")
    async def socket(data: str) -> str:
        return "echo " + data

    site = asgi(litestar.Litestar([hello, size, socket]))
    assert site.http.get("/hello/3").json() == {"number": 3}
    assert site.http.post("/size", content=b"x" * 300_000).json() == 300_000
    with site.websocket("/ws") as client:
        client.send("hi")
        assert client.recv(timeout=30) == "echo hi"


def test_socketio(asgi: Callable[..., Any]) -> None:
    socketio = pytest.importorskip("socketio")
    server = socketio.AsyncServer(async_mode="asgi")

    @server.event
    async def double(sid: str, value: int) -> int:
        await server.emit("told", value, to=sid)
        return value * 2

    site = asgi(socketio.ASGIApp(server))
    # The protocol by hand: Engine.IO 4 over WebSocket, then Socket.IO 5.
    with site.websocket("/socket.io/?EIO=4&transport=websocket") as client:
        assert client.recv(timeout=30).startswith("0{")
        client.send("40")
        assert client.recv(timeout=30).startswith("40{")
        client.send('420["double",21]')
        answers = sorted(client.recv(timeout=30) for _ in range(2))
        assert answers == ['42["told",21]', "430[42]"]
    polled = site.http.get("/socket.io/?EIO=4&transport=polling")
    assert polled.text.startswith("0{")


def test_asgirefs_bridges(asgi: Callable[..., Any]) -> None:
    wsgi_to_asgi = pytest.importorskip("asgiref.wsgi")

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode("latin-1"), environ["wsgi.input"].read()]

    site = asgi(wsgi_to_asgi.WsgiToAsgi(app), lifespan="off")
    assert site.http.post("/a", content=b"b" * 200_000).text == "/a" + "b" * 200_000
