"""``wsWaits``: a WebSocket handshake that waits for onWSOpen, which may refuse it."""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpuv
import pytest
import websockets.asyncio.client
import websockets.exceptions
import websockets.sync.client
from support import PATIENCE, read_up_to

from ws_support import TEXT, accept_value, close_frame, frame, handshake, KEY  # isort: skip

Connection = websockets.sync.client.ClientConnection


@contextmanager
def serving(on_open: Callable[[Any], object], **options: Any) -> Iterator[str]:
    app = {"onWSOpen": on_open, "wsWaits": True}
    with httpuv.startServer("127.0.0.1", 0, app, dispatch="thread", **options) as server:
        yield f"127.0.0.1:{server.getPort()}"


def open_at(address: str, **options: Any) -> Connection:
    return websockets.sync.client.connect(f"ws://{address}/", open_timeout=PATIENCE, **options)


def refusal(address: str) -> Any:
    with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
        open_at(address)
    return caught.value.response


def raw(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def echo(ws: Any) -> None:
    ws.onMessage(lambda binary, message: ws.send(message))


async def iterate(ws: Any) -> None:
    async for message in ws:
        await ws.send(message)


@pytest.mark.parametrize("on_open", [echo, iterate])
def test_it_opens(on_open: Any) -> None:
    with (
        serving(on_open, wsProtocols=["v1"]) as address,
        open_at(address, subprotocols=["v1"]) as client,
    ):
        assert client.subprotocol == "v1"
        client.send("hello")
        assert client.recv(PATIENCE) == "hello"


def test_any_other_result_opens() -> None:
    """As where nothing waits: ``lambda ws: ws.onMessage(...)`` returns a function."""
    on_open = lambda ws: ws.onMessage(lambda binary, message: ws.send(message))  # noqa: E731
    with serving(on_open) as address, open_at(address) as client:
        client.send("hello")
        assert client.recv(PATIENCE) == "hello"


def test_it_refuses() -> None:
    ended: list[int] = []

    def on_open(ws: Any) -> dict[str, Any]:
        assert ws.readyState == ws.CONNECTING
        ws.onClose(lambda: ended.append(ws.closeCode))
        seen.append(ws)
        return {"status": 401, "headers": {"WWW-Authenticate": "Bearer"}, "body": "who are you?"}

    seen: list[Any] = []
    with serving(on_open) as address:
        response = refusal(address)
        assert (response.status_code, response.body) == (401, b"who are you?")
        assert response.headers["WWW-Authenticate"] == "Bearer"
        (ws,) = seen
        assert (ws.readyState, ws.closeCode) == (ws.CLOSED, 1006)
        ws.send("to a client that never was")
    assert ended == []


async def refuse_later(ws: Any) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"status": 403, "body": "no"}


def refuse_with_stream(ws: Any) -> dict[str, Any]:
    return {"status": 403, "body": iter([b"n", b"o"])}


@pytest.mark.parametrize("on_open", [refuse_later, refuse_with_stream])
def test_other_ways_to_refuse(on_open: Any) -> None:
    with serving(on_open) as address:
        response = refusal(address)
        assert (response.status_code, response.body) == (403, b"no")


def test_a_connection_goes_on_behind_a_refusal() -> None:
    """As browsers that ask again do: the second handshake on it is another WebSocket's."""

    def on_open(ws: Any) -> dict[str, Any] | None:
        if ws.request["PATH_INFO"] == "/no":
            ws.onMessage(lambda binary, message: ws.send("from the refused one"))
            return {"status": 403, "body": "no"}
        return echo(ws)

    with serving(on_open) as address, raw(address) as client:
        for _ in range(2):
            client.sendall(handshake("/no"))
            assert read_up_to(client, b"\r\n\r\nno").startswith(b"HTTP/1.1 403 ")
        client.sendall(handshake("/yes"))
        answer = read_up_to(client, b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert f"Sec-WebSocket-Accept: {accept_value(KEY)}\r\n".encode() in answer
        client.sendall(frame(TEXT, "hello"))
        assert read_up_to(client, b"hello") == b"\x81\x05hello"


def test_what_is_sent_opens() -> None:
    def on_open(ws: Any) -> None:
        ws.send("first")
        assert ws.readyState == ws.OPEN
        echo(ws)

    with serving(on_open) as address, open_at(address) as client:
        assert client.recv(PATIENCE) == "first"
        client.send("hello")
        assert client.recv(PATIENCE) == "hello"


def test_topics_open() -> None:
    def on_open(ws: Any) -> None:
        ws.subscribe("news")

    app = {"onWSOpen": on_open, "wsWaits": True}
    with (
        httpuv.startServer("127.0.0.1", 0, app, dispatch="thread") as server,
        open_at(f"127.0.0.1:{server.getPort()}") as client,
    ):
        server.publish("news", "hello")
        assert client.recv(PATIENCE) == "hello"


def test_closing_opens_first() -> None:
    """A browser's page learns a code of a connection that was open only."""
    with serving(lambda ws: ws.close(4401, "log in")) as address:
        with open_at(address) as client, pytest.raises(websockets.exceptions.ConnectionClosed):
            client.recv(PATIENCE)
        assert (client.close_code, client.close_reason) == (4401, "log in")


def test_accept_of_a_coroutine_that_goes_on() -> None:
    async def on_open(ws: Any) -> None:
        ws.accept()
        ws.accept()
        ws.onMessage(lambda binary, message: asked.set())
        await asyncio.get_running_loop().run_in_executor(None, asked.wait, PATIENCE)
        ws.send("on")

    asked = threading.Event()
    with serving(on_open) as address, open_at(address) as client:
        client.send("go")
        assert client.recv(PATIENCE) == "on"


def fail(ws: Any) -> None:
    raise LookupError("no such user")


async def fail_later(ws: Any) -> None:
    await asyncio.sleep(0)
    raise LookupError("no such user")


@pytest.mark.parametrize("on_open", [fail, fail_later])
def test_a_failure_is_500(on_open: Any, caplog: pytest.LogCaptureFixture) -> None:
    with serving(on_open) as address:
        assert refusal(address).status_code == 500
    assert "no such user" in caplog.text


def test_a_response_behind_the_opening_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    def on_open(ws: Any) -> dict[str, Any]:
        ws.send("too late")
        return {"status": 403}

    with serving(on_open) as address, open_at(address) as client:
        assert client.recv(PATIENCE) == "too late"
        with pytest.raises(websockets.exceptions.ConnectionClosedError):
            client.recv(PATIENCE)
        assert client.close_code == 1011
    assert "onWSOpen has returned a response for a WebSocket that is open" in caplog.text


def test_the_deadline() -> None:
    closed: queue.Queue[int | None] = queue.Queue()

    async def on_open(ws: Any) -> None:
        ws.onClose(lambda: closed.put(ws.closeCode))
        await asyncio.Event().wait()

    with serving(on_open, limits=httpuv.Limits(ws_accept_timeout=0.2)) as address:
        assert refusal(address).status_code == 503


def test_a_client_that_goes_before() -> None:
    waits: queue.Queue[Any] = queue.Queue()
    closed: queue.Queue[tuple[int | None, int]] = queue.Queue()
    go = threading.Event()

    async def on_open(ws: Any) -> None:
        ws.onClose(lambda: closed.put((ws.closeCode, ws.readyState)))
        waits.put(ws)
        await asyncio.get_running_loop().run_in_executor(None, go.wait, PATIENCE)
        ws.send("to one that has gone")

    with serving(on_open) as address:
        with raw(address) as client:
            client.sendall(handshake())
            ws = waits.get(timeout=PATIENCE)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        while ws.readyState != ws.CLOSED:
            httpuv.service(1)
        go.set()
        assert closed.get(timeout=PATIENCE) == (1006, 3)


def test_stopping_answers_it() -> None:
    begun = threading.Event()

    async def on_open(ws: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    app = {"onWSOpen": on_open, "wsWaits": True}
    server = httpuv.startServer("127.0.0.1", 0, app, dispatch="thread")
    with raw(f"127.0.0.1:{server.getPort()}") as client:
        client.sendall(handshake())
        assert begun.wait(PATIENCE)
        server.stop(1)
        assert client.recv(100).startswith(b"HTTP/1.1 503 ")


def test_headers_first() -> None:
    """onHeaders is asked before, as ever."""
    calls: list[str] = []

    def on_headers(req: Any) -> dict[str, Any] | None:
        calls.append("onHeaders")
        return {"status": 404} if req["PATH_INFO"] == "/no" else None

    def on_open(ws: Any) -> None:
        calls.append("onWSOpen")

    app = {"onWSOpen": on_open, "onHeaders": on_headers, "wsWaits": True}
    with httpuv.startServer("127.0.0.1", 0, app, dispatch="thread") as server:
        with raw(f"127.0.0.1:{server.getPort()}") as client:
            client.sendall(handshake("/no"))
            assert read_up_to(client, b"\r\n\r\n").startswith(b"HTTP/1.1 404 ")
        with raw(f"127.0.0.1:{server.getPort()}") as client:
            client.sendall(handshake() + frame(TEXT, "early") + close_frame())
            assert read_up_to(client, b"\x88\x02\x03\xe8").startswith(b"HTTP/1.1 101 ")
    assert calls == ["onHeaders", "onHeaders", "onWSOpen"]


def test_below_a_mount() -> None:
    app = {"onWSOpen": lambda ws: {"status": 410, "body": "gone"}, "wsWaits": True}
    with (
        httpuv.startServer("127.0.0.1", 0, {}, dispatch="thread", mounts={"/a": app}) as server,
        raw(f"127.0.0.1:{server.getPort()}") as client,
    ):
        client.sendall(handshake("/a/b"))
        assert read_up_to(client, b"gone").startswith(b"HTTP/1.1 410 ")


def test_an_ordinary_one_does_not_wait() -> None:
    """Without wsWaits the I/O thread opens it, while Python is busy or does nothing at all."""
    with (
        httpuv.startServer("127.0.0.1", 0, {"onWSOpen": echo}, dispatch="service") as server,
        raw(f"127.0.0.1:{server.getPort()}") as client,
    ):
        client.sendall(handshake())
        assert read_up_to(client, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")


def test_the_argument() -> None:
    with pytest.raises(TypeError, match="app: wsWaits must be bool, not str"):
        httpuv.startServer("127.0.0.1", 0, {"onWSOpen": echo, "wsWaits": "yes"})
